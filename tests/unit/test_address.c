/* Addresses as text: what is one, what is none, and how one is written. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

static bool parse(const char *text, turbohttp_address *address) {
    guard g = guard_copy(text, strlen(text));
    bool is_address = tbh_address_parse(tbh_span((const char *)g.data, g.length), address);
    guard_free(&g);
    return is_address;
}

static void S_71_ipv4_is_four_decimal_numbers(void) {
    static const struct {
        const char *text;
        uint8_t bytes[4];
    } rows[] = {{"0.0.0.0", {0, 0, 0, 0}},
                {"127.0.0.1", {127, 0, 0, 1}},
                {"255.255.255.255", {255, 255, 255, 255}},
                {"192.0.2.99", {192, 0, 2, 99}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        turbohttp_address address;
        CHECK(parse(rows[i].text, &address));
        CHECK_INT(address.family, 4);
        CHECK(memcmp(address.bytes, rows[i].bytes, 4) == 0);
    }
}

static void S_71_other_spellings_of_ipv4_are_no_addresses(void) {
    static const char *const texts[] = {
        "",        "1",         "1.2",       "1.2.3",        "1.2.3.4.5", "256.0.0.1",  "1.2.3.256",
        "01.2.3.4", "1.2.3.00", "0x7f.0.0.1", "127.1",       "2130706433", "1.2.3.4.",  ".1.2.3.4",
        "1..2.3",  "1.2.3.4 ",  " 1.2.3.4",  "+1.2.3.4",     "1.2.3.-4",  "1.2.3.4/8",  "1.2.3.a",
        "1.2.3.1000", "1,2,3,4", "1.2.3.4:80", "1.2.3.",     "1.2.3.0256"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        turbohttp_address address;
        CHECK(!parse(texts[i], &address));
    }
}

static void ipv6_in_all_its_forms(void) {
    static const struct {
        const char *text;
        uint8_t bytes[16];
    } rows[] = {
        {"::", {0}},
        {"::1", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
        {"1::", {0, 1}},
        {"2001:db8::7", {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}},
        {"2001:DB8::A", {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10}},
        {"1:2:3:4:5:6:7:8", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}},
        {"1:2:3:4:5:6:7::", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0}},
        {"::2:3:4:5:6:7:8", {0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}},
        {"::ffff:192.0.2.1", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}},
        {"64:ff9b::192.0.2.1", {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1}},
        {"1:2:3:4:5:6:1.2.3.4", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4}},
        {"0001:0:00::", {0, 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        turbohttp_address address;
        CHECK(parse(rows[i].text, &address));
        CHECK_INT(address.family, 6);
        CHECK_INT(address.scope, 0);
        if (memcmp(address.bytes, rows[i].bytes, 16) != 0) printf("%s\n", rows[i].text);
        CHECK(memcmp(address.bytes, rows[i].bytes, 16) == 0);
    }
}

static void malformed_ipv6_is_no_address(void) {
    static const char *const texts[] = {
        ":",          ":::",        "1:",          ":1",        "1:2:3:4:5:6:7",   "1:2:3:4:5:6:7:8:9",
        "::1::",      "1::2::3",    "12345::",     "::g",       "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "[::1]",      "::1%1",      "::1.2.3",     "::1.2.3.4.5", "1.2.3.4::",     "::1.2.3.256",
        "1:2:3:4:5:6:7:1.2.3.4",    "::1.2.3.4:5", "1:::2",     " ::1",            "::1 ",
        "::-1",       "1:2:3:4:5:6::7:8:9"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        turbohttp_address address;
        if (parse(texts[i], &address)) printf("%s\n", texts[i]);
        CHECK(!parse(texts[i], &address));
    }
}

static void addresses_are_written_as_rfc_5952_says(void) {
    static const struct {
        const char *text, *written;
    } rows[] = {{"127.0.0.1", "127.0.0.1"},
                {"255.255.255.255", "255.255.255.255"},
                {"::", "::"},
                {"::1", "::1"},
                {"1::", "1::"},
                {"2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},      /* the first of equal runs */
                {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},    /* one group is not a run */
                {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},             /* the longest run */
                {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
                {"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
                {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
                {"00ab:0:0:0:0:0:0:0cde", "ab::cde"},
                {"FFFF:FFFF:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        turbohttp_address address;
        guard g = guard_alloc(46);
        CHECK(parse(rows[i].text, &address));
        size_t n = tbh_address_format(&address, (char *)g.data);
        CHECK_TEXT(g.data, n, rows[i].written);
        CHECK_INT(g.data[n], 0);
        guard_free(&g);
    }
}

static void what_is_written_can_be_parsed_again(void) {
    unsigned seed = 7;
    for (int i = 0; i < 100000; i++) {
        turbohttp_address before, after;
        char text[46];
        memset(&before, 0, sizeof before);
        before.family = i & 1 ? 6 : 4;
        for (int k = 0; k < (before.family == 6 ? 16 : 4); k++) {
            seed = seed * 1103515245u + 12345u;
            before.bytes[k] = seed >> 30 ? 0 : (uint8_t)(seed >> 16); /* runs of zeros are common */
        }
        size_t n = tbh_address_format(&before, text);
        CHECK(n < sizeof text && tbh_address_parse(tbh_span(text, n), &after));
        CHECK(memcmp(&before, &after, sizeof before) == 0);
    }
}

static bool is_private(const char *text) {
    turbohttp_address address;
    memset(&address, 0, sizeof address);
    CHECK(tbh_address_parse(tbh_span_of(text), &address));
    return turbohttp_address_is_private(&address);
}

/* The first and the last address of each block, and its neighbours where those are public. */
static void S_72_private_addresses(void) {
    static const char *const inside[] = {
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
        "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255",
        "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255",
        "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
        "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255",
        "::", "::1", "::7f00:1", "::10.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:0:192.168.0.1", "64:ff9b::127.0.0.1",
        "64:ff9b::10.1.2.3", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::1",
        "100::1", "2001::1", "2001:0:ffff::1", "2001:10::1", "2001:2f:ffff::", "2001:db8::1",
        "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:1::", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::",
        "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff02::1", "ffff::"};
    static const char *const outside[] = {
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
        "192.0.1.0", "192.0.3.0", "192.88.98.1", "192.88.100.1", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "198.51.99.1", "198.51.101.1", "203.0.112.1", "203.0.114.1",
        "223.255.255.255", "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:2::1", "101::1",
        "2001:1::1", "2001:30::1", "2001:db7::1", "2001:db9::1", "2001:4860:4860::8888",
        "2002:808:808::1", "3ffe::1", "3fff:1000::1", "5eff::1", "5f01::1", "fbff::1", "fe00::1",
        "fe7f::1", "2606:4700::1111"};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        if (!is_private(inside[i])) printf("%s should be private\n", inside[i]);
        CHECK(is_private(inside[i]));
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        if (is_private(outside[i])) printf("%s should be public\n", outside[i]);
        CHECK(!is_private(outside[i]));
    }
    turbohttp_address nothing;
    memset(&nothing, 0, sizeof nothing);
    CHECK(turbohttp_address_is_private(&nothing));
}

static const check_test tests[] = {
    CHECK_TEST(S_71_ipv4_is_four_decimal_numbers),
    CHECK_TEST(S_71_other_spellings_of_ipv4_are_no_addresses),
    CHECK_TEST(ipv6_in_all_its_forms),
    CHECK_TEST(malformed_ipv6_is_no_address),
    CHECK_TEST(addresses_are_written_as_rfc_5952_says),
    CHECK_TEST(S_72_private_addresses),
    CHECK_TEST(what_is_written_can_be_parsed_again),
};
CHECK_MAIN(tests)
