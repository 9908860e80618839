#include "services/noroshi/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/world.h"
#include "services/noroshi/pidfile.h"
#include "services/noroshi/programs.h"
#include "services/noroshi/term.h"

enum { s_store_full_percent = 85 }; // intake stops there (common/store.h)
enum { s_young_ms = 5000 };          // after a start, a connection may take so long

// --- asking --------------------------------------------------------------------------------------

static void
s_take_answer(status_row_t *row, nrs_ask_t *ask, int64_t deadline_ms)
{
    nrs_buf_t text = { 0 };
    nrs_err_t err = nrs_ask_recv(ask, deadline_ms, &row->problem, &text);
    if (!err)
        err = answer_parse(nrs_buf_bytes(&text), &row->problem, &row->answer);
    NRS_IGNORE(err); // the problem stands in the row
    nrs_buf_free(&text);
}

// An instance that nobody started is one thing; one that does not stay up under a supervisor
// another.
static void
s_explain_down(status_row_t *row, const nrs_plan_t *plan, bool supervised)
{
    if (supervised && programs_local(row->instance))
        nrs_problem_set(&row->problem, NRS_E_AGAIN, NULL, 0, 0,
                        "%s is down and does not stay up; %s/log/%s.log and noroshi.log say why",
                        row->instance->name, plan->home, row->instance->name);
}

static bool
s_supervised(const nrs_plan_t *plan)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/run/noroshi.pid", plan->home);
    return pidfile_holder(path) != 0;
}

status_t *
status_new(const nrs_plan_t *plan)
{
    status_t *self = nrs_new0(status_t);
    nrs_world_t *world = nrs_world_real();
    self->plan = plan;
    self->count = plan->instance_count;
    self->rows = nrs_alloc0(self->count, sizeof *self->rows);
    bool supervised = s_supervised(plan);
    nrs_ask_t **asks = nrs_alloc0(self->count, sizeof(nrs_ask_t *));
    for (size_t i = 0; i < self->count; i++) {
        status_row_t *row = &self->rows[i];
        row->instance = &plan->instances[i];
        nrs_err_t err = nrs_ask_open(plan, row->instance, &row->problem, &asks[i]);
        if (err == NRS_E_AGAIN)
            s_explain_down(row, plan, supervised);
        if (!err)
            err = nrs_ask_send(asks[i], "status", NRS_NONE, &row->problem);
        if (err)
            nrs_ask_destroy(&asks[i]);
    }
    int64_t deadline_ms = world->mono_ms(world) + NRS_ASK_WAIT_MS;
    for (size_t i = 0; i < self->count; i++) {
        if (asks[i])
            s_take_answer(&self->rows[i], asks[i], deadline_ms);
        nrs_ask_destroy(&asks[i]);
    }
    free(asks);
    return self;
}

void
status_destroy(status_t **self_p)
{
    status_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        answer_destroy(&self->rows[i].answer);
    free(self->rows);
    free(self);
    *self_p = NULL;
}

// --- sums ----------------------------------------------------------------------------------------

uint64_t
status_place(const answer_t *answer)
{
    uint64_t sum = 0;
    nrs_json_value_t topics = answer_get(&answer->root, "topics"), topic, lane;
    nrs_json_walk_t walk = nrs_json_walk(&topics);
    while (nrs_json_walk_next(&walk, NULL, &topic)) {
        nrs_json_value_t lanes = answer_get(&topic, "lanes");
        nrs_json_walk_t inner = nrs_json_walk(&lanes);
        while (nrs_json_walk_next(&inner, NULL, &lane))
            sum += answer_number(&lane, "next");
    }
    return sum;
}

uint64_t
status_lag(const answer_t *answer)
{
    uint64_t sum = 0;
    nrs_json_value_t inputs = answer_get(&answer->root, "inputs"), input;
    nrs_json_walk_t walk = nrs_json_walk(&inputs);
    while (nrs_json_walk_next(&walk, NULL, &input))
        sum += answer_number(&input, "lag");
    return sum;
}

bool
status_has_inputs(const answer_t *answer)
{
    nrs_json_value_t inputs = answer_get(&answer->root, "inputs"), input;
    nrs_json_walk_t walk = nrs_json_walk(&inputs);
    return nrs_json_walk_next(&walk, NULL, &input);
}

// --- judging -------------------------------------------------------------------------------------

typedef struct s_judge {
    const status_t *status;
    const status_row_t *row;
    status_say_t *say;
    void *me;
    bool good;
} s_judge_t;

__attribute__((format(printf, 3, 4))) static void
s_say(s_judge_t *self, status_weight_t weight, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    NRS_ASSERT(vasprintf(&text, format, args) >= 0);
    va_end(args);
    self->good = self->good && weight != STATUS_BAD;
    self->say(self->me, weight, text);
    free(text);
}

static bool
s_is_down(const status_t *self, nrs_bytes_t name)
{
    for (size_t i = 0; i < self->count; i++)
        if (nrs_bytes_is(name, self->rows[i].instance->name))
            return self->rows[i].answer == NULL;
    return false;
}

