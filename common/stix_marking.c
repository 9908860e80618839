// stix_marking.c - the fixed objects: TLP 2.0 and PAP markings, and who speaks
//
// Both sets are the ones of OASIS cti-stix-common-objects. They are extension markings, without
// definition_type; a marking's content belongs to its id and is never anything else.

#include "common/stix_parts.h"

#define TLP_EXTENSION "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
#define PAP_EXTENSION "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
// When our own fixed objects (the identity, a malware family) say that they were made: they follow
// from their names, so it must not depend on who asks when.
#define FIXED_TIME "2026-01-01T00:00:00.000Z"

typedef struct s_marking {
    const char *id;
    const char *created;
    const char *name;
    const char *word; // under which the extension's property says it
} s_marking_t;

static const s_marking_t s_tlp[] = {
    [NRS_TLP_CLEAR] = { "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
                        "2022-10-01T00:00:00.000Z", "TLP:CLEAR", "clear" },
    [NRS_TLP_GREEN] = { "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
                        "2022-10-01T00:00:00.000Z", "TLP:GREEN", "green" },
    [NRS_TLP_AMBER] = { "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
                        "2022-10-01T00:00:00.000Z", "TLP:AMBER", "amber" },
    [NRS_TLP_AMBER_STRICT] = { "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
                               "2022-10-01T00:00:00.000Z", "TLP:AMBER+STRICT", "amber+strict" },
    [NRS_TLP_RED] = { "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
                      "2022-10-01T00:00:00.000Z", "TLP:RED", "red" },
};

static const s_marking_t s_pap[] = {
    [NRS_PAP_CLEAR] = { "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92",
                        "2022-10-01T00:00:00.000Z", "PAP:CLEAR", "clear" },
    [NRS_PAP_GREEN] = { "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9",
                        "2022-10-09T00:00:00.000Z", "PAP:GREEN", "green" },
    [NRS_PAP_AMBER] = { "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab",
                        "2022-10-02T00:00:00.000Z", "PAP:AMBER", "amber" },
    [NRS_PAP_RED] = { "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e",
                      "2022-10-06T00:00:00.000Z", "PAP:RED", "red" },
};

static void
s_put(nrs_stix_t *self, const s_marking_t *marking, const char *extension, const char *property,
      nrs_buf_t *into)
{
    nrs_stix_open_object(self, "marking-definition", marking->id, into);
    nrs_buf_printf(into,
                   ",\"created\":\"%s\",\"name\":\"%s\",\"extensions\":{\"%s\":{\"extension_type\":"
                   "\"property-extension\",\"%s\":\"%s\"}}",
                   marking->created, marking->name, extension, property, marking->word);
    nrs_stix_close_object(self, into);
}

void
nrs_stix_put_tlp(nrs_stix_t *self, uint64_t tlp, nrs_buf_t *into)
{
    if (tlp == 0 || (self->tlp_written & 1u << tlp))
        return;
    self->tlp_written = (uint8_t)(self->tlp_written | 1u << tlp);
    s_put(self, &s_tlp[tlp], TLP_EXTENSION, "tlp_2_0", into);
}

void
nrs_stix_put_pap(nrs_stix_t *self, uint64_t pap, nrs_buf_t *into)
{
    if (pap == 0 || (self->pap_written & 1u << pap))
        return;
    self->pap_written = (uint8_t)(self->pap_written | 1u << pap);
    s_put(self, &s_pap[pap], PAP_EXTENSION, "pap", into);
}

void
nrs_stix_marking_refs(uint64_t tlp, uint64_t pap, nrs_buf_t *into)
{
    nrs_stix_list_t refs = { into, "object_marking_refs", false };
    nrs_stix_list_next(&refs);
    nrs_buf_printf(into, "\"%s\"", s_tlp[tlp].id);
    if (pap) {
        nrs_stix_list_next(&refs);
        nrs_buf_printf(into, "\"%s\"", s_pap[pap].id);
    }
    nrs_stix_list_end(&refs);
}

void
nrs_stix_fixed_times(nrs_buf_t *into)
{
    nrs_buf_put_text(into, ",\"created\":\"" FIXED_TIME "\",\"modified\":\"" FIXED_TIME "\"");
}

void
nrs_stix_put_identity(nrs_stix_t *self, nrs_buf_t *into)
{
    nrs_stix_open_object(self, "identity", self->identity, into);
    nrs_stix_fixed_times(into);
    nrs_stix_text(into, "name", nrs_text(self->centre));
    nrs_buf_put_text(into, ",\"identity_class\":\"organization\"");
    nrs_stix_close_object(self, into);
}
