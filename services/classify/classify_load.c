// classify_load.c - from the YAML of a rules file to rules
#include "services/classify/classify_place.h"
#include "services/classify/classify_rule.h"

#include <stdio.h>
#include <stdlib.h>

// A rule as it stands in the file.
typedef struct s_said {
    const char *class;
    const char *type;
    const char *severity;
    const char *confidence;
    int64_t expires_ms;
    const char *desk;
    nrs_config_texts_t audience;
    const char *reason;
} s_said_t;

typedef struct s_written {
    const char *id;
    int64_t version;
    const char *when;
    bool stop;
    s_said_t says;
} s_written_t;

typedef struct s_file {
    int64_t mode;
    const nrs_config_node_t *otherwise;
    const nrs_config_node_t *rules;
} s_file_t;

#define EXPIRES_MS_MAX (INT64_C(3650) * 86400 * 1000) // ten years

static const char *const s_modes[] = { "all", "first", NULL };

static const nrs_option_t s_file_options[] = {
    { "mode", NRS_OPTION_WORD, offsetof(s_file_t, mode), "all", 0, 0, s_modes,
      "all: every rule that matches adds to the verdict; first: the first one decides" },
    { "default", NRS_OPTION_NODE, offsetof(s_file_t, otherwise), NULL, 0, 0, NULL,
      "what an event is as far as no rule says" },
    { "rules", NRS_OPTION_NODE, offsetof(s_file_t, rules), NULL, 0, 0, NULL,
      "the rules, asked in this order" },
    { 0 },
};

// clang-format off
// What a rule and the default can say alike.
#define SAID(base, reason_default)                                                                 \
    { "class", NRS_OPTION_TEXT, (base) + offsetof(s_said_t, class), "", 0, 0, NULL,                \
      "RSIT class, where no type fits; follows from type" },                                       \
    { "type", NRS_OPTION_TEXT, (base) + offsetof(s_said_t, type), "", 0, 0, NULL,                  \
      "RSIT type, or source for what the source claims" },                                         \
    { "severity", NRS_OPTION_TEXT, (base) + offsetof(s_said_t, severity), "", 0, 0, NULL,          \
      "info, low, medium, high or critical; the greatest that a rule says stands" },               \
    { "confidence", NRS_OPTION_TEXT, (base) + offsetof(s_said_t, confidence), "", 0, 0, NULL,      \
      "1 to 100, or source for what the source says" },                                            \
    { "expires", NRS_OPTION_DURATION, (base) + offsetof(s_said_t, expires_ms), "0s", 0,            \
      EXPIRES_MS_MAX, NULL, "how long after it was observed the verdict holds; 0s: not said" },    \
    { "desk", NRS_OPTION_TEXT, (base) + offsetof(s_said_t, desk), "", 0, 0, NULL,                  \
      "none, cybercrime or security" },                                                            \
    { "audience", NRS_OPTION_TEXTS, (base) + offsetof(s_said_t, audience), "[]", 0, NRS_LIST_MAX,  \
      NULL, "groups for whom it is meant" },                                                       \
    { "reason", NRS_OPTION_TEXT, (base) + offsetof(s_said_t, reason), reason_default, 1,           \
      CLASSIFY_REASON_BYTES, NULL, "why, in words; {origin.target} and the like are filled in" }
// clang-format on

static const nrs_option_t s_rule_options[] = {
    { "id", NRS_OPTION_TEXT, offsetof(s_written_t, id), NULL, 1, 64, NULL,
      "stable name; it is written into the verdict" },
    { "version", NRS_OPTION_NUMBER, offsetof(s_written_t, version), "1", 1, UINT32_MAX, NULL,
      "grows with every change of the rule" },
    { "when", NRS_OPTION_TEXT, offsetof(s_written_t, when), NULL, 1, NRS_EXPR_BYTES_MAX, NULL,
      "the condition (proto/expression.md)" },
    { "stop", NRS_OPTION_BOOL, offsetof(s_written_t, stop), "false", 0, 0, NULL,
      "true: when it matches no rule behind it is asked" },
    SAID(offsetof(s_written_t, says), NULL),
    { 0 },
};

