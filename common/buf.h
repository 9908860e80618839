// buf.h - bytes that grow at the end, up to a limit
// Threads:  an object belongs to the thread that uses it.

#ifndef NRS_BUF_H
#define NRS_BUF_H

#include "common/base.h"

// A plain value: `(nrs_buf_t){ 0 }` is an empty buffer; nrs_buf_free() gives its memory back.
typedef struct nrs_buf {
    uint8_t *data; // owned
    size_t size;   // bytes in use
    size_t room;   // bytes allocated
} nrs_buf_t;

void
nrs_buf_free(nrs_buf_t *self);

// Allocate so that `more` bytes fit behind the end; nrs_buf_reserve() calls it when they do not.
void
nrs_buf_grow(nrs_buf_t *self, size_t more);

// Make room for `more` bytes after the end and return where they begin; `size` is not changed.
// The caller bounds sizes that come from outside before calling.
static inline uint8_t *
nrs_buf_reserve(nrs_buf_t *self, size_t more)
{
    if (more > self->room - self->size)
        nrs_buf_grow(self, more);
    return self->data + self->size;
}

// Copy to the end.
static inline void
nrs_buf_put(nrs_buf_t *self, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    memcpy(nrs_buf_reserve(self, bytes), data, bytes);
    self->size += bytes;
}

void
nrs_buf_put_text(nrs_buf_t *self, const char *text);
void
nrs_buf_printf(nrs_buf_t *self, const char *format, ...) NRS_PRINTF(2, 3);

// Append as the inside of a JSON string (RFC 8259, section 7; no quotes added). Invalid UTF-8 comes
// out as U+FFFD, so the result is always valid JSON.
void
nrs_buf_put_json(nrs_buf_t *self, nrs_bytes_t text);
// The same with quotes around it.
void
nrs_buf_put_json_string(nrs_buf_t *self, nrs_bytes_t text);

// The contents as a C string: appends a NUL that does not count in `size`.
char *
nrs_buf_cstr(nrs_buf_t *self);

static inline nrs_bytes_t
nrs_buf_bytes(const nrs_buf_t *self)
{
    return nrs_bytes(self->data, self->size);
}

static inline void
nrs_buf_reset(nrs_buf_t *self)
{
    self->size = 0;
}

#endif
