// key - CURVE key pairs of members, peers and instances.
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/keys.h"
#include "services/noroshi/verbs.h"

static void
s_print(const cli_t *cli, const nrs_keys_t *keys, const char *path)
{
    nrs_buf_t text = { 0 };
    if (cli->json) {
        nrs_buf_put_text(&text, "{\"name\":");
        nrs_buf_put_json_string(&text, nrs_text(keys->name));
        nrs_buf_put_text(&text, ",\"public\":");
        nrs_buf_put_json_string(&text, nrs_text(keys->public_text));
        nrs_buf_put_text(&text, ",\"file\":");
        nrs_buf_put_json_string(&text, nrs_text(path));
        nrs_buf_printf(&text, ",\"secret\":%s}\n", keys->secret_text[0] ? "true" : "false");
    } else {
        nrs_buf_put_text(&text, "name    ");
        term_put_clean(&text, nrs_text(keys->name));
        nrs_buf_printf(&text, "\npublic  %s\nfile    %s (%s)\n", keys->public_text, path,
                       keys->secret_text[0] ? "secret and public: keep it here"
                                            : "public only: may be handed out");
    }
    cli_print(&text);
    nrs_buf_free(&text);
}

static cli_exit_t
s_new(cli_t *cli, const char *name, const char *dir)
{
    char home_keys[4096], path[4200];
    nrs_keys_t keys = { 0 };
    nrs_problem_t problem = { 0 };
    if (!dir) {
        const nrs_plan_t *plan = cli_plan(cli);
        if (!plan)
            return CLI_USAGE;
        snprintf(home_keys, sizeof home_keys, "%s/keys", plan->home);
        dir = home_keys;
    }
    nrs_err_t err = nrs_files_make_directory(dir, &problem);
    err = err ? err : nrs_keys_new(dir, name, &problem, &keys);
    if (err)
        return cli_fail(cli, err == NRS_E_FORMAT ? CLI_USAGE : CLI_FAILED, "%s",
                        nrs_problem_print(&problem, path, sizeof path));
    snprintf(path, sizeof path, "%s/%s.key", dir, name);
    s_print(cli, &keys, path);
    if (!cli->json)
        printf("\nHand out %s/%s.pub. In noroshi.yaml the member or peer has\n    key: \"%s\"\n",
               dir, name, keys.public_text);
    nrs_keys_wipe(&keys);
    return CLI_GOOD;
}

static cli_exit_t
s_show(const cli_t *cli, const char *path)
{
    nrs_keys_t keys = { 0 };
    nrs_problem_t problem = { 0 };
    char text[1024];
    nrs_err_t err = nrs_keys_load(path, &problem, &keys);
    if (err)
        return cli_fail(cli, CLI_FAILED, "%s", nrs_problem_print(&problem, text, sizeof text));
    s_print(cli, &keys, path);
    nrs_keys_wipe(&keys);
    return CLI_GOOD;
}

static cli_exit_t
s_key(cli_t *cli, int argc, char **argv)
{
    const char *dir = NULL;
    const cli_option_t options[] = {
        { "dir", 'd', CLI_TEXT, &dir, "DIR", "where the pair is written (default: HOME/keys)" },
        { 0 },
    };
    cli_exit_t status;
    if (!cli_parse(cli, options, argc, argv, &argc, &status))
        return status;
    if (argc == 3 && strcmp(argv[1], "new") == 0)
        return s_new(cli, argv[2], dir);
    if (argc == 3 && strcmp(argv[1], "show") == 0)
        return s_show(cli, argv[2]);
    return cli_usage(cli, "say `key new NAME` or `key show FILE`");
}

const cli_verb_t verb_key = {
    .name = "key",
    .arguments = "new NAME | show FILE",
    .summary = "make a key pair; show a public key",
    .text =
        "new NAME   makes a CURVE pair: NAME.key (secret, mode 0600) and NAME.pub. An existing "
        "file\n"
        "           is never written over.\n"
        "show FILE  prints the name and the public key of a .key or .pub file, never the secret.",
    .examples = "  noroshi key new operator\n"
                "  noroshi key new ncfta --dir handover\n"
                "  noroshi key show keys/ncfta.pub",
    .run = s_key,
};
