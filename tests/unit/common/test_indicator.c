#include "common/indicator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SAME = 0 };

#define HEX32 "0123456789abcdef0123456789ABCDEF"
#define hex32 "0123456789abcdef0123456789abcdef"
#define CAP32 "0123456789ABCDEF0123456789ABCDEF"

// `canonical` NULL: refused. `becomes` SAME: the kind stays.
typedef struct s_case {
    uint64_t kind;
    const char *given, *canonical;
    uint64_t becomes;
} s_case_t;

static const s_case_t s_urls[] = {
    // scheme and host in lower case, default port and fragment gone, empty path filled
    { NRS_KIND_URL, "HTTP://Login.Example.TEST", "http://login.example.test/", SAME },
    { NRS_KIND_URL, "https://a.test:443/Path?Q=1#frag", "https://a.test/Path?Q=1", SAME },
    { NRS_KIND_URL, "http://a.test:080/", "http://a.test/", SAME },
    { NRS_KIND_URL, "http://a.test:/x", "http://a.test/x", SAME },
    { NRS_KIND_URL, "http://a.test:8080?x", "http://a.test:8080/?x", SAME },
    { NRS_KIND_URL, "http://a.test:443/", "http://a.test:443/", SAME },
    { NRS_KIND_URL, "http://a.test./x", "http://a.test/x", SAME },
    { NRS_KIND_URL, "http://a_b.c-d.test/x", "http://a_b.c-d.test/x", SAME },
    { NRS_KIND_URL, "http://intranet/x", "http://intranet/x", SAME },
    // other schemes
    { NRS_KIND_URL, "tcp://192.0.2.1:4444", "tcp://192.0.2.1:4444/", SAME },
    { NRS_KIND_URL, "TFTP://192.0.2.1:69/a", "tftp://192.0.2.1/a", SAME },
    { NRS_KIND_URL, "ftp://user:Pass@files.test/a", "ftp://user:Pass@files.test/a", SAME },
    { NRS_KIND_URL, "htps://a.test/x", "htps://a.test/x", SAME },
    // who is asked is behind the last @ of the authority, whatever stands before it
    { NRS_KIND_URL, "http://bank.test@evil.test/", "http://bank.test@evil.test/", SAME },
    { NRS_KIND_URL, "http://bank%2Etest%2Flogin@evil.test/", "http://bank.test%2Flogin@evil.test/",
      SAME },
    { NRS_KIND_URL, "http://a@b@evil.test/", "http://a%40b@evil.test/", SAME },
    { NRS_KIND_URL, "http://@evil.test/", "http://evil.test/", SAME },
    { NRS_KIND_URL, "http://evil.test\\@bank.test/", "http://evil.test/@bank.test/", SAME },
    { NRS_KIND_URL, "http://evil.test/@bank.test", "http://evil.test/@bank.test", SAME },
    { NRS_KIND_URL, "http://evil.test?@bank.test", "http://evil.test/?@bank.test", SAME },
    { NRS_KIND_URL, "http://evil%2Etest/", "http://evil.test/", SAME },
    // browsers take any number of slashes, leaning either way
    { NRS_KIND_URL, "https:///evil.test/x", "https://evil.test/x", SAME },
    { NRS_KIND_URL, "https:\\\\evil.test\\a\\b?c\\d", "https://evil.test/a/b?c%5Cd", SAME },
    // addresses as hosts
    { NRS_KIND_URL, "http://[2001:DB8:0:0::1]:80/x", "http://[2001:db8::1]/x", SAME },
    { NRS_KIND_URL, "http://0xC0.0.0x2.1/", "http://192.0.2.1/", SAME },
    { NRS_KIND_URL, "http://3221225985/", "http://192.0.2.1/", SAME },
    { NRS_KIND_URL, "http://0300.0.2.01/", "http://192.0.2.1/", SAME },
    { NRS_KIND_URL, "http://192.513/", "http://192.0.2.1/", SAME },
    // what RFC 3986 does not allow is encoded; encodings get one form
    { NRS_KIND_URL, "http://a.test/a b\"<>^`{|}[]",
      "http://a.test/a%20b%22%3C%3E%5E%60%7B%7C%7D%5B%5D", SAME },
    { NRS_KIND_URL, "http://a.test/%e3%81%82%7euser%41", "http://a.test/%E3%81%82~userA", SAME },
    { NRS_KIND_URL, "http://a.test/\xe3\x81\x82", "http://a.test/%E3%81%82", SAME },
    { NRS_KIND_URL, "http://a.test/100%?%zz%4", "http://a.test/100%25?%25zz%254", SAME },
    { NRS_KIND_URL, "http://a.test/?a=1&amp;b='2'", "http://a.test/?a=1&amp;b='2'", SAME },
    { NRS_KIND_URL, "http://\xe4\xbe\x8b\xe3\x81\x88.test/", "http://xn--r8jz45g.test/", SAME },
    // around it
    { NRS_KIND_URL, " \t\xe3\x80\x80http://a.test/x\xe3\x80\x80\r\n", "http://a.test/x", SAME },
    { NRS_KIND_URL, "\xef\xbb\xbf<http://a.test/x>", "http://a.test/x", SAME },
    { NRS_KIND_URL, "\"http://a.test/x\"", "http://a.test/x", SAME },
    { NRS_KIND_URL, "http://a.test/it's'", "http://a.test/it's'", SAME },
    { NRS_KIND_URL, "http://a.test/x.", "http://a.test/x.",
      SAME }, // not defanged: the dot may be meant
    // refused
    { NRS_KIND_URL, "a.test", NULL, SAME },
    { NRS_KIND_URL, "a.test/x", NULL, SAME },
    { NRS_KIND_URL, "a.test:80/x", NULL, SAME },
    { NRS_KIND_URL, "http://", NULL, SAME },
    { NRS_KIND_URL, "https:///", NULL, SAME },
    { NRS_KIND_URL, "tcp:///x", NULL, SAME },
    { NRS_KIND_URL, "http://user@/x", NULL, SAME },
    { NRS_KIND_URL, "http://:80/", NULL, SAME },
    { NRS_KIND_URL, "http://a.test:65536/", NULL, SAME },
    { NRS_KIND_URL, "http://a.test:8o/", NULL, SAME },
    { NRS_KIND_URL, "http://a..test/", NULL, SAME },
    { NRS_KIND_URL, "http://a b.test/", NULL, SAME },
    { NRS_KIND_URL, "http://a%00.test/", NULL, SAME },
    { NRS_KIND_URL, "http://a%2fb.test/", NULL, SAME },
    { NRS_KIND_URL, "http://[2001:db8::1/", NULL, SAME },
    { NRS_KIND_URL, "http://[192.0.2.1]/", NULL, SAME },
    { NRS_KIND_URL, "http://[2001:db8::1]x/", NULL, SAME },
    { NRS_KIND_URL, "http://2001:db8::1/", NULL, SAME },
    { NRS_KIND_URL, "http://192.0.2.256/", NULL, SAME },
    { NRS_KIND_URL, "http://1.2.3.4.5/", NULL, SAME },
    { NRS_KIND_URL, "http://a.test/\x01", NULL, SAME },
    { NRS_KIND_URL, "http://a.test/a\nb", NULL, SAME },
    { NRS_KIND_URL, "http://a.test/\xff", NULL, SAME },
    { NRS_KIND_URL, "javascript:alert(1)", NULL, SAME },
    { NRS_KIND_URL, "1http://a.test/", NULL, SAME },
    { NRS_KIND_URL, "", NULL, SAME },
    { NRS_KIND_URL, "  ", NULL, SAME },
};

