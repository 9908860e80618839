// STIX 2.1: indicators with simple patterns, and the observables that are indicators themselves.
// Everything else in a bundle is skipped and counted.
#include <stdlib.h>

#include "services/ingest/ingest_format.h"
#include "services/ingest/ingest_stix_marking.h"
#include "services/ingest/ingest_stix_pattern.h"

typedef enum s_slot {
    S_VALUE,
    S_KIND,
    S_OBSERVED,
    S_EXPIRES,
    S_CONFIDENCE,
    S_CLAIM,
    S_TAGS,
    S_DESCRIPTION,
    S_RECORD,
    S_TLP,
    S_PAP,
    S_FORM,
    S_PORT,
    S_LANG,
    S_SLOT_MAX
} s_slot_t;

static const ingest_map_t s_map[S_SLOT_MAX] = {
    [S_VALUE] = { .field = NRS_ORIGIN_value, .slot = S_VALUE },
    [S_KIND] = { .field = NRS_ORIGIN_kind, .slot = S_KIND },
    [S_OBSERVED] = { .field = NRS_ORIGIN_observed_at, .slot = S_OBSERVED },
    [S_EXPIRES] = { .field = NRS_ORIGIN_expires_at, .slot = S_EXPIRES },
    [S_CONFIDENCE] = { .field = NRS_ORIGIN_confidence, .slot = S_CONFIDENCE },
    [S_CLAIM] = { .field = NRS_ORIGIN_claim, .slot = S_CLAIM },
    [S_TAGS] = { .field = NRS_ORIGIN_tags, .slot = S_TAGS },
    [S_DESCRIPTION] = { .field = NRS_ORIGIN_description, .slot = S_DESCRIPTION },
    [S_RECORD] = { .field = NRS_ORIGIN_record, .slot = S_RECORD },
    [S_TLP] = { .field = NRS_ORIGIN_tlp, .slot = S_TLP },
    [S_PAP] = { .field = NRS_ORIGIN_pap, .slot = S_PAP },
    [S_FORM] = { .field = NRS_ORIGIN_form, .slot = S_FORM },
    [S_PORT] = { .field = NRS_ORIGIN_port, .slot = S_PORT },
    [S_LANG] = { .field = NRS_ORIGIN_lang, .slot = S_LANG },
};

typedef struct s_bundle {
    nrs_json_value_t objects; // a list, or the one object
    ingest_markings_t markings;
    ingest_terms_t terms;
} s_bundle_t;

static nrs_json_value_t
s_get(const nrs_json_value_t *object, const char *name)
{
    return nrs_json_get(object, nrs_text(name));
}

static nrs_bytes_t
s_text(const nrs_json_value_t *object, const char *name)
{
    nrs_json_value_t value = s_get(object, name);
    return value.type == NRS_JSON_TEXT ? value.text : NRS_NONE;
}

static void
s_put(ingest_reader_t *self, s_slot_t slot, nrs_bytes_t text)
{
    self->values[slot] =
        (nrs_json_value_t){ .type = text.size ? NRS_JSON_TEXT : NRS_JSON_ABSENT, .text = text };
}

static void
s_put_word(ingest_reader_t *self, s_slot_t slot, nrs_enum_id_t id, uint64_t number)
{
    s_put(self, slot, number ? nrs_text(nrs_enum_word(id, number)) : NRS_NONE);
}

// --- what all objects share ----------------------------------------------------------------------

static void
s_common(ingest_reader_t *self, const nrs_json_value_t *object)
{
    const s_bundle_t *bundle = self->state;
    uint64_t tlp = 0, pap = 0;
    for (size_t i = 0; i < S_SLOT_MAX; i++)
        self->values[i].type = NRS_JSON_ABSENT;
    ingest_markings_of(&bundle->markings, object, &tlp, &pap);
    s_put_word(self, S_TLP, NRS_ENUM_TLP, tlp);
    s_put_word(self, S_PAP, NRS_ENUM_PAP, pap);
    s_put(self, S_RECORD, s_text(object, "id"));
}

// One event; the value and its kind come on top of what the object says.
static nrs_err_t
s_report(ingest_reader_t *self, const nrs_json_value_t *object, uint64_t kind,
         nrs_json_value_t value)
{
    s_put_word(self, S_KIND, NRS_ENUM_KIND, kind);
    self->values[S_VALUE] = value;
    return ingest_reader_record_of(self, object);
}

// --- indicators ----------------------------------------------------------------------------------

