#include "common/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/json.h"
#include "common/world.h"

struct nrs_ask {
    const nrs_instance_t *instance;  // borrowed
    nrs_bus_t *bus;                  // owned
    char verb[NRS_ASK_VERB_MAX + 1]; // the question under way
};

// --- messages ------------------------------------------------------------------------------------

void
nrs_question_encode(nrs_message_t *into, const char *verb, nrs_bytes_t argument)
{
    NRS_ASSERT(strlen(verb) <= NRS_ASK_VERB_MAX);
    nrs_message_put(into, nrs_text(verb));
    nrs_message_put(into, argument);
}

static bool
s_verb_ok(nrs_bytes_t verb)
{
    for (size_t i = 0; i < verb.size; i++)
        if ((verb.data[i] < 'a' || verb.data[i] > 'z') && verb.data[i] != '.')
            return false;
    return verb.size > 0;
}

nrs_err_t
nrs_question_decode(const nrs_message_t *message, size_t first, nrs_question_t *ret_question)
{
    if (message->count != first + 2)
        return NRS_E_FORMAT;
    nrs_bytes_t verb = nrs_message_frame(message, first);
    nrs_bytes_t argument = nrs_message_frame(message, first + 1);
    if (verb.size > NRS_ASK_VERB_MAX || argument.size > NRS_ASK_ARGUMENT_MAX)
        return NRS_E_LIMIT;
    if (!s_verb_ok(verb) || !nrs_utf8_ok(argument))
        return NRS_E_FORMAT;
    memcpy(ret_question->verb, verb.data, verb.size);
    ret_question->verb[verb.size] = 0;
    ret_question->argument = argument;
    return NRS_OK;
}

void
nrs_answer_encode(nrs_message_t *into, nrs_err_t outcome, nrs_bytes_t json)
{
    nrs_message_put(into, nrs_text(nrs_err_name(outcome)));
    nrs_message_put(into, json);
}

nrs_err_t
nrs_answer_decode(const nrs_message_t *message, size_t first, nrs_answer_t *ret_answer)
{
    if (message->count != first + 2)
        return NRS_E_FORMAT;
    nrs_bytes_t outcome = nrs_message_frame(message, first);
    nrs_bytes_t json = nrs_message_frame(message, first + 1);
    if (outcome.size > NRS_ASK_VERB_MAX || json.size > NRS_ASK_ANSWER_MAX)
        return NRS_E_LIMIT;
    if (!s_verb_ok(outcome))
        return NRS_E_FORMAT;
    *ret_answer = (nrs_answer_t){ nrs_err_of_name(outcome), json };
    return NRS_OK;
}

nrs_err_t
nrs_err_of_name(nrs_bytes_t name)
{
    for (nrs_err_t err = NRS_OK; err < NRS_E_MAX; err++)
        if (nrs_bytes_is(name, nrs_err_name(err)))
            return err;
    return NRS_E_VERSION;
}

// --- client --------------------------------------------------------------------------------------

nrs_err_t
nrs_ask_options(const nrs_plan_t *plan, const nrs_instance_t *instance, nrs_keys_t *keys,
                nrs_keys_t *server, nrs_problem_t *reterr, nrs_bus_options_t *options)
{
    if (!instance->curve)
        return NRS_OK;
    char path[4096];
    snprintf(path, sizeof path, "%s/keys/operator.key", plan->home);
    nrs_err_t err = nrs_keys_load(path, reterr, keys);
    if (err)
        return err;
    snprintf(path, sizeof path, "%s/keys/%s.pub", plan->home, instance->name);
    err = nrs_keys_load(path, reterr, server);
    if (err)
        return err;
    options->keys = keys;
    options->server_key = server->public_text;
    return NRS_OK;
}

bool
nrs_ask_listening(const char *endpoint)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strncmp(endpoint, "ipc://", 6) != 0 || strlen(endpoint + 6) >= sizeof address.sun_path)
        return true;
    strcpy(address.sun_path, endpoint + 6);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true;
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof address);
    bool nobody = rc != 0 && (errno == ENOENT || errno == ECONNREFUSED);
    close(fd);
    return !nobody;
}

