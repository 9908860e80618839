// status.h - how every instance is: asked all at once, and judged

#ifndef NOROSHI_STATUS_H
#define NOROSHI_STATUS_H

#include "common/base.h"
#include "common/plan.h"
#include "services/noroshi/answer.h"

typedef struct status_row {
    const nrs_instance_t *instance; // borrowed
    answer_t *answer;               // owned; NULL when it did not answer
    nrs_problem_t problem;          // why not
} status_row_t;

typedef struct status {
    const nrs_plan_t *plan; // borrowed
    size_t count;
    status_row_t *rows; // owned, in the order of the flow
} status_t;

// Ask every instance, and wait for all of them together (NRS_ASK_WAIT_MS). The caller owns the
// result.
status_t *
status_new(const nrs_plan_t *plan);
void
status_destroy(status_t **self_p);

typedef enum status_weight {
    STATUS_BAD,  // something is down, stuck or refusing: exit status 1
    STATUS_NOTE, // worth knowing: a peer is away, there are dead letters
} status_weight_t;

typedef void
status_say_t(void *me, status_weight_t weight, const char *sentence);

// Say what is wrong, in words, with the instance, the reason and what to do. Returns whether all is
// well (no STATUS_BAD).
bool
status_judge(const status_t *self, status_say_t *say, void *me);

// Sums over the lists of one answer: events in its topics (next offsets), events that it has not
// taken from upstream.
uint64_t
status_place(const answer_t *answer);
uint64_t
status_lag(const answer_t *answer);
// Is there any upstream at all?
bool
status_has_inputs(const answer_t *answer);

#endif