// The first label that is an RSIT type, by the source's table or by itself.
static nrs_bytes_t
s_claim_in(ingest_reader_t *self, const nrs_json_value_t *words)
{
    nrs_json_walk_t walk = nrs_json_walk(words);
    nrs_json_value_t word;
    while (nrs_json_walk_next(&walk, NULL, &word)) {
        nrs_bytes_t claim =
            word.type == NRS_JSON_TEXT ? ingest_source_claim(self->source, word.text) : NRS_NONE;
        if (claim.size && nrs_enum_number(NRS_ENUM_TYPE, claim))
            return claim;
    }
    return NRS_NONE;
}

static void
s_describe(ingest_reader_t *self, const nrs_json_value_t *object)
{
    nrs_json_value_t labels = s_get(object, "labels"), types = s_get(object, "indicator_types");
    nrs_bytes_t claim = s_claim_in(self, &labels);
    s_put(self, S_CLAIM, claim.size ? claim : s_claim_in(self, &types));
    self->values[S_TAGS] = labels.type == NRS_JSON_LIST ? labels : types;
    nrs_bytes_t description = s_text(object, "description");
    s_put(self, S_DESCRIPTION, description.size ? description : s_text(object, "name"));
    self->values[S_CONFIDENCE] = s_get(object, "confidence");
    self->values[S_OBSERVED] = s_get(object, "valid_from");
    self->values[S_EXPIRES] = s_get(object, "valid_until");
    self->values[S_LANG] = s_get(object, "lang");
    nrs_json_value_t revoked = s_get(object, "revoked");
    if (revoked.type == NRS_JSON_BOOL &&
        revoked.as.number) { // it happened when the object was last changed
        s_put_word(self, S_FORM, NRS_ENUM_FORM, NRS_FORM_WITHDRAWAL);
        self->values[S_OBSERVED] = s_get(object, "modified");
    }
}

static nrs_err_t
s_pattern(ingest_reader_t *self, const nrs_json_value_t *object)
{
    s_bundle_t *bundle = self->state;
    const char *text = NULL;
    if (ingest_stix_pattern_read(s_text(object, "pattern"), &bundle->terms, &text))
        return ingest_reader_reject_of(self, "stix-pattern", text, object);
    if (bundle->terms.port)
        self->values[S_PORT] =
            (nrs_json_value_t){ .type = NRS_JSON_UINT, .as.number = bundle->terms.port };
    for (size_t i = 0; i < bundle->terms.count; i++) {
        const ingest_term_t *term = &bundle->terms.items[i];
        nrs_json_value_t value = { .type = NRS_JSON_TEXT,
                                   .text =
                                       nrs_bytes(bundle->terms.texts.data + term->at, term->size) };
        nrs_err_t err = s_report(self, object, term->kind, value);
        if (err)
            return err;
    }
    return NRS_OK;
}

static nrs_err_t
s_indicator(ingest_reader_t *self, const nrs_json_value_t *object)
{
    static const struct {
        const char *word;
        uint64_t kind;
    } rules[] = { { "yara", NRS_KIND_YARA },
                  { "sigma", NRS_KIND_SIGMA },
                  { "snort", NRS_KIND_SNORT },
                  { "suricata", NRS_KIND_SNORT } };
    nrs_bytes_t type = s_text(object, "pattern_type");
    s_common(self, object);
    s_describe(self, object);
    if (type.size == 0 || nrs_bytes_is(type, "stix")) // STIX 2.0 has no pattern_type
        return s_pattern(self, object);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (nrs_bytes_is(type, rules[i].word))
            return s_report(self, object, rules[i].kind, s_get(object, "pattern"));
    return ingest_reader_reject_of(self, "stix-pattern",
                                   "the pattern_type is none that can be read here", object);
}

// --- observables ---------------------------------------------------------------------------------

static nrs_err_t
s_hashes(ingest_reader_t *self, const nrs_json_value_t *object, bool certificate)
{
    nrs_json_value_t hashes = s_get(object, "hashes"), hash, name = s_get(object, "name");
    nrs_bytes_t word;
    bool any = false;
    nrs_json_walk_t walk = nrs_json_walk(&hashes);
    while (hashes.type == NRS_JSON_OBJECT && nrs_json_walk_next(&walk, &word, &hash)) {
        uint64_t kind = ingest_stix_hash_kind(word);
        if (!kind || (certificate && kind != NRS_KIND_SHA1 && kind != NRS_KIND_SHA256))
            continue;
        any = true;
        nrs_err_t err = s_report(self, object, certificate ? NRS_KIND_CERTIFICATE : kind, hash);
        if (err)
            return err;
    }
    if (!any && !certificate && name.type == NRS_JSON_TEXT)
        return s_report(self, object, NRS_KIND_FILE_NAME, name);
    if (!any)
        self->sink->skip(self->sink->me);
    return NRS_OK;
}

