#include "enrich_lists.h"

#include "common/idn.h"
#include "common/indicator.h"
#include "common/json.h"
#include "enrich_names.h"
#include "enrich_ranges.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t s_file_bytes_max = (size_t)256 << 20;
enum { LABELS_MAX = 32 }; // levels of a name that are looked up; list entries are not deeper

struct enrich_lists {
    const enrich_list_set_t *set; // borrowed
    enrich_names_t *names;        // names and values
    enrich_ranges_t *ranges;
    uint32_t parents; // lists whose names cover what is below them
    uint32_t good;    // lists of what is known to be good
    uint64_t entries;
};

// One list while it is read.
typedef struct s_reading {
    enrich_lists_t *lists;
    const enrich_list_t *list;
    unsigned number;
    nrs_suffixes_t *suffixes; // borrowed
    uint64_t entries_max;     // of all lists together
    enrich_list_report_t *report;
    nrs_buf_t text; // canonical form of the entry
} s_reading_t;

void
enrich_lists_destroy(enrich_lists_t **self_p)
{
    enrich_lists_t *self = *self_p;
    if (!self)
        return;
    enrich_names_destroy(&self->names);
    enrich_ranges_destroy(&self->ranges);
    free(self);
    *self_p = NULL;
}

// --- entries -------------------------------------------------------------------------------------

// The kind under which an entry of the list is read; 0: it is kept as it is.
static uint64_t
s_entry_kind(const enrich_list_t *list, nrs_bytes_t entry)
{
    switch (list->match == ENRICH_MATCH_CIDR ? ENRICH_FORMAT_CIDRS
                                             : (enrich_format_t)list->format) {
    case ENRICH_FORMAT_DOMAINS:
        return NRS_KIND_DOMAIN;
    case ENRICH_FORMAT_CIDRS:
        return NRS_KIND_CIDR;
    default:
        return nrs_indicator_guess(entry);
    }
}

static bool
s_covers_below(const enrich_list_t *list)
{
    return list->match == ENRICH_MATCH_PARENT || list->match == ENRICH_MATCH_AUTO;
}

// Would the name cover everything under a public suffix?
static bool
s_is_suffix(s_reading_t *self, nrs_bytes_t name)
{
    nrs_bytes_t domain, suffix;
    nrs_suffixes_split(self->suffixes, name, &domain, &suffix);
    return s_covers_below(self->list) && domain.size == 0 && suffix.size > 0;
}

static void
s_note_suffix(s_reading_t *self, nrs_bytes_t name)
{
    if (self->report->suffixes++ == 0)
        snprintf(self->report->suffix, sizeof self->report->suffix, "%.*s", (int)name.size,
                 (const char *)name.data);
}

static void
s_keep(s_reading_t *self, uint64_t kind, nrs_bytes_t text)
{
    nrs_prefix_t prefix;
    bool address = kind == NRS_KIND_IPV4 || kind == NRS_KIND_IPV6 || kind == NRS_KIND_CIDR;
    if (address && !nrs_prefix_parse(text, &prefix))
        enrich_ranges_add(self->lists->ranges, &prefix, self->number);
    else
        enrich_names_add(self->lists->names, text, self->number);
    self->report->entries++;
    self->lists->entries++;
}

// A single label is no domain, so `com` would be skipped as unreadable; say instead what is wrong
// with it.
static bool
s_is_bare_suffix(s_reading_t *self, nrs_bytes_t entry)
{
    bool domains = self->list->format == ENRICH_FORMAT_DOMAINS ||
                   self->list->format == ENRICH_FORMAT_JSON ||
                   self->list->format == ENRICH_FORMAT_AUTO;
    self->text.size = 0;
    return domains && !memchr(entry.data, '.', entry.size) && !nrs_idn_ascii(entry, &self->text) &&
           s_is_suffix(self, nrs_buf_bytes(&self->text));
}

