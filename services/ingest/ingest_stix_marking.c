#include "services/ingest/ingest_stix_marking.h"

#define MARKING(uuid) "marking-definition--" uuid

static const char *const s_tlp_extension =
    "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
static const char *const s_pap_extension =
    "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b";

typedef enum s_set { S_TLP_1, S_TLP_2, S_PAP } s_set_t;

// STIX 2.1, section 7.2.1.4, and OASIS cti-stix-common-objects: their content belongs to their ids.
static const struct s_fixed {
    const char *id;
    s_set_t set;
    const char *word;
    uint64_t label;
} s_fixed[] = {
    { MARKING("613f2e26-407d-48c7-9eca-b8e91df99dc9"), S_TLP_1, "white", NRS_TLP_CLEAR },
    { MARKING("34098fce-860f-48ae-8e50-ebd3cc5e41da"), S_TLP_1, "green", NRS_TLP_GREEN },
    { MARKING("f88d31f6-486f-44da-b317-01333bde0b82"), S_TLP_1, "amber", NRS_TLP_AMBER },
    { MARKING("5e57c739-391a-4eb3-b6be-7d15ca92d5ed"), S_TLP_1, "red", NRS_TLP_RED },
    { MARKING("94868c89-83c2-464b-929b-a1a8aa3c8487"), S_TLP_2, "clear", NRS_TLP_CLEAR },
    { MARKING("bab4a63c-aed9-4cf5-a766-dfca5abac2bb"), S_TLP_2, "green", NRS_TLP_GREEN },
    { MARKING("55d920b0-5e8b-4f79-9ee9-91f868d9b421"), S_TLP_2, "amber", NRS_TLP_AMBER },
    { MARKING("939a9414-2ddd-4d32-a0cd-375ea402b003"), S_TLP_2, "amber+strict",
      NRS_TLP_AMBER_STRICT },
    { MARKING("e828b379-4e03-4974-9ac4-e53a884c97c1"), S_TLP_2, "red", NRS_TLP_RED },
    { MARKING("ad15a0cd-55b6-4588-a14c-a66105329b92"), S_PAP, "clear", NRS_PAP_CLEAR },
    { MARKING("a3bea94c-b469-41dc-9cfe-d6e7daba7730"), S_PAP, "white", NRS_PAP_CLEAR },
    { MARKING("c43594d1-4b11-4c59-93ab-1c9b14d53ce9"), S_PAP, "green", NRS_PAP_GREEN },
    { MARKING("60f8932b-e51e-4458-b265-a2e8be9a80ab"), S_PAP, "amber", NRS_PAP_AMBER },
    { MARKING("740d36e5-7714-4c30-961a-3ae632ceee0e"), S_PAP, "red", NRS_PAP_RED },
};
enum { S_FIXED_COUNT = sizeof s_fixed / sizeof s_fixed[0] };

static size_t
s_find(nrs_bytes_t id)
{
    size_t i = 0;
    while (i < S_FIXED_COUNT && !nrs_bytes_is(id, s_fixed[i].id))
        i++;
    return i;
}

static nrs_bytes_t
s_text(const nrs_json_value_t *object, const char *name)
{
    nrs_json_value_t value = nrs_json_get(object, nrs_text(name));
    return value.type == NRS_JSON_TEXT ? value.text : NRS_NONE;
}

// Does the definition say what its id says?
static bool
s_genuine(const struct s_fixed *fixed, const nrs_json_value_t *definition)
{
    bool old = fixed->set == S_TLP_1;
    const char *extension = fixed->set == S_PAP ? s_pap_extension : s_tlp_extension;
    nrs_json_value_t inner = nrs_json_get(definition, nrs_text(old ? "definition" : "extensions"));
    if (old)
        return nrs_bytes_is(s_text(definition, "definition_type"), "tlp") &&
               nrs_bytes_is(s_text(&inner, "tlp"), fixed->word);
    inner = nrs_json_get(&inner, nrs_text(extension));
    return s_text(definition, "definition_type").size == 0 &&
           nrs_bytes_is(s_text(&inner, fixed->set == S_PAP ? "pap" : "tlp_2_0"), fixed->word);
}

void
ingest_markings_learn(ingest_markings_t *self, const nrs_json_value_t *definition)
{
    size_t i = s_find(s_text(definition, "id"));
    if (i < S_FIXED_COUNT && !s_genuine(&s_fixed[i], definition) &&
        self->count < INGEST_MARKINGS_MAX)
        self->forged[self->count++] = i;
}

static bool
s_forged(const ingest_markings_t *self, size_t fixed)
{
    if (self->count == INGEST_MARKINGS_MAX)
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (self->forged[i] == fixed)
            return true;
    return false;
}

static void
s_add(const ingest_markings_t *self, const nrs_json_value_t *ref, uint64_t *tlp, uint64_t *pap)
{
    size_t i = ref->type == NRS_JSON_TEXT ? s_find(ref->text) : S_FIXED_COUNT;
    if (i == S_FIXED_COUNT || s_forged(self, i)) {
        *tlp = NRS_TLP_RED;
        return;
    }
    uint64_t *label = s_fixed[i].set == S_PAP ? pap : tlp;
    if (s_fixed[i].label > *label)
        *label = s_fixed[i].label;
}

void
ingest_markings_of(const ingest_markings_t *self, const nrs_json_value_t *object, uint64_t *ret_tlp,
                   uint64_t *ret_pap)
{
    nrs_json_value_t refs = nrs_json_get(object, nrs_text("object_marking_refs")), item;
    nrs_json_value_t parts = nrs_json_get(object, nrs_text("granular_markings"));
    nrs_json_walk_t walk = nrs_json_walk(&refs);
    *ret_tlp = *ret_pap = 0;
    while (nrs_json_walk_next(&walk, NULL, &item))
        s_add(self, &item, ret_tlp, ret_pap);
    walk = nrs_json_walk(&parts); // a marking of a part of the object counts for the whole
    while (nrs_json_walk_next(&walk, NULL, &item)) {
        nrs_json_value_t ref = nrs_json_get(&item, nrs_text("marking_ref"));
        if (ref.type != NRS_JSON_ABSENT) // else it names a language
            s_add(self, &ref, ret_tlp, ret_pap);
    }
}
