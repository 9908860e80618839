#include "common/crypto.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// Looking an algorithm up and making a context costs more than hashing a 500-byte event, so the
// algorithms are fetched once for the process, and each thread keeps one context for each digest.
typedef struct digests {
    EVP_MD_CTX *sha256;
    EVP_MD_CTX *sha1;
} digests_t;

static pthread_once_t s_once = PTHREAD_ONCE_INIT;
static pthread_key_t s_of_thread; // digests_t *
static EVP_MD *s_sha256;
static EVP_MD *s_sha1;

static void
s_digests_destroy(void *memory)
{
    digests_t *self = memory;
    EVP_MD_CTX_free(self->sha256);
    EVP_MD_CTX_free(self->sha1);
    free(self);
}

static void
s_setup(void)
{
    s_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    // A library without SHA-2, or one configured to refuse SHA-1, can't run anything of ours.
    NRS_ASSERT(s_sha256 && s_sha1);
    int failed = pthread_key_create(&s_of_thread, s_digests_destroy);
    NRS_ASSERT(!failed);
}

static EVP_MD_CTX *
s_context_new(const EVP_MD *algorithm)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    NRS_ASSERT(context && EVP_DigestInit_ex2(context, algorithm, NULL));
    return context;
}

static digests_t *
s_digests(void)
{
    pthread_once(&s_once, s_setup);
    digests_t *self = pthread_getspecific(s_of_thread);
    if (self)
        return self;
    self = nrs_new0(digests_t);
    self->sha256 = s_context_new(s_sha256);
    self->sha1 = s_context_new(s_sha1);
    int failed = pthread_setspecific(s_of_thread, self);
    NRS_ASSERT(!failed);
    return self;
}

// None of these calls can fail for a fetched digest and memory that is there.
static void
s_digest(EVP_MD_CTX *context, const nrs_bytes_t *pieces, size_t count, uint8_t *ret_digest)
{
    NRS_ASSERT(EVP_DigestInit_ex2(context, NULL, NULL)); // NULL: the same algorithm again
    for (size_t i = 0; i < count; i++)
        NRS_ASSERT(EVP_DigestUpdate(context, pieces[i].data, pieces[i].size));
    NRS_ASSERT(EVP_DigestFinal_ex(context, ret_digest, NULL));
}

void
nrs_sha256(const nrs_bytes_t *pieces, size_t count, uint8_t ret_digest[32])
{
    s_digest(s_digests()->sha256, pieces, count, ret_digest);
}

void
nrs_sha1(nrs_bytes_t data, uint8_t ret_digest[20])
{
    s_digest(s_digests()->sha1, &data, 1, ret_digest);
}

nrs_err_t
nrs_random(void *into, size_t bytes)
{
    NRS_ASSERT(bytes <= INT_MAX);
    return RAND_priv_bytes(into, (int)bytes) == 1 ? NRS_OK : NRS_E_IO;
}

void
nrs_uuid5(const uint8_t space[16], nrs_bytes_t name, char ret_text[37])
{
    uint8_t u[20]; // a SHA-1; its first 16 bytes become the UUID
    s_digest(s_digests()->sha1, (nrs_bytes_t[]){ nrs_bytes(space, 16), name }, 2, u);
    u[6] = (uint8_t)((u[6] & 0x0f) | 0x50); // version 5
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80); // variant of RFC 9562
    snprintf(ret_text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}
