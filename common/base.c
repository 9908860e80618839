#include "common/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *
nrs_err_name(nrs_err_t err)
{
    static const char *const names[NRS_E_MAX] = {
        [NRS_OK] = "ok",
        [NRS_E_ABSENT] = "absent",
        [NRS_E_EXISTS] = "exists",
        [NRS_E_FORMAT] = "format",
        [NRS_E_LIMIT] = "limit",
        [NRS_E_VERSION] = "version",
        [NRS_E_DENIED] = "denied",
        [NRS_E_AGAIN] = "again",
        [NRS_E_IO] = "io",
        [NRS_E_FULL] = "full",
        [NRS_E_CORRUPT] = "corrupt",
        [NRS_E_REWOUND] = "rewound",
        [NRS_E_CONFIG] = "config",
        [NRS_E_USAGE] = "usage",
    };
    return err < NRS_E_MAX && names[err] ? names[err] : "unknown";
}

void
nrs_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr,
            "{\"level\":\"error\",\"event\":\"assert.failed\",\"condition\":\"%s\","
            "\"file\":\"%s\",\"line\":%d,\"function\":\"%s\"}\n",
            condition, file, line, function);
    abort();
}

void *
nrs_alloc0(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    NRS_ASSERT(memory);
    return memory;
}

void *
nrs_realloc(void *memory, size_t bytes)
{
    void *grown = realloc(memory, bytes ? bytes : 1);
    NRS_ASSERT(grown);
    return grown;
}

char *
nrs_strndup(const char *text, size_t bytes)
{
    char *copy = nrs_alloc0(bytes + 1, 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *
nrs_strdup(const char *text)
{
    return nrs_strndup(text, strlen(text));
}

// The length of the sequence that starts at p, or 0 when it is not well formed (RFC 3629, section 4).
static size_t
s_utf8_sequence(const uint8_t *p, size_t left)
{
    uint8_t lead = p[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > left)
        return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool
nrs_utf8_ok(nrs_bytes_t text)
{
    size_t at = 0;
    while (at < text.size) {
        uint64_t eight;
        if (text.size - at >= sizeof eight) {
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = s_utf8_sequence(text.data + at, text.size - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

nrs_err_t
nrs_problem_set(nrs_problem_t *reterr, nrs_err_t err, const char *file, unsigned line,
                unsigned column, const char *format, ...)
{
    if (!reterr)
        return err;
    snprintf(reterr->file, sizeof reterr->file, "%s", file ? file : "");
    reterr->line = line;
    reterr->column = column;
    va_list args;
    va_start(args, format);
    vsnprintf(reterr->text, sizeof reterr->text, format, args);
    va_end(args);
    return err;
}

const char *
nrs_problem_print(const nrs_problem_t *problem, char *into, size_t bytes)
{
    char place[300] = "";
    if (problem->file[0] && problem->column)
        snprintf(place, sizeof place, "%s:%u:%u: ", problem->file, problem->line, problem->column);
    else if (problem->file[0] && problem->line)
        snprintf(place, sizeof place, "%s:%u: ", problem->file, problem->line);
    else if (problem->file[0])
        snprintf(place, sizeof place, "%s: ", problem->file);
    else if (problem->column)
        snprintf(place, sizeof place, "column %u: ", problem->column);
    snprintf(into, bytes, "%s%s", place, problem->text);
    return into;
}
