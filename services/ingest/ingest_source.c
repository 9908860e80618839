#include "services/ingest/ingest_source.h"

#include <stdlib.h>
#include <strings.h>

#include "common/indicator.h"

// --- words ---------------------------------------------------------------------------------------

static const char *const s_shapes[INGEST_SHAPE_MAX] = {
    [INGEST_SHAPE_LIST] = "list",   [INGEST_SHAPE_HOSTS] = "hosts", [INGEST_SHAPE_CSV] = "csv",
    [INGEST_SHAPE_JSONL] = "jsonl", [INGEST_SHAPE_JSON] = "json",   [INGEST_SHAPE_STIX] = "stix",
};

ingest_shape_t
ingest_shape_of(nrs_bytes_t word)
{
    for (ingest_shape_t i = INGEST_SHAPE_LIST; i < INGEST_SHAPE_MAX; i++)
        if (nrs_bytes_is(word, s_shapes[i]))
            return i;
    return INGEST_SHAPE_NONE;
}

const char *
ingest_shape_word(ingest_shape_t shape)
{
    return shape < INGEST_SHAPE_MAX ? s_shapes[shape] : NULL;
}

static bool
s_same(nrs_bytes_t a, nrs_bytes_t b)
{
    return a.size == b.size && strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

uint64_t
ingest_tlp_of(nrs_bytes_t word)
{
    if (word.size > 4 && s_same(nrs_bytes(word.data, 4), nrs_text("tlp:")))
        word = nrs_bytes(word.data + 4, word.size - 4);
    if (s_same(word, nrs_text("white"))) // TLP 1.0
        return NRS_TLP_CLEAR;
    if (s_same(word, nrs_text("amber-strict")))
        return NRS_TLP_AMBER_STRICT;
    uint64_t tlp = nrs_enum_number(NRS_ENUM_TLP, word);
    return tlp ? tlp : NRS_TLP_RED;
}

nrs_bytes_t
ingest_source_claim(const ingest_source_t *self, nrs_bytes_t word)
{
    for (size_t i = 0; i < self->claim_count; i++)
        if (s_same(self->claims[i].word, word))
            return self->claims[i].type;
    uint64_t type = nrs_enum_number(NRS_ENUM_TYPE, word);
    return type ? nrs_text(nrs_enum_word(NRS_ENUM_TYPE, type)) : word;
}

// --- one key of a declaration each ---------------------------------------------------------------

typedef struct s_load {
    const nrs_directory_t *directory;
    nrs_problem_t *reterr;
    ingest_source_t *source;
} s_load_t;

typedef nrs_err_t
s_key_fn(s_load_t *load, const nrs_config_node_t *node);

static nrs_err_t
s_text(s_load_t *load, const nrs_config_node_t *node, nrs_bytes_t *ret_text)
{
    const char *text = nrs_config_text(node);
    if (!text)
        return nrs_config_problem(node, load->reterr, "a text is wanted here");
    *ret_text = nrs_text(text);
    return NRS_OK;
}

static nrs_err_t
s_member(s_load_t *load, const nrs_config_node_t *node)
{
    const char *id = nrs_config_text(node);
    load->source->member = id ? nrs_directory_member(load->directory, id) : NULL;
    if (!load->source->member)
        return nrs_config_problem(
            node, load->reterr, "there is no member \"%s\": add it below `members:`", id ? id : "");
    return NRS_OK;
}

static nrs_err_t
s_format(s_load_t *load, const nrs_config_node_t *node)
{
    load->source->shape = ingest_shape_of(nrs_text(nrs_config_text(node)));
    if (!load->source->shape)
        return nrs_config_problem(node, load->reterr,
                                  "format is one of list, hosts, csv, jsonl, json, stix");
    return NRS_OK;
}

static nrs_err_t
s_records(s_load_t *load, const nrs_config_node_t *node)
{
    return s_text(load, node, &load->source->records);
}

static nrs_err_t
s_delimiter(s_load_t *load, const nrs_config_node_t *node)
{
    nrs_bytes_t text = nrs_text(nrs_config_text(node));
    if (nrs_bytes_is(text, "tab") || nrs_bytes_is(text, "\\t"))
        text = nrs_text("\t");
    if (text.size != 1 || text.data[0] == '"' || text.data[0] == '\n' || text.data[0] >= 0x80)
        return nrs_config_problem(node, load->reterr,
                                  "delimiter is one ASCII character, or the word tab");
    load->source->delimiter = (char)text.data[0];
    return NRS_OK;
}

static nrs_err_t
s_header(s_load_t *load, const nrs_config_node_t *node)
{
    ingest_source_t *source = load->source;
    const char *word = nrs_config_text(node);
    if (word && strcmp(word, "first") == 0) {
        source->header = INGEST_HEADER_FIRST;
        return NRS_OK;
    }
    if (word && strcmp(word, "comment") == 0) {
        source->header = INGEST_HEADER_COMMENT;
        return NRS_OK;
    }
    source->header = INGEST_HEADER_GIVEN;
    source->column_count = nrs_config_count(node);
    if (nrs_config_shape(node) != NRS_CONFIG_LIST || source->column_count == 0 ||
        source->column_count > INGEST_COLUMNS_MAX)
        return nrs_config_problem(node, load->reterr,
                                  "header is first, comment, or a list of 1 to %d column names",
                                  INGEST_COLUMNS_MAX);
    for (size_t i = 0; i < source->column_count; i++) {
        nrs_err_t err = s_text(load, nrs_config_at(node, i, NULL), &source->columns[i]);
        if (err)
            return err;
    }
    return NRS_OK;
}

static nrs_err_t
s_comment(s_load_t *load, const nrs_config_node_t *node)
{
    return s_text(load, node, &load->source->comment);
}

static nrs_err_t
s_word(s_load_t *load, const nrs_config_node_t *node, nrs_enum_id_t id, uint64_t *ret_number)
{
    const char *word = nrs_config_text(node);
    *ret_number = nrs_enum_number(id, nrs_text(word));
    if (*ret_number == 0)
        return nrs_config_problem(node, load->reterr, "\"%s\" is not one of its words",
                                  word ? word : "");
    return NRS_OK;
}

static nrs_err_t
s_tlp(s_load_t *load, const nrs_config_node_t *node)
{
    return s_word(load, node, NRS_ENUM_TLP, &load->source->tlp);
}

static nrs_err_t
s_pap(s_load_t *load, const nrs_config_node_t *node)
{
    return s_word(load, node, NRS_ENUM_PAP, &load->source->pap);
}

static nrs_err_t
s_onward(s_load_t *load, const nrs_config_node_t *node)
{
    return s_word(load, node, NRS_ENUM_ONWARD, &load->source->onward);
}

static nrs_err_t
s_claim(s_load_t *load, const nrs_config_node_t *node)
{
    uint64_t type = 0;
    nrs_err_t err = s_word(load, node, NRS_ENUM_TYPE, &type);
    load->source->claim = nrs_text(nrs_enum_word(NRS_ENUM_TYPE, type));
    return err;
}

static nrs_err_t
s_confidence(s_load_t *load, const nrs_config_node_t *node)
{
    const char *text = nrs_config_text(node);
    char *end = NULL;
    unsigned long number = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end || number < 1 || number > 100)
        return nrs_config_problem(node, load->reterr, "confidence is a number from 1 to 100");
    load->source->confidence = number;
    return NRS_OK;
}

