// expr_names.c - words into fields and enum numbers, with the nearest name where there is none
#include "common/expr_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = 48 }; // longer words are like no name

static size_t
s_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

// How many letters have to be put in, left out, changed or swapped with the next one (optimal
// string alignment); case does not count. Rows are those of the usual table: the present one and
// the two before it.
static size_t
s_distance(nrs_bytes_t word, const char *name)
{
    size_t size = strlen(name);
    size_t rows[3][NAME_BYTES_MAX + 1];
    if (word.size > NAME_BYTES_MAX || size > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= word.size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        int letter = tolower(word.data[i - 1]);
        row[0] = i;
        for (size_t j = 1; j <= size; j++) {
            bool same = letter == tolower((uint8_t)name[j - 1]);
            row[j] = s_min(s_min(row[j - 1] + 1, above[j] + 1), above[j - 1] + !same);
            if (i > 1 && j > 1 && letter == tolower((uint8_t)name[j - 2]) &&
                tolower(word.data[i - 2]) == tolower((uint8_t)name[j - 1]))
                row[j] = s_min(row[j], before[j - 2] + 1);
        }
    }
    return rows[word.size % 3][size];
}

// Near enough to be meant: a third of the letters may be wrong.
static bool
s_is_near(nrs_bytes_t word, size_t distance)
{
    return distance <= 1 + word.size / 3 && distance < word.size;
}

static const char *
s_nearest_field(nrs_bytes_t word)
{
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (unsigned field = 0; field < NRS_FIELD_MAX; field++) {
        const char *full = nrs_field_info((nrs_field_t)field)->name;
        size_t distance = s_distance(word, full), tail = s_distance(word, strchr(full, '.') + 1);
        distance = tail < distance ? tail : distance;
        if (distance < best) {
            best = distance;
            nearest = full;
        }
    }
    return s_is_near(word, best) ? nearest : NULL;
}

nrs_err_t
nrs_expr_field(nrs_expr_maker_t *maker, const nrs_expr_token_t *word, nrs_field_t *ret_field)
{
    nrs_field_t field = nrs_field_find(word->text);
    if (field != NRS_FIELD_MAX) {
        *ret_field = field;
        return NRS_OK;
    }
    const char *nearest = s_nearest_field(word->text);
    int size = (int)(word->text.size > 60 ? 60 : word->text.size);
    if (nearest)
        return nrs_expr_problem(maker, NRS_E_FORMAT, word->column,
                                "there is no field \"%.*s\"; did you mean %s?", size,
                                word->text.data, nearest);
    return nrs_expr_problem(maker, NRS_E_FORMAT, word->column,
                            "there is no field \"%.*s\"; texts stand in quotes", size,
                            word->text.data);
}

// "url, ipv4, ..." as far as there is room; the nearest to `word` alone where there is one.
static void
s_list_words(nrs_enum_id_t id, nrs_bytes_t word, char *into, size_t room)
{
    size_t used = 0, best = SIZE_MAX;
    const char *nearest = NULL;
    into[0] = 0;
    for (uint64_t number = 1; number <= nrs_enum_last(id); number++) {
        const char *name = nrs_enum_word(id, number);
        if (!name)
            continue;
        size_t distance = s_distance(word, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
        int more = snprintf(into + used, room - used, "%s%s", used ? ", " : "", name);
        if (more < 0 || (size_t)more >= room - used) {
            memcpy(into + room - 4, "...", 4);
            used = room - 1;
            continue;
        }
        used += (size_t)more;
    }
    if (nearest && s_is_near(word, best) && strlen(into) > 100)
        snprintf(into, room, "did you mean %s?", nearest);
}

nrs_err_t
nrs_expr_enum(nrs_expr_maker_t *maker, nrs_field_t field, const nrs_expr_token_t *word,
              uint64_t *ret_number)
{
    const nrs_field_info_t *info = nrs_field_info(field);
    bool spelled = word->kind == NRS_TOKEN_WORD || word->kind == NRS_TOKEN_TEXT;
    uint64_t number = spelled ? nrs_enum_number(info->enum_id, word->text) : 0;
    if (number) {
        *ret_number = number;
        return NRS_OK;
    }
    char words[320];
    s_list_words(info->enum_id, spelled ? word->text : NRS_NONE, words, sizeof words);
    return nrs_expr_problem(maker, NRS_E_FORMAT, word->column, "\"%.*s\" is no word of %s: %s",
                            (int)(word->text.size > 60 ? 60 : word->text.size),
                            word->text.size ? (const char *)word->text.data : "", info->name,
                            words);
}
