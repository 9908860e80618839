#include "common/config.h"

#include "common/config_node.h"

#include <errno.h>
#include <stdlib.h>

// Words for options that take one of several are short; this is room for all of a table's.
enum { WORDS_BYTES = 256, KEY_BYTES = 64 };

typedef struct s_unit {
    const char *name;
    int64_t factor;
} s_unit_t;

static const s_unit_t s_byte_units[] = {
    { "", 1 },
    { "KiB", INT64_C(1) << 10 },
    { "MiB", INT64_C(1) << 20 },
    { "GiB", INT64_C(1) << 30 },
    { "TiB", INT64_C(1) << 40 },
    { 0 },
};

static const s_unit_t s_duration_units[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 },
    { 0 },
};

// --- numbers -------------------------------------------------------------------------------------

// A whole number with one of the units right behind it. `units` NULL: no unit.
static bool
s_number(const char *text, const s_unit_t *units, int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    if ((text[0] < '0' || text[0] > '9') && text[0] != '-')
        return false; // strtoll would pass over blanks and take a plus sign
    int64_t number = strtoll(text, &end, 10);
    if (errno || end == text)
        return false;
    int64_t factor = *end == 0 && !units ? 1 : 0;
    for (const s_unit_t *unit = units; unit && unit->name; unit++)
        if (strcmp(end, unit->name) == 0)
            factor = unit->factor;
    return factor && !__builtin_mul_overflow(number, factor, ret_number);
}

// Print a number in the greatest unit that leaves no rest.
static void
s_put_number(nrs_buf_t *into, int64_t number, const s_unit_t *units)
{
    const s_unit_t *best = units;
    for (const s_unit_t *unit = units; unit && unit->name; unit++)
        if (number != 0 && number % unit->factor == 0)
            best = unit;
    nrs_buf_printf(into, "%lld%s", (long long)(best ? number / best->factor : number),
                   best ? best->name : "");
}

static const s_unit_t *
s_units(const nrs_option_t *option)
{
    if (option->type == NRS_OPTION_BYTES)
        return s_byte_units;
    return option->type == NRS_OPTION_DURATION ? s_duration_units : NULL;
}

static bool
s_bounded(const nrs_option_t *option)
{
    return option->min != 0 || option->max != 0;
}

// "16 to 1024" in the option's unit; "at least 16" where the maximum is as good as none.
static void
s_put_range(nrs_buf_t *into, const nrs_option_t *option)
{
    const s_unit_t *units = s_units(option);
    if (option->max == INT64_MAX)
        nrs_buf_put_text(into, "at least ");
    s_put_number(into, option->min, units);
    if (option->max == INT64_MAX)
        return;
    nrs_buf_put_text(into, " to ");
    s_put_number(into, option->max, units);
}

static void
s_put_words(nrs_buf_t *into, const nrs_option_t *option)
{
    for (size_t i = 0; option->words[i]; i++)
        nrs_buf_printf(into, "%s%s", i == 0 ? "" : ", ",
                       option->words[i][0] ? option->words[i] : "\"\"");
}

// --- one value -----------------------------------------------------------------------------------

// Store a scalar's text as the option's type. Returns what it should have been instead, or NULL
// when it is good.
static const char *
s_take_number(const nrs_option_t *option, const char *text, void *slot)
{
    static const char *const wanted[] = {
        [NRS_OPTION_NUMBER] = "a whole number",
        [NRS_OPTION_BYTES] = "a size such as 4096, 64KiB, 2MiB or 1GiB",
        [NRS_OPTION_DURATION] = "a time such as 250ms, 5s, 10m, 24h or 30d",
    };
    int64_t number;
    if (!s_number(text, s_units(option), &number))
        return wanted[option->type];
    if (s_bounded(option) && (number < option->min || number > option->max))
        return "";
    memcpy(slot, &number, sizeof number);
    return NULL;
}

static const char *
s_take_bool(const char *text, void *slot)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return "true or false";
    memcpy(slot, &yes, sizeof yes);
    return NULL;
}

static const char *
s_take_word(const nrs_option_t *option, const char *text, void *slot)
{
    for (int64_t i = 0; option->words[i]; i++)
        if (strcmp(option->words[i], text) == 0) {
            memcpy(slot, &i, sizeof i);
            return NULL;
        }
    return "";
}

