// cli.h - what the verbs share: options, the plan, how a failure is told
// Shape:    a verb is one file with one cli_verb_t; main.c has them all in its table.
//           Exit status: 0 good, 1 something is unhealthy or failed, 2 wrong usage or
//           configuration.
// Threads:  one thread.

#ifndef NOROSHI_CLI_H
#define NOROSHI_CLI_H

#include "common/ask.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/plan.h"
#include "services/noroshi/term.h"

typedef enum cli_exit {
    CLI_GOOD = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
} cli_exit_t;

typedef struct cli cli_t;

typedef struct cli_verb {
    const char *name;
    const char *arguments;                                // "[PREFIX]", for the usage line
    const char *summary;                                  // one line, for the list of verbs
    const char *text;                                     // what it does, in a few lines
    const char *examples;                                 // command lines, one a line
    cli_exit_t (*run)(cli_t *cli, int argc, char **argv); // argv[0] is the verb
} cli_verb_t;

// What all verbs have: made by main.c, the options filled in by cli_parse().
struct cli {
    const cli_verb_t *verb;
    const char *config; // --config, or NULL
    bool json;          // --json
    bool colour;        // on stdout
    nrs_plan_t *plan;   // owned; see cli_plan()
};

// --- options -------------------------------------------------------------------------------------

typedef enum cli_option_type {
    CLI_FLAG,   // bool
    CLI_TEXT,   // const char *
    CLI_NUMBER, // uint64_t
} cli_option_type_t;

typedef struct cli_option {
    const char *name; // "topic" for --topic; NULL ends the table
    char letter;      // 'd' for -d, or 0
    cli_option_type_t type;
    void *into;
    const char *value; // what stands for the value in the help, e.g. "NAME"
    const char *doc;
} cli_option_t;

// Read options wherever they stand (`--` ends them), and --config, --json and --help, which every
// verb has. What is left, without the verb, is in argv[1..*ret_argc). Returns false when the verb
// is done already (help was printed, or the usage is wrong and said so); *ret_exit is its status
// then.
bool
cli_parse(cli_t *cli, const cli_option_t *options, int argc, char **argv, int *ret_argc,
          cli_exit_t *ret_exit);

// --- the deployment ------------------------------------------------------------------------------

// Where the configuration is: --config, $NOROSHI_CONFIG, ./noroshi.yaml, ./deploy/noroshi.yaml.
// NULL when none is there (said on stderr unless `quiet`).
const char *
cli_config(const cli_t *cli, bool quiet);
// Read it. NULL, with the mistake told on stderr, when that fails: exit with CLI_USAGE.
const nrs_plan_t *
cli_plan(cli_t *cli);
// The instance of that name, or NULL with the names there are told on stderr.
const nrs_instance_t *
cli_instance(const nrs_plan_t *plan, const char *name);

// Read the keys with which a member or a peer, who has no noroshi.yaml, comes in from outside: its own
// pair and the public key of who serves. Both into `bus`, which borrows from `keys` and `server`; wipe
// `keys` afterwards. Without both files nothing is set. CLI_GOOD, or told on stderr.
cli_exit_t
cli_outside(const cli_t *cli, const char *key, const char *server_key, nrs_keys_t *keys, nrs_keys_t *server,
            nrs_bus_options_t *bus);

// SIGINT and SIGTERM, to be waited for as a descriptor: readable when one has come. Call before the first socket is opened,
// so that its threads leave signals to us. The caller closes it.
int
cli_signals(void);

// --- telling -------------------------------------------------------------------------------------

// "noroshi VERB: what: why" on stderr; returns the status given.
cli_exit_t
cli_fail(const cli_t *cli, cli_exit_t status, const char *format, ...) NRS_PRINTF(3, 4);
// The same for a problem found by a module: CLI_USAGE when it is about the configuration, else
// CLI_FAILED.
cli_exit_t
cli_problem(const cli_t *cli, nrs_err_t err, const nrs_problem_t *problem);
// Wrong usage: the sentence and where the help is.
cli_exit_t
cli_usage(const cli_t *cli, const char *format, ...) NRS_PRINTF(2, 3);
// Write the buffer to stdout and empty it. False when the reader is gone.
bool
cli_print(nrs_buf_t *buf);
// "%s, did you mean `%s`?": the word nearest to `word` among `count` names at most 2 edits away
// (Damerau-Levenshtein), or NULL.
const char *
cli_nearest(const char *word, const char *const *names, size_t count);
// The help of one verb, on stdout.
void
cli_help(const cli_verb_t *verb, const cli_option_t *options);

#endif
