#include "common/directory.h"

#include "common/expr.h"
#include "common/keys.h"

#include <stdlib.h>
#include <unistd.h>

// More than this is a mistake in whatever wrote the file; everything here is looked through one by
// one.
enum { ENTRIES_MAX = 4096 };

// --- the tables ----------------------------------------------------------------------------------

typedef struct s_agreement {
    const char *title, *tlp, *until;
    int64_t version;
    bool third_party, projected;
    nrs_config_texts_t from;
} s_agreement_t;

// A member or a peer.
typedef struct s_party {
    const char *name, *agreement, *key, *tlp, *pap, *onward, *clearance, *scope;
} s_party_t;

enum { TITLE_MAX = 200, WORD_MAX = 32, DATE_MAX = 40 };

#define ROW(struct_, key, type, member, fallback, min, max, doc)                                   \
    {                                                                                              \
        key, NRS_OPTION_##type, offsetof(struct_, member), fallback, min, max, NULL, doc           \
    }

static const nrs_option_t s_agreement_table[] = {
    ROW(s_agreement_t, "title", TEXT, title, "", 1, TITLE_MAX, "What people call it."),
    ROW(s_agreement_t, "version", NUMBER, version, "1", 1, INT64_MAX, "Grows with every change."),
    ROW(s_agreement_t, "tlp", TEXT, tlp, "green", 1, WORD_MAX,
        "The most restrictive label that may pass to a peer under it."),
    ROW(s_agreement_t, "third_party", BOOL, third_party, "false", 0, 0,
        "May what others reported be passed under it at all."),
    ROW(s_agreement_t, "projected", BOOL, projected, "true", 0, 0,
        "Release without what tells who reported it."),
    ROW(s_agreement_t, "until", TEXT, until, "", 1, DATE_MAX,
        "Last day of its term, in UTC; none by default."),
    ROW(s_agreement_t, "from", TEXTS, from, "[]", 1, ENTRIES_MAX,
        "Only the reports of these members; of all by default."),
    { 0 },
};

#define PARTY_ROWS                                                                                 \
    ROW(s_party_t, "name", TEXT, name, "", 1, TITLE_MAX,                                           \
        "What people call it; its id by default."),                                                \
        ROW(s_party_t, "agreement", TEXT, agreement, NULL, 1, NRS_CONFIG_NAME_MAX,                 \
            "The id of its agreement."),                                                           \
        ROW(s_party_t, "key", TEXT, key, "", 1, 4096,                                              \
            "Its public CURVE key: 40 characters of Z85, or the path of a .pub file.")

static const nrs_option_t s_member_table[] = {
    PARTY_ROWS,
    ROW(s_party_t, "tlp", TEXT, tlp, "red", 1, WORD_MAX, "Marking of its reports that carry none."),
    ROW(s_party_t, "pap", TEXT, pap, "", 1, WORD_MAX, "The same for PAP."),
    ROW(s_party_t, "onward", TEXT, onward, "deny", 1, WORD_MAX,
        "Whether its reports may go to third parties: deny, ask or allow."),
    ROW(s_party_t, "clearance", TEXT, clearance, "", 1, WORD_MAX,
        "The most restrictive label that it may listen to; none by default."),
    { 0 },
};

static const nrs_option_t s_peer_table[] = {
    PARTY_ROWS,
    ROW(s_party_t, "scope", TEXT, scope, "", 1, NRS_EXPR_BYTES_MAX,
        "What it wants, as an expression; all by default."),
    { 0 },
};

// --- values --------------------------------------------------------------------------------------

// The number of a word of the event's enums; "" is 0.
static nrs_err_t
s_word(const nrs_config_node_t *node, const char *key, nrs_enum_id_t id, const char *word,
       uint64_t *ret_number, nrs_problem_t *reterr)
{
    uint64_t number = word[0] ? nrs_enum_number(id, nrs_text(word)) : 0;
    if (number || !word[0]) {
        *ret_number = number;
        return NRS_OK;
    }
    nrs_buf_t words = { 0 };
    for (uint64_t i = 1; i <= nrs_enum_last(id); i++)
        nrs_buf_printf(&words, "%s%s", i == 1 ? "" : ", ", nrs_enum_word(id, i));
    nrs_err_t err = nrs_config_problem(nrs_config_get(node, key), reterr, "%s: '%s' is none of: %s",
                                       key, word, nrs_buf_cstr(&words));
    nrs_buf_free(&words);
    return err;
}

