// indicator.h - kinds of indicators: their canonical form, refanging, and what they are when nobody says
// Shape:    proto/indicator.md; kinds in proto/event_enums.def.
// Threads:  an object belongs to the thread that uses it.

#ifndef NRS_INDICATOR_H
#define NRS_INDICATOR_H

#include "common/base.h"
#include "common/buf.h"
#include "common/event.h"

// Bring `given` into the canonical form of `kind` and append that to `into`. Host names become A-labels in lower
// case, URLs lose default ports and get lower-case scheme and host, addresses get their shortest form, hashes lower
// case. Surrounding blanks (also U+3000), quotes and trailing dots go; defanged text is refanged when `refang` is set.
// On success *ret_kind is the kind: equal to `kind`, or what it really is where the given kind admits it (a "url"
// that is a bare host stays an error; an "ipv4" with /24 is a cidr; /32 is dropped).
// Errors: NRS_E_FORMAT, NRS_E_LIMIT; *reterr (may be NULL) says why in one sentence; `into` is as before.
NRS_MUST_CHECK nrs_err_t
nrs_indicator_canonical(uint64_t kind, nrs_bytes_t given, bool refang, nrs_buf_t *into,
                        uint64_t *ret_kind, nrs_problem_t *reterr);

// Which kind can a text be? Tries, in this order: url, cidr, ipv4, ipv6, e-mail, hash by length, CVE, ATT&CK,
// ASN, domain. Returns 0 when none fits. Works on defanged text as well.
uint64_t
nrs_indicator_guess(nrs_bytes_t given);

// The kind for the words that feeds use ("fqdn", "ip", "ip-dst", "hostname", "md5_hash", "domain-name", "FileHash-SHA256"),
// or 0. "ip" gives NRS_KIND_IPV4; canonicalisation makes it ipv6 or cidr where the value says so.
uint64_t
nrs_indicator_kind_word(nrs_bytes_t word);

// The host name or address inside an indicator: of a URL, an e-mail address, a domain. NRS_NONE where there is none.
// `value` is canonical; the result borrows from it; an IPv6 literal comes without its brackets.
nrs_bytes_t
nrs_indicator_host(uint64_t kind, nrs_bytes_t value);

#endif
