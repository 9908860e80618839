// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/keys.h"

#include <czmq.h> // the reader of certificates whose files ours must be
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// The pair of zmq_curve(7).
#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
#define OTHER  "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static char dir[64];

static int
s_setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/noroshi-keys-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int
s_teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static const char *
s_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void
s_write(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(s_path(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(s_path(name), mode), 0);
}

static void
test_keys_come_back_as_they_were_made(void **state)
{
    (void)state;
    nrs_keys_t made, both, half;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_keys_new(dir, "enrich-1", &problem, &made), NRS_OK);
    assert_int_equal(nrs_keys_load(s_path("enrich-1.key"), &problem, &both), NRS_OK);
    assert_int_equal(nrs_keys_load(s_path("enrich-1.pub"), &problem, &half), NRS_OK);
    assert_string_equal(both.name, "enrich-1");
    assert_string_equal(both.public_text, made.public_text);
    assert_string_equal(both.secret_text, made.secret_text);
    assert_string_equal(half.public_text, made.public_text);
    assert_string_equal(half.secret_text, "");
    nrs_keys_wipe(&both);
    assert_string_equal(both.secret_text, "");
    assert_string_equal(both.public_text, made.public_text);
}

static void
test_keys_secret_file_is_for_its_owner_alone(void **state)
{
    (void)state;
    nrs_keys_t keys;
    struct stat status;
    mode_t before = umask(0);
    assert_int_equal(nrs_keys_new(dir, "modes", NULL, &keys), NRS_OK);
    umask(before);
    assert_int_equal(stat(s_path("modes.key"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    for (int bit = 0; bit < 6; bit++) { // each right of group and others
        assert_int_equal(chmod(s_path("modes.key"), 0600u | 1u << bit), 0);
        nrs_problem_t problem = { 0 };
        assert_int_equal(nrs_keys_load(s_path("modes.key"), &problem, &keys), NRS_E_DENIED);
        assert_non_null(strstr(problem.text, "chmod 600"));
    }
}

static void
test_keys_are_never_written_over(void **state)
{
    (void)state;
    nrs_keys_t first, again, loaded;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_keys_new(dir, "once", NULL, &first), NRS_OK);
    assert_int_equal(nrs_keys_new(dir, "once", &problem, &again), NRS_E_EXISTS);
    assert_string_equal(problem.file, s_path("once.key"));
    assert_int_equal(nrs_keys_load(s_path("once.key"), NULL, &loaded), NRS_OK);
    assert_string_equal(loaded.public_text, first.public_text);

    // Only the public half stands in the way: the new secret half must not be left behind.
    s_write("twice.pub", "curve\n", 0644);
    assert_int_equal(nrs_keys_new(dir, "twice", &problem, &again), NRS_E_EXISTS);
    assert_int_equal(access(s_path("twice.key"), F_OK), -1);
}

static void
test_keys_names_stay_in_the_directory(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        ".hidden",
        "..",
        "a/b",
        "a b",
        "a\"b",
        "\xe7\x8b\xbc",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", // 65
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        nrs_keys_t keys;
        assert_int_equal(nrs_keys_new(dir, names[i], NULL, &keys), NRS_E_FORMAT);
    }
    nrs_keys_t keys;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_keys_new("/nonexistent", "a", &problem, &keys), NRS_E_IO);
    assert_string_equal(problem.file, "/nonexistent/a.key");
}

static const struct {
    const char *what;
    const char *text;
    nrs_err_t err;
    unsigned line;
    const char *name;
} files[] = {
    { "both halves",
      "metadata\n    name = \"a b\"\ncurve\n    public-key = \"" PUBLIC
      "\"\n    secret-key = \"" SECRET "\"\n",
      NRS_OK, 0, "a b" },
    { "no metadata", "curve\n    public-key = \"" PUBLIC "\"\n", NRS_OK, 0, "file" },
    { "single quotes, comments, no newline at the end",
      "# c\n\ncurve # c\n\n    public-key = '" PUBLIC "' # c", NRS_OK, 0, "file" },
    { "lines end as on Windows", "curve\r\n    public-key = \"" PUBLIC "\"\r\n", NRS_OK, 0,
      "file" },
    { "keys of other sections do not count",
      "other\n    public-key = \"x\"\ncurve\n    public-key = \"" PUBLIC "\"\n", NRS_OK, 0,
      "file" },
    { "empty", "", NRS_E_FORMAT, 0, NULL },
    { "no section", "    public-key = \"" PUBLIC "\"\n", NRS_E_FORMAT, 0, NULL },
    { "key too short", "curve\n    public-key = \"abc\"\n", NRS_E_FORMAT, 2, NULL },
    { "not Z85", "curve\n    public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI,\"\n",
      NRS_E_FORMAT, 2, NULL },
    { "beyond 32 bits", "curve\n    public-key = \"########################################\"\n",
      NRS_E_FORMAT, 2, NULL },
    { "quotation mark missing", "curve\n    public-key = \"" PUBLIC "\n", NRS_E_FORMAT, 2, NULL },
    { "halves of two pairs",
      "curve\n    public-key = \"" OTHER "\"\n    secret-key = \"" SECRET "\"\n", NRS_E_FORMAT, 0,
      NULL },
    { "secret alone", "curve\n    secret-key = \"" SECRET "\"\n", NRS_E_FORMAT, 0, NULL },
};

