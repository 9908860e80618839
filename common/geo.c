#include "common/geo.h"

#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

struct nrs_geo {
    MMDB_s country;
    MMDB_s asn;
    bool has_country;
    bool has_asn;
    size_t layout; // of the country file: the one that answered last, tried first
};

// Where the country code stands: ip-location-db, MaxMind.
static const char *const s_country_paths[][3] = {
    { "country_code", NULL, NULL },
    { "country", "iso_code", NULL },
};
enum { LAYOUTS = sizeof s_country_paths / sizeof s_country_paths[0] };

static nrs_err_t
s_open_file(const char *path, nrs_problem_t *reterr, MMDB_s *file, bool *ret_open)
{
    if (!path || !path[0])
        return NRS_OK;
    int code = MMDB_open(path, MMDB_MODE_MMAP, file);
    if (code != MMDB_SUCCESS)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "not a readable MaxMind DB file: %s",
                               MMDB_strerror(code));
    *ret_open = true;
    return NRS_OK;
}

nrs_err_t
nrs_geo_open(const char *country_path, const char *asn_path, nrs_problem_t *reterr,
             nrs_geo_t **ret_geo)
{
    NRS_ASSERT(ret_geo);
    NRS_AUTO(nrs_geo) self = nrs_new0(nrs_geo_t);
    nrs_err_t err = s_open_file(country_path, reterr, &self->country, &self->has_country);
    if (!err)
        err = s_open_file(asn_path, reterr, &self->asn, &self->has_asn);
    if (err)
        return err;
    *ret_geo = NRS_TAKE(self);
    return NRS_OK;
}

void
nrs_geo_destroy(nrs_geo_t **self_p)
{
    nrs_geo_t *self = *self_p;
    if (!self)
        return;
    if (self->has_country)
        MMDB_close(&self->country);
    if (self->has_asn)
        MMDB_close(&self->asn);
    free(self);
    *self_p = NULL;
}

// A socket address goes in: the look-up by text costs twice as much.
static bool
s_look_up(const MMDB_s *file, const nrs_address_t *address, MMDB_entry_s *ret_entry)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = { 0 };
    if (address->v4) {
        at.v4.sin_family = AF_INET;
        memcpy(&at.v4.sin_addr, address->bytes + 12, 4);
    } else {
        at.v6.sin6_family = AF_INET6;
        memcpy(&at.v6.sin6_addr, address->bytes, 16);
    }
    int code = MMDB_SUCCESS;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(file, &at.any, &code);
    *ret_entry = found.entry;
    return code == MMDB_SUCCESS && found.found_entry;
}

static bool
s_country_code(const MMDB_entry_data_s *data)
{
    if (data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size != 2)
        return false;
    const char *code = data->utf8_string;
    return code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z';
}

static bool
s_find_country(nrs_geo_t *self, const nrs_address_t *address, nrs_geo_place_t *place)
{
    MMDB_entry_s entry;
    if (!self->has_country || !s_look_up(&self->country, address, &entry))
        return false;
    for (size_t i = 0; i < LAYOUTS; i++) {
        size_t layout = (self->layout + i) % LAYOUTS;
        MMDB_entry_data_s data = { 0 };
        int code = MMDB_aget_value(&entry, &data, s_country_paths[layout]);
        if (code != MMDB_SUCCESS || !data.has_data || !s_country_code(&data))
            continue;
        memcpy(place->country, data.utf8_string, 2);
        self->layout = layout;
        return true;
    }
    return false;
}

// At most 128 bytes, cut between characters.
static void
s_copy_name(const MMDB_entry_data_s *data, nrs_geo_place_t *place)
{
    size_t length = data->data_size;
    if (length >= sizeof place->as_name) {
        length = sizeof place->as_name - 1;
        while (length > 0 && ((uint8_t)data->utf8_string[length] & 0xc0) == 0x80)
            length--;
    }
    if (nrs_utf8_ok(nrs_bytes(data->utf8_string, length)))
        memcpy(place->as_name, data->utf8_string, length);
}

static bool
s_find_asn(nrs_geo_t *self, const nrs_address_t *address, nrs_geo_place_t *place)
{
    static const char *const number_path[] = { "autonomous_system_number", NULL };
    static const char *const name_path[] = { "autonomous_system_organization", NULL };
    MMDB_entry_s entry;
    if (!self->has_asn || !s_look_up(&self->asn, address, &entry))
        return false;
    MMDB_entry_data_s data = { 0 };
    if (MMDB_aget_value(&entry, &data, number_path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UINT32)
        return false;
    place->asn = data.uint32;
    if (MMDB_aget_value(&entry, &data, name_path) == MMDB_SUCCESS && data.has_data &&
        data.type == MMDB_DATA_TYPE_UTF8_STRING)
        s_copy_name(&data, place);
    return true;
}

bool
nrs_geo_find(nrs_geo_t *self, const nrs_address_t *address, nrs_geo_place_t *ret_place)
{
    NRS_ASSERT(self && address && ret_place);
    *ret_place = (nrs_geo_place_t){ 0 };
    bool country = s_find_country(self, address, ret_place);
    bool asn = s_find_asn(self, address, ret_place);
    return country || asn;
}