static const nrs_option_t s_otherwise_options[] = {
    SAID(0, "no rule matches"),
    { 0 },
};

// --- one saying ----------------------------------------------------------------------------------

enum { WORDS_LISTED_MAX = 12 }; // of a longer enum only those are listed that begin alike

static void
s_list_words(nrs_enum_id_t id, const char *like, nrs_buf_t *into)
{
    bool all = nrs_enum_last(id) <= WORDS_LISTED_MAX;
    for (uint64_t number = 1; number <= nrs_enum_last(id); number++) {
        const char *word = nrs_enum_word(id, number);
        if (word && (all || word[0] == like[0]))
            nrs_buf_printf(into, "%s%s", into->size ? ", " : "", word);
    }
}

// The number of an enum's word under `key`; 0 where the text is empty.
static nrs_err_t
s_word(const nrs_config_node_t *node, const char *key, nrs_enum_id_t id, const char *text,
       nrs_problem_t *reterr, uint64_t *ret_number)
{
    *ret_number = text[0] ? nrs_enum_number(id, nrs_text(text)) : 0;
    if (!text[0] || *ret_number)
        return NRS_OK;
    nrs_buf_t words = { 0 };
    s_list_words(id, text, &words);
    nrs_err_t err = words.size ? nrs_config_problem(nrs_config_get(node, key), reterr,
                                                    "%s: '%.60s' is none of: %s", key, text,
                                                    nrs_buf_cstr(&words))
                               : nrs_config_problem(nrs_config_get(node, key), reterr,
                                                    "%s: '%.60s' is no word of RSIT", key, text);
    nrs_buf_free(&words);
    return err;
}

static nrs_err_t
s_class_and_type(const nrs_config_node_t *node, const s_said_t *said, nrs_problem_t *reterr,
                 classify_saying_t *saying)
{
    nrs_err_t err = s_word(node, "class", NRS_ENUM_CLASS, said->class, reterr, &saying->class);
    saying->type_of_source = strcmp(said->type, "source") == 0;
    if (!err && saying->type_of_source && saying->class)
        return nrs_config_problem(
            nrs_config_get(node, "class"), reterr,
            "class: with type source the class follows from the source's type");
    if (!err && !saying->type_of_source)
        err = s_word(node, "type", NRS_ENUM_TYPE, said->type, reterr, &saying->type);
    if (err || !saying->type)
        return err;
    uint64_t class = nrs_class_of_type(saying->type);
    if (saying->class && saying->class != class)
        return nrs_config_problem(
            nrs_config_get(node, "class"), reterr, "class: type %s belongs to class %s",
            nrs_enum_word(NRS_ENUM_TYPE, saying->type), nrs_enum_word(NRS_ENUM_CLASS, class));
    saying->class = class;
    return NRS_OK;
}

static nrs_err_t
s_confidence(const nrs_config_node_t *node, const char *text, nrs_problem_t *reterr,
             classify_saying_t *saying)
{
    if (!text[0])
        return NRS_OK;
    if (strcmp(text, "source") == 0) {
        saying->confidence_of_source = true;
        return NRS_OK;
    }
    char *end = NULL;
    unsigned long number = strspn(text, "0123456789") <= 3 ? strtoul(text, &end, 10) : 0;
    if (number < 1 || number > 100 || *end || text[0] < '0' || text[0] > '9')
        return nrs_config_problem(nrs_config_get(node, "confidence"), reterr,
                                  "confidence: '%.60s' is not 1 to 100 and not the word source",
                                  text);
    saying->confidence = number;
    return NRS_OK;
}

static nrs_err_t
s_audience(const nrs_config_node_t *node, const nrs_config_texts_t *texts, nrs_problem_t *reterr,
           nrs_list_t *into)
{
    for (size_t i = 0; i < texts->count; i++) {
        nrs_bytes_t group = nrs_text(texts->items[i]);
        if (group.size == 0 || group.size > nrs_field_info(NRS_VERDICT_audience)->limit)
            return nrs_config_problem(
                nrs_config_get(node, "audience"), reterr,
                "audience: a group's name has 1 to %llu bytes",
                (unsigned long long)nrs_field_info(NRS_VERDICT_audience)->limit);
        into->items[into->count++] = group;
    }
    return NRS_OK;
}

