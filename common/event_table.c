// event_table.c - what proto/event_fields.def and proto/event_enums.def say, as tables

#include "common/event.h"

#include <strings.h>

// --- enums: a word stands at its number ----------------------------------------------------------

enum { WORDS_MAX = 64 };

#define VALUE(id, number, name, word, doc) [NRS_ENUM_##id][number] = { word, doc },
static const struct {
    const char *word;
    const char *doc;
} s_words[NRS_ENUM_MAX][WORDS_MAX] = {
#include "proto/event_enums.def"
};
#undef VALUE

const char *
nrs_enum_word(nrs_enum_id_t id, uint64_t number)
{
    return id < NRS_ENUM_MAX && number < WORDS_MAX ? s_words[id][number].word : NULL;
}

const char *
nrs_enum_doc(nrs_enum_id_t id, uint64_t number)
{
    return id < NRS_ENUM_MAX && number < WORDS_MAX ? s_words[id][number].doc : NULL;
}

uint64_t
nrs_enum_last(nrs_enum_id_t id)
{
    uint64_t number = 0;
    while (nrs_enum_word(id, number + 1))
        number++;
    return number;
}

uint64_t
nrs_enum_number(nrs_enum_id_t id, nrs_bytes_t word)
{
    for (uint64_t number = 1; nrs_enum_word(id, number); number++) {
        const char *candidate = s_words[id][number].word;
        if (strlen(candidate) == word.size &&
            strncasecmp(candidate, (const char *)word.data, word.size) == 0)
            return number;
    }
    return 0;
}

uint64_t
nrs_class_of_type(uint64_t type)
{
    const char *class_word = nrs_enum_doc(NRS_ENUM_TYPE, type);
    return class_word ? nrs_enum_number(NRS_ENUM_CLASS, nrs_text(class_word)) : 0;
}

// --- fields --------------------------------------------------------------------------------------

#define LIMIT_POS(limit) limit, 0
#define LIMIT_UINT(limit) limit, 0
#define LIMIT_TIME(limit) 253402300799999u, 0
#define LIMIT_ENUM(limit) 0, NRS_ENUM_##limit
#define LIMIT_STR(limit) limit, 0
#define LIMIT_BIN(limit) limit, 0
#define LIMIT_LIST(limit) limit, 0
#define LIMIT_BOOL(limit) 1, 0
#define TEXT_ORIGIN "origin."
#define TEXT_CONTEXT "context."
#define TEXT_VERDICT "verdict."
#define TEXT_RELEASE "release."
#define STRUCT_ORIGIN nrs_origin_t
#define STRUCT_CONTEXT nrs_context_t
#define STRUCT_VERDICT nrs_verdict_t
#define STRUCT_RELEASE nrs_release_t

#define FIELD(layer, pos, name, type, limit, stix, doc)                                            \
    { TEXT_##layer #name, NRS_LAYER_##layer, pos, NRS_TYPE_##type, LIMIT_##type(limit),            \
      stix, doc, offsetof(STRUCT_##layer, name) },
static const nrs_field_info_t s_fields[NRS_FIELD_MAX] = {
#include "proto/event_fields.def"
};
#undef FIELD

const nrs_field_info_t *
nrs_field_info(nrs_field_t field)
{
    NRS_ASSERT(field < NRS_FIELD_MAX);
    return &s_fields[field];
}

nrs_field_t
nrs_field_find(nrs_bytes_t name)
{
    bool dotted = name.size > 0 && memchr(name.data, '.', name.size);
    for (unsigned i = 0; i < NRS_FIELD_MAX; i++) {
        const char *candidate = s_fields[i].name;
        if (!dotted)
            candidate = strchr(candidate, '.') + 1;
        if (nrs_bytes_is(name, candidate))
            return (nrs_field_t)i;
    }
    return NRS_FIELD_MAX;
}

const char *
nrs_layer_name(nrs_layer_t layer)
{
    static const char *const names[NRS_LAYER_MAX] = { "origin", "context", "verdict", "release" };
    return layer < NRS_LAYER_MAX ? names[layer] : "unknown";
}
