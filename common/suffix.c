#include "common/suffix.h"

#include <libpsl.h>
#include <stdlib.h>
#include <sys/stat.h>

// Debian's package publicsuffix keeps it up to date; look-ups in a loaded list take half the time
// of those in the built-in one.
static const char s_system_list[] = "/usr/share/publicsuffix/public_suffix_list.dat";

enum { HOST_BYTES_MAX = 253 };

struct nrs_suffixes {
    const psl_ctx_t *list; // `loaded`, or the library's own
    psl_ctx_t *loaded;     // owned; NULL when the built-in list is used
};

nrs_err_t
nrs_suffixes_open(const char *path, nrs_suffixes_t **ret_suffixes)
{
    NRS_ASSERT(ret_suffixes);
    struct stat status;
    bool given = path && path[0];
    if (!given && stat(s_system_list, &status) == 0)
        path = s_system_list;

    NRS_AUTO(nrs_suffixes) self = nrs_new0(nrs_suffixes_t);
    if (path && path[0])
        self->loaded = psl_load_file(path);
    // A file without a single rule is no list.
    bool good = self->loaded && psl_suffix_count(self->loaded) > 0;
    self->list = good ? self->loaded : given ? NULL : psl_builtin();
    if (!self->list)
        return NRS_E_IO;
    *ret_suffixes = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_suffixes_destroy(nrs_suffixes_t **self_p)
{
    nrs_suffixes_t *self = *self_p;
    if (!self)
        return;
    psl_free(self->loaded);
    free(self);
    *self_p = NULL;
}

// An IPv6 literal has colons, an IPv4 address a last label of digits; no top-level domain has
// either.
static bool
s_is_address(nrs_bytes_t host)
{
    return memchr(host.data, ':', host.size) ||
           (host.data[host.size - 1] >= '0' && host.data[host.size - 1] <= '9' &&
            !memmem(host.data, host.size, "xn--", 4));
}

void
nrs_suffixes_split(nrs_suffixes_t *self, nrs_bytes_t host, nrs_bytes_t *ret_domain,
                   nrs_bytes_t *ret_suffix)
{
    *ret_domain = NRS_NONE;
    *ret_suffix = NRS_NONE;
    if (host.size == 0 || host.size > HOST_BYTES_MAX || memchr(host.data, 0, host.size) ||
        s_is_address(host))
        return;
    char name[HOST_BYTES_MAX + 1];
    memcpy(name, host.data, host.size);
    name[host.size] = 0;
    const char *suffix = psl_unregistrable_domain(self->list, name);
    if (!suffix)
        return;
    size_t start = (size_t)(suffix - name);
    *ret_suffix = nrs_bytes(host.data + start, host.size - start);
    if (start < 2)
        return;
    const uint8_t *dot = memrchr(host.data, '.', start - 1);
    size_t from = dot ? (size_t)(dot + 1 - host.data) : 0;
    *ret_domain = nrs_bytes(host.data + from, host.size - from);
}