// A date means its last millisecond; a time means itself.
static nrs_err_t
s_until(const nrs_config_node_t *node, const char *text, uint64_t *ret_until_ms,
        nrs_problem_t *reterr)
{
    if (!text[0])
        return NRS_OK;
    uint64_t until_ms;
    if (nrs_time_parse(nrs_text(text), 0, &until_ms) || until_ms == 0)
        return nrs_config_problem(nrs_config_get(node, "until"), reterr,
                                  "until: '%s' is no date such as 2030-03-31", text);
    if (strlen(text) == strlen("2030-03-31"))
        until_ms += UINT64_C(24) * 3600 * 1000 - 1;
    *ret_until_ms = until_ms;
    return NRS_OK;
}

// The key as text, or read from the certificate that the text names.
static nrs_err_t
s_key(nrs_config_t *config, const nrs_config_node_t *node, const char *id, const char *text,
      char ret_key[NRS_KEY_TEXT_BYTES], nrs_problem_t *reterr)
{
    if (!text[0])
        return NRS_OK;
    if (nrs_key_text_ok(nrs_text(text))) {
        memcpy(ret_key, text, NRS_KEY_TEXT_BYTES);
        return NRS_OK;
    }
    const nrs_config_node_t *place = nrs_config_get(node, "key");
    const char *path = nrs_config_path(config, text);
    if (access(path, F_OK) != 0)
        return nrs_config_problem(place, reterr,
                                  "key: '%s' is neither 40 characters of Z85 nor a file (%s); "
                                  "`noroshi key new %s` makes a pair",
                                  text, path, id);
    nrs_keys_t keys;
    nrs_problem_t why = { 0 };
    if (nrs_keys_load(path, &why, &keys))
        return nrs_config_problem(place, reterr, "key: %s: %s", path, why.text);
    memcpy(ret_key, keys.public_text, NRS_KEY_TEXT_BYTES);
    nrs_keys_wipe(&keys);
    return NRS_OK;
}

static nrs_err_t
s_scope(const nrs_config_node_t *node, const char *text, nrs_problem_t *reterr)
{
    if (!text[0])
        return NRS_OK;
    NRS_AUTO(nrs_expr) expr = NULL;
    nrs_problem_t why = { 0 };
    if (!nrs_expr_compile(nrs_text(text), &why, &expr))
        return NRS_OK;
    return nrs_config_problem(nrs_config_get(node, "scope"), reterr, "scope, column %u: %s",
                              why.column, why.text);
}

static nrs_err_t
s_agreement_of(const nrs_directory_t *self, const nrs_config_node_t *node, const char *id,
               const nrs_agreement_t **ret_agreement, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < self->agreement_count; i++)
        if (strcmp(self->agreements[i].id, id) == 0) {
            *ret_agreement = &self->agreements[i];
            return NRS_OK;
        }
    return nrs_config_problem(nrs_config_get(node, "agreement"), reterr,
                              "there is no agreement '%s' below `agreements:`", id);
}

// The first error stays: later mistakes are noted without filling *reterr.
static void
s_keep(nrs_err_t *first, nrs_problem_t **where, nrs_err_t err)
{
    if (err && !*first) {
        *first = err;
        *where = NULL;
    }
}

// --- agreements ----------------------------------------------------------------------------------

static nrs_err_t
s_agreement(nrs_config_t *config, const nrs_config_node_t *node, const char *id,
            nrs_agreement_t *into, nrs_problem_t *reterr)
{
    s_agreement_t read = { 0 };
    nrs_err_t first = nrs_options_read(config, node, s_agreement_table, &read, reterr);
    if (first)
        return first;
    *into = (nrs_agreement_t){
        .id = id,
        .title = read.title[0] ? read.title : id,
        .version = (uint64_t)read.version,
        .third_party = read.third_party,
        .projected = read.projected,
        .from = read.from.count ? read.from.items : NULL,
        .from_count = read.from.count,
    };
    s_keep(&first, &reterr, s_word(node, "tlp", NRS_ENUM_TLP, read.tlp, &into->tlp, reterr));
    s_keep(&first, &reterr, s_until(node, read.until, &into->until_ms, reterr));
    if (into->tlp == NRS_TLP_RED)
        s_keep(&first, &reterr,
               nrs_config_problem(nrs_config_get(node, "tlp"), reterr,
                                  "tlp: what is red goes to nobody; amber+strict is the most"));
    return first;
}

