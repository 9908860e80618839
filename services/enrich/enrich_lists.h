// enrich_lists.h - the lists that indicators are looked up in: names, values, addresses
// Threads:  const once open.

#ifndef ENRICH_LISTS_H
#define ENRICH_LISTS_H

#include "common/net.h"
#include "common/suffix.h"
#include "enrich_config.h"

typedef struct enrich_lists enrich_lists_t;

// How reading one list went.
typedef struct enrich_list_report {
    uint64_t entries;
    uint64_t skipped;  // lines that are nothing the format knows
    uint64_t suffixes; // public suffixes, left out: an entry "com" would cover everything
    char suffix[64];   // the first of them
} enrich_list_report_t;

// Read all lists of `set` (borrowed, must outlive the result). `seed` is any random number.
// `reports` has room for set->count. Errors, with the file in *reterr: NRS_E_IO (cannot be read),
// NRS_E_FORMAT (not what its format says, or without a single entry), NRS_E_LIMIT (more than
// `entries_max` entries, or a file above 256 MiB).
NRS_MUST_CHECK nrs_err_t
enrich_lists_open(const enrich_list_set_t *set, nrs_suffixes_t *suffixes, uint64_t seed,
                  uint64_t entries_max, enrich_list_report_t *reports, nrs_problem_t *reterr,
                  enrich_lists_t **ret_lists);
void
enrich_lists_destroy(enrich_lists_t **self_p);

// What is looked up; any part may be empty.
typedef struct enrich_wanted {
    nrs_bytes_t value;          // canonical
    nrs_bytes_t host;           // host name in it
    const nrs_prefix_t *prefix; // address or prefix in it, or NULL
} enrich_wanted_t;

// The lists that hold it, one bit each in the order of the set.
uint32_t
enrich_lists_find(const enrich_lists_t *self, const enrich_wanted_t *wanted);
// The names of the lists in a mask (borrowed from the set), and whether one of them is of what is
// known to be good.
void
enrich_lists_names(const enrich_lists_t *self, uint32_t mask, nrs_list_t *into,
                   bool *ret_known_good);
// Entries of all lists together.
uint64_t
enrich_lists_entries(const enrich_lists_t *self);

#endif