static nrs_err_t
s_kind(s_load_t *load, const nrs_config_node_t *node)
{
    nrs_bytes_t word = nrs_text(nrs_config_text(node));
    load->source->kind = 0;
    if (nrs_bytes_is(word, "auto"))
        return NRS_OK;
    load->source->kind = nrs_indicator_kind_word(word);
    if (!load->source->kind)
        return nrs_config_problem(node, load->reterr,
                                  "kind is auto, or a kind of indicator such as domain or url");
    return NRS_OK;
}

static nrs_err_t
s_timezone(s_load_t *load, const nrs_config_node_t *node)
{
    const char *text = nrs_config_text(node);
    int hours = 0, minutes = 0, length = 0;
    if (text && (strcmp(text, "UTC") == 0 || strcmp(text, "Z") == 0))
        return NRS_OK;
    bool shape = text && strlen(text) == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':';
    for (size_t i = 1; shape && i < 6; i++)
        shape = i == 3 || (text[i] >= '0' && text[i] <= '9');
    if (shape) {
        hours = (text[1] - '0') * 10 + (text[2] - '0');
        minutes = (text[4] - '0') * 10 + (text[5] - '0');
        length = hours * 60 + minutes;
    }
    if (!shape || hours > 14 || minutes > 59)
        return nrs_config_problem(node, load->reterr,
                                  "timezone is UTC or an offset such as \"+09:00\"");
    load->source->zone_minutes = text[0] == '-' ? -length : length;
    return NRS_OK;
}