static void
test_keys_files_are_read_or_refused_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        nrs_keys_t keys = { .name = "untouched" };
        nrs_problem_t problem = { 0 };
        s_write("file.key", files[i].text, 0600);
        nrs_err_t err = nrs_keys_load(s_path("file.key"), &problem, &keys);
        if (err != files[i].err || problem.line != files[i].line)
            fail_msg("%s: %s in line %u", files[i].what, nrs_err_name(err), problem.line);
        assert_string_equal(keys.name, err ? "untouched" : files[i].name);
        if (!err)
            assert_string_equal(keys.public_text, PUBLIC);
        assert_null(strstr(problem.text, "D:)Q")); // never quotes a secret
    }
}

static void
test_keys_odd_files_are_refused(void **state)
{
    (void)state;
    nrs_keys_t keys;
    nrs_problem_t problem = { 0 };
    assert_int_equal(nrs_keys_load(s_path("absent.key"), &problem, &keys), NRS_E_IO);
    assert_int_equal(nrs_keys_load(dir, &problem, &keys), NRS_E_IO);
    assert_int_equal(mkfifo(s_path("fifo"), 0600), 0);
    assert_int_equal(nrs_keys_load(s_path("fifo"), &problem, &keys), NRS_E_IO); // and does not hang
    char long_text[20000];
    memset(long_text, '\n', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    s_write("long.key", long_text, 0600);
    assert_int_equal(nrs_keys_load(s_path("long.key"), &problem, &keys), NRS_E_FORMAT);
}

static void
test_keys_files_are_certificates_of_czmq(void **state)
{
    (void)state;
    nrs_keys_t keys;
    assert_int_equal(nrs_keys_new(dir, "czmq", NULL, &keys), NRS_OK);
    zcert_t *cert = zcert_load(s_path("czmq.key"));
    assert_non_null(cert);
    assert_string_equal(zcert_public_txt(cert), keys.public_text);
    assert_string_equal(zcert_secret_txt(cert), keys.secret_text);
    assert_string_equal(zcert_meta(cert, "name"), "czmq");
    assert_int_equal(zcert_save_secret(cert, s_path("theirs.key")), 0);
    zcert_destroy(&cert);
    nrs_keys_t loaded;
    assert_int_equal(nrs_keys_load(s_path("theirs.key"), NULL, &loaded), NRS_OK);
    assert_string_equal(loaded.secret_text, keys.secret_text);
    assert_string_equal(loaded.name, "czmq");
}

static void
test_key_text_is_forty_characters_of_z85(void **state)
{
    (void)state;
    assert_true(nrs_key_text_ok(nrs_text(PUBLIC)));
    assert_false(nrs_key_text_ok(NRS_NONE));
    assert_false(nrs_key_text_ok(nrs_text(PUBLIC PUBLIC)));
    assert_false(nrs_key_text_ok(nrs_bytes(PUBLIC, 39)));
    assert_false(nrs_key_text_ok(nrs_bytes("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV\0hID", 40)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_come_back_as_they_were_made),
        cmocka_unit_test(test_keys_secret_file_is_for_its_owner_alone),
        cmocka_unit_test(test_keys_are_never_written_over),
        cmocka_unit_test(test_keys_names_stay_in_the_directory),
        cmocka_unit_test(test_keys_files_are_read_or_refused_with_their_line),
        cmocka_unit_test(test_keys_odd_files_are_refused),
        cmocka_unit_test(test_keys_files_are_certificates_of_czmq),
        cmocka_unit_test(test_key_text_is_forty_characters_of_z85),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
