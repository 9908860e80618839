#include "common/disk.h"

#include "common/disk_part.h"

#include <stdlib.h>

enum {
    PAGE_BYTES = 4096,       // how much an entry takes is reckoned much as LMDB lays it out:
    ENTRY_HEAD_BYTES = 16,   // small ones packed into pages,
    PACKED_BYTES_MAX = 2048, // great ones on pages of their own
    START_PAGES = 4,         // a store that has nothing in it yet
};

struct nrs_disk {
    nrs_disk_image_t *images;
};

// --- moments -------------------------------------------------------------------------------------

void
nrs_disk_moment_keep(nrs_disk_moment_t *self, const nrs_disk_moment_t *other)
{
    *self = *other;
    for (unsigned i = 0; i < self->count; i++)
        nrs_tree_keep(self->tables[i].root);
}

void
nrs_disk_moment_let_go(nrs_disk_moment_t *self)
{
    for (unsigned i = 0; i < self->count; i++)
        nrs_tree_destroy(&self->tables[i].root);
}

uint64_t
nrs_disk_moment_bytes(const nrs_disk_moment_t *self)
{
    uint64_t pages = START_PAGES;
    for (unsigned i = 0; i < self->count; i++)
        pages += self->tables[i].pages + (self->tables[i].packed_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    return pages * PAGE_BYTES;
}

void
nrs_disk_table_reckon(nrs_disk_table_t *self, size_t key_size, size_t value_size, int sign)
{
    uint64_t packed = ENTRY_HEAD_BYTES + key_size, pages = 0;
    if (value_size <= PACKED_BYTES_MAX)
        packed += value_size;
    else
        pages = (ENTRY_HEAD_BYTES + value_size + PAGE_BYTES - 1) / PAGE_BYTES;
    self->count = sign > 0 ? self->count + 1 : self->count - 1;
    self->packed_bytes = sign > 0 ? self->packed_bytes + packed : self->packed_bytes - packed;
    self->pages = sign > 0 ? self->pages + pages : self->pages - pages;
}

// --- the disk ------------------------------------------------------------------------------------

nrs_disk_t *
nrs_disk_new(void)
{
    return nrs_new0(nrs_disk_t);
}

static void
s_image_free(nrs_disk_image_t *self)
{
    NRS_ASSERT(self->open_stores == 0);
    for (unsigned i = 0; i < self->now.count; i++)
        free(self->names[i]);
    nrs_disk_moment_let_go(&self->now);
    free(self->path);
    free(self);
}

void
nrs_disk_destroy(nrs_disk_t **self_p)
{
    nrs_disk_t *self = NRS_TAKE(*self_p);
    if (!self)
        return;
    while (self->images) {
        nrs_disk_image_t *image = self->images;
        self->images = image->next;
        s_image_free(image);
    }
    free(self);
}

static nrs_disk_image_t *
s_image_find(const nrs_disk_t *self, const char *path)
{
    nrs_disk_image_t *image = self->images;
    while (image && strcmp(image->path, path) != 0)
        image = image->next;
    return image;
}

static nrs_disk_image_t *
s_image_make(nrs_disk_t *self, const char *path)
{
    nrs_disk_image_t *image = s_image_find(self, path);
    if (image)
        return image;
    image = nrs_new0(nrs_disk_image_t);
    image->path = nrs_strdup(path);
    image->next = self->images;
    self->images = image;
    return image;
}

void
nrs_disk_fail_commit(nrs_disk_t *self, const char *path, unsigned nth, nrs_err_t err)
{
    nrs_disk_image_t *image = s_image_make(self, path);
    image->fail_in = nth;
    image->fail_err = err;
}

void
nrs_disk_cut(nrs_disk_t *self, const char *path)
{
    nrs_disk_image_t *image = s_image_find(self, path);
    if (!image)
        return;
    image->cuts++;
    image->has_writer = false;
}

nrs_err_t
nrs_disk_open(nrs_disk_t *self, const nrs_store_options_t *options, nrs_problem_t *reterr, nrs_store_t **ret_store)
{
    nrs_disk_image_t *image = s_image_make(self, options->path);
    if (options->read_only && !image->made)
        return nrs_problem_set(reterr, NRS_E_IO, options->path, 0, 0, "cannot be opened: there is no store");
    if (!options->read_only && image->has_writer)
        return nrs_problem_set(reterr, NRS_E_EXISTS, options->path, 0, 0,
                               "another process has this store open; stop it first");
    NRS_AUTO(nrs_store) store = nrs_store_memory_new(image, options);
    nrs_err_t err = nrs_store_check_record(store, options->path, reterr);
    if (err)
        return err;
    *ret_store = NRS_TAKE(store);
    return NRS_OK;
}