static const char *
s_take_text(nrs_config_t *config, const nrs_option_t *option, const char *text, void *slot)
{
    int64_t bytes = (int64_t)strlen(text);
    bool unset = bytes == 0 && option->fallback && !option->fallback[0]; // whatever the bounds
    if (!unset && s_bounded(option) && (bytes < option->min || bytes > option->max))
        return "";
    if (option->type == NRS_OPTION_PATH && text[0])
        text = nrs_config_path(config, text);
    memcpy(slot, &text, sizeof text);
    return NULL;
}

static const char *
s_take(nrs_config_t *config, const nrs_option_t *option, const char *text, void *slot)
{
    switch (option->type) {
    case NRS_OPTION_BOOL:
        return s_take_bool(text, slot);
    case NRS_OPTION_NUMBER:
    case NRS_OPTION_BYTES:
    case NRS_OPTION_DURATION:
        return s_take_number(option, text, slot);
    case NRS_OPTION_WORD:
        return s_take_word(option, text, slot);
    case NRS_OPTION_TEXT:
    case NRS_OPTION_PATH:
        return s_take_text(config, option, text, slot);
    default:
        nrs_assert_failed("a scalar's type", __FILE__, __LINE__, __func__);
    }
}

// What the option takes, where s_take() found the value to be of the right type but not allowed.
static nrs_err_t
s_refuse(const nrs_option_t *option, const nrs_config_node_t *node, const char *wanted,
         nrs_problem_t *reterr)
{
    nrs_buf_t allowed = { 0 };
    if (option->type == NRS_OPTION_WORD)
        s_put_words(&allowed, option);
    else if (!wanted[0])
        s_put_range(&allowed, option);
    if (option->type == NRS_OPTION_WORD)
        nrs_config_problem(node, reterr, "%s: '%.100s' is none of: %s", option->key, node->text,
                           nrs_buf_cstr(&allowed));
    else if (wanted[0])
        nrs_config_problem(node, reterr, "%s: '%.100s' is not %s", option->key, node->text, wanted);
    else if (option->type == NRS_OPTION_TEXT || option->type == NRS_OPTION_PATH)
        nrs_config_problem(node, reterr, "%s: the text must have %s bytes, and has %zu",
                           option->key, nrs_buf_cstr(&allowed), strlen(node->text));
    else
        nrs_config_problem(node, reterr, "%s: %s is out of range: %s", option->key, node->text,
                           nrs_buf_cstr(&allowed));
    nrs_buf_free(&allowed);
    return NRS_E_CONFIG;
}

static nrs_err_t
s_read_scalar(nrs_config_t *config, const nrs_option_t *option, const nrs_config_node_t *node,
              void *slot, nrs_problem_t *reterr)
{
    if (node->shape == NRS_CONFIG_NOTHING)
        return nrs_config_problem(
            node, reterr, "%s has no value; leave the line out for the default", option->key);
    if (node->shape != NRS_CONFIG_SCALAR)
        return nrs_config_problem(node, reterr, "%s takes one value, not a %s", option->key,
                                  node->shape == NRS_CONFIG_LIST ? "list" : "mapping");
    const char *wanted = s_take(config, option, node->text, slot);
    return wanted ? s_refuse(option, node, wanted, reterr) : NRS_OK;
}

// --- lists of texts ------------------------------------------------------------------------------

static nrs_err_t
s_read_texts(nrs_config_t *config, const nrs_option_t *option, const nrs_config_node_t *node,
             nrs_config_texts_t *slot, nrs_problem_t *reterr)
{
    const nrs_config_node_t *const one = node;
    const nrs_config_node_t *const *items = &one;
    size_t count = 1;
    if (node->shape != NRS_CONFIG_SCALAR) {
        if (node->shape != NRS_CONFIG_LIST)
            return nrs_config_problem(node, reterr, "%s takes a list of texts", option->key);
        items = (const nrs_config_node_t *const *)node->items;
        count = node->count;
    }
    if (s_bounded(option) && ((int64_t)count < option->min || (int64_t)count > option->max))
        return nrs_config_problem(node, reterr, "%s takes %lld to %lld texts, not %zu", option->key,
                                  (long long)option->min, (long long)option->max, count);
    const char **texts = nrs_config_alloc(config, count * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        if (!items[i]->text)
            return nrs_config_problem(items[i], reterr, "%s: this must be a text", option->key);
        texts[i] = items[i]->text;
    }
    *slot = (nrs_config_texts_t){ .count = count, .items = texts };
    return NRS_OK;
}

