// suffix.h - registrable domains by the Public Suffix List (libpsl)
#ifndef NRS_SUFFIX_H
#define NRS_SUFFIX_H

#include "common/base.h"

typedef struct nrs_suffixes nrs_suffixes_t;

// Load `path`. NULL or "": the system's list (/usr/share/publicsuffix) where there is one, else the
// one built into the library. Errors: NRS_E_IO (missing, unreadable or without rules).
NRS_MUST_CHECK nrs_err_t
nrs_suffixes_open(const char *path, nrs_suffixes_t **ret_suffixes);
void
nrs_suffixes_destroy(nrs_suffixes_t **self_p);
// Split a lower-case A-label host. Both results borrow from `host`; a host that is a public suffix
// itself has no domain (NRS_NONE). An address has neither.
void
nrs_suffixes_split(nrs_suffixes_t *self, nrs_bytes_t host, nrs_bytes_t *ret_domain,
                   nrs_bytes_t *ret_suffix);

#endif
