// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/crypto.h"

#include <pthread.h>
#include <stdio.h>

static void
s_hex(const uint8_t *data, size_t size, char *into)
{
    for (size_t i = 0; i < size; i++)
        snprintf(into + 2 * i, 3, "%02x", data[i]);
}

// FIPS 180-4 examples (NIST CSRC).
static const struct {
    const char *text;
    const char *sha256;
    const char *sha1;
} digests[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
};

static void
test_crypto_digests_match_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        uint8_t digest[32];
        char hex[65];
        nrs_bytes_t text = nrs_text(digests[i].text);
        nrs_sha256(&text, 1, digest);
        s_hex(digest, 32, hex);
        assert_string_equal(hex, digests[i].sha256);
        nrs_sha1(text, digest);
        s_hex(digest, 20, hex);
        assert_string_equal(hex, digests[i].sha1);
    }
}

static void
test_crypto_pieces_hash_as_their_whole(void **state)
{
    (void)state;
    const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    nrs_bytes_t whole = nrs_text(text);
    uint8_t expected[32], digest[32];
    nrs_sha256(&whole, 1, expected);
    for (size_t cut = 0; cut <= whole.size; cut++) {
        nrs_bytes_t pieces[] = { nrs_bytes(text, cut), NRS_NONE,
                                 nrs_bytes(text + cut, whole.size - cut) };
        nrs_sha256(pieces, 3, digest);
        assert_memory_equal(digest, expected, 32);
    }
    nrs_sha256(NULL, 0, digest);
    nrs_sha256(&NRS_NONE, 1, expected);
    assert_memory_equal(digest, expected, 32);
}

// RFC 9562, appendix A.4, and the namespace of the same RFC, section 6.6.
static void
test_crypto_uuid5_matches_the_standard(void **state)
{
    (void)state;
    static const uint8_t dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                     0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
    char text[37];
    nrs_uuid5(dns, nrs_text("www.example.com"), text);
    assert_string_equal(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void
test_crypto_random_bytes_differ(void **state)
{
    (void)state;
    uint8_t one[32] = { 0 }, other[32] = { 0 };
    assert_int_equal(nrs_random(one, sizeof one), NRS_OK);
    assert_int_equal(nrs_random(other, sizeof other), NRS_OK);
    assert_memory_not_equal(one, other, sizeof one);
    assert_int_equal(nrs_random(one, 0), NRS_OK);
}

static void *
s_hash_often(void *arg)
{
    const nrs_bytes_t *text = arg;
    uint8_t first[32], digest[32];
    nrs_sha256(text, 1, first);
    for (int i = 0; i < 1000; i++) {
        nrs_sha256(text, 1, digest);
        if (memcmp(first, digest, 32) != 0)
            return NULL;
    }
    return arg;
}

static void
test_crypto_threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[4];
    nrs_bytes_t texts[4];
    for (size_t i = 0; i < 4; i++) {
        texts[i] = nrs_text(digests[i % 3].text);
        assert_int_equal(pthread_create(&threads[i], NULL, s_hash_often, &texts[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &texts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crypto_digests_match_the_standard),
        cmocka_unit_test(test_crypto_pieces_hash_as_their_whole),
        cmocka_unit_test(test_crypto_uuid5_matches_the_standard),
        cmocka_unit_test(test_crypto_random_bytes_differ),
        cmocka_unit_test(test_crypto_threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
