// config_read.c - YAML text into nodes, event by event
//
// The parser's events are taken one by one, so that nothing is built which the limits do not allow.
// A container is put on a stack when it starts; its children form a chain until it ends, when they
// become an array, and for a mapping a second one sorted by key, in which a duplicate stands beside
// its twin.

#include "common/config_node.h"

#include <libfyaml.h>
#include <stdlib.h>

typedef struct s_place {
    unsigned line, column; // 1-based
} s_place_t;

typedef struct s_reader {
    nrs_config_t *config;
    nrs_problem_t *reterr;
    struct fy_diag *diag;     // owned
    struct fy_parser *parser; // owned; NULL when the library could not make one
    nrs_config_node_t *open[NRS_CONFIG_DEPTH_MAX]; // containers that have not ended
    size_t depth;
    size_t nodes;
    size_t documents;
    const char *key; // read, and waiting for its value; else NULL
    s_place_t key_place;
} s_reader_t;

static void
s_reader_destroy(s_reader_t *self)
{
    if (self->parser)
        fy_parser_destroy(self->parser);
    if (self->diag)
        fy_diag_destroy(self->diag);
}

// --- before the parser: what it would read differently from a person, or not survive --------------
//
// libfyaml 0.7.12 writes outside its memory on some files with explicit keys (`? key`) and tabs. Nobody needs either in a
// configuration.

static bool
s_is_control(uint8_t c)
{
    return (c < 0x20 && c != '\n' && c != '\r') || c == 0x7f;
}

static nrs_err_t
s_check_line(nrs_bytes_t line, unsigned number, const char *file, nrs_problem_t *reterr)
{
    if (!nrs_utf8_ok(line))
        return nrs_problem_set(reterr, NRS_E_CONFIG, file, number, 0, "this line is not UTF-8");
    bool indentation = true;
    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = line.data[i];
        if (c == '\t')
            return nrs_problem_set(reterr, NRS_E_CONFIG, file, number, (unsigned)i + 1,
                                   "a tab; use blanks");
        if (s_is_control(c))
            return nrs_problem_set(reterr, NRS_E_CONFIG, file, number, (unsigned)i + 1,
                                   "a control character (0x%02x)", c);
        bool alone = i + 1 == line.size || line.data[i + 1] == ' ' || line.data[i + 1] == '\r';
        if (indentation && c == '?' && alone)
            return nrs_problem_set(reterr, NRS_E_CONFIG, file, number, (unsigned)i + 1,
                                   "keys with a question mark are not read; write `key: value`");
        indentation = indentation && (c == ' ' || c == '-');
    }
    return NRS_OK;
}

static nrs_err_t
s_check_text(nrs_bytes_t text, const char *file, nrs_problem_t *reterr)
{
    unsigned number = 1;
    for (size_t at = 0; at < text.size; number++) {
        const uint8_t *start = text.data + at;
        const uint8_t *end = memchr(start, '\n', text.size - at);
        size_t length = end ? (size_t)(end - start) : text.size - at;
        nrs_err_t err = s_check_line(nrs_bytes(start, length), number, file, reterr);
        if (err)
            return err;
        at += length + 1;
    }
    return NRS_OK;
}

// --- nodes ---------------------------------------------------------------------------------------

// Where the event stands. What is not there (an empty value, a missing key) stands where its key or
// container does.
static s_place_t
s_place(const s_reader_t *self, const struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark((struct fy_event *)(uintptr_t)event);
    if (mark)
        return (s_place_t){ (unsigned)mark->line + 1, (unsigned)mark->column + 1 };
    if (self->key)
        return self->key_place;
    if (self->depth > 0)
        return (s_place_t){ self->open[self->depth - 1]->line,
                            self->open[self->depth - 1]->column };
    return (s_place_t){ 1, 1 };
}

static nrs_err_t
s_fail(s_reader_t *self, const struct fy_event *event, const char *text)
{
    s_place_t place = s_place(self, event);
    return nrs_problem_set(self->reterr, NRS_E_CONFIG, self->config->file, place.line, place.column,
                           "%s", text);
}

