#include "services/ingest/ingest_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "common/crypto.h"
#include "common/indicator.h"

void
ingest_record_free(ingest_record_t *self)
{
    nrs_buf_free(&self->canonical);
    nrs_buf_free(&self->identity);
}

static nrs_err_t
s_fault(ingest_fault_t *fault, nrs_err_t err, const char *reason, const char *format, ...)
    NRS_PRINTF(4, 5);

static nrs_err_t
s_fault(ingest_fault_t *fault, nrs_err_t err, const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault->reason = reason;
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return err;
}

// --- values as texts, numbers, times -------------------------------------------------------------

nrs_bytes_t
ingest_trim(nrs_bytes_t text)
{
    while (text.size && ingest_blank(text.data[0]))
        text = nrs_bytes(text.data + 1, text.size - 1);
    while (text.size && ingest_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

char *
ingest_number_put(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

static nrs_bytes_t
s_digits(ingest_record_t *self, const nrs_json_value_t *value)
{
    char *at = self->digits + self->digits_used;
    size_t left = sizeof self->digits - self->digits_used;
    int length = 0;
    if (value->type == NRS_JSON_UINT && left > 20) {
        char *begin = ingest_number_put(at + 20, value->as.number);
        self->digits_used += 20;
        return nrs_bytes(begin, (size_t)(at + 20 - begin));
    }
    if (value->type == NRS_JSON_INT)
        length = snprintf(at, left, "%lld", (long long)value->as.number);
    else if (value->type == NRS_JSON_FLOAT)
        length = snprintf(at, left, "%.15g", value->as.real);
    else
        length = snprintf(at, left, "%s", value->as.number ? "true" : "false");
    NRS_ASSERT(length >= 0 && (size_t)length < left); // a row uses under 32 bytes; rows are bounded
    self->digits_used += (size_t)length;
    return nrs_bytes(at, (size_t)length);
}

// The value as text; empty when it says nothing.
static nrs_err_t
s_text(ingest_record_t *self, const nrs_json_value_t *value, nrs_bytes_t *ret_text,
       ingest_fault_t *fault)
{
    nrs_json_value_t only;
    if (value->type == NRS_JSON_LIST) { // feeds wrap single values into lists
        nrs_json_value_t more;
        nrs_json_walk_t walk = nrs_json_walk(value);
        if (!nrs_json_walk_next(&walk, NULL, &only))
            only.type = NRS_JSON_ABSENT;
        else if (nrs_json_walk_next(&walk, NULL, &more))
            return s_fault(fault, NRS_E_FORMAT, "field-type",
                           "one value is wanted, not a list of several");
        value = &only;
    }
    switch (value->type) {
    case NRS_JSON_ABSENT:
    case NRS_JSON_NULL:
        *ret_text = NRS_NONE;
        return NRS_OK;
    case NRS_JSON_TEXT:
        *ret_text = ingest_trim(value->text);
        if (ret_text->size && memchr(ret_text->data, 0, ret_text->size))
            return s_fault(fault, NRS_E_FORMAT, "nul", "a text holds a NUL character");
        return NRS_OK;
    case NRS_JSON_LIST:
    case NRS_JSON_OBJECT:
        return s_fault(fault, NRS_E_FORMAT, "field-type", "one value is wanted, not an object");
    default:
        *ret_text = s_digits(self, value);
        return NRS_OK;
    }
}

static bool
s_number(nrs_bytes_t text, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > UINT64_MAX / 10 - 1)
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return text.size > 0;
}

// RFC 3339 and its relatives, or seconds or milliseconds since 1970: above 1e11 it can only be
// milliseconds.
static nrs_err_t
s_time(const ingest_record_t *self, nrs_bytes_t text, uint64_t *ret_ms, ingest_fault_t *fault)
{
    uint64_t number = 0;
    if (text.size >= 9 && text.size <= 14 && s_number(text, &number)) {
        *ret_ms = number > 100000000000u ? number : number * 1000;
        return NRS_OK;
    }
    if (nrs_time_parse(text, self->source->zone_minutes, ret_ms))
        return s_fault(fault, NRS_E_FORMAT, "time", "\"%.*s\" is no time",
                       (int)(text.size > 40 ? 40 : text.size), (const char *)text.data);
    return NRS_OK;
}

// --- one field each ------------------------------------------------------------------------------

static nrs_err_t
s_read_text(const nrs_field_info_t *info, nrs_bytes_t text, void *into, ingest_fault_t *fault)
{
    if (text.size > info->limit && info->offset == offsetof(nrs_origin_t, description)) {
        text.size = info->limit; // prose may end early, at a whole character
        while (text.size && (text.data[text.size] & 0xc0) == 0x80)
            text.size--;
    }
    if (text.size > info->limit)
        return s_fault(fault, NRS_E_LIMIT, "too-long", "%s has %zu bytes, %llu are allowed",
                       info->name, text.size, (unsigned long long)info->limit);
    *(nrs_bytes_t *)into = text;
    return NRS_OK;
}

// A word that we do not know is an error, except where there is a safe reading: an unknown label is
// RED.
static nrs_err_t
s_read_word(const nrs_field_info_t *info, nrs_bytes_t text, uint64_t *into, ingest_fault_t *fault)
{
    *into =
        info->enum_id == NRS_ENUM_TLP ? ingest_tlp_of(text) : nrs_enum_number(info->enum_id, text);
    if (*into == 0 && info->enum_id == NRS_ENUM_PAP)
        *into = NRS_PAP_RED;
    if (*into == 0 && info->enum_id == NRS_ENUM_ONWARD)
        *into = NRS_ONWARD_DENY;
    if (*into == 0)
        return s_fault(fault, NRS_E_FORMAT, "word-unknown", "%s has no word \"%.*s\"", info->name,
                       (int)(text.size > 40 ? 40 : text.size), (const char *)text.data);
    return NRS_OK;
}

static nrs_err_t
s_read_number(const nrs_field_info_t *info, nrs_bytes_t text, uint64_t *into, ingest_fault_t *fault)
{
    static const struct {
        const char *word;
        uint64_t percent;
    } scale[] = { { "low", 15 }, { "medium", 50 }, { "med", 50 }, { "high", 85 }, { "none", 0 } };
    uint64_t number = 0;
    bool digits = s_number(text, &number);
    if (!digits &&
        info->offset ==
            offsetof(nrs_origin_t, confidence)) // STIX 2.1, appendix A: None / Low / Med / High
        for (size_t i = 0; i < sizeof scale / sizeof scale[0]; i++)
            if (text.size == strlen(scale[i].word) &&
                strncasecmp((const char *)text.data, scale[i].word, text.size) == 0) {
                *into = scale[i].percent;
                return NRS_OK;
            }
    if (!digits)
        return s_fault(fault, NRS_E_FORMAT, "number", "%s is no whole number", info->name);
    if (number > info->limit)
        return s_fault(fault, NRS_E_LIMIT, "number", "%s is at most %llu", info->name,
                       (unsigned long long)info->limit);
    *into = number;
    return NRS_OK;
}

static nrs_err_t
s_list_put(const nrs_field_info_t *info, nrs_bytes_t item, nrs_list_t *into, ingest_fault_t *fault)
{
    item = ingest_trim(item);
    if (item.size && item.data[0] == '#')
        item = nrs_bytes(item.data + 1, item.size - 1);
    if (item.size == 0)
        return NRS_OK;
    if (item.size > info->limit)
        return s_fault(fault, NRS_E_LIMIT, "too-long", "an item of %s has %zu bytes", info->name,
                       item.size);
    if (memchr(item.data, 0, item.size))
        return s_fault(fault, NRS_E_FORMAT, "nul", "a text holds a NUL character");
    if (into->count < NRS_LIST_MAX) // more labels than that tell nothing
        into->items[into->count++] = item;
    return NRS_OK;
}

// "a,b", "a;b" and "#a #b".
static nrs_err_t
s_read_words(const nrs_field_info_t *info, nrs_bytes_t text, nrs_list_t *into,
             ingest_fault_t *fault)
{
    bool hashes = text.size && text.data[0] == '#';
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        uint8_t c = i < text.size ? text.data[i] : ',';
        if (c != ',' && c != ';' && !(hashes && c == ' '))
            continue;
        nrs_err_t err = s_list_put(info, nrs_bytes(text.data + start, i - start), into, fault);
        if (err)
            return err;
        start = i + 1;
    }
    return NRS_OK;
}

static nrs_err_t
s_read_list(ingest_record_t *self, const nrs_field_info_t *info, const nrs_json_value_t *value,
            nrs_list_t *into, ingest_fault_t *fault)
{
    if (value->type != NRS_JSON_LIST) {
        nrs_bytes_t text = NRS_NONE;
        nrs_err_t err = s_text(self, value, &text, fault);
        return err || text.size == 0 ? err : s_read_words(info, text, into, fault);
    }
    nrs_json_walk_t walk = nrs_json_walk(value);
    nrs_json_value_t item;
    while (nrs_json_walk_next(&walk, NULL, &item)) {
        if (item.type != NRS_JSON_TEXT)
            continue;
        nrs_err_t err = s_list_put(info, item.text, into, fault);
        if (err)
            return err;
    }
    return NRS_OK;
}

// --- words that records repeat -------------------------------------------------------------------

static const ingest_word_t *
s_word_get(const ingest_word_t *words, nrs_bytes_t word)
{
    for (size_t i = 0; i < INGEST_WORDS_KEPT; i++)
        if (words[i].size == word.size && memcmp(words[i].word, word.data, word.size) == 0)
            return &words[i];
    return NULL;
}

// The place for a word; one that is too long has a place, but is not found again.
static ingest_word_t *
s_word_put(ingest_word_t *words, size_t *next, nrs_bytes_t word)
{
    ingest_word_t *into = &words[(*next)++ % INGEST_WORDS_KEPT];
    *into = (ingest_word_t){ .size = 0 };
    if (word.size <= sizeof into->word) {
        into->size = word.size;
        memcpy(into->word, word.data, word.size);
    }
    return into;
}

static nrs_bytes_t
s_claim_of(ingest_record_t *self, nrs_bytes_t word)
{
    const ingest_word_t *known = s_word_get(self->claims, word);
    if (known)
        return known->type;
    nrs_bytes_t type = ingest_source_claim(self->source, word);
    if (type.data != word.data) // it has become a word of a table
        s_word_put(self->claims, &self->claim_next, word)->type = type;
    return type;
}

// One row of the mapping. *ret_said is set when the record says something there.
static nrs_err_t
s_row(ingest_record_t *self, const ingest_map_t *row, const nrs_json_value_t *value,
      nrs_origin_t *origin, bool *ret_said, ingest_fault_t *fault)
{
    const nrs_field_info_t *info = nrs_field_info(row->field);
    void *into = (char *)origin + info->offset;
    if (info->type == NRS_TYPE_LIST) {
        *ret_said = value->type != NRS_JSON_ABSENT && value->type != NRS_JSON_NULL;
        return s_read_list(self, info, value, into, fault);
    }
    nrs_bytes_t text = NRS_NONE;
    nrs_err_t err = s_text(self, value, &text, fault);
    *ret_said = text.size > 0;
    if (err || text.size == 0)
        return err;
    switch (row->field) {
    case NRS_ORIGIN_value:
        self->value_given = text;
        return NRS_OK;
    case NRS_ORIGIN_kind:
        self->kind_word = text;
        return NRS_OK;
    case NRS_ORIGIN_claim:
        return s_read_text(info, s_claim_of(self, text), into, fault);
    default:
        break;
    }
    switch (info->type) {
    case NRS_TYPE_ENUM:
        return s_read_word(info, text, into, fault);
    case NRS_TYPE_TIME:
        return s_time(self, text, into, fault);
    case NRS_TYPE_UINT:
        return s_read_number(info, text, into, fault);
    default:
        return s_read_text(info, text, into, fault);
    }
}

static nrs_err_t
s_rows(ingest_record_t *self, const nrs_json_value_t *values, nrs_origin_t *origin,
       ingest_fault_t *fault)
{
    uint64_t said = 0; // bit: position in the origin layer
    nrs_json_value_t fixed = { .type = NRS_JSON_TEXT };
    for (size_t i = 0; i < self->map_count; i++) {
        const ingest_map_t *row = &self->map[i];
        const nrs_json_value_t *value = &values[row->slot];
        if (row->fixed) {
            fixed.text = row->constant;
            value = &fixed;
        }
        uint64_t bit = (uint64_t)1 << (row->field - NRS_ORIGIN_instance);
        if (value->type == NRS_JSON_ABSENT || (said & bit))
            continue;
        bool does = false;
        nrs_err_t err = s_row(self, row, value, origin, &does, fault);
        if (err)
            return err;
        if (does)
            said |= bit;
    }
    return NRS_OK;
}

// --- the indicator -------------------------------------------------------------------------------

// The kind behind a source's word; "ip:port" and "ip-dst|port" are a kind with a port behind it.
static uint64_t
s_kind_of(ingest_record_t *self, nrs_bytes_t word, bool *ret_port)
{
    const ingest_word_t *known = s_word_get(self->kinds, word);
    if (!known) {
        size_t cut = 0;
        while (cut < word.size && word.data[cut] != ':' && word.data[cut] != '|')
            cut++;
        ingest_word_t *made = s_word_put(self->kinds, &self->kind_next, word);
        made->port = cut < word.size &&
                     nrs_bytes_is(nrs_bytes(word.data + cut + 1, word.size - cut - 1), "port");
        made->kind = nrs_indicator_kind_word(nrs_bytes(word.data, cut));
        known = made;
    }
    *ret_port = known->port;
    return known->kind;
}

static const uint8_t *
s_last(nrs_bytes_t text, char c)
{
    return text.size ? memrchr(text.data, c, text.size) : NULL;
}

// "192.0.2.1:443", "[2001:db8::1]:443", "example.com|443"; without brackets an IPv6 address only
// where the source says that a port is there. Splits at the last colon.
static bool
s_split_port(nrs_bytes_t *value, bool sure, uint64_t *ret_port)
{
    const uint8_t *cut = s_last(*value, '|');
    if (!cut)
        cut = s_last(*value, ':');
    if (!cut || cut == value->data)
        return false;
    nrs_bytes_t head = nrs_bytes(value->data, (size_t)(cut - value->data));
    uint64_t port = 0;
    if (!s_number(nrs_bytes(cut + 1, value->size - head.size - 1), &port) || port == 0 ||
        port > 65535)
        return false;
    bool brackets = head.data[0] == '[' && head.data[head.size - 1] == ']';
    bool colons = memchr(head.data, ':', head.size) != NULL;
    if (memchr(head.data, '/', head.size) || (colons && !brackets && !sure && *cut == ':'))
        return false;
    *value = brackets && colons ? nrs_bytes(head.data + 1, head.size - 2) : head;
    *ret_port = port;
    return true;
}

static bool
s_may_have_port(uint64_t kind)
{
    return kind == 0 || kind == NRS_KIND_IPV4 || kind == NRS_KIND_IPV6 || kind == NRS_KIND_DOMAIN;
}

// "domain|ip": the part that is asked for. The second part is an address, or nothing.
static nrs_err_t
s_part(nrs_bytes_t *value, unsigned part, uint64_t *kind)
{
    const uint8_t *bar = s_may_have_port(*kind) ? s_last(*value, '|') : NULL;
    if (!bar)
        return part ? NRS_E_ABSENT : NRS_OK;
    size_t head = (size_t)(bar - value->data);
    if (part)
        *kind = NRS_KIND_IPV4; // or IPv6: the canonical form says
    *value = part ? nrs_bytes(bar + 1, value->size - head - 1) : nrs_bytes(value->data, head);
    return NRS_OK;
}

static nrs_err_t
s_canonical(ingest_record_t *self, uint64_t kind, nrs_bytes_t value, nrs_origin_t *origin,
            ingest_fault_t *fault)
{
    nrs_problem_t problem; // not cleared for each event: only its text is looked at
    problem.text[0] = 0;
    nrs_buf_reset(&self->canonical);
    nrs_err_t err = nrs_indicator_canonical(kind, value, self->source->refang, &self->canonical,
                                            &origin->kind, &problem);
    if (err)
        return s_fault(fault, err, err == NRS_E_LIMIT ? "too-long" : "value", "%s", problem.text);
    origin->value = nrs_buf_bytes(&self->canonical);
    if (!nrs_bytes_equal(origin->value, self->value_given))
        origin->given = self->value_given;
    return NRS_OK;
}

static nrs_err_t
s_indicator(ingest_record_t *self, unsigned part, nrs_origin_t *origin, ingest_fault_t *fault)
{
    nrs_bytes_t value = self->value_given;
    if (value.size == 0)
        return s_fault(fault, NRS_E_FORMAT, "field-missing", "the record has no value");
    if (value.size > nrs_field_info(NRS_ORIGIN_value)->limit)
        return s_fault(fault, NRS_E_LIMIT, "too-long", "the value has %zu bytes", value.size);
    bool sure = false;
    uint64_t kind =
        self->kind_word.size ? s_kind_of(self, self->kind_word, &sure) : self->source->kind;
    if (self->kind_word.size && !kind)
        return s_fault(fault, NRS_E_FORMAT, "kind-unknown", "there is no kind \"%.*s\"",
                       (int)(self->kind_word.size > 40 ? 40 : self->kind_word.size),
                       (const char *)self->kind_word.data);
    bool port = s_may_have_port(kind) && s_split_port(&value, sure, &origin->port);
    if (port && part)
        return NRS_E_ABSENT;
    nrs_err_t err = port ? NRS_OK : s_part(&value, part, &kind);
    if (err)
        return err;
    if (!kind)
        kind = nrs_indicator_guess(value);
    if (!kind)
        return s_fault(fault, NRS_E_FORMAT, "kind-unknown",
                       "this looks like no kind of indicator that we know");
    return s_canonical(self, kind, value, origin, fault);
}

// --- identity and defaults -----------------------------------------------------------------------

static uint8_t *
s_copy(uint8_t *at, nrs_bytes_t bytes)
{
    if (bytes.size)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

// proto/event.md, "Identity": the same report submitted twice is the same event. What is hashed is
// laid out in one piece: handing a piece to the digest costs more than copying it.
static void
s_identify(ingest_record_t *self, uint64_t stated_ms, nrs_origin_t *origin)
{
    uint8_t time[8], digest[32];
    nrs_put_be64(time, stated_ms);
    nrs_buf_reset(&self->identity);
    uint8_t *begin = nrs_buf_reserve(&self->identity, origin->originator.size + origin->value.size +
                                                          origin->record.size + sizeof time + 3);
    uint8_t *at = s_copy(begin, origin->originator);
    *at++ = 0x1f;
    *at++ = (uint8_t)origin->kind;
    at = s_copy(at, origin->value);
    *at++ = 0x1f;
    at = s_copy(at, nrs_bytes(time, sizeof time));
    at = s_copy(at, origin->record);
    nrs_bytes_t whole = nrs_bytes(begin, (size_t)(at - begin));
    nrs_sha256(&whole, 1, digest);
    memcpy(self->id, time + 2, 6);
    memcpy(self->id + 6, digest, NRS_ID_BYTES - 6);
    origin->id = nrs_bytes(self->id, NRS_ID_BYTES);
}

static void
s_defaults(const ingest_source_t *source, uint64_t now_ms, nrs_origin_t *origin)
{
    const nrs_agreement_t *agreement = source->member->agreement;
    origin->received_at = now_ms;
    origin->originator = nrs_text(source->member->id);
    origin->source = nrs_text(source->name);
    origin->agreement = agreement ? nrs_text(agreement->id) : NRS_NONE;
    origin->form = origin->form ? origin->form : NRS_FORM_REPORT;
    origin->tlp = origin->tlp ? origin->tlp : source->tlp;
    origin->pap = origin->pap ? origin->pap : source->pap;
    origin->onward = origin->onward ? origin->onward : source->onward;
    origin->claim = origin->claim.size ? origin->claim : source->claim;
    origin->confidence = origin->confidence ? origin->confidence : source->confidence;
    origin->observed_at = origin->observed_at ? origin->observed_at : now_ms;
}

nrs_err_t
ingest_record_read(ingest_record_t *self, const nrs_json_value_t *values, unsigned part,
                   uint64_t now_ms, nrs_origin_t *ret_origin, ingest_fault_t *fault)
{
    self->digits_used = 0;
    self->kind_word = NRS_NONE;
    self->value_given = NRS_NONE;
    memset(ret_origin, 0, sizeof *ret_origin);
    nrs_err_t err = s_rows(self, values, ret_origin, fault);
    if (!err)
        err = s_indicator(self, part, ret_origin, fault);
    if (err)
        return err;
    uint64_t stated_ms = ret_origin->observed_at;
    if (stated_ms &&
        (stated_ms < INGEST_OBSERVED_MIN_MS || stated_ms > now_ms + INGEST_AHEAD_MAX_MS))
        return s_fault(fault, NRS_E_FORMAT, "time-range",
                       "observed before 1990 or more than a day from now: is the clock set?");
    s_defaults(self->source, now_ms, ret_origin);
    s_identify(self, stated_ms, ret_origin);
    return NRS_OK;
}