// Members are known only after the agreements, so this comes last.
static nrs_err_t
s_check_from(const nrs_directory_t *self, const nrs_config_node_t *agreements,
             nrs_problem_t *reterr)
{
    nrs_err_t first = NRS_OK;
    for (size_t i = 0; i < self->agreement_count; i++) {
        const nrs_agreement_t *agreement = &self->agreements[i];
        const nrs_config_node_t *from =
            nrs_config_get(nrs_config_get(agreements, agreement->id), "from");
        for (size_t j = 0; j < agreement->from_count; j++) {
            if (nrs_directory_member(self, agreement->from[j]))
                continue;
            const nrs_config_node_t *item = nrs_config_at(from, j, NULL);
            s_keep(&first, &reterr,
                   nrs_config_problem(item ? item : from, reterr, "from: there is no member '%s'",
                                      agreement->from[j]));
        }
    }
    return first;
}

// --- members and peers ---------------------------------------------------------------------------

static nrs_err_t
s_member(nrs_config_t *config, const nrs_directory_t *self, const nrs_config_node_t *node,
         const char *id, nrs_member_t *into, nrs_problem_t *reterr)
{
    s_party_t read = { 0 };
    nrs_err_t first = nrs_options_read(config, node, s_member_table, &read, reterr);
    if (first)
        return first;
    *into = (nrs_member_t){ .id = id, .name = read.name[0] ? read.name : id };
    s_keep(&first, &reterr, s_agreement_of(self, node, read.agreement, &into->agreement, reterr));
    s_keep(&first, &reterr, s_word(node, "tlp", NRS_ENUM_TLP, read.tlp, &into->tlp, reterr));
    s_keep(&first, &reterr, s_word(node, "pap", NRS_ENUM_PAP, read.pap, &into->pap, reterr));
    s_keep(&first, &reterr,
           s_word(node, "onward", NRS_ENUM_ONWARD, read.onward, &into->onward, reterr));
    s_keep(&first, &reterr,
           s_word(node, "clearance", NRS_ENUM_TLP, read.clearance, &into->clearance, reterr));
    s_keep(&first, &reterr, s_key(config, node, id, read.key, into->key, reterr));
    return first;
}

static nrs_err_t
s_peer(nrs_config_t *config, const nrs_directory_t *self, const nrs_config_node_t *node,
       const char *id, nrs_peer_t *into, nrs_problem_t *reterr)
{
    s_party_t read = { 0 };
    nrs_err_t first = nrs_options_read(config, node, s_peer_table, &read, reterr);
    if (first)
        return first;
    *into = (nrs_peer_t){
        .id = id,
        .name = read.name[0] ? read.name : id,
        .scope = read.scope[0] ? read.scope : NULL,
    };
    s_keep(&first, &reterr, s_agreement_of(self, node, read.agreement, &into->agreement, reterr));
    s_keep(&first, &reterr, s_scope(node, read.scope, reterr));
    s_keep(&first, &reterr, s_key(config, node, id, read.key, into->key, reterr));
    if (!first && !into->key[0])
        s_keep(&first, &reterr,
               nrs_config_problem(node, reterr,
                                  "%s needs a key: it could not prove who it is "
                                  "without one",
                                  id));
    return first;
}

// Whoever connects is known by the key alone, so no two may share one.
static nrs_err_t
s_check_key(const nrs_directory_t *self, const nrs_config_node_t *node, const char *id,
            const char *key, nrs_problem_t *reterr)
{
    const char *owner = NULL;
    for (size_t i = 0; i < self->member_count; i++)
        if (key[0] && self->members[i].key != key && strcmp(self->members[i].key, key) == 0)
            owner = self->members[i].id;
    for (size_t i = 0; i < self->peer_count; i++)
        if (key[0] && self->peers[i].key != key && strcmp(self->peers[i].key, key) == 0)
            owner = self->peers[i].id;
    if (!owner)
        return NRS_OK;
    const nrs_config_node_t *place = nrs_config_get(node, "key");
    return nrs_config_problem(place, reterr, "key: %s and %s have the same key", owner, id);
}

// --- the three sections --------------------------------------------------------------------------

// Is the section a mapping of ids, and not too long? *ret_count is how many it has.
static nrs_err_t
s_section(const nrs_config_node_t *node, const char *name, size_t *ret_count, nrs_problem_t *reterr)
{
    *ret_count = 0;
    nrs_config_shape_t shape = nrs_config_shape(node);
    if (shape == NRS_CONFIG_NOTHING)
        return NRS_OK;
    if (shape != NRS_CONFIG_MAP)
        return nrs_config_problem(node, reterr,
                                  "%s must be a mapping: each id, and below it what "
                                  "belongs to it",
                                  name);
    if (nrs_config_count(node) > ENTRIES_MAX)
        return nrs_config_problem(node, reterr, "%s: more than %d", name, ENTRIES_MAX);
    *ret_count = nrs_config_count(node);
    return NRS_OK;
}

