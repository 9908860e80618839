#include "common/geo.h"
#include "tests/fixtures/mmdb_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char s_dir[64];
static char s_flat[96], s_nested[96], s_asn[96];

static void
s_put_country(mmdb_file_t *file, const char *prefix, bool nested, const char *code)
{
    mmdb_file_add(file, prefix);
    mmdb_put_map(&file->data, 1);
    if (nested) {
        mmdb_put_text(&file->data, "country");
        mmdb_put_map(&file->data, 1);
    }
    mmdb_put_text(&file->data, nested ? "iso_code" : "country_code");
    mmdb_put_text(&file->data, code);
}

static void
s_put_asn(mmdb_file_t *file, const char *prefix, uint32_t number, const char *name)
{
    mmdb_file_add(file, prefix);
    mmdb_put_map(&file->data, 2);
    mmdb_put_text(&file->data, "autonomous_system_number");
    mmdb_put_number(&file->data, 6, number);
    mmdb_put_text(&file->data, "autonomous_system_organization");
    mmdb_put_text(&file->data, name);
}

static int
s_setup(void **state)
{
    (void)state;
    strcpy(s_dir, "/tmp/noroshi-geo-XXXXXX");
    if (!mkdtemp(s_dir))
        return -1;
    snprintf(s_flat, sizeof s_flat, "%s/flat.mmdb", s_dir);
    snprintf(s_nested, sizeof s_nested, "%s/nested.mmdb", s_dir);
    snprintf(s_asn, sizeof s_asn, "%s/asn.mmdb", s_dir);

    mmdb_file_t *file = nrs_new0(mmdb_file_t);
    s_put_country(file, "192.0.2.0/24", false, "ZZ");
    s_put_country(file, "2001:db8::/32", false, "QM");
    s_put_country(file, "198.51.100.0/24", false, "zz");
    mmdb_file_write(file, s_flat);
    *file = (mmdb_file_t){ 0 };
    s_put_country(file, "192.0.2.0/25", true, "XA");
    mmdb_file_write(file, s_nested);
    *file = (mmdb_file_t){ 0 };
    char name[141] = { 0 };
    memset(name, 'a', 127);
    strcat(name, "\xe4\xbe\x8b"); // a character across the limit of 128 bytes
    s_put_asn(file, "192.0.2.0/24", 64496, "Example Networks");
    s_put_asn(file, "198.51.100.0/24", 4200000000, name);
    mmdb_file_write(file, s_asn);
    free(file);
    return 0;
}

static int
s_teardown(void **state)
{
    (void)state;
    unlink(s_flat);
    unlink(s_nested);
    unlink(s_asn);
    return rmdir(s_dir);
}

static void
s_expect(nrs_geo_t *geo, const char *text, const char *country, uint32_t asn, const char *name)
{
    nrs_address_t address;
    nrs_geo_place_t place;
    assert_int_equal(nrs_address_parse(nrs_text(text), &address), NRS_OK);
    bool known = nrs_geo_find(geo, &address, &place);
    assert_int_equal(known, country[0] || asn);
    assert_string_equal(place.country, country);
    assert_int_equal(place.asn, asn);
    assert_string_equal(place.as_name, name);
}

static void
test_geo_tells_country_and_as(void **state)
{
    (void)state;
    NRS_AUTO(nrs_geo) geo = NULL;
    assert_int_equal(nrs_geo_open(s_flat, s_asn, NULL, &geo), NRS_OK);
    s_expect(geo, "192.0.2.200", "ZZ", 64496, "Example Networks");
    s_expect(geo, "2001:db8::1", "QM", 0, "");
    s_expect(geo, "203.0.113.1", "", 0, "");
    s_expect(geo, "2001:db9::1", "", 0, "");
}

static void
test_geo_knows_the_layout_of_maxmind(void **state)
{
    (void)state;
    NRS_AUTO(nrs_geo) geo = NULL;
    assert_int_equal(nrs_geo_open(s_nested, "", NULL, &geo), NRS_OK);
    s_expect(geo, "192.0.2.1", "XA", 0, "");
    s_expect(geo, "192.0.2.2", "XA", 0, "");
    s_expect(geo, "192.0.2.128", "", 0, "");
}

static void
test_geo_ignores_codes_that_are_none_and_cuts_names_between_characters(void **state)
{
    (void)state;
    NRS_AUTO(nrs_geo) geo = NULL;
    assert_int_equal(nrs_geo_open(s_flat, s_asn, NULL, &geo), NRS_OK);
    char name[128] = { 0 };
    memset(name, 'a', 127);
    s_expect(geo, "198.51.100.1", "", 4200000000, name);
}

static void
test_geo_without_files_knows_nothing(void **state)
{
    (void)state;
    NRS_AUTO(nrs_geo) geo = NULL;
    assert_int_equal(nrs_geo_open(NULL, NULL, NULL, &geo), NRS_OK);
    s_expect(geo, "192.0.2.1", "", 0, "");
}

static void
test_geo_refuses_a_file_that_is_none(void **state)
{
    (void)state;
    nrs_problem_t problem = { 0 };
    nrs_geo_t *geo = NULL;
    assert_int_equal(nrs_geo_open("/nonexistent.mmdb", NULL, &problem, &geo), NRS_E_IO);
    assert_string_equal(problem.file, "/nonexistent.mmdb");
    assert_int_equal(nrs_geo_open(s_flat, NOROSHI_SOURCE_DIR "/LICENSE", &problem, &geo), NRS_E_IO);
    assert_null(geo);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_geo_tells_country_and_as),
        cmocka_unit_test(test_geo_knows_the_layout_of_maxmind),
        cmocka_unit_test(test_geo_ignores_codes_that_are_none_and_cuts_names_between_characters),
        cmocka_unit_test(test_geo_without_files_knows_nothing),
        cmocka_unit_test(test_geo_refuses_a_file_that_is_none),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
