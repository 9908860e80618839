// base.h - the few things every module leans on: error codes, ownership, borrowed bytes, assertions.
// Threads:  everything here may be used from any thread.

#ifndef NRS_BASE_H
#define NRS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// What went wrong. A header lists, for each call, the codes that its caller can act on.
typedef enum nrs_err {
    NRS_OK = 0,
    NRS_E_ABSENT,  // there is no such thing
    NRS_E_EXISTS,  // it is there already
    NRS_E_FORMAT,  // the input is not what its format says
    NRS_E_LIMIT,   // a named limit would be passed
    NRS_E_VERSION, // written by a newer or unknown version
    NRS_E_DENIED,  // not allowed for this key, recipient or marking
    NRS_E_AGAIN,   // nothing now; try when the world has moved
    NRS_E_IO,      // the world failed: disk, socket, file
    NRS_E_FULL,    // no room: map, disk or quota
    NRS_E_CORRUPT, // stored or received bytes fail their check
    NRS_E_REWOUND, // history is not the one that the asker knows (epoch, chain)
    NRS_E_CONFIG,  // the configuration is wrong; the problem says where
    NRS_E_USAGE,   // the command line is wrong
    NRS_E_MAX
} nrs_err_t;

// The code's stable name in lower case, e.g. "denied".
const char *
nrs_err_name(nrs_err_t err);

#define NRS_MUST_CHECK __attribute__((warn_unused_result))
#define NRS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

// Drop a result on purpose; the reason stands beside the call.
#define NRS_IGNORE(call)                                                                           \
    do {                                                                                           \
        if (call) {                                                                                \
        }                                                                                          \
    } while (0)

// A broken assumption of ours: one line on stderr, then abort; in every build.
#define NRS_ASSERT(condition)                                                                      \
    ((condition) ? (void)0 : nrs_assert_failed(#condition, __FILE__, __LINE__, __func__))
__attribute__((noreturn)) void
nrs_assert_failed(const char *condition, const char *file, int line, const char *function);

// A local that is destroyed at the end of its scope; initialise it where it is declared.
// nrs_store's destructor is nrs_store_destroy(nrs_store_t **).
#define NRS_AUTO(cls) __attribute__((cleanup(cls##_destroy))) cls##_t *

// Hand the object to the caller: the local becomes NULL.
#define NRS_TAKE(pointer)                                                                          \
    ({                                                                                             \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

// Memory of a size that the program chose: zeroed, never NULL (out of memory aborts).
void *
nrs_alloc0(size_t count, size_t size);
void *
nrs_realloc(void *memory, size_t bytes);
char *
nrs_strdup(const char *text);
char *
nrs_strndup(const char *text, size_t bytes);
#define nrs_new0(type) ((type *)nrs_alloc0(1, sizeof(type)))

// Borrowed bytes: not owned, not terminated. The lender says until when they are valid.
typedef struct nrs_bytes {
    const uint8_t *data;
    size_t size;
} nrs_bytes_t;

#define NRS_NONE ((nrs_bytes_t){ NULL, 0 })

static inline nrs_bytes_t
nrs_bytes(const void *data, size_t size)
{
    return (nrs_bytes_t){ (const uint8_t *)data, size };
}

static inline nrs_bytes_t
nrs_text(const char *text)
{
    return (nrs_bytes_t){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline bool
nrs_bytes_equal(nrs_bytes_t a, nrs_bytes_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool
nrs_bytes_is(nrs_bytes_t a, const char *text)
{
    return nrs_bytes_equal(a, nrs_text(text));
}

// Is the text valid UTF-8 (RFC 3629: no surrogates, no overlong forms)?
bool
nrs_utf8_ok(nrs_bytes_t text);

// Where a person has to look. Filled by calls that read what a person wrote.
typedef struct nrs_problem {
    char file[256];  // empty: not from a file
    unsigned line;   // 1-based; 0: unknown
    unsigned column; // 1-based; 0: unknown
    char text[512];  // one sentence: what is wrong and what to do
} nrs_problem_t;

// Fill `reterr` (may be NULL). `file` may be NULL. Returns `err`, so that a caller can return it.
nrs_err_t
nrs_problem_set(nrs_problem_t *reterr, nrs_err_t err, const char *file, unsigned line,
                unsigned column, const char *format, ...) NRS_PRINTF(6, 7);

// "file:line:column: text", leaving out what is unknown. Returns `into`.
const char *
nrs_problem_print(const nrs_problem_t *problem, char *into, size_t bytes);

// Little-endian and big-endian numbers at any alignment.
static inline uint16_t
nrs_get_le16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline uint32_t
nrs_get_le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t
nrs_get_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static inline void
nrs_put_le16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, 2);
}
static inline void
nrs_put_le32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}
static inline void
nrs_put_le64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}
static inline uint16_t
nrs_get_be16(const uint8_t *p)
{
    return __builtin_bswap16(nrs_get_le16(p));
}
static inline uint32_t
nrs_get_be32(const uint8_t *p)
{
    return __builtin_bswap32(nrs_get_le32(p));
}
static inline uint64_t
nrs_get_be64(const uint8_t *p)
{
    return __builtin_bswap64(nrs_get_le64(p));
}
static inline void
nrs_put_be16(uint8_t *p, uint16_t v)
{
    nrs_put_le16(p, __builtin_bswap16(v));
}
static inline void
nrs_put_be32(uint8_t *p, uint32_t v)
{
    nrs_put_le32(p, __builtin_bswap32(v));
}
static inline void
nrs_put_be64(uint8_t *p, uint64_t v)
{
    nrs_put_le64(p, __builtin_bswap64(v));
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the readers above assume little-endian");

#endif
