// dead.h - dead letters: what could not be read or decided, kept with its bytes until a person looks
// Threads:  an object belongs to the thread that opened it.

#ifndef NRS_DEAD_H
#define NRS_DEAD_H

#include "common/base.h"
#include "common/buf.h"
#include "common/store.h"

enum { NRS_DEAD_BYTES_MAX = 65536 };

typedef struct nrs_dead {
    const char *reason;   // stable code: "utf8", "json", "field-missing", "too-long", "kind-unknown", ...
    const char *text;     // one sentence for a person
    nrs_bytes_t source;   // source or member; may be empty
    nrs_bytes_t place;    // "file.csv:17", "reports/4@17"; may be empty
    nrs_bytes_t bytes;    // the record itself; kept up to NRS_DEAD_BYTES_MAX
    uint64_t bytes_total; // its whole length where `bytes` is only its beginning; 0: all is there
} nrs_dead_t;

// One as it is kept. Texts borrow from the store's view.
typedef struct nrs_dead_kept {
    uint64_t id;
    int64_t at_ms;
    nrs_bytes_t reason;
    nrs_bytes_t text;
    nrs_bytes_t source;
    nrs_bytes_t place;
    nrs_bytes_t bytes;
    uint64_t bytes_total;
} nrs_dead_kept_t;

typedef struct nrs_dead_letters nrs_dead_letters_t;

// Open the table in `store` (borrowed). `letters_max` and `bytes_max` bound it. Errors: NRS_E_IO, NRS_E_CORRUPT.
NRS_MUST_CHECK nrs_err_t
nrs_dead_letters_open(nrs_store_t *store, uint64_t letters_max, uint64_t bytes_max,
                      nrs_dead_letters_t **ret_letters);
void
nrs_dead_letters_destroy(nrs_dead_letters_t **self_p);
// Keep it; the same source, place and bytes are kept once. Errors: NRS_E_FULL (a bound is reached; nothing is kept), NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_dead_letters_append(nrs_dead_letters_t *self, nrs_txn_t *txn, int64_t at_ms, const nrs_dead_t *dead);
// The first letter with an id >= `from`. Errors: NRS_E_ABSENT, NRS_E_CORRUPT, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_dead_letters_get(nrs_dead_letters_t *self, nrs_txn_t *txn, uint64_t from, nrs_dead_kept_t *ret_kept);
// Errors: NRS_E_ABSENT, NRS_E_IO.
NRS_MUST_CHECK nrs_err_t
nrs_dead_letters_drop(nrs_dead_letters_t *self, nrs_txn_t *txn, uint64_t id);
uint64_t
nrs_dead_letters_count(const nrs_dead_letters_t *self);
// The id of the letter that was appended last; 0: none ever was.
uint64_t
nrs_dead_letters_last(const nrs_dead_letters_t *self);

// One as a JSON object (proto/ask.md, "dead.list"); `whole` adds the bytes in base64.
void
nrs_dead_json(const nrs_dead_kept_t *kept, bool whole, nrs_buf_t *into);

#endif
