// ingest_source.h - the sources of noroshi.yaml (`sources:`): whose they are, how to read them,
// what their words mean
// Threads:  const once read.

#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "common/config.h"
#include "common/directory.h"
#include "common/event.h"
#include "common/json.h"

enum { INGEST_MAP_MAX = 48 };      // rows of a mapping, alternatives counted one by one
enum { INGEST_COLUMNS_MAX = 256 }; // columns of a CSV file
enum { INGEST_NAME_MAX = 64 };     // bytes of a source's name (origin.source)

typedef enum ingest_shape {
    INGEST_SHAPE_NONE,
    INGEST_SHAPE_LIST,  // one indicator a line
    INGEST_SHAPE_HOSTS, // address and names, as in /etc/hosts
    INGEST_SHAPE_CSV,   // RFC 4180, by header name
    INGEST_SHAPE_JSONL, // one JSON object a line
    INGEST_SHAPE_JSON,  // one JSON document with the records inside
    INGEST_SHAPE_STIX,  // STIX 2.1 bundle
    INGEST_SHAPE_MAX
} ingest_shape_t;

// The shape for a word of the configuration, or NONE; and back.
ingest_shape_t
ingest_shape_of(nrs_bytes_t word);
const char *
ingest_shape_word(ingest_shape_t shape);

// One row of a mapping: which field of the origin layer, and where its value comes from. Of several
// rows for one field the first that gives a value counts.
typedef struct ingest_map {
    nrs_field_t field;
    bool fixed;           // the value is `constant`
    size_t slot;          // else: which of the record's values
    nrs_bytes_t constant; // borrowed from the configuration
} ingest_map_t;

// What the source calls it, and the RSIT type word for that.
typedef struct ingest_claim {
    nrs_bytes_t word;
    nrs_bytes_t type;
} ingest_claim_t;

typedef enum ingest_header {
    INGEST_HEADER_FIRST,   // the first line that is no comment names the columns
    INGEST_HEADER_COMMENT, // the last comment before the first row does
    INGEST_HEADER_GIVEN,   // the configuration does: the file has none
} ingest_header_t;

typedef struct ingest_source {
    const char *name;
    const nrs_member_t *member; // owner
    ingest_shape_t shape;
    nrs_bytes_t records;    // JSON: dotted path to the records; empty: the document itself
    char delimiter;         // CSV
    ingest_header_t header; // CSV
    size_t column_count;    // CSV, HEADER_GIVEN
    nrs_bytes_t columns[INGEST_COLUMNS_MAX];
    nrs_bytes_t comment;       // lines that begin with it say nothing; empty: there are none
    uint64_t tlp, pap, onward; // when the record does not say
    nrs_bytes_t claim;         // when the record does not say; may be empty
    uint64_t confidence;       // when the record does not say; 0: none
    uint64_t kind;             // when the record does not say; 0: guess
    bool refang;
    int zone_minutes;        // east of UTC, for times that name no zone
    nrs_json_paths_t *paths; // owned: names of the mapping's slots
    size_t map_count;
    ingest_map_t map[INGEST_MAP_MAX];
    size_t claim_count;
    ingest_claim_t *claims; // owned
} ingest_source_t;

typedef struct ingest_sources {
    size_t count;
    ingest_source_t *items; // owned
} ingest_sources_t;

// Read `sources:`; a file without it has none. Texts borrow from `config`, members from
// `directory`; both must outlive the result. Errors: NRS_E_CONFIG with *reterr.
NRS_MUST_CHECK nrs_err_t
ingest_sources_open(nrs_config_t *config, const nrs_directory_t *directory, nrs_problem_t *reterr,
                    ingest_sources_t **ret_sources);
void
ingest_sources_destroy(ingest_sources_t **self_p);

// NULL when there is none.
const ingest_source_t *
ingest_sources_get(const ingest_sources_t *self, nrs_bytes_t name);

// The source's word in RSIT's words where the source's table or RSIT itself has it, else as it is.
nrs_bytes_t
ingest_source_claim(const ingest_source_t *self, nrs_bytes_t word);

// A label as sources write it ("TLP:WHITE", "amber+strict", "green"). Unknown words are RED.
uint64_t
ingest_tlp_of(nrs_bytes_t word);

#endif