static nrs_err_t
s_entry(s_reading_t *self, nrs_bytes_t entry)
{
    if (self->lists->entries >= self->entries_max)
        return NRS_E_LIMIT;
    uint64_t kind = s_entry_kind(self->list, entry);
    if ((kind == 0 || kind == NRS_KIND_DOMAIN) && s_is_bare_suffix(self, entry)) {
        s_note_suffix(self, entry);
        return NRS_OK;
    }
    self->text.size = 0;
    bool any = kind == 0 && self->list->format == ENRICH_FORMAT_VALUES;
    if (any)
        kind = NRS_KIND_TEXT;
    if (kind == 0 || nrs_indicator_canonical(kind, entry, false, &self->text, &kind, NULL)) {
        self->report->skipped++;
        return NRS_OK;
    }
    nrs_bytes_t text = nrs_buf_bytes(&self->text);
    if (kind == NRS_KIND_DOMAIN && s_is_suffix(self, text))
        s_note_suffix(self, text);
    else
        s_keep(self, kind, text);
    return NRS_OK;
}

// --- files ---------------------------------------------------------------------------------------

static nrs_err_t
s_read_file(const char *path, nrs_buf_t *into, nrs_problem_t *reterr)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be opened: %s",
                               strerror(errno));
    enum { STEP = 1 << 18 };
    size_t got = 1;
    while (got > 0 && into->size <= s_file_bytes_max) {
        got = fread(nrs_buf_reserve(into, STEP + NRS_JSON_PADDING), 1, STEP, file);
        into->size += got;
    }
    bool bad = ferror(file);
    fclose(file);
    if (bad)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    if (into->size > s_file_bytes_max)
        return nrs_problem_set(reterr, NRS_E_LIMIT, path, 0, 0, "a list has at most 256 MiB");
    return NRS_OK;
}

// Without its line end, a comment, and the rank that tops lists put in front ("17,example.com").
static nrs_bytes_t
s_clean_line(nrs_bytes_t line)
{
    while (line.size > 0 && memchr(" \t\r", line.data[line.size - 1], 3))
        line.size--;
    while (line.size > 0 && memchr(" \t", line.data[0], 2))
        line = nrs_bytes(line.data + 1, line.size - 1);
    if (line.size > 0 && line.data[0] == '#')
        return NRS_NONE;
    size_t digits = 0;
    while (digits < line.size && line.data[digits] >= '0' && line.data[digits] <= '9')
        digits++;
    bool ranked = digits > 0 && digits < line.size && line.data[digits] == ',';
    return ranked ? nrs_bytes(line.data + digits + 1, line.size - digits - 1) : line;
}

static nrs_err_t
s_read_lines(s_reading_t *self, nrs_bytes_t text)
{
    nrs_err_t err = NRS_OK;
    for (size_t i = 0; i < text.size && !err;) {
        const uint8_t *end = memchr(text.data + i, '\n', text.size - i);
        size_t length = end ? (size_t)(end - text.data) - i : text.size - i;
        nrs_bytes_t line = s_clean_line(nrs_bytes(text.data + i, length));
        if (line.size > 0)
            err = s_entry(self, line);
        i += length + 1;
    }
    return err;
}

// The array at `records`, or the document itself.
static nrs_err_t
s_find_records(const char *records, const nrs_json_value_t *root, nrs_json_value_t *ret_array)
{
    *ret_array = *root;
    if (!records[0])
        return root->type == NRS_JSON_LIST ? NRS_OK : NRS_E_FORMAT;
    NRS_AUTO(nrs_json_paths) paths = nrs_json_paths_new();
    size_t slot;
    nrs_err_t err = nrs_json_paths_add(paths, nrs_text(records), &slot);
    if (err)
        return err;
    nrs_json_pick(root, paths, ret_array);
    return ret_array->type == NRS_JSON_LIST ? NRS_OK : NRS_E_FORMAT;
}

static nrs_err_t
s_read_json(s_reading_t *self, nrs_bytes_t text)
{
    NRS_AUTO(nrs_json) json = nrs_json_new();
    nrs_json_value_t root, array, item;
    nrs_err_t err = nrs_json_parse(json, text, &root);
    if (!err)
        err = s_find_records(self->list->records, &root, &array);
    if (err)
        return err;
    nrs_json_walk_t walk = nrs_json_walk(&array);
    while (!err && nrs_json_walk_next(&walk, NULL, &item)) {
        if (item.type == NRS_JSON_TEXT && item.text.size > 0)
            err = s_entry(self, item.text);
        else
            self->report->skipped++;
    }
    return err;
}

