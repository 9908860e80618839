#include "common/config.h"

#include "common/config_node.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// --- memory: blocks that are given back together -------------------------------------------------

enum { BLOCK_BYTES = 32 << 10, ALIGNMENT = 16 };

struct nrs_config_block {
    nrs_config_block_t *next;
    size_t used, room;
    _Alignas(ALIGNMENT) uint8_t data[];
};

void *
nrs_config_alloc(nrs_config_t *self, size_t bytes)
{
    size_t need = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    nrs_config_block_t *block = self->blocks;
    if (!block || need > block->room - block->used) {
        size_t room = need > BLOCK_BYTES ? need : BLOCK_BYTES;
        block = nrs_alloc0(1, sizeof *block + room);
        block->room = room;
        block->next = self->blocks;
        self->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += need;
    return memory;
}

const char *
nrs_config_print(nrs_config_t *self, const char *format, ...)
{
    NRS_ASSERT(self && format);
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    NRS_ASSERT(length >= 0);
    char *text = nrs_config_alloc(self, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

// --- paths ---------------------------------------------------------------------------------------

// Append `path` to the absolute path in `into`, part by part. `..` is taken textually, as a person
// reads it.
static void
s_walk(char *into, const char *path)
{
    size_t length = strlen(into);
    while (*path) {
        size_t part = strcspn(path, "/");
        if (part == 2 && memcmp(path, "..", 2) == 0) {
            while (length > 0 && into[--length] != '/')
                continue;
        } else if (part > 0 && !(part == 1 && path[0] == '.')) {
            into[length++] = '/';
            memcpy(into + length, path, part);
            length += part;
        }
        into[length] = 0;
        path += part + (path[part] == '/');
    }
}

// `path` made absolute from the directory `base` (absolute). The caller owns the result.
static char *
s_absolute(const char *base, const char *path)
{
    char *absolute = nrs_alloc0(strlen(base) + strlen(path) + 3, 1);
    if (path[0] != '/')
        s_walk(absolute, base);
    s_walk(absolute, path);
    if (!absolute[0])
        memcpy(absolute, "/", sizeof "/");
    return absolute;
}

static char *
s_directory_of(const char *path)
{
    char *here = getcwd(NULL, 0);
    const char *slash = strrchr(path, '/');
    char *directory = nrs_strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    char *absolute = s_absolute(here ? here : "/", directory);
    free(directory);
    free(here);
    return absolute;
}

const char *
nrs_config_path(nrs_config_t *config, const char *path)
{
    char *absolute = s_absolute(config->base, path);
    const char *kept = nrs_config_print(config, "%s", absolute);
    free(absolute);
    return kept;
}

// --- the file ------------------------------------------------------------------------------------

nrs_err_t
nrs_config_parse(nrs_bytes_t text, const char *name, nrs_problem_t *reterr,
                 nrs_config_t **ret_config)
{
    NRS_ASSERT(name && ret_config);
    if (text.size > NRS_CONFIG_BYTES_MAX)
        return nrs_problem_set(reterr, NRS_E_CONFIG, name, 0, 0, "the file is longer than %d bytes",
                               NRS_CONFIG_BYTES_MAX);

    NRS_AUTO(nrs_config) self = nrs_new0(nrs_config_t);
    self->file = nrs_strdup(name);
    self->base = s_directory_of(name);
    nrs_err_t err = nrs_config_read(self, text, reterr);
    if (err)
        return err;
    *ret_config = NRS_TAKE(self);
    return NRS_OK;
}

nrs_err_t
nrs_config_open(const char *path, nrs_problem_t *reterr, nrs_config_t **ret_config)
{
    NRS_ASSERT(path && ret_config);
    FILE *file = fopen(path, "rbe");
    if (!file)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be opened: %s",
                               strerror(errno));
    // One byte more than allowed tells a file that is too long, whatever kind of file it is.
    nrs_buf_t text = { 0 };
    nrs_buf_reserve(&text, NRS_CONFIG_BYTES_MAX + 1);
    text.size = fread(text.data, 1, NRS_CONFIG_BYTES_MAX + 1, file);
    nrs_err_t err;
    if (ferror(file))
        err = nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    else
        err = nrs_config_parse(nrs_buf_bytes(&text), path, reterr, ret_config);
    nrs_buf_free(&text);
    fclose(file);
    return err;
}

void
nrs_config_destroy(nrs_config_t **self_p)
{
    nrs_config_t *self = *self_p;
    if (!self)
        return;
    while (self->blocks) {
        nrs_config_block_t *next = self->blocks->next;
        free(self->blocks);
        self->blocks = next;
    }
    free(self->mistakes);
    free(self->file);
    free(self->base);
    free(self);
    *self_p = NULL;
}

const char *
nrs_config_file(const nrs_config_t *self)
{
    return self->file;
}

const char *
nrs_config_base(const nrs_config_t *self)
{
    return self->base;
}

const nrs_config_node_t *
nrs_config_root(const nrs_config_t *self)
{
    return self->root;
}

// --- walking -------------------------------------------------------------------------------------

nrs_config_shape_t
nrs_config_shape(const nrs_config_node_t *node)
{
    return node ? node->shape : NRS_CONFIG_NOTHING;
}

const nrs_config_node_t *
nrs_config_get(const nrs_config_node_t *node, const char *key)
{
    size_t low = 0, high = nrs_config_shape(node) == NRS_CONFIG_MAP ? node->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, node->sorted[middle]->key);
        if (order == 0)
            return node->sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const nrs_config_node_t *
nrs_config_at(const nrs_config_node_t *node, size_t i, const char **ret_key)
{
    if (i >= nrs_config_count(node))
        return NULL;
    if (ret_key)
        *ret_key = node->items[i]->key;
    return node->items[i];
}

size_t
nrs_config_count(const nrs_config_node_t *node)
{
    return node ? node->count : 0;
}

const char *
nrs_config_text(const nrs_config_node_t *node)
{
    return node ? node->text : NULL;
}

bool
nrs_config_name_ok(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > NRS_CONFIG_NAME_MAX || text[0] == '-' || text[length - 1] == '-')
        return false;
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

// --- mistakes ------------------------------------------------------------------------------------

static nrs_err_t
s_note(const nrs_config_node_t *node, unsigned line, unsigned column, nrs_problem_t *reterr,
       const char *text)
{
    nrs_config_t *config = node->config;
    nrs_problem_t mistake;
    nrs_problem_set(&mistake, NRS_E_CONFIG, config->file, line, column, "%s", text);
    if (!config->mistakes)
        config->mistakes = nrs_alloc0(NRS_CONFIG_MISTAKES_MAX, sizeof *config->mistakes);
    if (config->mistake_count < NRS_CONFIG_MISTAKES_MAX)
        config->mistakes[config->mistake_count++] = mistake;
    if (reterr)
        *reterr = mistake;
    return NRS_E_CONFIG;
}

nrs_err_t
nrs_config_problem(const nrs_config_node_t *node, nrs_problem_t *reterr, const char *format, ...)
{
    char text[sizeof reterr->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    // Only a scalar stands where a person would look for it; the rest is found by its key.
    if (node->shape == NRS_CONFIG_SCALAR || !node->key)
        return s_note(node, node->line, node->column, reterr, text);
    return s_note(node, node->key_line, node->key_column, reterr, text);
}

nrs_err_t
nrs_config_key_problem(const nrs_config_node_t *node, nrs_problem_t *reterr, const char *format,
                       ...)
{
    char text[sizeof reterr->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!node->key)
        return s_note(node, node->line, node->column, reterr, text);
    return s_note(node, node->key_line, node->key_column, reterr, text);
}

const nrs_problem_t *
nrs_config_mistake(const nrs_config_t *self, size_t i)
{
    return i < self->mistake_count ? &self->mistakes[i] : NULL;
}