static nrs_err_t
s_refang(s_load_t *load, const nrs_config_node_t *node)
{
    nrs_bytes_t word = nrs_text(nrs_config_text(node));
    load->source->refang = nrs_bytes_is(word, "true");
    if (!load->source->refang && !nrs_bytes_is(word, "false"))
        return nrs_config_problem(node, load->reterr, "refang is true or false");
    return NRS_OK;
}

// --- the mapping ---------------------------------------------------------------------------------

// Fields that ingest itself states: no source may.
static bool
s_mappable(nrs_field_t field)
{
    switch (field) {
    case NRS_ORIGIN_instance:
    case NRS_ORIGIN_lane:
    case NRS_ORIGIN_epoch:
    case NRS_ORIGIN_offset:
    case NRS_ORIGIN_id:
    case NRS_ORIGIN_received_at:
    case NRS_ORIGIN_originator:
    case NRS_ORIGIN_source:
    case NRS_ORIGIN_agreement:
    case NRS_ORIGIN_given:
    case NRS_ORIGIN_evidence:
        return false;
    default:
        return field < NRS_FIELD_MAX && nrs_field_info(field)->layer == NRS_LAYER_ORIGIN;
    }
}

static nrs_err_t
s_map_row(s_load_t *load, nrs_field_t field, const nrs_config_node_t *node)
{
    ingest_source_t *source = load->source;
    nrs_bytes_t from = NRS_NONE;
    nrs_err_t err = s_text(load, node, &from);
    if (err)
        return err;
    if (source->map_count == INGEST_MAP_MAX)
        return nrs_config_problem(node, load->reterr, "a mapping has at most %d rows",
                                  INGEST_MAP_MAX);
    ingest_map_t *row = &source->map[source->map_count];
    *row = (ingest_map_t){ .field = field };
    if (from.size && from.data[0] == '=') {
        row->fixed = true;
        row->constant = nrs_bytes(from.data + 1, from.size - 1);
    } else if (nrs_json_paths_add(source->paths, from, &row->slot)) {
        return nrs_config_problem(node, load->reterr, "\"%s\" is no column name or dotted path",
                                  nrs_config_text(node));
    }
    source->map_count++;
    return NRS_OK;
}

static nrs_err_t
s_map(s_load_t *load, const nrs_config_node_t *node)
{
    if (nrs_config_shape(node) != NRS_CONFIG_MAP)
        return nrs_config_problem(node, load->reterr,
                                  "map wants rows of `our field: their column`");
    const char *key = NULL;
    const nrs_config_node_t *from;
    for (size_t i = 0; (from = nrs_config_at(node, i, &key)); i++) {
        nrs_field_t field = nrs_field_find(nrs_text(key));
        if (!s_mappable(field))
            return nrs_config_problem(from, load->reterr,
                                      "\"%s\" is no field that a source can fill", key);
        bool list = nrs_config_shape(from) == NRS_CONFIG_LIST;
        for (size_t k = 0; k < (list ? nrs_config_count(from) : 1); k++) {
            nrs_err_t err = s_map_row(load, field, list ? nrs_config_at(from, k, NULL) : from);
            if (err)
                return err;
        }
    }
    return NRS_OK;
}

static nrs_err_t
s_claims(s_load_t *load, const nrs_config_node_t *node)
{
    ingest_source_t *source = load->source;
    if (nrs_config_shape(node) != NRS_CONFIG_MAP)
        return nrs_config_problem(node, load->reterr,
                                  "claims wants rows of `their word: RSIT type`");
    source->claims = nrs_alloc0(nrs_config_count(node), sizeof *source->claims);
    const char *word = NULL;
    const nrs_config_node_t *type;
    for (size_t i = 0; (type = nrs_config_at(node, i, &word)); i++) {
        uint64_t number = 0;
        nrs_err_t err = s_word(load, type, NRS_ENUM_TYPE, &number);
        if (err)
            return err;
        source->claims[source->claim_count++] =
            (ingest_claim_t){ nrs_text(word), nrs_text(nrs_enum_word(NRS_ENUM_TYPE, number)) };
    }
    return NRS_OK;
}

// --- a declaration -------------------------------------------------------------------------------

static const struct {
    const char *key;
    s_key_fn *read;
} s_keys[] = {
    { "member", s_member },
    { "format", s_format },
    { "records", s_records },
    { "delimiter", s_delimiter },
    { "header", s_header },
    { "comment", s_comment },
    { "tlp", s_tlp },
    { "pap", s_pap },
    { "onward", s_onward },
    { "claim", s_claim },
    { "confidence", s_confidence },
    { "kind", s_kind },
    { "timezone", s_timezone },
    { "refang", s_refang },
    { "map", s_map },
    { "claims", s_claims },
};
enum { S_KEY_COUNT = sizeof s_keys / sizeof s_keys[0] };