static const s_case_t s_defanged[] = {
    { NRS_KIND_URL, "hxxp://evil[.]test/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "hXXps://evil(.)test/x", "https://evil.test/x", SAME },
    { NRS_KIND_URL, "meow://evil{.}test/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "fxp://evil[dot]test/x", "ftp://evil.test/x", SAME },
    { NRS_KIND_URL, "h**p://evil(dot)test/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "http[:]//evil.test", "http://evil.test/", SAME },
    { NRS_KIND_URL, "http[://]evil.test", "http://evil.test/", SAME },
    { NRS_KIND_URL, "hxxp:\\\\evil.test", "http://evil.test/", SAME },
    { NRS_KIND_URL, "http:[/][/]evil[.test[/]x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "http://evil . test/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "http://evil dot test/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "http://evil\xef\xbc\x8etest/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "http://ev\xe2\x80\x8bil.test/x", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "hxxp://192[.]0[.]2[.]1[:]8080/x", "http://192.0.2.1:8080/x", SAME },
    { NRS_KIND_URL, "hxxp://[2001:db8::1]/x", "http://[2001:db8::1]/x", SAME },
    { NRS_KIND_URL, "hxxp://bank.test[@]evil.test/", "http://bank.test@evil.test/", SAME },
    { NRS_KIND_URL, "hxxp://evil.test/x.", "http://evil.test/x", SAME },
    { NRS_KIND_URL, "http://evil\\.test/x", "http://evil/.test/x", SAME }, // a browser's slash
    // never in path or query
    { NRS_KIND_URL, "http://a.test/b[.]c", "http://a.test/b%5B.%5Dc", SAME },
    { NRS_KIND_URL, "hxxp://a[.]test/b[.]c?d[.]e", "http://a.test/b%5B.%5Dc?d%5B.%5De", SAME },
    { NRS_KIND_DOMAIN, "evil[.]test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "evil [dot] test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "evil DOT test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "evil\\.test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "evil.]test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "evil\xe3\x80\x82test", "evil.test", SAME },
    { NRS_KIND_IPV4, "192[.]0[.]2[.]1", "192.0.2.1", SAME },
    { NRS_KIND_IPV4, "192.0.2[.1", "192.0.2.1", SAME },
    { NRS_KIND_IPV6, "2001[:]db8[:][:]1", "2001:db8::1", SAME },
    { NRS_KIND_EMAIL, "a[at]evil[.]test", "a@evil.test", SAME },
    { NRS_KIND_EMAIL, "a.b(@)evil(dot)test", "a.b@evil.test", SAME },
    { NRS_KIND_EMAIL, "a at evil dot test", "a@evil.test", SAME },
};

static const s_case_t s_names[] = {
    { NRS_KIND_DOMAIN, "Evil.Test.", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "evil.test...", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "*.evil.test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, ".evil.test", "evil.test", SAME },
    { NRS_KIND_DOMAIN, "a_b.test", "a_b.test", SAME },
    { NRS_KIND_DOMAIN, "'evil.test'", "evil.test", SAME },
    { NRS_KIND_DOMAIN,
      "\xe3\x80\x8c"
      "evil.test\xe3\x80\x8d",
      "evil.test", SAME },
    { NRS_KIND_DOMAIN,
      "b\xc3\xbc"
      "cher.test",
      "xn--bcher-kva.test", SAME },
    { NRS_KIND_DOMAIN, "192.0.2.1", "192.0.2.1", NRS_KIND_IPV4 },
    { NRS_KIND_DOMAIN, "192.0.2.300", NULL, SAME },
    { NRS_KIND_DOMAIN, "1.2.3", NULL, SAME },
    { NRS_KIND_DOMAIN, "localhost", NULL, SAME },
    { NRS_KIND_DOMAIN, "evil.test:80", NULL, SAME },
    { NRS_KIND_DOMAIN, "evil.test/x", NULL, SAME },
    { NRS_KIND_DOMAIN, "http://evil.test", NULL, SAME },
    { NRS_KIND_DOMAIN, "*", NULL, SAME },
    { NRS_KIND_DOMAIN, "a*.evil.test", NULL, SAME },
    { NRS_KIND_DOMAIN, "...", NULL, SAME },
    { NRS_KIND_IPV4, "192.0.2.1/32", "192.0.2.1", SAME },
    { NRS_KIND_IPV4, "192.0.2.77/24", "192.0.2.0/24", NRS_KIND_CIDR },
    { NRS_KIND_IPV4, "2001:DB8::0:1", "2001:db8::1", NRS_KIND_IPV6 },
    { NRS_KIND_IPV4, "::ffff:192.0.2.1", "192.0.2.1", SAME },
    { NRS_KIND_IPV6, "[2001:db8::1]", "2001:db8::1", SAME },
    { NRS_KIND_IPV6, "2001:db8::1/128", "2001:db8::1", SAME },
    { NRS_KIND_IPV6, "2001:db8::1/64", "2001:db8::/64", NRS_KIND_CIDR },
    { NRS_KIND_CIDR, "192.0.2.1", "192.0.2.1", NRS_KIND_IPV4 },
    { NRS_KIND_CIDR, "192.0.2.0/33", NULL, SAME },
    { NRS_KIND_IPV4, "192.0.2.1:80", NULL, SAME },
    { NRS_KIND_IPV4, "192.0.02.1", NULL, SAME },
    { NRS_KIND_IPV4, "192.0.2", NULL, SAME },
    { NRS_KIND_IPV4, "evil.test", NULL, SAME },
    { NRS_KIND_EMAIL, "Some.One@Evil.TEST", "Some.One@evil.test", SAME },
    { NRS_KIND_EMAIL, "<a@evil.test>", "a@evil.test", SAME },
    { NRS_KIND_EMAIL, "mailto:a@evil.test", "a@evil.test", SAME },
    { NRS_KIND_EMAIL, "a@[192.0.2.1]", "a@[192.0.2.1]", SAME },
    { NRS_KIND_EMAIL, "a@[ipv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]", SAME },
    { NRS_KIND_EMAIL, "a@[evil.test]", NULL, SAME },
    { NRS_KIND_EMAIL, "a@b@evil.test", NULL, SAME },
    { NRS_KIND_EMAIL, "phishing@pot", NULL, SAME },
    { NRS_KIND_EMAIL, "@evil.test", NULL, SAME },
    { NRS_KIND_EMAIL, "a b@evil.test", NULL, SAME },
    { NRS_KIND_EMAIL, "a@192.0.2.1", NULL, SAME },
    { NRS_KIND_EMAIL, "a@", NULL, SAME },
    { NRS_KIND_EMAIL, "evil.test", NULL, SAME },
};

static const s_case_t s_tokens[] = {
    { NRS_KIND_MD5, HEX32, hex32, SAME },
    { NRS_KIND_MD5, "'" HEX32 "'", hex32, SAME },
    { NRS_KIND_MD5, HEX32 "0", NULL, SAME },
    { NRS_KIND_MD5, "0123456789abcdef0123456789abcdeg", NULL, SAME },
    { NRS_KIND_SHA1, HEX32 "01234567", hex32 "01234567", SAME },
    { NRS_KIND_SHA1, HEX32 HEX32, NULL, SAME }, // the label and the length contradict each other
    { NRS_KIND_SHA256, HEX32 HEX32, hex32 hex32, SAME },
    { NRS_KIND_SHA512, HEX32 HEX32 HEX32 HEX32, hex32 hex32 hex32 hex32, SAME },
    { NRS_KIND_SSDEEP, "96:AbC+d/e:Fgh", "96:AbC+d/e:Fgh", SAME },
    { NRS_KIND_SSDEEP, "96:abc", NULL, SAME },
    { NRS_KIND_SSDEEP, "x:abc:def", NULL, SAME },
    { NRS_KIND_TLSH, hex32 hex32 "abcdef", "T1" CAP32 CAP32 "ABCDEF", SAME },
    { NRS_KIND_TLSH, "t1" hex32 hex32 "abcdef", "T1" CAP32 CAP32 "ABCDEF", SAME },
    { NRS_KIND_TLSH, hex32, NULL, SAME },
    { NRS_KIND_CERTIFICATE, "AA:bb:CC:dd:EE:ff:00:11:22:33:44:55:66:77:88:99:00:11:22:33",
      "aabbccddeeff00112233445566778899"
      "00112233",
      SAME },
    { NRS_KIND_CERTIFICATE, HEX32 HEX32, hex32 hex32, SAME },
    { NRS_KIND_CERTIFICATE, HEX32, NULL, SAME },
    { NRS_KIND_ASN, "AS64496", "64496", SAME },
    { NRS_KIND_ASN, "asn 64496", "64496", SAME },
    { NRS_KIND_ASN, "4294967295", "4294967295", SAME },
    { NRS_KIND_ASN, "4294967296", NULL, SAME },
    { NRS_KIND_ASN, "99999999999999999999999", NULL, SAME },
    { NRS_KIND_ASN, "0", NULL, SAME },
    { NRS_KIND_ASN, "AS", NULL, SAME },
    { NRS_KIND_CVE, "cve-2031-0001", "CVE-2031-0001", SAME },
    { NRS_KIND_CVE, "CVE-2031-1234567", "CVE-2031-1234567", SAME },
    { NRS_KIND_CVE, "CVE-2031-001", NULL, SAME },
    { NRS_KIND_CVE, "2031-0001", NULL, SAME },
    { NRS_KIND_ATTACK, "t1566", "T1566", SAME },
    { NRS_KIND_ATTACK, "T1566.002", "T1566.002", SAME },
    { NRS_KIND_ATTACK, "T156", NULL, SAME },
    { NRS_KIND_ATTACK, "T1566.02", NULL, SAME },
    { NRS_KIND_PHONE, "+81 (0)3-0000-1234", "+81300001234", SAME },
    { NRS_KIND_PHONE, "(03) 0000.1234", "0300001234", SAME },
    { NRS_KIND_PHONE,
      "\xef\xbc\x90\xef\xbc\x93\xe2\x88\x92\xef\xbc\x91\xef\xbc\x92\xef\xbc\x93\xef\xbc\x94",
      "031234", SAME },
    { NRS_KIND_PHONE, "tel:110", "110", SAME },
    { NRS_KIND_PHONE, "12", NULL, SAME },
    { NRS_KIND_PHONE, "1234567890123456", NULL, SAME },
    { NRS_KIND_PHONE, "0120-CALL", NULL, SAME },
    { NRS_KIND_BANK_ACCOUNT, "gb82 west 1234-5698 7654 32", "GB82WEST12345698765432", SAME },
    { NRS_KIND_BANK_ACCOUNT, "GB82 WEST 1234 5698 7654 33", NULL, SAME },
    { NRS_KIND_BANK_ACCOUNT, "9999-001-1-0000001", "999900110000001", SAME },
    { NRS_KIND_BANK_ACCOUNT, "1234", NULL, SAME },
    { NRS_KIND_BANK_ACCOUNT, "account 12345", NULL, SAME },
    { NRS_KIND_CARD_BIN, "4000 00", "400000", SAME },
    { NRS_KIND_CARD_BIN, "4000-0012", "40000012", SAME },
    { NRS_KIND_CARD_BIN, "4000001234567899", NULL,
      SAME }, // a whole card number has no business here
    { NRS_KIND_CRYPTO_ADDRESS, "0x52908400098527886E0F7030069857D2E4169EE7",
      "0x52908400098527886e0f7030069857d2e4169ee7", SAME },
    { NRS_KIND_CRYPTO_ADDRESS, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
      "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", SAME },
    { NRS_KIND_CRYPTO_ADDRESS, "1AbCdEfGhJkLmNpQrStUvWxYz12345678",
      "1AbCdEfGhJkLmNpQrStUvWxYz12345678", SAME },
    { NRS_KIND_CRYPTO_ADDRESS, "short", NULL, SAME },
    { NRS_KIND_CRYPTO_ADDRESS, "1AbCdEfGhJkLmNpQrStUvWxYz12345678!", NULL, SAME },
};

static const s_case_t s_texts[] = {
    { NRS_KIND_FILE_NAME, " \xe8\xab\x8b\xe6\xb1\x82\xe6\x9b\xb8.pdf.exe ",
      "\xe8\xab\x8b\xe6\xb1\x82\xe6\x9b\xb8.pdf.exe", SAME },
    { NRS_KIND_MUTEX, "\"Global\\x\"", "\"Global\\x\"", SAME },
    { NRS_KIND_USER_AGENT, "Mozilla/5.0 (x)", "Mozilla/5.0 (x)", SAME },
    { NRS_KIND_REGISTRY_KEY, "HKCU\\Software\\x[.]y", "HKCU\\Software\\x[.]y", SAME },
    { NRS_KIND_LURE, "\xe3\x80\x80\xe6\xa5\xbd\xe8\xb2\xa8\xe5\xba\x97",
      "\xe6\xa5\xbd\xe8\xb2\xa8\xe5\xba\x97", SAME },
    { NRS_KIND_YARA, "rule a {\n\tcondition: true\r\n}\n", "rule a {\n\tcondition: true\r\n}",
      SAME },
    { NRS_KIND_MUTEX, "a\nb", NULL, SAME },
    { NRS_KIND_TEXT, "a\x01", NULL, SAME },
    { NRS_KIND_TEXT, "\xe3\x80", NULL, SAME },
    { NRS_KIND_TEXT, "\xe3\x80\x80 ", NULL, SAME },
    { 0, "a", NULL, SAME },
    { NRS_KIND_TEXT + 1, "a", NULL, SAME },
    { UINT64_MAX, "a", NULL, SAME },
};

// The canonical form is its own canonical form, refanged or not.
static void
s_assert_settled(uint64_t kind, nrs_bytes_t canonical)
{
    nrs_buf_t again = { 0 };
    for (int refang = 0; refang < 2; refang++) {
        uint64_t becomes = 0;
        again.size = 0;
        assert_int_equal(nrs_indicator_canonical(kind, canonical, refang, &again, &becomes, NULL),
                         NRS_OK);
        assert_int_equal(becomes, kind);
        if (!nrs_bytes_equal(canonical, nrs_buf_bytes(&again)))
            fail_msg("%.*s is not settled: %s", (int)canonical.size, (const char *)canonical.data,
                     nrs_buf_cstr(&again));
    }
    nrs_buf_free(&again);
}

static void
s_run(const s_case_t *cases, size_t count)
{
    nrs_buf_t out = { 0 };
    for (size_t i = 0; i < count; i++) {
        const s_case_t *c = &cases[i];
        nrs_problem_t problem = { 0 };
        uint64_t becomes = 0;
        out.size = 0;
        nrs_buf_put_text(&out, "<");
        nrs_err_t err =
            nrs_indicator_canonical(c->kind, nrs_text(c->given), true, &out, &becomes, &problem);
        if ((err == NRS_OK) != (c->canonical != NULL))
            fail_msg("%s: %s %s", c->given, nrs_err_name(err), problem.text);
        if (err) {
            assert_int_equal(err, NRS_E_FORMAT);
            assert_int_equal(out.size, 1);
            assert_true(problem.text[0] != 0);
            continue;
        }
        assert_string_equal(nrs_buf_cstr(&out) + 1, c->canonical);
        assert_int_equal(becomes, c->becomes ? c->becomes : c->kind);
        s_assert_settled(becomes, nrs_bytes(out.data + 1, out.size - 1));
    }
    nrs_buf_free(&out);
}

#define RUN(cases) s_run(cases, sizeof cases / sizeof cases[0])

static void
test_indicator_gives_urls_one_form(void **state)
{
    (void)state;
    RUN(s_urls);
}

static void
test_indicator_refangs_hosts_and_never_paths(void **state)
{
    (void)state;
    RUN(s_defanged);
}

static void
test_indicator_gives_names_and_addresses_one_form(void **state)
{
    (void)state;
    RUN(s_names);
}

static void
test_indicator_gives_tokens_one_form(void **state)
{
    (void)state;
    RUN(s_tokens);
}

static void
test_indicator_keeps_texts(void **state)
{
    (void)state;
    RUN(s_texts);
}

static void
test_indicator_refangs_only_when_asked(void **state)
{
    (void)state;
    nrs_buf_t out = { 0 };
    uint64_t kind;
    assert_int_equal(
        nrs_indicator_canonical(NRS_KIND_DOMAIN, nrs_text("evil[.]test"), false, &out, &kind, NULL),
        NRS_E_FORMAT);
    assert_int_equal(nrs_indicator_canonical(NRS_KIND_URL, nrs_text("hxxp://evil.test/x."), false,
                                             &out, &kind, NULL),
                     NRS_OK);
    assert_string_equal(nrs_buf_cstr(&out), "hxxp://evil.test/x.");
    nrs_buf_free(&out);
}

static void
test_indicator_bounds_lengths(void **state)
{
    (void)state;
    enum { MAX = 8192 };
    char *text = malloc(MAX + 2);
    assert_non_null(text);
    memset(text, 'a', MAX + 1);
    nrs_buf_t out = { 0 };
    uint64_t kind;
    assert_int_equal(
        nrs_indicator_canonical(NRS_KIND_TEXT, nrs_bytes(text, MAX), true, &out, &kind, NULL),
        NRS_OK);
    assert_int_equal(
        nrs_indicator_canonical(NRS_KIND_TEXT, nrs_bytes(text, MAX + 1), true, &out, &kind, NULL),
        NRS_E_LIMIT);
    out.size = 0;
    // Encoding makes it too long.
    memset(text, ' ', MAX);
    memcpy(text, "http://a.test/", 14);
    text[MAX - 1] = 'z';
    assert_int_equal(
        nrs_indicator_canonical(NRS_KIND_URL, nrs_bytes(text, MAX), true, &out, &kind, NULL),
        NRS_E_LIMIT);
    assert_int_equal(out.size, 0);
    // A NUL is a control character too.
    assert_int_equal(
        nrs_indicator_canonical(NRS_KIND_TEXT, nrs_bytes("a\0b", 3), true, &out, &kind, NULL),
        NRS_E_FORMAT);
    nrs_buf_free(&out);
    free(text);
}

static void
test_indicator_guesses_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t kind;
    } cases[] = {
        { "http://a.test/x", NRS_KIND_URL },
        { "hxxp[:]//a[.]test", NRS_KIND_URL },
        { "192.0.2.1", NRS_KIND_IPV4 },
        { "192.0.2[.]1", NRS_KIND_IPV4 },
        { "192.0.2.0/24", NRS_KIND_CIDR },
        { "2001:db8::1", NRS_KIND_IPV6 },
        { "2001:db8::/32", NRS_KIND_CIDR },
        { "a@b.test", NRS_KIND_EMAIL },
        { "a[at]b[.]test", NRS_KIND_EMAIL },
        { "a AT b dot test", NRS_KIND_EMAIL },
        { HEX32, NRS_KIND_MD5 },
        { HEX32 "01234567", NRS_KIND_SHA1 },
        { HEX32 HEX32, NRS_KIND_SHA256 },
        { HEX32 HEX32 HEX32 HEX32, NRS_KIND_SHA512 },
        { "cve-2031-0001", NRS_KIND_CVE },
        { "T1566", NRS_KIND_ATTACK },
        { "AS64496", NRS_KIND_ASN },
        { "64496", 0 },
        { "evil.test", NRS_KIND_DOMAIN },
        { " evil[.]test ", NRS_KIND_DOMAIN },
        { "localhost", 0 },
        { "some words", 0 },
        { "C:\\temp\\x", 0 },
        { "", 0 },
        { "192.0.2.1:80", 0 },
        { "asia.test", NRS_KIND_DOMAIN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t kind = nrs_indicator_guess(nrs_text(cases[i].text));
        if (kind != cases[i].kind)
            fail_msg("%s: %u", cases[i].text, (unsigned)kind);
    }
    assert_int_equal(nrs_indicator_guess(NRS_NONE), 0);
}

static void
test_indicator_knows_the_words_of_feeds(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint64_t kind;
    } cases[] = {
        { "fqdn", NRS_KIND_DOMAIN },
        { "ip", NRS_KIND_IPV4 },
        { "ip-dst", NRS_KIND_IPV4 },
        { "hostname", NRS_KIND_DOMAIN },
        { "md5_hash", NRS_KIND_MD5 },
        { "domain-name", NRS_KIND_DOMAIN },
        { "FileHash-SHA256", NRS_KIND_SHA256 },
        { "Intel::ADDR", NRS_KIND_IPV4 },
        { "source.url", NRS_KIND_URL },
        { "envelope_from", NRS_KIND_EMAIL },
        { " URL ", NRS_KIND_URL },
        { "User Agent", NRS_KIND_USER_AGENT },
        { "address", NRS_KIND_IPV4 },
        { "yara-rule", NRS_KIND_YARA },
        { "nonsense", 0 },
        { "", 0 },
        { "a-word-that-is-much-longer-than-any-that-a-feed-has", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (nrs_indicator_kind_word(nrs_text(cases[i].word)) != cases[i].kind)
            fail_msg("%s", cases[i].word);
    }
    // Every kind is known by its own name.
    for (uint64_t kind = 1; kind <= NRS_KIND_TEXT; kind++)
        assert_int_equal(nrs_indicator_kind_word(nrs_text(nrs_enum_word(NRS_ENUM_KIND, kind))),
                         kind);
}

static void
test_indicator_finds_the_host(void **state)
{
    (void)state;
    static const struct {
        uint64_t kind;
        const char *value, *host;
    } cases[] = {
        { NRS_KIND_URL, "http://evil.test/x@y:z", "evil.test" },
        { NRS_KIND_URL, "http://bank.test@evil.test:8080/x", "evil.test" },
        { NRS_KIND_URL, "http://u:p@[2001:db8::1]:8080/", "2001:db8::1" },
        { NRS_KIND_URL, "tcp://192.0.2.1:4444/", "192.0.2.1" },
        { NRS_KIND_URL, "nonsense", "" },
        { NRS_KIND_EMAIL, "a@evil.test", "evil.test" },
        { NRS_KIND_EMAIL, "a@[192.0.2.1]", "192.0.2.1" },
        { NRS_KIND_EMAIL, "a@[IPv6:2001:db8::1]", "2001:db8::1" },
        { NRS_KIND_EMAIL, "nonsense", "" },
        { NRS_KIND_DOMAIN, "evil.test", "evil.test" },
        { NRS_KIND_IPV4, "192.0.2.1", "" },
        { NRS_KIND_MD5, hex32, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nrs_bytes_t host = nrs_indicator_host(cases[i].kind, nrs_text(cases[i].value));
        if (!nrs_bytes_is(host, cases[i].host))
            fail_msg("%s: %.*s", cases[i].value, (int)host.size, (const char *)host.data);
    }
    assert_int_equal(nrs_indicator_host(NRS_KIND_URL, NRS_NONE).size, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indicator_gives_urls_one_form),
        cmocka_unit_test(test_indicator_refangs_hosts_and_never_paths),
        cmocka_unit_test(test_indicator_gives_names_and_addresses_one_form),
        cmocka_unit_test(test_indicator_gives_tokens_one_form),
        cmocka_unit_test(test_indicator_keeps_texts),
        cmocka_unit_test(test_indicator_refangs_only_when_asked),
        cmocka_unit_test(test_indicator_bounds_lengths),
        cmocka_unit_test(test_indicator_guesses_kinds),
        cmocka_unit_test(test_indicator_knows_the_words_of_feeds),
        cmocka_unit_test(test_indicator_finds_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
