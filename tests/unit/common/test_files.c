#include "common/files.h"

#include "tests/fixtures/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static void
test_directories_are_made_with_those_above(void **unused)
{
    (void)unused;
    char path[256];
    struct stat status;
    snprintf(path, sizeof path, "%s/a/b//c", scratch_root);
    assert_int_equal(nrs_files_make_directory(path, NULL), NRS_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(nrs_files_make_directory(path, NULL), NRS_OK); // there already
}

static void
test_what_cannot_be_made_is_named(void **unused)
{
    (void)unused;
    char path[256];
    nrs_problem_t problem = { 0 };
    snprintf(path, sizeof path, "%s/file", scratch_root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    snprintf(path, sizeof path, "%s/file/below", scratch_root);
    assert_int_equal(nrs_files_make_directory(path, &problem), NRS_E_IO);
    assert_non_null(strstr(problem.file, "below"));
    assert_int_equal(nrs_files_make_directory("", &problem), NRS_E_IO);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories_are_made_with_those_above),
        cmocka_unit_test(test_what_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
