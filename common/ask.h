// ask.h - the questions of the command line to an instance, and the answers (proto/ask.md)
// Shape:    question: [verb, argument]; answer: [outcome, JSON]. The outcome is "ok" or the name of
//           an nrs_err_t.
// Threads:  an object belongs to the thread that opened it.

#ifndef NRS_ASK_H
#define NRS_ASK_H

#include "common/base.h"
#include "common/buf.h"
#include "common/bus.h"
#include "common/plan.h"

enum { NRS_ASK_VERB_MAX = 32 };
enum { NRS_ASK_ARGUMENT_MAX = 4096 };
enum { NRS_ASK_ANSWER_MAX = 8 * 1024 * 1024 };
enum { NRS_ASK_WAIT_MS = 3000 }; // how long a person waits before we say that nobody answers

// --- messages ------------------------------------------------------------------------------------

typedef struct nrs_question {
    char verb[NRS_ASK_VERB_MAX + 1];
    nrs_bytes_t argument; // borrowed from the message
} nrs_question_t;

// Add the two frames to `into`, behind whatever frames it has (a ROUTER's identity).
void
nrs_question_encode(nrs_message_t *into, const char *verb, nrs_bytes_t argument);
// Read them from frame `first` on (DEALER: 0, ROUTER: 1); they must be the last.
// Errors: NRS_E_FORMAT, NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
nrs_question_decode(const nrs_message_t *message, size_t first, nrs_question_t *ret_question);

typedef struct nrs_answer {
    nrs_err_t outcome; // NRS_E_VERSION where the name is one that this build does not know
    nrs_bytes_t json;  // borrowed from the message; on failure {"text":"..."} or empty
} nrs_answer_t;

void
nrs_answer_encode(nrs_message_t *into, nrs_err_t outcome, nrs_bytes_t json);
// Errors: NRS_E_FORMAT, NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
nrs_answer_decode(const nrs_message_t *message, size_t first, nrs_answer_t *ret_answer);

// The other way round of nrs_err_name(). NRS_E_VERSION for a name that is not known.
nrs_err_t
nrs_err_of_name(nrs_bytes_t name);

// --- client --------------------------------------------------------------------------------------

typedef struct nrs_ask nrs_ask_t;

// Connect to the instance. Where it speaks CURVE the keys are HOME/keys/operator.key (own) and
// HOME/keys/INSTANCE.pub. Borrows `plan` and `instance`. Errors, with *reterr saying what to do:
// NRS_E_AGAIN (nobody listens on its ipc socket), NRS_E_IO, NRS_E_CONFIG, those of nrs_keys_load().
NRS_MUST_CHECK nrs_err_t
nrs_ask_open(const nrs_plan_t *plan, const nrs_instance_t *instance, nrs_problem_t *reterr,
             nrs_ask_t **ret_ask);
void
nrs_ask_destroy(nrs_ask_t **self_p);

// Send a question without waiting; there may be one under way. Errors: NRS_E_AGAIN, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_ask_send(nrs_ask_t *self, const char *verb, nrs_bytes_t argument, nrs_problem_t *reterr);
// Wait for its answer until `deadline_mono_ms` (CLOCK_MONOTONIC) and append its JSON to `into`.
// After a failure the object is of no more use, because a late answer could be taken for the next
// one. Errors: NRS_E_AGAIN (no answer in time), NRS_E_FORMAT (no answer of ours), or what the
// instance answered, such as NRS_E_ABSENT; *reterr says it in words.
NRS_MUST_CHECK nrs_err_t
nrs_ask_recv(nrs_ask_t *self, int64_t deadline_mono_ms, nrs_problem_t *reterr, nrs_buf_t *into);

// All of it in one: connect, ask, wait NRS_ASK_WAIT_MS, append the answer to `into`. Errors as
// above.
NRS_MUST_CHECK nrs_err_t
nrs_ask(const nrs_plan_t *plan, const nrs_instance_t *instance, const char *verb,
        nrs_bytes_t argument, nrs_problem_t *reterr, nrs_buf_t *into);

// The options with which the command line connects to one of an instance's inside endpoints
// (follow, tap, ask, submit): keys are loaded into the caller's `keys` and `server` when the
// instance speaks CURVE; wipe `keys` afterwards. Errors: those of nrs_keys_load(), with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_ask_options(const nrs_plan_t *plan, const nrs_instance_t *instance, nrs_keys_t *keys,
                nrs_keys_t *server, nrs_problem_t *reterr, nrs_bus_options_t *options);
// Does anyone listen on this endpoint? Always true where that cannot be seen from here (tcp).
bool
nrs_ask_listening(const char *endpoint);

#endif
