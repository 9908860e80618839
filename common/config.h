// config.h - what a person wrote in YAML, read strictly: values, option tables, mistakes with place
// Shape:    proto/noroshi_yaml.md, "The language".
// Threads:  an object belongs to the thread that opened it; what is read from it is const.

#ifndef NRS_CONFIG_H
#define NRS_CONFIG_H

#include "common/base.h"
#include "common/buf.h"

typedef struct nrs_config nrs_config_t; // one file
typedef struct nrs_config_node
    nrs_config_node_t; // a mapping, list or scalar in it; borrowed from the file

enum { NRS_CONFIG_BYTES_MAX = 4 << 20 }; // of the file
enum { NRS_CONFIG_DEPTH_MAX = 16 };      // mappings and lists within each other
enum { NRS_CONFIG_NODES_MAX = 1 << 18 }; // values in the file
enum { NRS_CONFIG_MISTAKES_MAX = 100 };  // how many are kept for nrs_config_mistake()

// Read `path`. Duplicate keys, tabs for indentation, anchors, tags, a second document, text that is
// not UTF-8 and files above NRS_CONFIG_BYTES_MAX are errors. The caller owns *ret_config. Errors:
// NRS_E_IO, NRS_E_CONFIG, both with *reterr filled.
NRS_MUST_CHECK nrs_err_t
nrs_config_open(const char *path, nrs_problem_t *reterr, nrs_config_t **ret_config);
// The same from memory; `name` stands for the file in messages.
NRS_MUST_CHECK nrs_err_t
nrs_config_parse(nrs_bytes_t text, const char *name, nrs_problem_t *reterr,
                 nrs_config_t **ret_config);
void
nrs_config_destroy(nrs_config_t **self_p);

const char *
nrs_config_file(const nrs_config_t *self);
// Directory of the file: what relative paths in it start from.
const char *
nrs_config_base(const nrs_config_t *self);
// Never NULL; its shape is NRS_CONFIG_NOTHING in an empty file.
const nrs_config_node_t *
nrs_config_root(const nrs_config_t *self);

// --- walking: NULL and empty where there is nothing ----------------------------------------------

typedef enum nrs_config_shape {
    NRS_CONFIG_NOTHING, // no node, or a key with nothing (or ~ or null) behind it
    NRS_CONFIG_SCALAR,
    NRS_CONFIG_LIST,
    NRS_CONFIG_MAP,
} nrs_config_shape_t;

nrs_config_shape_t
nrs_config_shape(const nrs_config_node_t *node);
// A key's value in a mapping. NULL when `node` is no mapping or lacks the key.
const nrs_config_node_t *
nrs_config_get(const nrs_config_node_t *node, const char *key);
// The i-th pair of a mapping (`ret_key` may be NULL), or the i-th item of a list. NULL past the
// end.
const nrs_config_node_t *
nrs_config_at(const nrs_config_node_t *node, size_t i, const char **ret_key);
size_t
nrs_config_count(const nrs_config_node_t *node);
// A scalar's text; NULL when it is none.
const char *
nrs_config_text(const nrs_config_node_t *node);

// Is the text a name such as "ingest-1": lower-case letters, digits and hyphens, no hyphen at
// either end, 1 to NRS_CONFIG_NAME_MAX bytes?
enum { NRS_CONFIG_NAME_MAX = 32 };
bool
nrs_config_name_ok(const char *text);

// --- mistakes: whoever can goes on after one, so that a person sees them all at once -------------

// Note a mistake at the node's place, and fill *reterr (may be NULL) with it.
// Returns NRS_E_CONFIG.
nrs_err_t
nrs_config_problem(const nrs_config_node_t *node, nrs_problem_t *reterr, const char *format, ...)
    NRS_PRINTF(3, 4);
// The same at the place of the key in front of the node.
nrs_err_t
nrs_config_key_problem(const nrs_config_node_t *node, nrs_problem_t *reterr, const char *format,
                       ...) NRS_PRINTF(3, 4);
// The i-th mistake noted so far, in the order in which they were found. NULL past the end.
const nrs_problem_t *
nrs_config_mistake(const nrs_config_t *self, size_t i);

// Memory that lives as long as the file: zeroed, and a printed text.
void *
nrs_config_alloc(nrs_config_t *self, size_t bytes);
const char *
nrs_config_print(nrs_config_t *self, const char *format, ...) NRS_PRINTF(2, 3);

// --- option tables: one row parses, checks, prints help, writes the commented example ------------

typedef enum nrs_option_type {
    NRS_OPTION_BOOL,     // bool
    NRS_OPTION_NUMBER,   // int64_t
    NRS_OPTION_BYTES,    // int64_t: 4096, 64KiB, 2MiB, 1GiB
    NRS_OPTION_DURATION, // int64_t in milliseconds: 250ms, 5s, 10m, 24h, 30d
    NRS_OPTION_TEXT,     // const char *, borrowed from the file (or from the table)
    NRS_OPTION_PATH,     // const char *, made absolute from the file's directory; "" stays ""
    NRS_OPTION_WORD,     // int64_t: number of the word in `words`
    NRS_OPTION_TEXTS,    // nrs_config_texts_t: a list of texts, or one text
    NRS_OPTION_NODE, // const nrs_config_node_t *: read by its owner; NULL where there is nothing
} nrs_option_type_t;

typedef struct nrs_config_texts {
    size_t count;
    const char **items; // borrowed from the file
} nrs_config_texts_t;

typedef struct nrs_option {
    const char *key; // NULL ends the table
    nrs_option_type_t type;
    size_t offset;            // in the struct that is filled
    const char *fallback;     // the default, as it would stand in the file (TEXT: without quotes;
                              // TEXTS: "[a, b]"); NULL: must be given, but for NODE, which has none
    int64_t min, max;         // of the number, size or time; TEXT, PATH: bytes; TEXTS: items;
                              // both 0: no bound
    const char *const *words; // WORD: NULL-terminated
    const char *doc;          // one sentence, with the reason for the default where it is not plain
} nrs_option_t;

// Fill `into` by the table from the mapping `node` (NULL: all defaults). Unknown keys and values
// out of range are errors, with the nearest known key named; all of them are noted, and the first
// is in *reterr. Where a value is wrong its default is filled in. Texts and paths live as long as
// `config`. Errors: NRS_E_CONFIG with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_options_read(nrs_config_t *config, const nrs_config_node_t *node, const nrs_option_t *table,
                 void *into, nrs_problem_t *reterr);
// The table as commented YAML with the defaults, indented by `indent` blanks: for --help-config and
// examples.
void
nrs_options_print(const nrs_option_t *table, unsigned indent, nrs_buf_t *into);

// A list item or mapping value that is a path, made absolute from the file's directory; lives as
// long as `config`.
const char *
nrs_config_path(nrs_config_t *config, const char *path);

#endif