static nrs_err_t
s_observable(ingest_reader_t *self, const nrs_json_value_t *object, nrs_bytes_t type)
{
    static const struct {
        const char *type, *property;
        uint64_t kind;
    } plain[] = { { "domain-name", "value", NRS_KIND_DOMAIN },
                  { "url", "value", NRS_KIND_URL },
                  { "ipv4-addr", "value", NRS_KIND_IPV4 },
                  { "ipv6-addr", "value", NRS_KIND_IPV6 },
                  { "email-addr", "value", NRS_KIND_EMAIL },
                  { "autonomous-system", "number", NRS_KIND_ASN },
                  { "mutex", "name", NRS_KIND_MUTEX },
                  { "windows-registry-key", "key", NRS_KIND_REGISTRY_KEY } };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (nrs_bytes_is(type, plain[i].type)) {
            s_common(self, object);
            return s_report(self, object, plain[i].kind, s_get(object, plain[i].property));
        }
    bool certificate = nrs_bytes_is(type, "x509-certificate");
    if (certificate || nrs_bytes_is(type, "file")) {
        s_common(self, object);
        return s_hashes(self, object, certificate);
    }
    self->sink->skip(self->sink->me);
    return NRS_OK;
}

// --- the bundle ----------------------------------------------------------------------------------

static nrs_err_t
s_object(ingest_reader_t *self, const nrs_json_value_t *object)
{
    nrs_bytes_t type = s_text(object, "type");
    if (type.size == 0)
        return ingest_reader_reject_of(self, "stix-object", "a STIX object with a type is wanted",
                                       object);
    return nrs_bytes_is(type, "indicator") ? s_indicator(self, object)
                                           : s_observable(self, object, type);
}

// Markings come first, wherever they stand in the bundle.
static void
s_learn(s_bundle_t *bundle)
{
    nrs_json_walk_t walk = nrs_json_walk(&bundle->objects);
    nrs_json_value_t object;
    while (bundle->objects.type == NRS_JSON_LIST && nrs_json_walk_next(&walk, NULL, &object))
        if (nrs_bytes_is(s_text(&object, "type"), "marking-definition"))
            ingest_markings_learn(&bundle->markings, &object);
}

static nrs_err_t
s_open(ingest_reader_t *self, nrs_bytes_t document)
{
    nrs_json_value_t root;
    s_bundle_t *bundle = nrs_new0(s_bundle_t);
    self->state = bundle;
    if (nrs_json_parse(self->json, document, &root))
        return ingest_reader_break(self, nrs_json_reason(self->json), nrs_json_problem(self->json),
                                   document);
    nrs_json_value_t objects = s_get(&root, "objects");
    bool envelope = nrs_bytes_is(s_text(&root, "type"), "bundle") ||
                    objects.type == NRS_JSON_LIST; // or TAXII's
    if (envelope && objects.type == NRS_JSON_ABSENT)
        return NRS_OK; // a bundle may be empty
    bundle->objects = envelope ? objects : root;
    if (bundle->objects.type != NRS_JSON_LIST && (envelope || root.type != NRS_JSON_OBJECT))
        return ingest_reader_break(self, "stix-object", "this is no STIX bundle", document);
    s_learn(bundle);
    self->walk = nrs_json_walk(&bundle->objects);
    return NRS_OK;
}

static nrs_err_t
s_next(ingest_reader_t *self)
{
    const s_bundle_t *bundle = self->state;
    nrs_json_walk_t walk = self->walk;
    nrs_json_value_t object = bundle->objects;
    bool more = object.type == NRS_JSON_LIST ? nrs_json_walk_next(&walk, NULL, &object)
                                             : object.type == NRS_JSON_OBJECT && self->done == 0;
    if (!more)
        return NRS_E_ABSENT;
    nrs_err_t err = self->done >= self->skip_to ? s_object(self, &object) : NRS_OK;
    if (!err)
        self->walk = walk; // otherwise it is read again
    return err;
}

static void
s_close(ingest_reader_t *self)
{
    s_bundle_t *bundle = self->state;
    if (bundle)
        nrs_buf_free(&bundle->terms.texts);
    free(bundle);
    self->state = NULL;
}

const ingest_format_t ingest_format_stix = {
    .document = true,
    .json = true,
    .map = s_map,
    .map_count = S_SLOT_MAX,
    .open = s_open,
    .next = s_next,
    .close = s_close,
};
