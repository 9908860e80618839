// classify_rule.h - one rule in memory; for the parts of classify_rules_t only

#ifndef CLASSIFY_RULE_H
#define CLASSIFY_RULE_H

#include "services/classify/classify_reason.h"
#include "services/classify/classify_rules.h"

#include "common/config.h"
#include "common/expr.h"

// What a rule says of an event; 0, empty and NULL: nothing.
typedef struct classify_saying {
    uint64_t class;
    uint64_t type;
    uint64_t severity;
    uint64_t confidence;
    bool type_of_source;       // origin.claim, where it is one of RSIT's type words
    bool confidence_of_source; // origin.confidence, where there is one
    uint64_t expires_ms;       // after it was observed
    uint64_t desk;
    nrs_list_t audience;       // borrowed from the file
    classify_reason_t *reason; // owned
} classify_saying_t;

typedef struct classify_rule {
    nrs_bytes_t id; // borrowed from the file
    uint64_t version;
    nrs_expr_t *when; // owned
    uint64_t kinds;   // of which it can hold: nrs_expr_kinds()
    bool stop;        // no rule behind it is asked when it matches
    classify_saying_t says;
    const nrs_config_node_t *node; // its place in the file
} classify_rule_t;

struct classify_rules {
    nrs_config_t *config; // owned; texts borrow from it
    bool first;           // mode: the first rule that matches decides
    size_t count;
    classify_rule_t *rules;      // owned
    classify_saying_t otherwise; // what no rule says
    size_t warning_count;
    nrs_problem_t *warnings; // owned
};

// Read the rules out of self->config; `text` is the file that it was parsed from. Errors:
// NRS_E_CONFIG.
NRS_MUST_CHECK nrs_err_t
classify_load(classify_rules_t *self, nrs_bytes_t text, nrs_problem_t *reterr);

// Note what can't be meant: rules that can never match or never be reached.
void
classify_warn(classify_rules_t *self);

#endif