static int
s_by_key(const void *a, const void *b)
{
    const nrs_config_node_t *const *x = a, *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    if (order != 0)
        return order;
    return (*x)->key_line != (*y)->key_line ? ((*x)->key_line < (*y)->key_line ? -1 : 1)
                                            : ((*x)->key_column < (*y)->key_column ? -1 : 1);
}

// Make a node and hang it below the container that is open. NULL when the file has too many.
static nrs_config_node_t *
s_add(s_reader_t *self, nrs_config_shape_t shape, const struct fy_event *event)
{
    if (++self->nodes > NRS_CONFIG_NODES_MAX)
        return NULL;
    nrs_config_node_t *node = nrs_config_alloc(self->config, sizeof *node);
    s_place_t place = s_place(self, event);
    *node = (nrs_config_node_t){
        .config = self->config,
        .shape = shape,
        .line = place.line,
        .column = place.column,
        .key = self->key,
        .key_line = self->key ? self->key_place.line : 0,
        .key_column = self->key ? self->key_place.column : 0,
    };
    self->key = NULL;
    if (self->depth == 0) {
        self->config->root = node;
        return node;
    }
    nrs_config_node_t *parent = self->open[self->depth - 1];
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    return node;
}

static bool
s_wants_key(const s_reader_t *self)
{
    return self->depth > 0 && self->open[self->depth - 1]->shape == NRS_CONFIG_MAP && !self->key;
}

static nrs_err_t
s_start(s_reader_t *self, nrs_config_shape_t shape, const struct fy_event *event)
{
    if (s_wants_key(self))
        return s_fail(self, event, "a key must be one text");
    if (self->depth == NRS_CONFIG_DEPTH_MAX)
        return s_fail(self, event, "nested too deeply");
    nrs_config_node_t *node = s_add(self, shape, event);
    if (!node)
        return s_fail(self, event, "too many values in one file");
    self->open[self->depth++] = node;
    return NRS_OK;
}

static nrs_err_t
s_end(s_reader_t *self)
{
    nrs_config_node_t *node = self->open[--self->depth];
    size_t bytes = node->count * sizeof *node->items;
    node->items = nrs_config_alloc(self->config, bytes);
    size_t i = 0;
    for (nrs_config_node_t *child = node->first; child; child = child->next)
        node->items[i++] = child;
    if (node->shape != NRS_CONFIG_MAP || node->count == 0)
        return NRS_OK;

    node->sorted = nrs_config_alloc(self->config, bytes);
    memcpy(node->sorted, node->items, bytes);
    qsort(node->sorted, node->count, sizeof *node->sorted, s_by_key);
    for (i = 1; i < node->count; i++) {
        const nrs_config_node_t *twin = node->sorted[i - 1], *child = node->sorted[i];
        if (strcmp(twin->key, child->key) == 0)
            return nrs_problem_set(self->reterr, NRS_E_CONFIG, self->config->file, child->key_line,
                                   child->key_column, "the key '%s' stands in line %u already",
                                   child->key, twin->key_line);
    }
    return NRS_OK;
}

static nrs_err_t
s_key(s_reader_t *self, const char *text, const struct fy_event *event)
{
    if (!text[0])
        return s_fail(self, event, "a key is missing");
    if (strcmp(text, "<<") == 0)
        return s_fail(self, event, "merging with '<<' is not supported; write the keys out");
    self->key_place = s_place(self, event);
    self->key = text;
    return NRS_OK;
}

