#include "services/noroshi/answer.h"

#include <stdlib.h>

nrs_err_t
answer_parse(nrs_bytes_t json, nrs_problem_t *reterr, answer_t **ret_answer)
{
    NRS_AUTO(answer) self = nrs_new0(answer_t);
    self->parser = nrs_json_new();
    nrs_buf_put(&self->text, json.data, json.size);
    memset(nrs_buf_reserve(&self->text, NRS_JSON_PADDING), 0, NRS_JSON_PADDING);
    nrs_err_t err = nrs_json_parse(self->parser, nrs_buf_bytes(&self->text), &self->root);
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "the answer is no JSON: %s",
                               nrs_json_problem(self->parser));
    *ret_answer = NRS_TAKE(self);
    return NRS_OK;
}

nrs_err_t
answer_ask(const nrs_plan_t *plan, const nrs_instance_t *instance, const char *verb,
           nrs_bytes_t argument, nrs_problem_t *reterr, answer_t **ret_answer)
{
    nrs_buf_t text = { 0 };
    nrs_err_t err = nrs_ask(plan, instance, verb, argument, reterr, &text);
    if (!err)
        err = answer_parse(nrs_buf_bytes(&text), reterr, ret_answer);
    nrs_buf_free(&text);
    return err;
}

void
answer_destroy(answer_t **self_p)
{
    answer_t *self = *self_p;
    if (!self)
        return;
    nrs_json_destroy(&self->parser);
    nrs_buf_free(&self->text);
    free(self);
    *self_p = NULL;
}

nrs_json_value_t
answer_get(const nrs_json_value_t *value, const char *name)
{
    return nrs_json_get(value, nrs_text(name));
}

nrs_bytes_t
answer_text(const nrs_json_value_t *value, const char *name)
{
    nrs_json_value_t found = answer_get(value, name);
    return found.type == NRS_JSON_TEXT ? found.text : NRS_NONE;
}

uint64_t
answer_number(const nrs_json_value_t *value, const char *name)
{
    nrs_json_value_t found = answer_get(value, name);
    if (found.type == NRS_JSON_FLOAT)
        return found.as.real > 0 && found.as.real < 1e18 ? (uint64_t)found.as.real : 0;
    return found.type == NRS_JSON_UINT ? found.as.number : 0;
}

bool
answer_true(const nrs_json_value_t *value, const char *name)
{
    nrs_json_value_t found = answer_get(value, name);
    return found.type == NRS_JSON_BOOL && found.as.number;
}