// Note a mistake inside a scalar, at the place where it stands in the file.
static nrs_err_t
s_inside(const nrs_config_node_t *scalar, nrs_bytes_t file, size_t offset, nrs_problem_t *reterr,
         const char *text)
{
    nrs_problem_t place;
    nrs_err_t err = nrs_config_problem(scalar, &place, "%s", text);
    classify_place_within(file, nrs_text(nrs_config_text(scalar)), offset, &place.line,
                          &place.column);
    if (reterr)
        *reterr = place;
    return err;
}

static nrs_err_t
s_reason(const nrs_config_node_t *node, nrs_bytes_t file, const char *text, nrs_problem_t *reterr,
         classify_saying_t *saying)
{
    nrs_problem_t why = { 0 };
    size_t offset = 0;
    if (classify_reason_new(text, &why, &offset, &saying->reason))
        return s_inside(nrs_config_get(node, "reason"), file, offset, reterr, why.text);
    return NRS_OK;
}

static nrs_err_t
s_saying(const nrs_config_node_t *node, nrs_bytes_t file, const s_said_t *said,
         nrs_problem_t *reterr, classify_saying_t *saying)
{
    nrs_err_t err = s_class_and_type(node, said, reterr, saying);
    if (!err)
        err =
            s_word(node, "severity", NRS_ENUM_SEVERITY, said->severity, reterr, &saying->severity);
    if (!err)
        err = s_word(node, "desk", NRS_ENUM_DESK, said->desk, reterr, &saying->desk);
    if (!err)
        err = s_confidence(node, said->confidence, reterr, saying);
    if (!err)
        err = s_audience(node, &said->audience, reterr, &saying->audience);
    saying->expires_ms = (uint64_t)said->expires_ms;
    return err ? err : s_reason(node, file, said->reason, reterr, saying);
}

// --- one rule ------------------------------------------------------------------------------------

static nrs_err_t
s_when(const nrs_config_node_t *node, nrs_bytes_t file, const char *text, nrs_problem_t *reterr,
       nrs_expr_t **ret_when)
{
    nrs_problem_t why = { 0 };
    if (nrs_expr_compile(nrs_text(text), &why, ret_when))
        return s_inside(nrs_config_get(node, "when"), file, why.column ? why.column - 1 : 0, reterr,
                        why.text);
    return NRS_OK;
}

static nrs_err_t
s_unique(const classify_rules_t *self, const classify_rule_t *rule, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < self->count; i++)
        if (nrs_bytes_equal(self->rules[i].id, rule->id))
            return nrs_config_problem(nrs_config_get(rule->node, "id"), reterr,
                                      "id: there is a rule '%.*s' already", (int)rule->id.size,
                                      rule->id.data);
    return NRS_OK;
}

// `self->count` grows first, so that a rule half made is destroyed with the others.
static nrs_err_t
s_rule(classify_rules_t *self, const nrs_config_node_t *node, nrs_bytes_t file,
       nrs_problem_t *reterr)
{
    if (nrs_config_shape(node) != NRS_CONFIG_MAP)
        return nrs_config_problem(node, reterr,
                                  "a rule is a mapping with id, when, reason and what it says");
    s_written_t written = { 0 };
    nrs_err_t err = nrs_options_read(self->config, node, s_rule_options, &written, reterr);
    if (err)
        return err;
    classify_rule_t *rule = &self->rules[self->count];
    rule->id = nrs_text(written.id);
    rule->version = (uint64_t)written.version;
    rule->stop = written.stop;
    rule->node = node;
    err = s_unique(self, rule, reterr);
    self->count++;
    if (!err)
        err = s_when(node, file, written.when, reterr, &rule->when);
    if (!err)
        rule->kinds = nrs_expr_kinds(rule->when);
    return err ? err : s_saying(node, file, &written.says, reterr, &rule->says);
}

// --- the file ------------------------------------------------------------------------------------

