// net.h - addresses and prefixes as numbers
// Shape:    RFC 4291, section 2.2 for IPv6 text; RFC 5952 for printing it; RFC 4632 for prefixes.
// Threads:  plain values; everything here may be used from any thread.
// Cost:     no allocation; parsing 15 to 40 ns, containment a few.

#ifndef NRS_NET_H
#define NRS_NET_H

#include "common/base.h"

enum { NRS_ADDRESS_TEXT_BYTES = 46 }; // room for any address in text, NUL included

// IPv4 stands in the last 4 of the 16 bytes behind ::ffff: (RFC 4291, section 2.5.5.2). An
// IPv4-mapped IPv6 address in text is the IPv4 address: one address has one form, so that no list
// is passed by writing it another way.
typedef struct nrs_address {
    uint8_t bytes[16];
    bool v4;
} nrs_address_t;

typedef struct nrs_prefix {
    nrs_address_t address; // host bits are zero
    uint8_t bits;          // 0..32 or 0..128
} nrs_prefix_t;

// Strict text forms: four decimal parts without leading zeros; RFC 4291 for IPv6 (no zone, no
// brackets). Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_address_parse(nrs_bytes_t text, nrs_address_t *ret_address);
// "address/bits", or a bare address as /32 or /128. Host bits are cleared. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
nrs_prefix_parse(nrs_bytes_t text, nrs_prefix_t *ret_prefix);
// The last address of the prefix: its host bits are one.
void
nrs_prefix_last(const nrs_prefix_t *prefix, nrs_address_t *ret_address);
// An IPv6 prefix holds no IPv4 address.
bool
nrs_prefix_holds(const nrs_prefix_t *prefix, const nrs_address_t *address);
// RFC 5952 for IPv6. `into` has room for NRS_ADDRESS_TEXT_BYTES; returns the length.
size_t
nrs_address_print(const nrs_address_t *address, char *into);

#endif
