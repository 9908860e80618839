// geo.h - country and autonomous system of an address (MaxMind DB files)
#ifndef NRS_GEO_H
#define NRS_GEO_H

#include "common/base.h"
#include "common/net.h"

typedef struct nrs_geo nrs_geo_t;

typedef struct nrs_geo_place {
    char country[3];   // "" when unknown
    uint32_t asn;      // 0 when unknown
    char as_name[129]; // "" when unknown
} nrs_geo_place_t;

// Open the files, which stay mapped until the object is destroyed. Either path may be NULL or "":
// what it would tell stays unknown. Knows the layouts of MaxMind and of ip-location-db
// (country.iso_code or country_code; autonomous_system_number and _organization). Errors: NRS_E_IO
// with the file in *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_geo_open(const char *country_path, const char *asn_path, nrs_problem_t *reterr,
             nrs_geo_t **ret_geo);
void
nrs_geo_destroy(nrs_geo_t **self_p);
// Fill *ret_place. Returns false when nothing is known.
bool
nrs_geo_find(nrs_geo_t *self, const nrs_address_t *address, nrs_geo_place_t *ret_place);

#endif
