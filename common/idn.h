// idn.h - host names between Unicode and A-labels (IDNA 2008, UTS #46 non-transitional)
#ifndef NRS_IDN_H
#define NRS_IDN_H

#include "common/base.h"
#include "common/buf.h"

// Lower-case A-label form of a host name, appended to `into`; one trailing dot goes. An ASCII name
// takes a short way without the library: labels with "xn--" are names as they stand, whatever IDNA
// would say of them. Underscores and hyphens are allowed anywhere (feeds have them). Errors:
// NRS_E_FORMAT, NRS_E_LIMIT (253 bytes, 63 a label).
NRS_MUST_CHECK nrs_err_t
nrs_idn_ascii(nrs_bytes_t host, nrs_buf_t *into);
// Unicode form of an A-label host. Appends nothing and returns NRS_E_ABSENT where it would be the
// same.
NRS_MUST_CHECK nrs_err_t
nrs_idn_unicode(nrs_bytes_t host, nrs_buf_t *into);

#endif