// A table's own list: "[a, b]", with nothing to quote in it.
static void
s_default_texts(nrs_config_t *config, const char *list, nrs_config_texts_t *slot)
{
    size_t length = strlen(list);
    NRS_ASSERT(length >= 2 && list[0] == '[' && list[length - 1] == ']');
    char *copy = nrs_config_alloc(config, length);
    memcpy(copy, list + 1, length - 2);
    const char **texts = nrs_config_alloc(config, length * sizeof *texts);
    size_t count = 0;
    char *rest = NULL;
    for (char *item = strtok_r(copy, ", ", &rest); item; item = strtok_r(NULL, ", ", &rest))
        texts[count++] = item;
    *slot = (nrs_config_texts_t){ .count = count, .items = texts };
}

// --- the table -----------------------------------------------------------------------------------

static void
s_default(nrs_config_t *config, const nrs_option_t *option, void *slot)
{
    if (option->type == NRS_OPTION_NODE) {
        memset(slot, 0, sizeof(const nrs_config_node_t *));
    } else if (option->type == NRS_OPTION_TEXTS) {
        s_default_texts(config, option->fallback ? option->fallback : "[]", slot);
    } else if (option->fallback) {
        const char *wanted = s_take(config, option, option->fallback, slot);
        NRS_ASSERT(!wanted);
    } else if (option->type == NRS_OPTION_TEXT || option->type == NRS_OPTION_PATH) {
        const char *none = "";
        memcpy(slot, &none, sizeof none);
    }
}

static nrs_err_t
s_read(nrs_config_t *config, const nrs_option_t *option, const nrs_config_node_t *node, void *slot,
       nrs_problem_t *reterr)
{
    switch (option->type) {
    case NRS_OPTION_TEXTS:
        return s_read_texts(config, option, node, slot, reterr);
    case NRS_OPTION_NODE:
        if (node->shape != NRS_CONFIG_NOTHING)
            memcpy(slot, &node, sizeof node);
        return NRS_OK;
    default:
        return s_read_scalar(config, option, node, slot, reterr);
    }
}

static size_t
s_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Edit distance with neighbours swapped counted as one (optimal string alignment), for texts below
// KEY_BYTES.
static size_t
s_distance(const char *a, const char *b)
{
    size_t rows[3][KEY_BYTES]; // of the last two letters of `a`, and of this one, by turns
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++)
        rows[0][j] = j;
    size_t i = 1;
    for (; a[i - 1]; i++) {
        const size_t *before = rows[(i + 1) % 3], *last = rows[(i - 1) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            row[j] = s_least(last[j] + 1, row[j - 1] + 1);
            row[j] = s_least(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = s_least(row[j], before[j - 2] + 1);
        }
    }
    return rows[(i - 1) % 3][columns];
}

static nrs_err_t
s_unknown(const nrs_option_t *table, const nrs_config_node_t *node, nrs_problem_t *reterr)
{
    const char *nearest = NULL;
    size_t least = strlen(node->key) / 2 + 1;
    for (const nrs_option_t *option = table; option->key; option++) {
        if (strlen(node->key) >= KEY_BYTES || strlen(option->key) >= KEY_BYTES)
            continue;
        size_t distance = s_distance(node->key, option->key);
        if (distance < least) {
            least = distance;
            nearest = option->key;
        }
    }
    if (nearest)
        return nrs_config_key_problem(node, reterr, "unknown key '%.100s'; did you mean '%s'?",
                                      node->key, nearest);
    nrs_buf_t known = { 0 };
    for (const nrs_option_t *option = table; option->key; option++)
        nrs_buf_printf(&known, "%s%s", option == table ? "" : ", ", option->key);
    nrs_config_key_problem(node, reterr, "unknown key '%.100s'; the keys here are: %s", node->key,
                           nrs_buf_cstr(&known));
    nrs_buf_free(&known);
    return NRS_E_CONFIG;
}

