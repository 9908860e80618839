// enrich_config.h - the options of the stage enrich, and the lists that they name
// Threads:  const once read.

#ifndef ENRICH_CONFIG_H
#define ENRICH_CONFIG_H

#include "common/config.h"
#include "common/event.h"

enum { ENRICH_LISTS_MAX = NRS_LIST_MAX }; // context.lists holds no more

typedef struct enrich_options {
    const char *suffixes;           // path, or "": the system's list
    const char *country;            // path, or "": countries stay unknown
    const char *asn;                // path, or "": autonomous systems stay unknown
    const nrs_config_node_t *lists; // see enrich_config_lists()
    int64_t list_entries_max;
    int64_t repeat_window_ms; // 0: every report is a full event
    int64_t memory_bytes;     // of the table of sightings
} enrich_options_t;

extern const nrs_option_t enrich_option_table[];

typedef enum enrich_format {
    ENRICH_FORMAT_AUTO, // a line is a prefix, a name or any value, whichever it looks like
    ENRICH_FORMAT_DOMAINS,
    ENRICH_FORMAT_CIDRS,
    ENRICH_FORMAT_VALUES, // indicators of any kind
    ENRICH_FORMAT_JSON,   // a document with an array of texts in it, each as in AUTO
} enrich_format_t;

typedef enum enrich_match {
    ENRICH_MATCH_AUTO,   // names as in PARENT, addresses as in CIDR
    ENRICH_MATCH_EXACT,  // a name covers itself only
    ENRICH_MATCH_PARENT, // a name covers itself and all below it
    ENRICH_MATCH_CIDR,   // the list has addresses and prefixes only
} enrich_match_t;

// One list, as configured. Texts borrow from the configuration.
typedef struct enrich_list {
    const char *name;
    const char *path;
    int64_t format;      // enrich_format_t
    int64_t match;       // enrich_match_t
    const char *records; // JSON: dotted path to the array; "": the document itself
    bool known_good;     // what it holds is known to be good
} enrich_list_t;

typedef struct enrich_list_set {
    size_t count;
    enrich_list_t items[ENRICH_LISTS_MAX];
} enrich_list_set_t;

// Read the entries of `lists:`. Errors: NRS_E_CONFIG with *reterr: too many, a name twice,
// `records` without json.
NRS_MUST_CHECK nrs_err_t
enrich_config_lists(nrs_config_t *config, const nrs_config_node_t *node, nrs_problem_t *reterr,
                    enrich_list_set_t *into);

#endif
