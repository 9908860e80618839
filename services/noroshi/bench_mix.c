#include "services/noroshi/bench_mix.h"

#include "common/event.h"
#include "common/hash.h"

enum { REPEAT_ONE_IN = 5, LINE_BYTES = 500 };

// Randomness that belongs to a line and a purpose, so that a line can be made without those before it.
static uint64_t
s_random(uint64_t seed, uint64_t i, uint64_t purpose)
{
    uint64_t words[2] = { i, purpose };
    return nrs_hash64(nrs_bytes(words, sizeof words), seed);
}

// The line whose value line `i` reports: itself, or an earlier one.
static uint64_t
s_value_of(uint64_t seed, uint64_t i)
{
    uint64_t at = i;
    for (uint64_t hop = 0; at > 0 && s_random(seed, at, 'r') % REPEAT_ONE_IN == 0; hop++)
        at = s_random(seed, at, 'h' + hop) % at;
    return at;
}

static const char *
s_pick(const char *const *words, size_t count, uint64_t random)
{
    return words[random % count];
}

#define PICK(words, random) s_pick(words, sizeof words / sizeof words[0], random)

static const char *const s_lures[] = { "login",  "secure", "account", "verify",  "bank",    "support",
                                       "update", "wallet", "parcel",  "invoice", "confirm", "service" };
static const char *const s_zones[] = { "example.com", "example.net", "example.org", "test", "invalid", "example" };
static const char *const s_targets[] = { "Example Bank", "サンプル銀行", "Example Parcel", "見本カード", "Example Pay" };
static const char *const s_tags[] = { "kit-a", "kit-b", "fast-flux", "sms", "mail", "mobile" };

static void
s_put_host(nrs_buf_t *into, uint64_t random)
{
    nrs_buf_printf(into, "%s-%s-%llx.%s", PICK(s_lures, random >> 8), PICK(s_lures, random >> 16),
                   (unsigned long long)(random >> 24), PICK(s_zones, random));
}

static void
s_put_hash(nrs_buf_t *into, uint64_t random, const char **kind)
{
    static const struct {
        const char *kind;
        unsigned words;
    } hashes[] = { { "md5", 2 }, { "sha1", 0 }, { "sha256", 4 } };
    unsigned which = (unsigned)(random % 3);
    *kind = hashes[which].kind;
    unsigned words = hashes[which].words ? hashes[which].words : 2;
    for (unsigned w = 0; w < words; w++)
        nrs_buf_printf(into, "%016llx", (unsigned long long)s_random(random, w, 'x'));
    if (!hashes[which].words)
        nrs_buf_printf(into, "%08x", (unsigned)s_random(random, 9, 'x'));
}

// Append the value, and say of which kind it is.
static const char *
s_put_value(nrs_buf_t *into, uint64_t random)
{
    unsigned share = (unsigned)(random % 100);
    const char *kind = "url";
    random = s_random(random, 0, 'v');
    if (share < 45) {
        nrs_buf_put_text(into, random & 1 ? "https://" : "http://");
        s_put_host(into, random);
        nrs_buf_printf(into, "/%s/%s.php?id=%llx", PICK(s_lures, random >> 4), PICK(s_lures, random >> 12),
                       (unsigned long long)(random >> 20));
    } else if (share < 75) {
        kind = "domain";
        s_put_host(into, random);
    } else if (share < 90) {
        kind = "ipv4";
        nrs_buf_printf(into, "%u.%u.%u.%u", 11 + (unsigned)(random % 110), (unsigned)(random >> 8 & 255),
                       (unsigned)(random >> 16 & 255), 1 + (unsigned)(random >> 24) % 254);
    } else if (share < 98) {
        s_put_hash(into, random, &kind);
    } else {
        kind = "email";
        nrs_buf_printf(into, "%s.%llx@", PICK(s_lures, random >> 3), (unsigned long long)(random >> 40));
        s_put_host(into, random);
    }
    return kind;
}

void
bench_mix_line(uint64_t seed, uint64_t i, nrs_buf_t *into)
{
    uint64_t random = s_random(seed, i, 'l');
    size_t start = into->size;
    char time[25];
    nrs_time_print(BENCH_MIX_TIME_MS + i, time);
    nrs_buf_printf(into, "{\"id\":\"%llu\",\"first_seen\":\"%s\",\"indicator\":\"", (unsigned long long)i, time);
    const char *kind = s_put_value(into, s_random(seed, s_value_of(seed, i), 'l'));
    nrs_buf_printf(into, "\",\"type\":\"%s\",\"confidence\":%u,\"threat\":\"%s\",\"target\":\"%s\",\"tags\":[\"%s\",\"%s\"],", kind,
                   1 + (unsigned)(random % 100), random & 4 ? "phishing" : "c2-server", PICK(s_targets, random >> 5),
                   PICK(s_tags, random >> 9), PICK(s_tags, random >> 13));
    nrs_buf_printf(into, "\"reference\":\"https://reports.example/%llx\",\"description\":\"",
                   (unsigned long long)random);
    while (into->size - start < LINE_BYTES - 4)
        nrs_buf_printf(into, "%s ", PICK(s_lures, s_random(random, into->size - start, 'd')));
    nrs_buf_put_text(into, "\"}\n");
}
