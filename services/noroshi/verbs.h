// verbs.h - every verb of the command line; each stands in verb_NAME.c

#ifndef NOROSHI_VERBS_H
#define NOROSHI_VERBS_H

#include "services/noroshi/cli.h"

extern const cli_verb_t verb_up;
extern const cli_verb_t verb_down;
extern const cli_verb_t verb_check;
extern const cli_verb_t verb_status;
extern const cli_verb_t verb_submit;
extern const cli_verb_t verb_tap;
extern const cli_verb_t verb_follow;
extern const cli_verb_t verb_show;
extern const cli_verb_t verb_releases;
extern const cli_verb_t verb_dead;
extern const cli_verb_t verb_key;
extern const cli_verb_t verb_rules;
extern const cli_verb_t verb_bench;

#endif