static nrs_err_t
s_read_list(s_reading_t *self, nrs_problem_t *reterr)
{
    const char *path = self->list->path;
    nrs_buf_t file = { 0 };
    nrs_err_t err = s_read_file(path, &file, reterr);
    if (!err) {
        bool json = self->list->format == ENRICH_FORMAT_JSON;
        err = json ? s_read_json(self, nrs_buf_bytes(&file))
                   : s_read_lines(self, nrs_buf_bytes(&file));
        if (err == NRS_E_LIMIT)
            nrs_problem_set(reterr, err, path, 0, 0,
                            "the lists together have more than list_entries_max entries");
        else if (err)
            nrs_problem_set(reterr, err, path, 0, 0, "not JSON, or no array at records: %s",
                            self->list->records);
    }
    nrs_buf_free(&file);
    // A list that has become empty has rather been lost on its way.
    if (!err && self->report->entries == 0)
        err = nrs_problem_set(reterr, NRS_E_FORMAT, path, 0, 0,
                              "not a single entry in it can be used");
    return err;
}

nrs_err_t
enrich_lists_open(const enrich_list_set_t *set, nrs_suffixes_t *suffixes, uint64_t seed,
                  uint64_t entries_max, enrich_list_report_t *reports, nrs_problem_t *reterr,
                  enrich_lists_t **ret_lists)
{
    NRS_ASSERT(set && suffixes && ret_lists);
    NRS_AUTO(enrich_lists) self = nrs_new0(enrich_lists_t);
    self->set = set;
    self->names = enrich_names_new(seed);
    self->ranges = enrich_ranges_new();
    for (unsigned i = 0; i < set->count; i++) {
        reports[i] = (enrich_list_report_t){ 0 };
        s_reading_t reading = { .lists = self,
                                .list = &set->items[i],
                                .number = i,
                                .suffixes = suffixes,
                                .entries_max = entries_max,
                                .report = &reports[i] };
        nrs_err_t err = s_read_list(&reading, reterr);
        nrs_buf_free(&reading.text);
        if (err)
            return err;
        self->parents |= (uint32_t)s_covers_below(&set->items[i]) << i;
        self->good |= (uint32_t)set->items[i].known_good << i;
    }
    enrich_ranges_close(self->ranges);
    *ret_lists = NRS_TAKE(self);
    return NRS_OK;
}

// --- looking up ----------------------------------------------------------------------------------

// The name itself on any list, the names above it on those that cover what is below.
static uint32_t
s_find_host(const enrich_lists_t *self, nrs_bytes_t host)
{
    uint32_t mask = enrich_names_find(self->names, host);
    for (int level = 1; level < LABELS_MAX; level++) {
        const uint8_t *dot = memchr(host.data, '.', host.size);
        if (!dot)
            break;
        size_t skip = (size_t)(dot - host.data) + 1;
        host = nrs_bytes(host.data + skip, host.size - skip);
        if (!memchr(host.data, '.', host.size))
            break; // a single label is on no list
        mask |= enrich_names_find(self->names, host) & self->parents;
    }
    return mask;
}

uint32_t
enrich_lists_find(const enrich_lists_t *self, const enrich_wanted_t *wanted)
{
    uint32_t mask = 0;
    if (self->entries == 0)
        return mask;
    if (wanted->value.size > 0 && !nrs_bytes_equal(wanted->value, wanted->host))
        mask |= enrich_names_find(self->names, wanted->value);
    if (wanted->host.size > 0)
        mask |= s_find_host(self, wanted->host);
    if (wanted->prefix)
        mask |= enrich_ranges_find(self->ranges, wanted->prefix);
    return mask;
}

void
enrich_lists_names(const enrich_lists_t *self, uint32_t mask, nrs_list_t *into,
                   bool *ret_known_good)
{
    into->count = 0;
    for (size_t i = 0; i < self->set->count; i++) {
        if (mask & UINT32_C(1) << i)
            into->items[into->count++] = nrs_text(self->set->items[i].name);
    }
    *ret_known_good = (mask & self->good) != 0;
}

uint64_t
enrich_lists_entries(const enrich_lists_t *self)
{
    return self->entries;
}
