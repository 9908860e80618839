// stix_details.c - what an object says beside its own properties: name, labels, language, sources

#include "common/stix_parts.h"

enum { NAME_BYTES_MAX = 200 }; // STIX asks for 3 to 250 characters

// At most NAME_BYTES_MAX bytes of a text, not cut inside a character.
static nrs_bytes_t
s_cut(nrs_bytes_t text)
{
    if (text.size <= NAME_BYTES_MAX)
        return text;
    size_t end = NAME_BYTES_MAX;
    while (end > 0 && (text.data[end] & 0xc0) == 0x80)
        end--;
    return nrs_bytes(text.data, end);
}

void
nrs_stix_put_name(const nrs_stix_view_t *view, nrs_buf_t *into)
{
    const char *kind = nrs_enum_word(NRS_ENUM_KIND, view->origin.kind);
    nrs_buf_t name = { 0 };
    if (kind && strcmp(view->thing.object, "indicator") == 0)
        nrs_buf_printf(&name, "%s ", kind);
    nrs_bytes_t value = s_cut(view->origin.value);
    nrs_buf_put(&name, value.data, value.size);
    nrs_stix_text(into, "name", nrs_buf_bytes(&name));
    nrs_buf_free(&name);
}

// A machine tag, namespace:predicate="value", as one label. A quote in the value would end it
// early.
static void
s_put_tag(nrs_stix_list_t *labels, const char *predicate, nrs_bytes_t value)
{
    if (value.size == 0)
        return;
    nrs_stix_list_next(labels);
    nrs_buf_printf(labels->into, "\"%s=\\\"", predicate);
    for (size_t i = 0, start = 0; i <= value.size; i++) {
        if (i < value.size && value.data[i] != '"')
            continue;
        nrs_buf_put_json(labels->into, nrs_bytes(value.data + start, i - start));
        start = i + 1;
    }
    nrs_buf_put_text(labels->into, "\\\"\"");
}

static void
s_put_class(nrs_stix_list_t *labels, const nrs_verdict_t *verdict)
{
    const char *type = nrs_enum_word(NRS_ENUM_TYPE, verdict->type);
    const char *class =
        nrs_enum_word(NRS_ENUM_CLASS, type ? nrs_class_of_type(verdict->type) : verdict->class);
    if (!class)
        return;
    nrs_stix_list_next(labels);
    nrs_buf_printf(labels->into, "\"rsit:%s", class);
    if (type)
        nrs_buf_printf(labels->into, "=\\\"%s\\\"", type);
    nrs_buf_put_text(labels->into, "\"");
}

void
nrs_stix_put_labels(const nrs_stix_view_t *view, nrs_buf_t *into)
{
    nrs_stix_list_t labels = { into, "labels", false };
    s_put_class(&labels, &view->verdict);
    s_put_tag(&labels, "noroshi:severity",
              nrs_text(nrs_enum_word(NRS_ENUM_SEVERITY, view->verdict.severity)));
    s_put_tag(&labels, "noroshi:claim", view->origin.claim);
    s_put_tag(&labels, "noroshi:target", view->origin.target);
    for (uint32_t i = 0; i < view->origin.tags.count; i++) {
        if (view->origin.tags.items[i].size == 0)
            continue;
        nrs_stix_list_next(&labels);
        nrs_buf_put_json_string(into, view->origin.tags.items[i]);
    }
    nrs_stix_list_end(&labels);
}

// Letters, digits and hyphens in parts of one to eight, the first of them letters (RFC 5646).
static bool
s_is_language(nrs_bytes_t text)
{
    size_t part = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i], letter = c | 0x20;
        bool first = memchr(text.data, '-', i) == NULL;
        if (c == '-' ? part == 0
                     : !((letter >= 'a' && letter <= 'z') || (!first && c >= '0' && c <= '9')))
            return false;
        part = c == '-' ? 0 : part + 1;
        if (part > 8)
            return false;
    }
    return part > 0;
}

void
nrs_stix_put_language(const nrs_stix_view_t *view, nrs_buf_t *into)
{
    if (s_is_language(view->origin.lang))
        nrs_stix_text(into, "lang", view->origin.lang);
}

static bool
s_is_web(nrs_bytes_t text)
{
    size_t scheme = text.size > 8 && memcmp(text.data, "https://", 8) == 0  ? 8
                    : text.size > 7 && memcmp(text.data, "http://", 7) == 0 ? 7
                                                                            : 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f || strchr("\"<>\\^`{|}", text.data[i]))
            return false;
    return scheme > 0;
}

// Where the source says more. A reference that is no URL still is a description.
void
nrs_stix_put_references(const nrs_origin_t *origin, nrs_buf_t *into)
{
    if (origin->record.size == 0 && origin->reference.size == 0)
        return;
    nrs_bytes_t source = origin->source.size ? origin->source : origin->originator;
    nrs_buf_put_text(into, ",\"external_references\":[{\"source_name\":");
    nrs_buf_put_json_string(into, source.size ? source : nrs_text("source"));
    nrs_stix_text(into, "external_id", origin->record);
    nrs_stix_text(into, s_is_web(origin->reference) ? "url" : "description", origin->reference);
    nrs_buf_put_text(into, "}]");
}
