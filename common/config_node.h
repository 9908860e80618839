// config_node.h - how a configuration file is kept in memory; for config*.c only

#ifndef NRS_CONFIG_NODE_H
#define NRS_CONFIG_NODE_H

#include "common/config.h"

// Everything hangs off `config`'s blocks; nothing is freed alone.
struct nrs_config_node {
    nrs_config_t *config;
    nrs_config_shape_t shape;
    const char *key;                        // the key in front of it in a mapping; else NULL
    const char *text;                       // SCALAR: the text, NUL-terminated; else NULL
    unsigned line, column;                  // 1-based
    unsigned key_line, key_column;          // of the key; 0 without one
    size_t count;                           // LIST, MAP: children
    nrs_config_node_t **items;              // in the order of the file
    nrs_config_node_t **sorted;             // MAP: the same by key
    nrs_config_node_t *first, *last, *next; // the children as a chain, while the file is read
};

typedef struct nrs_config_block nrs_config_block_t;

struct nrs_config {
    char *file; // as it was named; owned
    char *base; // absolute directory; owned
    nrs_config_node_t *root;
    nrs_config_block_t *blocks; // newest first
    size_t mistake_count;
    nrs_problem_t *mistakes; // owned
};

// Turn the text into nodes below `self->root`. Errors: NRS_E_CONFIG.
NRS_MUST_CHECK nrs_err_t
nrs_config_read(nrs_config_t *self, nrs_bytes_t text, nrs_problem_t *reterr);

#endif