static const nrs_option_t *
s_find(const nrs_option_t *table, const char *key)
{
    for (const nrs_option_t *option = table; option->key; option++)
        if (strcmp(option->key, key) == 0)
            return option;
    return NULL;
}

static nrs_err_t
s_missing(nrs_config_t *config, const nrs_config_node_t *node, const nrs_option_t *option,
          nrs_problem_t *reterr)
{
    const nrs_config_node_t *place = node ? node : config->root;
    return nrs_config_problem(place, reterr, "%s is missing: %s", option->key, option->doc);
}

nrs_err_t
nrs_options_read(nrs_config_t *config, const nrs_config_node_t *node, const nrs_option_t *table,
                 void *into, nrs_problem_t *reterr)
{
    NRS_ASSERT(config && table && into);
    for (const nrs_option_t *option = table; option->key; option++)
        s_default(config, option, (uint8_t *)into + option->offset);
    nrs_config_shape_t shape = nrs_config_shape(node);
    if (shape == NRS_CONFIG_SCALAR || shape == NRS_CONFIG_LIST)
        return nrs_config_problem(node, reterr, "%s must be a mapping (key: value)",
                                  node->key ? node->key : "this");

    // Only the first mistake goes into *reterr; the others are noted.
    nrs_err_t first = NRS_OK;
    const nrs_config_node_t *child;
    for (size_t i = 0; (child = nrs_config_at(node, i, NULL)); i++) {
        const nrs_option_t *option = s_find(table, child->key);
        nrs_problem_t *where = first ? NULL : reterr;
        nrs_err_t err = option
                            ? s_read(config, option, child, (uint8_t *)into + option->offset, where)
                            : s_unknown(table, child, where);
        first = first ? first : err;
    }
    for (const nrs_option_t *option = table; option->key; option++)
        if (!option->fallback && option->type != NRS_OPTION_NODE &&
            !nrs_config_get(node, option->key)) {
            nrs_err_t err = s_missing(config, node, option, first ? NULL : reterr);
            first = first ? first : err;
        }
    return first;
}

// --- printing ------------------------------------------------------------------------------------

enum { PRINT_COLUMNS = 100 };

// `text` as a comment, broken between words.
static void
s_print_comment(const char *text, unsigned indent, nrs_buf_t *into)
{
    size_t room = PRINT_COLUMNS - 2 > indent + 20 ? PRINT_COLUMNS - 2 - indent : 20;
    while (*text) {
        size_t length = strlen(text);
        if (length > room) {
            length = room;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = strcspn(text, " ");
        }
        nrs_buf_printf(into, "%*s# %.*s\n", (int)indent, "", (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

static void
s_print_doc(const nrs_option_t *option, unsigned indent, nrs_buf_t *into)
{
    nrs_buf_t text = { 0 };
    nrs_buf_put_text(&text, option->doc);
    if (option->type == NRS_OPTION_WORD) {
        nrs_buf_put_text(&text, " One of: ");
        s_put_words(&text, option);
        nrs_buf_put_text(&text, ".");
    } else if (s_bounded(option) && option->type >= NRS_OPTION_NUMBER &&
               option->type <= NRS_OPTION_DURATION) {
        nrs_buf_put_text(&text, " Range: ");
        s_put_range(&text, option);
        nrs_buf_put_text(&text, ".");
    }
    if (!option->fallback && option->type != NRS_OPTION_NODE)
        nrs_buf_put_text(&text, " Must be given.");
    s_print_comment(nrs_buf_cstr(&text), indent, into);
    nrs_buf_free(&text);
}

void
nrs_options_print(const nrs_option_t *table, unsigned indent, nrs_buf_t *into)
{
    for (const nrs_option_t *option = table; option->key; option++) {
        s_print_doc(option, indent, into);
        nrs_buf_printf(into, "%*s%s%s:", (int)indent, "", option->fallback ? "" : "# ",
                       option->key);
        bool text = option->type == NRS_OPTION_TEXT || option->type == NRS_OPTION_PATH ||
                    option->type == NRS_OPTION_WORD;
        if (option->fallback)
            nrs_buf_put_text(into, " ");
        if (option->fallback && text)
            nrs_buf_put_json_string(into, nrs_text(option->fallback));
        else if (option->fallback)
            nrs_buf_put_text(into, option->fallback);
        nrs_buf_put_text(into, "\n");
    }
}