nrs_err_t
nrs_ask_open(const nrs_plan_t *plan, const nrs_instance_t *instance, nrs_problem_t *reterr,
             nrs_ask_t **ret_ask)
{
    NRS_ASSERT(plan && instance && ret_ask);
    if (!nrs_ask_listening(instance->ask))
        return nrs_problem_set(
            reterr, NRS_E_AGAIN, NULL, 0, 0,
            "%s is not running (nobody listens on %s); start it with `noroshi up`", instance->name,
            instance->ask);
    nrs_keys_t keys = { 0 }, server = { 0 };
    nrs_bus_options_t options = { .type = NRS_BUS_DEALER,
                                  .endpoint = instance->ask,
                                  .message_bytes_max = NRS_ASK_ANSWER_MAX };
    NRS_AUTO(nrs_ask) self = nrs_new0(nrs_ask_t);
    self->instance = instance;
    nrs_err_t err = nrs_ask_options(plan, instance, &keys, &server, reterr, &options);
    if (!err)
        err = nrs_bus_open(&options, reterr, &self->bus);
    nrs_keys_wipe(&keys);
    if (err)
        return err;
    *ret_ask = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_ask_destroy(nrs_ask_t **self_p)
{
    nrs_ask_t *self = *self_p;
    if (!self)
        return;
    nrs_bus_destroy(&self->bus);
    free(self);
    *self_p = NULL;
}

nrs_err_t
nrs_ask_send(nrs_ask_t *self, const char *verb, nrs_bytes_t argument, nrs_problem_t *reterr)
{
    NRS_ASSERT(argument.size <= NRS_ASK_ARGUMENT_MAX);
    nrs_message_t message = { 0 };
    nrs_question_encode(&message, verb, argument);
    snprintf(self->verb, sizeof self->verb, "%s", verb);
    nrs_err_t err = nrs_bus_send(self->bus, &message);
    nrs_message_clear(&message);
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "%s cannot be asked at %s (%s)",
                               self->instance->name, self->instance->ask, nrs_err_name(err));
    return NRS_OK;
}

// What the instance said about its refusal: {"text": "..."}, or nothing.
static nrs_err_t
s_refused(const nrs_ask_t *self, const nrs_answer_t *answer, nrs_problem_t *reterr)
{
    NRS_AUTO(nrs_json) parser = nrs_json_new();
    nrs_buf_t padded = { 0 };
    nrs_buf_put(&padded, answer->json.data, answer->json.size);
    memset(nrs_buf_reserve(&padded, NRS_JSON_PADDING), 0, NRS_JSON_PADDING);
    nrs_json_value_t root;
    nrs_bytes_t text = NRS_NONE;
    if (!nrs_json_parse(parser, nrs_buf_bytes(&padded), &root))
        text = nrs_json_get(&root, nrs_text("text")).text;
    nrs_problem_set(reterr, answer->outcome, NULL, 0, 0, "%s answers `%s` with \"%s\"%s%.*s",
                    self->instance->name, self->verb, nrs_err_name(answer->outcome),
                    text.size ? ": " : "", (int)text.size,
                    text.size ? (const char *)text.data : "");
    nrs_buf_free(&padded);
    return answer->outcome;
}

static nrs_err_t
s_take_answer(nrs_ask_t *self, const nrs_message_t *message, nrs_problem_t *reterr, nrs_buf_t *into)
{
    nrs_answer_t answer;
    nrs_err_t err = nrs_answer_decode(message, 0, &answer);
    if (err)
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0,
                               "%s at %s answers `%s` with something that is no answer; "
                               "does another program listen there?",
                               self->instance->name, self->instance->ask, self->verb);
    if (answer.outcome)
        return s_refused(self, &answer, reterr);
    nrs_buf_put(into, answer.json.data, answer.json.size);
    return NRS_OK;
}

nrs_err_t
nrs_ask_recv(nrs_ask_t *self, int64_t deadline_mono_ms, nrs_problem_t *reterr, nrs_buf_t *into)
{
    nrs_world_t *world = nrs_world_real();
    nrs_message_t message = { 0 };
    nrs_err_t err;
    while ((err = nrs_bus_recv(self->bus, &message)) == NRS_E_AGAIN) {
        int64_t left_ms = deadline_mono_ms - world->mono_ms(world);
        nrs_wait_t item = { .bus = self->bus };
        if (left_ms <= 0)
            break;
        nrs_bus_wait(&item, 1, left_ms);
    }
    if (err == NRS_E_AGAIN)
        nrs_problem_set(reterr, err, NULL, 0, 0,
                        "%s does not answer at %s; is it running? (`noroshi status`, `noroshi up`)",
                        self->instance->name, self->instance->ask);
    else if (err)
        nrs_problem_set(reterr, err, NULL, 0, 0, "the answer of %s cannot be received (%s)",
                        self->instance->name, nrs_err_name(err));
    else
        err = s_take_answer(self, &message, reterr, into);
    nrs_message_clear(&message);
    return err;
}

nrs_err_t
nrs_ask(const nrs_plan_t *plan, const nrs_instance_t *instance, const char *verb,
        nrs_bytes_t argument, nrs_problem_t *reterr, nrs_buf_t *into)
{
    NRS_AUTO(nrs_ask) ask = NULL;
    nrs_world_t *world = nrs_world_real();
    nrs_err_t err = nrs_ask_open(plan, instance, reterr, &ask);
    if (!err)
        err = nrs_ask_send(ask, verb, argument, reterr);
    if (!err)
        err = nrs_ask_recv(ask, world->mono_ms(world) + NRS_ASK_WAIT_MS, reterr, into);
    return err;
}
