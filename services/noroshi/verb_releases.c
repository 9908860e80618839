// releases - what each peer was given, and what was withheld from it and why.
#include <stdio.h>
#include <stdlib.h>

#include "common/policy.h"
#include "services/noroshi/answer.h"
#include "services/noroshi/verbs.h"

// One peer, all relays together.
typedef struct s_peer {
    char *id, *name; // owned
    uint64_t reasons[NRS_POLICY_REASON_MAX];
} s_peer_t;

typedef struct s_releases {
    cli_t *cli;
    s_peer_t *peers; // owned; in the order in which the relays name them
    size_t count;
    nrs_buf_t out;
    bool bad; // a relay did not answer: the sums have holes
} s_releases_t;

// --- asking --------------------------------------------------------------------------------------

static char *
s_copy(nrs_bytes_t text)
{
    return nrs_strndup(text.size ? (const char *)text.data : "", text.size);
}

static s_peer_t *
s_peer(s_releases_t *self, const nrs_json_value_t *answer)
{
    nrs_bytes_t id = answer_text(answer, "id");
    for (size_t i = 0; i < self->count; i++)
        if (nrs_bytes_is(id, self->peers[i].id))
            return &self->peers[i];
    self->peers = nrs_realloc(self->peers, (self->count + 1) * sizeof *self->peers);
    s_peer_t *peer = &self->peers[self->count++];
    *peer = (s_peer_t){ .id = s_copy(id), .name = s_copy(answer_text(answer, "name")) };
    return peer;
}

static void
s_add(s_releases_t *self, const nrs_json_value_t *answer)
{
    nrs_json_value_t peers = answer_get(answer, "peers"), one;
    nrs_json_walk_t walk = nrs_json_walk(&peers);
    while (nrs_json_walk_next(&walk, NULL, &one)) {
        s_peer_t *peer = s_peer(self, &one);
        nrs_json_value_t reasons = answer_get(&one, "reasons");
        for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++)
            peer->reasons[reason] += answer_number(&reasons, nrs_policy_reason_word(reason));
    }
}

static void
s_gather(s_releases_t *self, const nrs_plan_t *plan)
{
    const nrs_instance_t *relay = NULL;
    while ((relay = nrs_plan_next(plan, "relay", relay))) {
        nrs_problem_t problem = { 0 };
        NRS_AUTO(answer) answer = NULL;
        nrs_err_t err = answer_ask(plan, relay, "totals", NRS_NONE, &problem, &answer);
        if (!err) {
            s_add(self, &answer->root);
            continue;
        }
        self->bad = true;
        cli_problem(self->cli, err, &problem);
    }
}

static uint64_t
s_outcome(const s_peer_t *peer, nrs_policy_outcome_t outcome)
{
    uint64_t sum = 0;
    for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++)
        if (nrs_policy_reason_outcome(reason) == outcome)
            sum += peer->reasons[reason];
    return sum;
}

// --- for people ----------------------------------------------------------------------------------

static void
s_put_peers(s_releases_t *self)
{
    static const term_column_t columns[] = {
        { "peer", false },     { "name", false }, { "whole", true },
        { "projected", true }, { "held", true },  { "refused", true },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < self->count; i++) {
        const s_peer_t *peer = &self->peers[i];
        term_table_put(table, TERM_PLAIN, "%s", peer->id);
        term_table_put(table, TERM_PLAIN, "%s", peer->name);
        for (int outcome = NRS_POLICY_OUTCOME_MAX - 1; outcome >= 0; outcome--) {
            char text[32];
            term_table_put(table, TERM_PLAIN, "%s",
                           term_count(s_outcome(peer, (nrs_policy_outcome_t)outcome), text));
        }
    }
    term_table_print(table, self->cli->colour, &self->out);
}

static term_colour_t
s_colour(nrs_policy_outcome_t outcome)
{
    if (outcome == NRS_POLICY_HELD)
        return TERM_YELLOW;
    return outcome == NRS_POLICY_REFUSED ? TERM_RED : TERM_GREEN;
}

