// base64.h - bytes inside JSON (RFC 4648, section 4)

#ifndef NOROSHI_BASE64_H
#define NOROSHI_BASE64_H

#include "common/base.h"
#include "common/buf.h"

// Append the decoded bytes. Padding is required, other characters are refused; nothing is appended
// then. Errors: NRS_E_FORMAT.
NRS_MUST_CHECK nrs_err_t
base64_decode(nrs_bytes_t text, nrs_buf_t *into);

#endif
