// disk_part.h - what a disk in memory and the stores on it share; nobody else includes this

#ifndef NRS_DISK_PART_H
#define NRS_DISK_PART_H

#include "common/disk.h"
#include "common/store_part.h"
#include "common/tree.h"

typedef struct nrs_disk_table {
    nrs_tree_t *root;
    uint64_t count;
    uint64_t packed_bytes; // of small entries
    uint64_t pages;        // of great ones
} nrs_disk_table_t;

// The tables of one moment. Copies share what they hold: keep a copy, and let go of it.
typedef struct nrs_disk_moment {
    unsigned count;
    nrs_disk_table_t tables[NRS_STORE_TABLES_MAX];
} nrs_disk_moment_t;

// What is on the disk under one path, whether a store is open there or not.
typedef struct nrs_disk_image {
    struct nrs_disk_image *next;
    char *path;
    bool made;             // by a writer; without, it only waits for one
    bool has_writer;
    unsigned open_stores;
    uint64_t cuts;         // stores opened before the last one have no power
    unsigned fail_in;      // commits until one fails; 0: none will
    nrs_err_t fail_err;
    uint64_t file_bytes;   // the most that was ever in use
    char *names[NRS_STORE_TABLES_MAX];
    nrs_disk_moment_t now; // as committed last
} nrs_disk_image_t;

void
nrs_disk_moment_keep(nrs_disk_moment_t *self, const nrs_disk_moment_t *other);
void
nrs_disk_moment_let_go(nrs_disk_moment_t *self);
// How much it takes, in whole pages.
uint64_t
nrs_disk_moment_bytes(const nrs_disk_moment_t *self);
// An entry comes (sign 1) or goes (-1).
void
nrs_disk_table_reckon(nrs_disk_table_t *self, size_t key_size, size_t value_size, int sign);

// A store on the image, which must outlive it; its record is not looked at yet. The caller owns the result.
nrs_store_t *
nrs_store_memory_new(nrs_disk_image_t *image, const nrs_store_options_t *options);

#endif
