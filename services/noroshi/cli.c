#include "services/noroshi/cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

// --- options -------------------------------------------------------------------------------------

enum { s_options_max = 24 };

// The verb's options and those that every verb has, as one table.
typedef struct s_table {
    cli_option_t rows[s_options_max];
    size_t count;
    bool help;
} s_table_t;

static void
s_table_fill(s_table_t *table, cli_t *cli, const cli_option_t *options)
{
    const cli_option_t common[] = {
        { "config", 'c', CLI_TEXT, &cli->config, "FILE",
          "the deployment (default: $NOROSHI_CONFIG, ./noroshi.yaml, ./deploy/noroshi.yaml)" },
        { "json", 0, CLI_FLAG, &cli->json, NULL, "print JSON instead of text for people" },
        { "help", 'h', CLI_FLAG, &table->help, NULL, "print this help" },
    };
    for (; options && options->name; options++)
        table->rows[table->count++] = *options;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        table->rows[table->count++] = common[i];
    NRS_ASSERT(table->count < s_options_max);
}

static bool
s_option_put(const cli_option_t *option, const char *value)
{
    char *end = NULL;
    switch (option->type) {
    case CLI_FLAG:
        *(bool *)option->into = true;
        return true;
    case CLI_TEXT:
        *(const char **)option->into = value;
        return true;
    case CLI_NUMBER:
        errno = 0;
        *(uint64_t *)option->into = strtoull(value, &end, 10);
        return errno == 0 && value[0] >= '0' && value[0] <= '9' && *end == 0;
    }
    return false;
}

// The table in getopt's words: the letters, and the long names with their row as the value.
static void
s_getopt_table(const s_table_t *table, struct option *longs, char *letters)
{
    *letters++ = ':'; // getopt tells a missing value apart, and stays silent
    for (size_t i = 0; i < table->count; i++) {
        const cli_option_t *row = &table->rows[i];
        int has_value = row->type == CLI_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){ row->name, has_value, NULL, 256 + (int)i };
        if (row->letter)
            *letters++ = row->letter;
        if (row->letter && has_value)
            *letters++ = ':';
    }
    *letters = 0;
}

static const cli_option_t *
s_table_row(const s_table_t *table, int code)
{
    if (code >= 256)
        return &table->rows[code - 256];
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].letter == code)
            return &table->rows[i];
    return NULL;
}

static bool
s_parse(const cli_t *cli, const s_table_t *table, int argc, char **argv)
{
    struct option longs[s_options_max] = { 0 };
    char letters[2 * s_options_max + 2];
    s_getopt_table(table, longs, letters);
    optind = 0;
    int code;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (code == ':' || code == '?') {
            const char *given = argv[optind - 1];
            cli_usage(cli, code == ':' ? "%s wants a value" : "unknown option %s", given);
            return false;
        }
        const cli_option_t *row = s_table_row(table, code);
        if (!s_option_put(row, optarg)) {
            cli_usage(cli, "--%s wants a number, not \"%s\"", row->name, optarg);
            return false;
        }
    }
    return true;
}

bool
cli_parse(cli_t *cli, const cli_option_t *options, int argc, char **argv, int *ret_argc,
          cli_exit_t *ret_exit)
{
    s_table_t table = { 0 };
    s_table_fill(&table, cli, options);
    if (!s_parse(cli, &table, argc, argv)) {
        *ret_exit = CLI_USAGE;
        return false;
    }
    if (table.help) {
        cli_help(cli->verb, options);
        *ret_exit = CLI_GOOD;
        return false;
    }
    int left = argc - optind; // getopt has moved the operands to the end
    for (int i = 0; i < left; i++)
        argv[1 + i] = argv[optind + i];
    *ret_argc = 1 + left;
    return true;
}