// A source without a mapping has records in our own words: `value`, `kind`, `observed_at`, or
// `origin.value` and so on.
static nrs_err_t
s_map_plain(s_load_t *load, const nrs_config_node_t *node)
{
    for (nrs_field_t field = 0; field < NRS_FIELD_MAX; field++) {
        if (!s_mappable(field))
            continue;
        const char *name = nrs_field_info(field)->name;
        const char *forms[] = { name + strlen("origin."), name };
        for (size_t i = 0; i < 2; i++) {
            ingest_map_t *row = &load->source->map[load->source->map_count++];
            *row = (ingest_map_t){ .field = field };
            if (nrs_json_paths_add(load->source->paths, nrs_text(forms[i]), &row->slot))
                return nrs_config_problem(node, load->reterr, "too many fields");
        }
    }
    return NRS_OK;
}

static nrs_err_t
s_whole(s_load_t *load, const nrs_config_node_t *node)
{
    ingest_source_t *source = load->source;
    if (!source->member)
        return nrs_config_problem(node, load->reterr, "source \"%s\" names no `member`",
                                  source->name);
    if (!source->shape)
        return nrs_config_problem(node, load->reterr, "source \"%s\" names no `format`",
                                  source->name);
    if (!source->tlp)
        source->tlp = source->member->tlp;
    if (!source->pap)
        source->pap = source->member->pap;
    if (!source->onward)
        source->onward = source->member->onward;
    if (!nrs_config_get(node, "map"))
        return s_map_plain(load, node);
    for (size_t i = 0; i < source->map_count; i++)
        if (source->map[i].field == NRS_ORIGIN_value)
            return NRS_OK;
    return nrs_config_problem(nrs_config_get(node, "map"), load->reterr,
                              "the mapping says nothing about `value`");
}

static nrs_err_t
s_source(s_load_t *load, const nrs_config_node_t *node)
{
    *load->source = (ingest_source_t){ .name = load->source->name,
                                       .delimiter = ',',
                                       .comment = nrs_text("#"),
                                       .refang = true,
                                       .paths = nrs_json_paths_new() };
    if (strlen(load->source->name) > INGEST_NAME_MAX)
        return nrs_config_problem(node, load->reterr, "a source's name has at most %d bytes",
                                  INGEST_NAME_MAX);
    const char *key = NULL;
    const nrs_config_node_t *value;
    for (size_t i = 0; (value = nrs_config_at(node, i, &key)); i++) {
        size_t k = 0;
        while (k < S_KEY_COUNT && strcmp(s_keys[k].key, key) != 0)
            k++;
        if (k == S_KEY_COUNT)
            return nrs_config_problem(value, load->reterr, "a source has no key \"%s\"", key);
        nrs_err_t err = s_keys[k].read(load, value);
        if (err)
            return err;
    }
    return s_whole(load, node);
}

nrs_err_t
ingest_sources_open(nrs_config_t *config, const nrs_directory_t *directory, nrs_problem_t *reterr,
                    ingest_sources_t **ret_sources)
{
    const nrs_config_node_t *node = nrs_config_get(nrs_config_root(config), "sources");
    NRS_AUTO(ingest_sources) self = nrs_new0(ingest_sources_t);
    if (node && nrs_config_shape(node) != NRS_CONFIG_MAP &&
        nrs_config_shape(node) != NRS_CONFIG_NOTHING)
        return nrs_config_problem(node, reterr, "sources wants rows of `name: declaration`");
    self->items = nrs_alloc0(nrs_config_count(node), sizeof *self->items);
    const nrs_config_node_t *declaration;
    const char *name = NULL;
    for (size_t i = 0; (declaration = nrs_config_at(node, i, &name)); i++) {
        s_load_t load = { directory, reterr, &self->items[self->count++] };
        load.source->name = name;
        nrs_err_t err = s_source(&load, declaration);
        if (err)
            return err;
    }
    *ret_sources = NRS_TAKE(self);
    return NRS_OK;
}

void
ingest_sources_destroy(ingest_sources_t **self_p)
{
    ingest_sources_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        nrs_json_paths_destroy(&self->items[i].paths);
        free(self->items[i].claims);
    }
    free(self->items);
    free(self);
    *self_p = NULL;
}

const ingest_source_t *
ingest_sources_get(const ingest_sources_t *self, nrs_bytes_t name)
{
    for (size_t i = 0; i < self->count; i++)
        if (nrs_bytes_is(name, self->items[i].name))
            return &self->items[i];
    return NULL;
}