// A key without a value, and the two ways in which YAML's core schema spells one.
static bool
s_is_nothing(struct fy_token *token, const char *text)
{
    if (token && fy_token_scalar_style(token) != FYSS_PLAIN)
        return false;
    return !text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static nrs_err_t
s_scalar(s_reader_t *self, const struct fy_event *event)
{
    struct fy_token *token = event->scalar.value;
    size_t bytes = 0;
    const char *found = token ? fy_token_get_text(token, &bytes) : NULL;
    if (!found)
        bytes = 0;
    // Escapes can make what the raw text may not hold.
    if (bytes > 0 && (memchr(found, 0, bytes) || !nrs_utf8_ok(nrs_bytes(found, bytes))))
        return s_fail(self, event, "an escape stands for a NUL or for no character");
    char *text = nrs_config_alloc(self->config, bytes + 1);
    if (bytes > 0)
        memcpy(text, found, bytes);
    if (s_wants_key(self))
        return s_key(self, text, event);

    bool nothing = s_is_nothing(token, text);
    nrs_config_node_t *node = s_add(self, nothing ? NRS_CONFIG_NOTHING : NRS_CONFIG_SCALAR, event);
    if (!node)
        return s_fail(self, event, "too many values in one file");
    node->text = nothing ? NULL : text;
    return NRS_OK;
}

static bool
s_is_decorated(const struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        return event->scalar.anchor || event->scalar.tag;
    case FYET_MAPPING_START:
        return event->mapping_start.anchor || event->mapping_start.tag;
    case FYET_SEQUENCE_START:
        return event->sequence_start.anchor || event->sequence_start.tag;
    default:
        return event->type == FYET_ALIAS;
    }
}

static nrs_err_t
s_event(s_reader_t *self, const struct fy_event *event)
{
    if (s_is_decorated(event))
        return s_fail(self, event,
                      "anchors (&), aliases (*) and tags (!) are not supported; "
                      "quote a text that begins with one of these");
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return ++self->documents > 1 ? s_fail(self, event, "a second document in one file")
                                     : NRS_OK;
    case FYET_MAPPING_START:
        return s_start(self, NRS_CONFIG_MAP, event);
    case FYET_SEQUENCE_START:
        return s_start(self, NRS_CONFIG_LIST, event);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return s_end(self);
    case FYET_SCALAR:
        return s_scalar(self, event);
    default:
        return NRS_OK;
    }
}

// --- the whole text ------------------------------------------------------------------------------

static nrs_err_t
s_syntax_error(s_reader_t *self)
{
    void *place = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(self->diag, &place);
    if (!error)
        return nrs_problem_set(self->reterr, NRS_E_CONFIG, self->config->file, 0, 0,
                               "this is not YAML");
    return nrs_problem_set(self->reterr, NRS_E_CONFIG, self->config->file,
                           error->line > 0 ? (unsigned)error->line : 0,
                           error->column > 0 ? (unsigned)error->column : 0, "this is not YAML: %s",
                           error->msg ? error->msg : "unknown");
}

static nrs_err_t
s_events(s_reader_t *self)
{
    for (bool end = false; !end;) {
        struct fy_event *event = fy_parser_parse(self->parser);
        if (!event)
            return s_syntax_error(self);
        end = event->type == FYET_STREAM_END;
        nrs_err_t err = s_event(self, event);
        fy_parser_event_free(self->parser, event);
        if (err)
            return err;
    }
    return NRS_OK;
}

// The library prints to nobody: errors are collected, and everything below them is dropped.
static void
s_discard(struct fy_diag *diag, void *user, const char *text, size_t length)
{
    (void)diag, (void)user, (void)text, (void)length;
}

nrs_err_t
nrs_config_read(nrs_config_t *self, nrs_bytes_t text, nrs_problem_t *reterr)
{
    nrs_err_t err = s_check_text(text, self->file, reterr);
    if (err)
        return err;
    s_reader_t reader = { .config = self, .reterr = reterr };
    struct fy_diag_cfg how = { .output_fn = s_discard, .level = FYET_ERROR, .module_mask = ~0u };
    reader.diag = fy_diag_create(&how);
    NRS_ASSERT(reader.diag);
    fy_diag_set_collect_errors(reader.diag, true);
    struct fy_parse_cfg parse = { .flags =
                                      FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
                                  .diag = reader.diag };
    reader.parser = fy_parser_create(&parse);
    NRS_ASSERT(reader.parser);

    if (text.size > 0 && fy_parser_set_string(reader.parser, (const char *)text.data, text.size))
        err = s_syntax_error(&reader);
    else if (text.size > 0)
        err = s_events(&reader);
    s_reader_destroy(&reader);
    if (!err && !self->root) {
        self->root = nrs_config_alloc(self, sizeof *self->root);
        *self->root = (nrs_config_node_t){ .config = self, .line = 1, .column = 1 };
    }
    return err;
}
