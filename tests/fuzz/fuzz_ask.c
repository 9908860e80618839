// Questions and answers of the ask protocol: first byte how long the first frame is, then the two
// frames.
#include "common/ask.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] > size - 1)
        return 0;
    nrs_message_t message = { 0 };
    nrs_question_t question;
    nrs_answer_t answer;
    nrs_message_put(&message, nrs_bytes(data + 1, data[0]));
    nrs_message_put(&message, nrs_bytes(data + 1 + data[0], size - 1 - data[0]));
    if (!nrs_question_decode(&message, 0, &question))
        NRS_ASSERT(question.verb[0] && nrs_utf8_ok(question.argument));
    if (!nrs_answer_decode(&message, 0, &answer))
        NRS_ASSERT(answer.outcome < NRS_E_MAX);
    nrs_message_clear(&message);
    return 0;
}
