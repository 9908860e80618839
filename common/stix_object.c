// stix_object.c - the JSON of one STIX object, and ids

#include "common/crypto.h"
#include "common/stix_parts.h"

// STIX 2.1, section 2.9: the namespace of observables. Ids of other objects must not be made in it.
static const uint8_t s_observables[16] = { 0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c,
                                           0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7 };
// Ours: 43fa1815-72fe-44be-9339-3b1714fc773f, drawn once at random.
static const uint8_t s_own[16] = { 0x43, 0xfa, 0x18, 0x15, 0x72, 0xfe, 0x44, 0xbe,
                                   0x93, 0x39, 0x3b, 0x17, 0x14, 0xfc, 0x77, 0x3f };

static void
s_print_id(const char *type, const uint8_t space[16], nrs_bytes_t name,
           char ret_id[NRS_STIX_ID_BYTES])
{
    size_t length = strlen(type);
    NRS_ASSERT(length + 2 + 37 <= NRS_STIX_ID_BYTES);
    memcpy(ret_id, type, length);
    memcpy(ret_id + length, "--", 2);
    nrs_uuid5(space, name, ret_id + length + 2);
}

void
nrs_stix_observable_id(const char *type, nrs_bytes_t contributing, char ret_id[NRS_STIX_ID_BYTES])
{
    s_print_id(type, s_observables, contributing, ret_id);
}

// The name is "REALM\nCENTRE\nTYPE\nNAME": one name never is a part of another, and a UUID is
// unique over all types.
void
nrs_stix_own_id(const nrs_stix_t *self, const char *type, const char *name,
                char ret_id[NRS_STIX_ID_BYTES])
{
    nrs_buf_t whole = { 0 };
    nrs_buf_printf(&whole, "%s\n%s\n%s\n%s", self->realm, self->centre, type, name);
    s_print_id(type, s_own, nrs_buf_bytes(&whole), ret_id);
    nrs_buf_free(&whole);
}

void
nrs_stix_open_object(nrs_stix_t *self, const char *type, const char *id, nrs_buf_t *into)
{
    if (self->form == NRS_STIX_BUNDLE && self->objects > 0)
        nrs_buf_put_text(into, ",\n");
    self->objects++;
    nrs_buf_printf(into, "{\"type\":\"%s\",\"spec_version\":\"2.1\",\"id\":\"%s\"", type, id);
}

void
nrs_stix_close_object(nrs_stix_t *self, nrs_buf_t *into)
{
    nrs_buf_put_text(into, self->form == NRS_STIX_LINES ? "}\n" : "}");
}

void
nrs_stix_text(nrs_buf_t *into, const char *name, nrs_bytes_t text)
{
    if (text.size == 0)
        return;
    nrs_buf_printf(into, ",\"%s\":", name);
    nrs_buf_put_json_string(into, text);
}

void
nrs_stix_number(nrs_buf_t *into, const char *name, uint64_t number)
{
    if (number)
        nrs_buf_printf(into, ",\"%s\":%llu", name, (unsigned long long)number);
}

void
nrs_stix_time(nrs_buf_t *into, const char *name, uint64_t time_ms)
{
    char text[25];
    if (time_ms == 0)
        return;
    nrs_time_print(time_ms, text);
    nrs_buf_printf(into, ",\"%s\":\"%s\"", name, text);
}

void
nrs_stix_list_next(nrs_stix_list_t *self)
{
    if (self->begun)
        nrs_buf_put_text(self->into, ",");
    else
        nrs_buf_printf(self->into, ",\"%s\":[", self->name);
    self->begun = true;
}

void
nrs_stix_list_end(nrs_stix_list_t *self)
{
    if (self->begun)
        nrs_buf_put_text(self->into, "]");
}
