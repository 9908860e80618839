// expr_internal.h - what the parts of the expression language share; nobody else includes it
//
//   text --lex--> tokens --parse--> tree of and, or, not --lower--> chain of tests
//                              bind: each comparison becomes a test, with its types checked
//
// A test asks one question of one field. In the lowered form every test knows where to go on when
// it holds and when it does not, so `and`, `or` and `not` cost nothing at evaluation:
//
//   a and (b or not c)      a:  yes -> b     no -> NO
//                           b:  yes -> YES   no -> c
//                           c:  yes -> NO    no -> YES

#ifndef NRS_EXPR_INTERNAL_H
#define NRS_EXPR_INTERNAL_H

#include "common/buf.h"
#include "common/expr.h"
#include "common/net.h"
#include "common/pattern.h"

// --- tokens --------------------------------------------------------------------------------------

typedef enum nrs_expr_token_kind {
    NRS_TOKEN_END,
    NRS_TOKEN_WORD,     // field, enum word or keyword
    NRS_TOKEN_TEXT,     // quoted; `text` is what stands between the quotes
    NRS_TOKEN_NUMBER,   // `number`
    NRS_TOKEN_RANGE,    // `number` .. `last`
    NRS_TOKEN_DURATION, // `number` in milliseconds
    NRS_TOKEN_PREFIX,   // `prefix`
    NRS_TOKEN_OPEN,
    NRS_TOKEN_CLOSE,
    NRS_TOKEN_LIST_OPEN,
    NRS_TOKEN_LIST_CLOSE,
    NRS_TOKEN_COMMA,
    NRS_TOKEN_PLUS,
    NRS_TOKEN_MINUS,
    NRS_TOKEN_AND,
    NRS_TOKEN_OR,
    NRS_TOKEN_NOT,
    NRS_TOKEN_EQUAL,
    NRS_TOKEN_UNEQUAL,
    NRS_TOKEN_LESS,
    NRS_TOKEN_LESS_EQUAL,
    NRS_TOKEN_GREATER,
    NRS_TOKEN_GREATER_EQUAL,
    NRS_TOKEN_MATCH,
    NRS_TOKEN_MISMATCH,
} nrs_expr_token_kind_t;

typedef struct nrs_expr_token {
    nrs_expr_token_kind_t kind;
    nrs_bytes_t text; // as it stands in the source; borrowed from it
    unsigned column;  // 1-based
    char quote;       // TEXT: which
    uint64_t number;
    uint64_t last;
    nrs_prefix_t prefix;
} nrs_expr_token_t;

// --- sets: what stands on the right of `in`, `under`, `startswith` ... ---------------------------

typedef struct nrs_expr_range {
    uint64_t first, last;
} nrs_expr_range_t;

typedef struct nrs_expr_block {
    nrs_address_t first, last;
} nrs_expr_block_t;

typedef struct nrs_expr_set {
    uint64_t mask; // ENUM: bit n for number n
    nrs_bytes_t *texts;
    size_t text_count;
    uint32_t *slots; // hash table over texts once sealed: index + 1, 0 is empty
    uint32_t slot_mask;
    nrs_expr_range_t *ranges; // sorted, apart from each other once sealed
    size_t range_count;
    nrs_expr_block_t *blocks; // the same for addresses
    size_t block_count;
} nrs_expr_set_t;

void
nrs_expr_set_free(nrs_expr_set_t *set);
// `text` is borrowed and has to live as long as the set.
void
nrs_expr_set_put_text(nrs_expr_set_t *set, nrs_bytes_t text);
void
nrs_expr_set_put_range(nrs_expr_set_t *set, uint64_t first, uint64_t last);
void
nrs_expr_set_put_prefix(nrs_expr_set_t *set, const nrs_prefix_t *prefix);
// Sort, merge and hash; from here on the set can be asked.
void
nrs_expr_set_seal(nrs_expr_set_t *set);
bool
nrs_expr_set_has_text(const nrs_expr_set_t *set, nrs_bytes_t text);
bool
nrs_expr_set_has_number(const nrs_expr_set_t *set, uint64_t number);
// Is the text an address or prefix that lies within one of the set's?
bool
nrs_expr_set_has_address(const nrs_expr_set_t *set, nrs_bytes_t text);
// Is `host` one of the texts, or below one of them?
bool
nrs_expr_set_has_above(const nrs_expr_set_t *set, nrs_bytes_t host);