static void
s_put_reasons(s_releases_t *self)
{
    static const term_column_t columns[] = {
        { "peer", false },   { "outcome", false }, { "events", true },
        { "reason", false }, { "", false },
    };
    NRS_AUTO(term_table) table = term_table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < self->count; i++) {
        const s_peer_t *peer = &self->peers[i];
        for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++) {
            char text[32];
            nrs_policy_outcome_t outcome = nrs_policy_reason_outcome(reason);
            if (peer->reasons[reason] == 0)
                continue;
            term_table_put(table, TERM_PLAIN, "%s", peer->id);
            term_table_put(table, s_colour(outcome), "%s", nrs_policy_outcome_word(outcome));
            term_table_put(table, TERM_PLAIN, "%s", term_count(peer->reasons[reason], text));
            term_table_put(table, TERM_PLAIN, "%s", nrs_policy_reason_word(reason));
            term_table_put(table, TERM_PLAIN, "%s", nrs_policy_reason_text(reason));
        }
    }
    nrs_buf_put_text(&self->out, "\n");
    term_table_print(table, self->cli->colour, &self->out);
}

static void
s_put_people(s_releases_t *self)
{
    if (self->count == 0) {
        nrs_buf_put_text(&self->out, "nothing has come to a decision yet\n");
        return;
    }
    s_put_peers(self);
    s_put_reasons(self);
}

// --- for programs --------------------------------------------------------------------------------

static void
s_put_json_reasons(s_releases_t *self, const s_peer_t *peer)
{
    const char *comma = "";
    nrs_buf_put_text(&self->out, ",\"reasons\":[");
    for (nrs_policy_reason_t reason = 1; reason < NRS_POLICY_REASON_MAX; reason++) {
        if (peer->reasons[reason] == 0)
            continue;
        nrs_buf_printf(&self->out,
                       "%s{\"reason\":\"%s\",\"outcome\":\"%s\",\"events\":%llu,\"text\":", comma,
                       nrs_policy_reason_word(reason),
                       nrs_policy_outcome_word(nrs_policy_reason_outcome(reason)),
                       (unsigned long long)peer->reasons[reason]);
        nrs_buf_put_json_string(&self->out, nrs_text(nrs_policy_reason_text(reason)));
        nrs_buf_put_text(&self->out, "}");
        comma = ",";
    }
    nrs_buf_put_text(&self->out, "]}");
}

static void
s_put_json(s_releases_t *self)
{
    nrs_buf_printf(&self->out, "{\"complete\":%s,\"peers\":[", self->bad ? "false" : "true");
    for (size_t i = 0; i < self->count; i++) {
        const s_peer_t *peer = &self->peers[i];
        nrs_buf_put_text(&self->out, i > 0 ? ",{\"id\":" : "{\"id\":");
        nrs_buf_put_json_string(&self->out, nrs_text(peer->id));
        nrs_buf_put_text(&self->out, ",\"name\":");
        nrs_buf_put_json_string(&self->out, nrs_text(peer->name));
        for (int outcome = NRS_POLICY_OUTCOME_MAX - 1; outcome >= 0; outcome--)
            nrs_buf_printf(&self->out, ",\"%s\":%llu",
                           nrs_policy_outcome_word((nrs_policy_outcome_t)outcome),
                           (unsigned long long)s_outcome(peer, (nrs_policy_outcome_t)outcome));
        s_put_json_reasons(self, peer);
    }
    nrs_buf_put_text(&self->out, "]}\n");
}

// --- the verb ------------------------------------------------------------------------------------

static cli_exit_t
s_releases(cli_t *cli, int argc, char **argv)
{
    cli_exit_t status;
    if (!cli_parse(cli, NULL, argc, argv, &argc, &status))
        return status;
    if (argc > 1)
        return cli_usage(cli, "releases takes no argument, but \"%s\" is given", argv[1]);
    const nrs_plan_t *plan = cli_plan(cli);
    if (!plan)
        return CLI_USAGE;
    s_releases_t self = { .cli = cli };
    s_gather(&self, plan);
    if (cli->json)
        s_put_json(&self);
    else if (!self.bad || self.count > 0)
        s_put_people(&self);
    cli_print(&self.out);
    for (size_t i = 0; i < self.count; i++) {
        free(self.peers[i].id);
        free(self.peers[i].name);
    }
    free(self.peers);
    nrs_buf_free(&self.out);
    return self.bad ? CLI_FAILED : CLI_GOOD;
}

const cli_verb_t verb_releases = {
    .name = "releases",
    .arguments = "",
    .summary = "what each peer was given, what was withheld and why",
    .text =
        "Asks every relay for its sums since the beginning: how many events went to each peer "
        "whole\n"
        "or projected (without what tells who reported them), how many are held for the\n"
        "originator's consent, how many were refused, each with the reason. proto/policy.md has\n"
        "the table of reasons. Exit status 1 when a relay did not answer.",
    .examples = "  noroshi releases\n"
                "  noroshi releases --json | jq '.peers[] | {id, released, refused}'",
    .run = s_releases,
};
