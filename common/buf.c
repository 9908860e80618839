#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
nrs_buf_free(nrs_buf_t *self)
{
    free(self->data);
    *self = (nrs_buf_t){ 0 };
}

void
nrs_buf_grow(nrs_buf_t *self, size_t more)
{
    size_t room = self->room ? self->room : 256;
    while (room - self->size < more)
        room *= 2;
    self->data = nrs_realloc(self->data, room);
    self->room = room;
}

void
nrs_buf_put_text(nrs_buf_t *self, const char *text)
{
    nrs_buf_put(self, text, strlen(text));
}

void
nrs_buf_printf(nrs_buf_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    NRS_ASSERT(length >= 0);
    uint8_t *end = nrs_buf_reserve(self, (size_t)length + 1);
    vsnprintf((char *)end, (size_t)length + 1, format, again);
    va_end(again);
    self->size += (size_t)length;
}

static void
s_put_json_control(nrs_buf_t *self, uint8_t c)
{
    switch (c) {
    case '"':
        nrs_buf_put_text(self, "\\\"");
        break;
    case '\\':
        nrs_buf_put_text(self, "\\\\");
        break;
    case '\n':
        nrs_buf_put_text(self, "\\n");
        break;
    case '\t':
        nrs_buf_put_text(self, "\\t");
        break;
    case '\r':
        nrs_buf_put_text(self, "\\r");
        break;
    default:
        nrs_buf_printf(self, "\\u%04x", c);
    }
}

void
nrs_buf_put_json(nrs_buf_t *self, nrs_bytes_t text)
{
    bool valid = nrs_utf8_ok(text);
    size_t start = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool replace = !valid && c >= 0x80;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !replace)
            continue;
        nrs_buf_put(self, text.data + start, i - start);
        start = i + 1;
        if (replace)
            nrs_buf_put_text(self, "\xef\xbf\xbd");
        else
            s_put_json_control(self, c);
    }
    nrs_buf_put(self, text.data + start, text.size - start);
}

void
nrs_buf_put_json_string(nrs_buf_t *self, nrs_bytes_t text)
{
    nrs_buf_put(self, "\"", 1);
    nrs_buf_put_json(self, text);
    nrs_buf_put(self, "\"", 1);
}

char *
nrs_buf_cstr(nrs_buf_t *self)
{
    *nrs_buf_reserve(self, 1) = 0;
    return (char *)self->data;
}