// Has one of the two ends of an input only just been started, so that they may not have met yet?
static bool
s_is_young(const s_judge_t *self, nrs_bytes_t from)
{
    if (answer_number(&self->row->answer->root, "uptime_ms") < s_young_ms)
        return true;
    for (size_t i = 0; i < self->status->count; i++) {
        const status_row_t *row = &self->status->rows[i];
        if (row->answer && nrs_bytes_is(from, row->instance->name))
            return answer_number(&row->answer->root, "uptime_ms") < s_young_ms;
    }
    return false;
}

static void
s_judge_inputs(s_judge_t *self)
{
    const nrs_json_value_t *root = &self->row->answer->root;
    nrs_json_value_t inputs = answer_get(root, "inputs"), input, rates = answer_get(root, "rates");
    nrs_json_walk_t walk = nrs_json_walk(&inputs);
    while (nrs_json_walk_next(&walk, NULL, &input)) {
        char count[32];
        nrs_bytes_t from = answer_text(&input, "from");
        uint64_t lag = answer_number(&input, "lag");
        bool down = s_is_down(self->status, from);
        if (!answer_true(&input, "connected") && !down && s_is_young(self, from))
            s_say(self, STATUS_NOTE, "%s is about to connect to %.*s",
                  self->row->instance->name, ANSWER_F(from));
        else if (!answer_true(&input, "connected"))
            s_say(self, STATUS_BAD, "%s cannot hear %.*s%s", self->row->instance->name,
                  ANSWER_F(from),
                  down ? ", because that is down"
                       : "; is its follow endpoint reachable from there?");
        else if (lag > 0 && answer_number(&rates, "in_per_s") == 0)
            s_say(self, STATUS_NOTE, "%s is %s events behind %.*s and takes none just now",
                  self->row->instance->name, term_count(lag, count), ANSWER_F(from));
    }
}

static void
s_judge_followers(s_judge_t *self, const nrs_json_value_t *topic)
{
    nrs_json_value_t followers = answer_get(topic, "followers"), follower;
    nrs_bytes_t topic_name = answer_text(topic, "name");
    nrs_json_walk_t walk = nrs_json_walk(&followers);
    while (nrs_json_walk_next(&walk, NULL, &follower)) {
        char count[32];
        nrs_bytes_t name = answer_text(&follower, "name");
        uint64_t lag = answer_number(&follower, "lag");
        if (answer_true(&follower, "connected") || lag == 0 || s_is_down(self->status, name))
            continue; // an instance that is down has its own sentence
        s_say(self, STATUS_NOTE,
              "%.*s is away and %s events behind on %.*s of %s; they are kept until it is back",
              ANSWER_F(name), term_count(lag, count), ANSWER_F(topic_name),
              self->row->instance->name);
    }
}

static void
s_judge_store(s_judge_t *self)
{
    nrs_json_value_t store = answer_get(&self->row->answer->root, "store");
    uint64_t max = answer_number(&store, "bytes_max"), used = answer_number(&store, "used_bytes");
    char limit[32];
    if ((double)used * 100 < (double)max * s_store_full_percent || max == 0)
        return;
    s_say(
        self, STATUS_BAD,
        "%s takes no new input: %u %% of its store (%s) is in use; see who is behind, or raise the "
        "limit",
        self->row->instance->name, (unsigned)((double)used / (double)max * 100),
        term_bytes(max, limit));
}

static void
s_judge_row(s_judge_t *self)
{
    char count[32];
    if (!self->row->answer) {
        s_say(self, STATUS_BAD, "%s", self->row->problem.text);
        return;
    }
    const nrs_json_value_t *root = &self->row->answer->root;
    nrs_bytes_t problem = answer_text(root, "problem");
    if (problem.size > 0)
        s_say(self, STATUS_BAD, "%s: %.*s", self->row->instance->name, ANSWER_F(problem));
    else if (!answer_true(root, "ready"))
        s_say(self, STATUS_BAD, "%s runs, but is not ready yet", self->row->instance->name);
    s_judge_inputs(self);
    nrs_json_value_t topics = answer_get(root, "topics"), topic;
    nrs_json_walk_t walk = nrs_json_walk(&topics);
    while (nrs_json_walk_next(&walk, NULL, &topic))
        s_judge_followers(self, &topic);
    s_judge_store(self);
    uint64_t dead = answer_number(root, "dead");
    if (dead > 0)
        s_say(self, STATUS_NOTE, "%s has %s dead letter%s; `noroshi dead list` shows them",
              self->row->instance->name, term_count(dead, count), dead == 1 ? "" : "s");
}

bool
status_judge(const status_t *self, status_say_t *say, void *me)
{
    s_judge_t judge = { .status = self, .say = say, .me = me, .good = true };
    for (size_t i = 0; i < self->count; i++) {
        judge.row = &self->rows[i];
        s_judge_row(&judge);
    }
    return judge.good;
}
