// answer.h - what an instance answered, ready to be looked up
// Threads:  one thread.

#ifndef NOROSHI_ANSWER_H
#define NOROSHI_ANSWER_H

#include "common/ask.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/json.h"

// Values borrow from it until it is destroyed.
typedef struct answer {
    nrs_buf_t text;        // owned: the JSON text
    nrs_json_t *parser;    // owned
    nrs_json_value_t root; // ABSENT when there is no answer
} answer_t;

// Ask and wait (common/ask.h: nrs_ask()). The caller owns *ret_answer. Errors: those of nrs_ask(),
// NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
answer_ask(const nrs_plan_t *plan, const nrs_instance_t *instance, const char *verb,
           nrs_bytes_t argument, nrs_problem_t *reterr, answer_t **ret_answer);
// Parse a text that came some other way; copied. Errors: NRS_E_FORMAT, NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
answer_parse(nrs_bytes_t json, nrs_problem_t *reterr, answer_t **ret_answer);
void
answer_destroy(answer_t **self_p);

// A member of an object: its value; its text (NRS_NONE when it is none); its number (0); is it
// true.
nrs_json_value_t
answer_get(const nrs_json_value_t *value, const char *name);
nrs_bytes_t
answer_text(const nrs_json_value_t *value, const char *name);
uint64_t
answer_number(const nrs_json_value_t *value, const char *name);
bool
answer_true(const nrs_json_value_t *value, const char *name);

// For "%.*s".
#define ANSWER_F(bytes_) (int)(bytes_).size, (bytes_).size ? (const char *)(bytes_).data : ""

#endif
