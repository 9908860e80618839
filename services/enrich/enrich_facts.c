#include "enrich_facts.h"

#include "common/idn.h"
#include "common/indicator.h"

enum { UNICODE_BYTES_MAX = 512 }; // context.unicode

static bool
s_is_address_kind(uint64_t kind)
{
    return kind == NRS_KIND_IPV4 || kind == NRS_KIND_IPV6 || kind == NRS_KIND_CIDR;
}

// Can the text be an address at all? Names have a last label that is no number, and no colon.
static bool
s_may_be_address(nrs_bytes_t host)
{
    uint8_t last = host.size ? host.data[host.size - 1] : 0;
    return (last >= '0' && last <= '9') || (host.size && memchr(host.data, ':', host.size));
}

void
enrich_facts_start(enrich_facts_t *self, uint64_t kind, nrs_bytes_t value)
{
    self->kind = kind;
    self->value = value;
    self->place = (nrs_geo_place_t){ 0 };
    self->unicode.size = 0;
    self->host = nrs_indicator_host(kind, value);
    nrs_bytes_t text = s_is_address_kind(kind)        ? value
                       : s_may_be_address(self->host) ? self->host
                                                      : NRS_NONE;
    self->placed = text.size > 0 && !nrs_prefix_parse(text, &self->prefix);
    if (self->placed)
        self->host = NRS_NONE;
}

void
enrich_name(enrich_facts_t *self, const enrich_sources_t *sources, nrs_context_t *context)
{
    if (self->host.size == 0)
        return;
    context->host = self->host;
    nrs_suffixes_split(sources->suffixes, self->host, &context->domain, &context->suffix);
    // A name that cannot be told in Unicode stays as it is: the A-label is the name.
    nrs_err_t err = nrs_idn_unicode(self->host, &self->unicode);
    if (!err && self->unicode.size <= UNICODE_BYTES_MAX)
        context->unicode = nrs_buf_bytes(&self->unicode);
}

void
enrich_place(enrich_facts_t *self, const enrich_sources_t *sources, nrs_context_t *context)
{
    // A prefix may lie in several countries.
    if (!self->placed || self->kind == NRS_KIND_CIDR)
        return;
    context->ip = nrs_bytes(self->ip, nrs_address_print(&self->prefix.address, self->ip));
    if (!nrs_geo_find(sources->geo, &self->prefix.address, &self->place))
        return;
    context->country = nrs_text(self->place.country);
    context->asn = self->place.asn;
    context->as_name = nrs_text(self->place.as_name);
}

void
enrich_list(enrich_facts_t *self, const enrich_sources_t *sources, nrs_context_t *context)
{
    enrich_wanted_t wanted = {
        .value = self->value,
        .host = self->host,
        .prefix = self->placed ? &self->prefix : NULL,
    };
    uint32_t mask = enrich_lists_find(sources->lists, &wanted);
    if (mask == 0)
        return;
    bool good = false;
    enrich_lists_names(sources->lists, mask, &context->lists, &good);
    context->known_good = good;
}
