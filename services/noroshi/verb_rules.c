// rules - check a rules file before it goes live.
#include <stdio.h>

#include "services/classify/classify_rules.h"
#include "services/noroshi/verbs.h"

// The rules file that the configuration names for classify (stages: classify: options: rules:), or
// where it is when the configuration does not say. NULL when there is no configuration.
static const char *
s_configured(cli_t *cli)
{
    const nrs_plan_t *plan = cli_plan(cli);
    if (!plan)
        return NULL;
    const nrs_instance_t *classify = nrs_plan_next(plan, "classify", NULL);
    const nrs_config_node_t *node = classify ? nrs_config_get(classify->options, "rules") : NULL;
    const char *path = nrs_config_text(node);
    return nrs_config_path(plan->config, path ? path : "rules/default.yaml");
}

static void
s_put_warnings(const cli_t *cli, const classify_rules_t *rules, nrs_buf_t *into)
{
    const nrs_problem_t *warning;
    char text[1024];
    for (size_t i = 0; (warning = classify_rules_warning(rules, i)); i++) {
        nrs_problem_print(warning, text, sizeof text);
        if (cli->json) {
            nrs_buf_put_text(into, i > 0 ? "," : "");
            nrs_buf_put_json_string(into, nrs_text(text));
        } else {
            term_put_colour(into, cli->colour, TERM_YELLOW, "warning ");
            term_put_clean(into, nrs_text(text));
            nrs_buf_put_text(into, "\n");
        }
    }
}

static cli_exit_t
s_bad(const cli_t *cli, nrs_err_t err, const nrs_problem_t *problem)
{
    if (!cli->json)
        return cli_problem(cli, err, problem);
    char text[1024];
    nrs_buf_t out = { 0 };
    nrs_buf_put_text(&out, "{\"ok\":false,\"text\":");
    nrs_buf_put_json_string(&out, nrs_text(nrs_problem_print(problem, text, sizeof text)));
    nrs_buf_put_text(&out, "}\n");
    cli_print(&out);
    nrs_buf_free(&out);
    return CLI_USAGE;
}

static cli_exit_t
s_check(cli_t *cli, const char *path)
{
    NRS_AUTO(classify_rules) rules = NULL;
    nrs_problem_t problem = { 0 };
    nrs_err_t err = classify_rules_open(path, &problem, &rules);
    if (err)
        return s_bad(cli, err, &problem);
    classify_summary_t summary = classify_rules_check(rules);
    nrs_buf_t out = { 0 };
    if (cli->json) {
        nrs_buf_printf(&out, "{\"ok\":true,\"rules\":%zu,\"warnings\":[", summary.rules);
        s_put_warnings(cli, rules, &out);
        nrs_buf_put_text(&out, "]}\n");
    } else {
        s_put_warnings(cli, rules, &out);
        nrs_buf_printf(&out, "%s: %zu rules, %zu warnings\n", path, summary.rules,
                       summary.warnings);
    }
    cli_print(&out);
    nrs_buf_free(&out);
    return CLI_GOOD;
}

static cli_exit_t
s_rules(cli_t *cli, int argc, char **argv)
{
    cli_exit_t status;
    if (!cli_parse(cli, NULL, argc, argv, &argc, &status))
        return status;
    if (argc < 2 || argc > 3 || strcmp(argv[1], "check") != 0)
        return cli_usage(cli, "say `rules check [FILE]`");
    const char *path = argc == 3 ? argv[2] : s_configured(cli);
    return path ? s_check(cli, path) : CLI_USAGE;
}

const cli_verb_t verb_rules = {
    .name = "rules",
    .arguments = "check [FILE]",
    .summary = "check a rules file",
    .text =
        "Reads FILE, or the file that the configuration names for classify, and tells the first\n"
        "mistake with file, line and column, or what in a good file cannot be meant: a rule that\n"
        "no event reaches, for example. Nothing is changed; classify reads its rules again on\n"
        "SIGHUP. Exit status 2 when the file is wrong.",
    .examples = "  noroshi rules check\n"
                "  noroshi rules check candidate.yaml",
    .run = s_rules,
};