// --- tests ---------------------------------------------------------------------------------------

typedef enum nrs_expr_op {
    NRS_OP_CONSTANT, // `negate` is its opposite: no field is asked
    NRS_OP_HAS,      // the field is present
    NRS_OP_NUMBER,   // `relation` to `number`
    NRS_OP_TIME,     // `relation` to `base` plus `shift_ms`
    NRS_OP_FIELDS,   // `relation` of two numbers, or of two texts, both fields
    NRS_OP_ONE_OF,   // a number or enum in `set`
    NRS_OP_TEXT,     // equal to `text` (BIN: the bytes)
    NRS_OP_TEXT_IN,  // among the texts or addresses of `set`
    NRS_OP_STARTS,   // begins with one of `set`
    NRS_OP_ENDS,
    NRS_OP_CONTAINS,
    NRS_OP_UNDER,
    NRS_OP_MATCH,
} nrs_expr_op_t;

typedef enum nrs_expr_base {
    NRS_BASE_ZERO,
    NRS_BASE_NOW,
    NRS_BASE_FIELD,
} nrs_expr_base_t;

enum { NRS_EXPR_YES = UINT16_MAX, NRS_EXPR_NO = UINT16_MAX - 1 }; // ends of the chain
_Static_assert((int)NRS_EXPR_NODES_MAX < (int)NRS_EXPR_NO,
               "a test's number fits beside the two ends");

typedef struct nrs_expr_test {
    uint8_t op;       // nrs_expr_op_t
    uint8_t relation; // a token kind from NRS_TOKEN_EQUAL to NRS_TOKEN_GREATER_EQUAL
    uint8_t base;     // nrs_expr_base_t
    bool negate;      // of a present field: !=, not in, !~
    uint8_t field;
    uint8_t other; // FIELDS, and TIME with NRS_BASE_FIELD
    uint16_t yes;  // test to go on with, or an end
    uint16_t no;
    uint64_t number;
    int64_t shift_ms;
    nrs_bytes_t text;       // borrowed from the expression's pool
    nrs_expr_set_t *set;    // owned
    nrs_pattern_t *pattern; // owned
} nrs_expr_test_t;
_Static_assert(NRS_FIELD_MAX <= UINT8_MAX, "a field's number fits");

// A piece of memory for texts that outlive the source; pieces are never moved.
typedef struct nrs_expr_piece nrs_expr_piece_t;

struct nrs_expr {
    uint64_t kinds; // of which it can hold
    uint16_t start; // test to begin with
    uint16_t test_count;
    nrs_expr_test_t *tests;   // owned
    char *text;               // owned; canonical spelling
    nrs_expr_piece_t *pieces; // owned
};

// Copy a text into the expression's own memory.
nrs_bytes_t
nrs_expr_keep(nrs_expr_t *self, nrs_bytes_t text);

// --- the tree, only while compiling --------------------------------------------------------------

typedef enum nrs_expr_node_kind {
    NRS_NODE_TEST,
    NRS_NODE_NOT,
    NRS_NODE_AND,
    NRS_NODE_OR
} nrs_expr_node_kind_t;

enum { NRS_NODE_NONE = UINT16_MAX };

typedef struct nrs_expr_node {
    uint8_t kind;
    uint16_t first, last;    // children of NOT, AND, OR
    uint16_t next, previous; // siblings
    uint16_t test;           // TEST: its number
    uint32_t spelled, size;  // TEST: where its canonical spelling stands
} nrs_expr_node_t;

// Everything that compiling needs.
typedef struct nrs_expr_maker {
    nrs_bytes_t source;
    size_t at;              // byte of the source after `token`
    nrs_expr_token_t token; // the one to be looked at next
    nrs_problem_t *reterr;  // may be NULL
    nrs_expr_t *expr;       // borrowed
    nrs_expr_node_t *nodes; // owned
    size_t node_count;
    size_t count;    // nodes and list items so far, against NRS_EXPR_NODES_MAX
    size_t patterns; // against NRS_EXPR_PATTERNS_MAX
    unsigned depth;
    nrs_buf_t spelled; // canonical spelling of all tests, one after the other
    nrs_buf_t scratch; // a text being unfolded
} nrs_expr_maker_t;