void
cli_help(const cli_verb_t *verb, const cli_option_t *options)
{
    cli_t none = { 0 };
    s_table_t table = { 0 };
    s_table_fill(&table, &none, options);
    printf("usage: noroshi %s [options]%s%s\n\n%s\n\noptions:\n", verb->name,
           verb->arguments[0] ? " " : "", verb->arguments, verb->text);
    for (size_t i = 0; i < table.count; i++) {
        const cli_option_t *row = &table.rows[i];
        char left[64], letter[8] = "    ";
        if (row->letter)
            snprintf(letter, sizeof letter, "-%c, ", row->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        printf("  %-24s %s\n", left, row->doc);
    }
    printf("\nexamples:\n%s\n", verb->examples);
}

// --- the deployment ------------------------------------------------------------------------------

const char *
cli_config(const cli_t *cli, bool quiet)
{
    static const char *const places[] = { "noroshi.yaml", "deploy/noroshi.yaml" };
    const char *named = cli->config ? cli->config : getenv("NOROSHI_CONFIG");
    if (named && named[0])
        return named;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    if (!quiet)
        cli_fail(cli, CLI_USAGE,
                 "no configuration: neither ./noroshi.yaml nor ./deploy/noroshi.yaml is there; "
                 "name it with --config FILE or NOROSHI_CONFIG");
    return NULL;
}

const nrs_plan_t *
cli_plan(cli_t *cli)
{
    if (cli->plan)
        return cli->plan;
    nrs_problem_t problem = { 0 };
    const char *path = cli_config(cli, false);
    if (!path)
        return NULL;
    nrs_err_t err = nrs_plan_open(path, &problem, &cli->plan);
    if (err)
        cli_problem(cli, err, &problem);
    return cli->plan;
}

const nrs_instance_t *
cli_instance(const nrs_plan_t *plan, const char *name)
{
    const nrs_instance_t *found = nrs_plan_instance(plan, name);
    if (found)
        return found;
    fprintf(stderr, "noroshi: no instance is called \"%s\"; there are:", name);
    for (size_t i = 0; i < plan->instance_count; i++)
        fprintf(stderr, " %s", plan->instances[i].name);
    fputc('\n', stderr);
    return NULL;
}

cli_exit_t
cli_outside(const cli_t *cli, const char *key, const char *server_key, nrs_keys_t *keys,
            nrs_keys_t *server, nrs_bus_options_t *bus)
{
    nrs_problem_t problem = { 0 };
    if (!key != !server_key)
        return cli_usage(cli, "--key and --server-key belong together");
    if (!key)
        return CLI_GOOD;
    nrs_err_t err = nrs_keys_load(key, &problem, keys);
    err = err ? err : nrs_keys_load(server_key, &problem, server);
    if (err)
        return cli_problem(cli, err, &problem);
    bus->keys = keys;
    bus->server_key = server->public_text;
    return CLI_GOOD;
}

int
cli_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    return signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

// --- telling -------------------------------------------------------------------------------------

static void
s_tell(const cli_t *cli, const char *format, va_list args)
{
    char *text = NULL;
    nrs_buf_t clean = { 0 };
    NRS_ASSERT(vasprintf(&text, format, args) >= 0);
    term_put_clean(&clean, nrs_text(text));
    fprintf(stderr, "noroshi%s%s: %s\n", cli->verb ? " " : "", cli->verb ? cli->verb->name : "",
            nrs_buf_cstr(&clean));
    nrs_buf_free(&clean);
    free(text);
}

cli_exit_t
cli_fail(const cli_t *cli, cli_exit_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s_tell(cli, format, args);
    va_end(args);
    return status;
}

cli_exit_t
cli_problem(const cli_t *cli, nrs_err_t err, const nrs_problem_t *problem)
{
    char text[1024];
    nrs_problem_print(problem, text, sizeof text);
    bool theirs = err == NRS_E_CONFIG || err == NRS_E_USAGE || problem->file[0];
    return cli_fail(cli, theirs ? CLI_USAGE : CLI_FAILED, "%s", text[0] ? text : nrs_err_name(err));
}

cli_exit_t
cli_usage(const cli_t *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s_tell(cli, format, args);
    va_end(args);
    const char *verb = cli->verb ? cli->verb->name : "";
    fprintf(stderr, "see `noroshi help%s%s`\n", verb[0] ? " " : "", verb);
    return CLI_USAGE;
}

bool
cli_print(nrs_buf_t *buf)
{
    size_t written = buf->size ? fwrite(buf->data, 1, buf->size, stdout) : 0;
    bool good = written == buf->size && fflush(stdout) == 0;
    nrs_buf_reset(buf);
    return good;
}

// --- near words ----------------------------------------------------------------------------------

enum { s_word_max = 32, s_edits_max = 2 };

static size_t
s_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Insertions, deletions, replacements and swaps of neighbours that make one word the other (optimal
// string alignment).
static size_t
s_edits(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    size_t d[s_word_max + 1][s_word_max + 1];
    if (rows > s_word_max || columns > s_word_max)
        return SIZE_MAX;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = s_min(s_min(d[i - 1][j], d[i][j - 1]) + 1,
                            d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = s_min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[rows][columns];
}

const char *
cli_nearest(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t fewest = s_edits_max + 1;
    for (size_t i = 0; i < count; i++) {
        size_t edits = s_edits(word, names[i]);
        if (edits < fewest && edits < strlen(names[i])) {
            fewest = edits;
            nearest = names[i];
        }
    }
    return nearest;
}
