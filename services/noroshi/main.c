// noroshi - the command line: runs, asks and feeds the pipeline.
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "services/noroshi/verbs.h"

static const cli_verb_t *const s_verbs[] = {
    &verb_up,  &verb_down, &verb_check, &verb_status, &verb_submit,
    &verb_tap, &verb_follow, &verb_show, &verb_releases, &verb_dead,  &verb_key,    &verb_rules, &verb_bench,
};
enum { s_verb_count = sizeof s_verbs / sizeof *s_verbs };

static const cli_verb_t *
s_find(const char *name)
{
    for (size_t i = 0; i < s_verb_count; i++)
        if (strcmp(s_verbs[i]->name, name) == 0)
            return s_verbs[i];
    return NULL;
}

static void
s_print_verbs(FILE *stream)
{
    fputs("noroshi - an exchange for cyber-threat information\n\n"
          "usage: noroshi VERB [options] [arguments]\n\n",
          stream);
    for (size_t i = 0; i < s_verb_count; i++)
        fprintf(stream, "  %-8s %s\n", s_verbs[i]->name, s_verbs[i]->summary);
    fputs("\n`noroshi help VERB` tells more. All verbs know --config FILE, --json and --help.\n"
          "Exit status: 0 good, 1 something is unhealthy or failed, 2 wrong usage or "
          "configuration.\n",
          stream);
}

static cli_exit_t
s_unknown(const char *name)
{
    const char *names[s_verb_count];
    for (size_t i = 0; i < s_verb_count; i++)
        names[i] = s_verbs[i]->name;
    const char *near = cli_nearest(name, names, s_verb_count);
    cli_t cli = { 0 };
    if (near)
        return cli_usage(&cli, "there is no verb \"%s\"; did you mean `noroshi %s`?", name, near);
    return cli_usage(&cli, "there is no verb \"%s\"", name);
}

static cli_exit_t
s_run(const cli_verb_t *verb, int argc, char **argv)
{
    cli_t cli = { .verb = verb, .colour = term_has_colour(stdout) };
    cli_exit_t status = verb->run(&cli, argc, argv);
    nrs_plan_destroy(&cli.plan);
    return status;
}

// `noroshi help VERB` is `noroshi VERB --help`.
static cli_exit_t
s_help(int argc, char **argv)
{
    const cli_verb_t *verb = argc > 1 ? s_find(argv[1]) : NULL;
    if (argc > 1 && !verb)
        return s_unknown(argv[1]);
    if (!verb) {
        s_print_verbs(stdout);
        return CLI_GOOD;
    }
    char help[] = "--help";
    char *asked[] = { argv[1], help, NULL };
    return s_run(verb, 2, asked);
}

int
main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1)
        setlocale(LC_CTYPE,
                  "C.UTF-8"); // widths of characters, where the environment names no language
    signal(SIGPIPE, SIG_IGN); // a reader that leaves (`| head`) is seen where we write
    nrs_log_setup("noroshi", "", NRS_LOG_NOTHING); // verbs tell people what went wrong, in words
    if (argc < 2) {
        s_print_verbs(stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("noroshi " NOROSHI_VERSION);
        return CLI_GOOD;
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return (int)s_help(argc - 1, argv + 1);
    const cli_verb_t *verb = s_find(word);
    return (int)(verb ? s_run(verb, argc - 1, argv + 1) : s_unknown(word));
}