static nrs_err_t
s_check_id(const nrs_config_node_t *node, const char *id, nrs_problem_t *reterr)
{
    if (nrs_config_name_ok(id))
        return NRS_OK;
    return nrs_config_key_problem(node, reterr,
                                  "'%.100s' is no id: lower-case letters, digits and hyphens, %d "
                                  "at most",
                                  id, NRS_CONFIG_NAME_MAX);
}

static nrs_err_t
s_agreements(nrs_config_t *config, nrs_directory_t *self, const nrs_config_node_t *section,
             nrs_problem_t *reterr)
{
    size_t count;
    nrs_err_t first = s_section(section, "agreements", &count, reterr);
    self->agreements = nrs_alloc0(count, sizeof *self->agreements);
    for (size_t i = 0; i < count; i++) {
        const char *id = NULL;
        const nrs_config_node_t *node = nrs_config_at(section, i, &id);
        nrs_problem_t *where = first ? NULL : reterr;
        s_keep(&first, &where, s_check_id(node, id, where));
        s_keep(&first, &where, s_agreement(config, node, id, &self->agreements[i], where));
        self->agreements[i].id = id; // also where it is wrong, so that others may name it
        self->agreement_count++;
    }
    return first;
}

static nrs_err_t
s_members(nrs_config_t *config, nrs_directory_t *self, const nrs_config_node_t *section,
          nrs_problem_t *reterr)
{
    size_t count;
    nrs_err_t first = s_section(section, "members", &count, reterr);
    self->members = nrs_alloc0(count, sizeof *self->members);
    for (size_t i = 0; i < count; i++) {
        const char *id = NULL;
        const nrs_config_node_t *node = nrs_config_at(section, i, &id);
        nrs_member_t *member = &self->members[i];
        nrs_problem_t *where = first ? NULL : reterr;
        s_keep(&first, &where, s_check_id(node, id, where));
        s_keep(&first, &where, s_member(config, self, node, id, member, where));
        member->id = id;
        s_keep(&first, &where, s_check_key(self, node, id, member->key, where));
        self->member_count++;
    }
    return first;
}

static nrs_err_t
s_peers(nrs_config_t *config, nrs_directory_t *self, const nrs_config_node_t *section,
        nrs_problem_t *reterr)
{
    size_t count;
    nrs_err_t first = s_section(section, "peers", &count, reterr);
    self->peers = nrs_alloc0(count, sizeof *self->peers);
    for (size_t i = 0; i < count; i++) {
        const char *id = NULL;
        const nrs_config_node_t *node = nrs_config_at(section, i, &id);
        nrs_peer_t *peer = &self->peers[i];
        nrs_problem_t *where = first ? NULL : reterr;
        s_keep(&first, &where, s_check_id(node, id, where));
        s_keep(&first, &where, s_peer(config, self, node, id, peer, where));
        peer->id = id;
        s_keep(&first, &where, s_check_key(self, node, id, peer->key, where));
        self->peer_count++;
    }
    return first;
}

nrs_err_t
nrs_directory_open(nrs_config_t *config, nrs_problem_t *reterr, nrs_directory_t **ret_directory)
{
    NRS_ASSERT(config && ret_directory);
    NRS_AUTO(nrs_directory) self = nrs_new0(nrs_directory_t);
    const nrs_config_node_t *root = nrs_config_root(config);
    const nrs_config_node_t *agreements = nrs_config_get(root, "agreements");
    nrs_err_t first = NRS_OK;
    nrs_problem_t *where = reterr;
    s_keep(&first, &where, s_agreements(config, self, agreements, where));
    s_keep(&first, &where, s_members(config, self, nrs_config_get(root, "members"), where));
    s_keep(&first, &where, s_peers(config, self, nrs_config_get(root, "peers"), where));
    s_keep(&first, &where, s_check_from(self, agreements, where));
    if (first)
        return first;
    *ret_directory = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_directory_destroy(nrs_directory_t **self_p)
{
    nrs_directory_t *self = *self_p;
    if (!self)
        return;
    free(self->agreements);
    free(self->members);
    free(self->peers);
    free(self);
    *self_p = NULL;
}

const nrs_member_t *
nrs_directory_member(const nrs_directory_t *self, const char *id)
{
    for (size_t i = 0; i < self->member_count; i++)
        if (strcmp(self->members[i].id, id) == 0)
            return &self->members[i];
    return NULL;
}

const nrs_peer_t *
nrs_directory_peer(const nrs_directory_t *self, const char *id)
{
    for (size_t i = 0; i < self->peer_count; i++)
        if (strcmp(self->peers[i].id, id) == 0)
            return &self->peers[i];
    return NULL;
}