// What the default leaves open is other/undetermined, good to know, and nobody's.
static nrs_err_t
s_otherwise(classify_rules_t *self, const nrs_config_node_t *node, nrs_bytes_t file,
            nrs_problem_t *reterr)
{
    s_said_t said = { 0 };
    nrs_err_t err = nrs_options_read(self->config, node, s_otherwise_options, &said, reterr);
    if (!err)
        err = s_saying(node, file, &said, reterr, &self->otherwise);
    classify_saying_t *says = &self->otherwise;
    if (!says->class) {
        says->type = NRS_TYPE_UNDETERMINED;
        says->class = nrs_class_of_type(says->type);
    }
    if (!says->severity)
        says->severity = NRS_SEVERITY_INFO;
    if (!says->desk)
        says->desk = NRS_DESK_NONE;
    return err;
}

nrs_err_t
classify_load(classify_rules_t *self, nrs_bytes_t text, nrs_problem_t *reterr)
{
    const nrs_config_node_t *root = nrs_config_root(self->config);
    s_file_t written = { 0 };
    nrs_err_t err = nrs_options_read(self->config, root, s_file_options, &written, reterr);
    if (!err)
        err = s_otherwise(self, written.otherwise, text, reterr);
    if (err)
        return err;
    self->first = strcmp(s_modes[written.mode], "first") == 0;
    if (written.rules && nrs_config_shape(written.rules) != NRS_CONFIG_LIST)
        return nrs_config_problem(written.rules, reterr, "rules takes a list of rules");
    size_t count = nrs_config_count(written.rules);
    if (count > CLASSIFY_RULES_MAX)
        return nrs_config_problem(written.rules, reterr,
                                  "there are %zu rules; %d fit into one file", count,
                                  CLASSIFY_RULES_MAX);
    self->rules = nrs_alloc0(count, sizeof *self->rules);
    for (size_t i = 0; !err && i < count; i++)
        err = s_rule(self, nrs_config_at(written.rules, i, NULL), text, reterr);
    return err;
}

// --- warnings ------------------------------------------------------------------------------------

static void
s_warn(classify_rules_t *self, const classify_rule_t *rule, const char *text)
{
    if ((self->warning_count & (self->warning_count - 1)) == 0)
        self->warnings =
            nrs_realloc(self->warnings, (self->warning_count ? 2 * self->warning_count : 1) *
                                            sizeof *self->warnings);
    nrs_config_problem(nrs_config_get(rule->node, "when"), &self->warnings[self->warning_count++],
                       "rule %.*s %s", (int)rule->id.size, rule->id.data, text);
}

// Conditions see what stands before classify: a verdict or release is never there yet.
static bool
s_looks_ahead(const nrs_expr_t *when)
{
    for (unsigned field = 0; field < NRS_FIELD_MAX; field++)
        if (nrs_field_info((nrs_field_t)field)->layer >= NRS_LAYER_VERDICT &&
            nrs_expr_uses(when, (nrs_field_t)field))
            return true;
    return false;
}

// The first rule before `rule` with the same condition, or with one that always holds and ends the
// asking.
static const classify_rule_t *
s_twin(const classify_rules_t *self, const classify_rule_t *rule)
{
    const char *when = nrs_expr_text(rule->when);
    for (const classify_rule_t *earlier = self->rules; earlier < rule; earlier++) {
        bool ends = self->first || earlier->stop;
        const char *text = nrs_expr_text(earlier->when);
        if (strcmp(text, when) == 0 || (ends && strcmp(text, "true") == 0))
            return earlier;
    }
    return NULL;
}

void
classify_warn(classify_rules_t *self)
{
    for (const classify_rule_t *rule = self->rules; rule < self->rules + self->count; rule++) {
        char text[200];
        const classify_rule_t *twin = s_twin(self, rule);
        if (twin) {
            bool ends = self->first || twin->stop;
            snprintf(text, sizeof text, "%s rule %.*s before it",
                     ends ? "can never be reached: what it matches ends with"
                          : "has the same condition as",
                     (int)twin->id.size, twin->id.data);
            s_warn(self, rule, text);
        }
        if (s_looks_ahead(rule->when))
            s_warn(self, rule,
                   "asks for a field of the verdict or release, which is not there yet");
        if (strcmp(nrs_expr_text(rule->when), "false") == 0)
            s_warn(self, rule, "can never match");
    }
}