// An error at a token's place. Returns `err`.
nrs_err_t
nrs_expr_problem(nrs_expr_maker_t *maker, nrs_err_t err, unsigned column, const char *format, ...)
    NRS_PRINTF(4, 5);
// Count one more operator or operand. Errors: NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
nrs_expr_count(nrs_expr_maker_t *maker, unsigned column);

// --- expr_lex.c ----------------------------------------------------------------------------------

// Read the next token into maker->token. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_expr_next(nrs_expr_maker_t *maker);
bool
nrs_expr_is_word(const nrs_expr_token_t *token, const char *word);
// Unfold a TEXT token's escapes; the result borrows from the expression. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_expr_unfold(nrs_expr_maker_t *maker, const nrs_expr_token_t *token, nrs_bytes_t *ret_text);
// The same for a pattern: only the quote itself is unfolded.
nrs_bytes_t
nrs_expr_unfold_pattern(nrs_expr_maker_t *maker, const nrs_expr_token_t *token);

// --- expr_parse.c --------------------------------------------------------------------------------

// Parse the whole source; *ret_root is a node. Errors: NRS_E_FORMAT, NRS_E_LIMIT.
NRS_MUST_CHECK nrs_err_t
nrs_expr_parse(nrs_expr_maker_t *maker, uint16_t *ret_root);

// --- expr_bind.c, expr_bind_list.c: a comparison's types are checked and its test is made --------

typedef struct nrs_expr_operand {
    nrs_expr_token_t token;
    nrs_field_t field; // NRS_FIELD_MAX: no field
    bool now;          // the word `now`
    int64_t shift_ms;  // added to a time
    bool shifted;      // there was + or -
} nrs_expr_operand_t;

// left RELATION right. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_expr_bind_relation(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left,
                       const nrs_expr_token_t *relation, const nrs_expr_operand_t *right,
                       nrs_expr_test_t *test);
// A field alone: only BOOL.
NRS_MUST_CHECK nrs_err_t
nrs_expr_bind_field(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left, nrs_expr_test_t *test);
// field ~ pattern.
NRS_MUST_CHECK nrs_err_t
nrs_expr_bind_match(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left,
                    const nrs_expr_token_t *relation, const nrs_expr_token_t *pattern,
                    nrs_expr_test_t *test);

// field OPERATOR values: begin, then each value; the parser seals the set behind the last. Errors:
// NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_expr_bind_list(nrs_expr_maker_t *maker, const nrs_expr_operand_t *left, nrs_expr_op_t op,
                   const nrs_expr_token_t *operator_, nrs_expr_test_t *test);
NRS_MUST_CHECK nrs_err_t
nrs_expr_bind_item(nrs_expr_maker_t *maker, const nrs_expr_token_t *item, nrs_expr_test_t *test);

// The field of a word. Errors: NRS_E_FORMAT with the nearest name.
NRS_MUST_CHECK nrs_err_t
nrs_expr_field(nrs_expr_maker_t *maker, const nrs_expr_token_t *word, nrs_field_t *ret_field);
// The number of an enum's word, bare or quoted. Errors: NRS_E_FORMAT with the words that there are.
NRS_MUST_CHECK nrs_err_t
nrs_expr_enum(nrs_expr_maker_t *maker, nrs_field_t field, const nrs_expr_token_t *word,
              uint64_t *ret_number);

// --- expr_print.c --------------------------------------------------------------------------------

// Canonical spelling of parts, appended to maker->spelled.
void
nrs_expr_spell(nrs_expr_maker_t *maker, const char *text);
void
nrs_expr_spell_text(nrs_expr_maker_t *maker, nrs_bytes_t text);
void
nrs_expr_spell_pattern(nrs_expr_maker_t *maker, nrs_bytes_t pattern);
void
nrs_expr_spell_prefix(nrs_expr_maker_t *maker, const nrs_prefix_t *prefix);
void
nrs_expr_spell_shift(nrs_expr_maker_t *maker, int64_t shift_ms);
const char *
nrs_expr_spell_relation(unsigned relation);
// The whole tree; the caller owns the result.
char *
nrs_expr_spell_tree(nrs_expr_maker_t *maker, uint16_t root);

#endif
