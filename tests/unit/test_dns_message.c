/* DNS messages: what is sent, what is believed, and what is passed over. Every message is parsed
 * at the end of a guard page. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

static const uint8_t bits[TBH_DNS_RANDOM_BYTES] = {0x12, 0x34, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};

static tbh_dns_query ask(const char *name, uint16_t type) {
    tbh_dns_query query;
    tbh_dns_query_build(&query, tbh_span_of(name), type, bits, true);
    return query;
}

/* ------------------------------------------------------------ making messages */
typedef struct message {
    uint8_t bytes[4096];
    size_t length;
} message;

static void put(message *m, const void *bytes, size_t n) {
    memcpy(m->bytes + m->length, bytes, n);
    m->length += n;
}

static void put16(message *m, unsigned v) {
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(m, b, 2);
}

static void put_name(message *m, const char *name) {
    while (*name) {
        size_t n = strcspn(name, ".");
        uint8_t length = (uint8_t)n;
        put(m, &length, 1);
        put(m, name, n);
        name += n + (name[n] == '.');
    }
    put(m, "", 1);
}

/* Header and question, with `count` answers announced. */
static message reply(const tbh_dns_query *query, unsigned flags, unsigned count) {
    message m;
    m.length = 0;
    put(&m, query->bytes + 2, query->question_end);
    m.bytes[2] = (uint8_t)(flags >> 8);
    m.bytes[3] = (uint8_t)flags;
    m.bytes[6] = (uint8_t)(count >> 8);
    m.bytes[7] = (uint8_t)count;
    m.bytes[11] = 0;
    return m;
}

static void put_fields(message *m, unsigned type, unsigned class_code, unsigned long ttl, size_t n) {
    put16(m, type);
    put16(m, class_code);
    put16(m, (unsigned)(ttl >> 16));
    put16(m, (unsigned)(ttl & 0xffff));
    put16(m, (unsigned)n);
}

/* A record whose owner is a pointer to `owner`. */
static void put_record(message *m, unsigned owner, unsigned type, unsigned long ttl,
                       const void *data, size_t n) {
    put16(m, 0xc000 | owner);
    put_fields(m, type, 1, ttl, n);
    put(m, data, n);
}

static void put_v4(message *m, unsigned owner, unsigned last, unsigned long ttl) {
    uint8_t address[4] = {192, 0, 2, (uint8_t)last};
    put_record(m, owner, 1, ttl, address, 4);
}

/* Returns where the target's name stands. */
static unsigned put_alias(message *m, unsigned owner, const char *target, unsigned long ttl) {
    message name;
    name.length = 0;
    put_name(&name, target);
    put_record(m, owner, 5, ttl, name.bytes, name.length);
    return (unsigned)(m->length - name.length);
}

static tbh_dns_verdict parse(const tbh_dns_query *query, const message *m, tbh_dns_answer *answer) {
    guard g = guard_copy(m->bytes, m->length);
    tbh_dns_verdict verdict = tbh_dns_answer_parse(query, g.data, g.length, answer);
    guard_free(&g);
    return verdict;
}

static tbh_dns_verdict verdict_of(const tbh_dns_query *query, const message *m) {
    tbh_dns_answer answer;
    return parse(query, m, &answer);
}

enum { GOOD = 0x8180, AA = 0x8580 };

/* ------------------------------------------------------------ queries */
static void a_query_has_the_id_the_name_and_edns(void) {
    static const uint8_t expected[] = "\0\x29\x12\x34\1\0\0\1\0\0\0\0\0\1\4GaMe\7eXaMpLe"
                                      "\0\0\x1c\0\1\0\0\x29\4\xd0\0\0\0\0\0";
    tbh_dns_query query;
    uint8_t random[TBH_DNS_RANDOM_BYTES];
    memset(random, 0x55, sizeof random);
    random[0] = 0x12, random[1] = 0x34;
    tbh_dns_query_build(&query, tbh_span_of("game.example"), TBH_DNS_AAAA, random, true);
    CHECK_INT(query.length + 2, sizeof expected);
    CHECK_INT(tbh_load16_be(query.bytes), query.length);
    CHECK(memcmp(query.bytes + 2, expected + 2, query.length) == 0);
    CHECK_INT(query.question_end, 12 + 14 + 4);
}

static void without_edns_nothing_follows_the_question(void) {
    tbh_dns_query query;
    tbh_dns_query_build(&query, tbh_span_of("a.b"), TBH_DNS_A, bits, false);
    CHECK_INT(query.length, query.question_end);
    CHECK_INT(query.bytes[2 + 11], 0);
}

static void S_74_the_case_of_letters_follows_the_random_bits(void) {
    uint8_t random[TBH_DNS_RANDOM_BYTES];
    tbh_dns_query query;
    memset(random, 0xff, sizeof random);
    tbh_dns_query_build(&query, tbh_span_of("a-b_1.Zz"), TBH_DNS_A, random, true);
    CHECK(memcmp(query.bytes + 14, "\5A-B_1\2zZ", 9) == 0);
    memset(random, 0, sizeof random);
    tbh_dns_query_build(&query, tbh_span_of("a-b_1.Zz"), TBH_DNS_A, random, true);
    CHECK(memcmp(query.bytes + 14, "\5a-b_1\2Zz", 9) == 0);
}

static void the_longest_name_fits_the_query(void) {
    char name[254];
    tbh_dns_query query;
    memset(name, 'x', 253);
    for (int i = 63; i < 253; i += 64) name[i] = '.';
    name[253] = 0;
    CHECK(tbh_dns_is_name(tbh_span(name, 253)));
    tbh_dns_query_build(&query, tbh_span(name, 253), TBH_DNS_A, bits, true);
    CHECK_INT(query.length + 2, TBH_DNS_QUERY_BYTES);
    message m = reply(&query, GOOD, 1);
    put_v4(&m, 12, 1, 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_ADDRESSES);
}

static void names_are_checked(void) {
    static const char *const good[] = {"a", "a.b", "xn--bcher-kva.example", "_sip._tcp.a", "1.2"};
    static const char *const bad[] = {"",    ".",    "a.",     ".a",     "a..b", "a b", "a/b",
                                      "a:b", "a\\b", "a\x01b", "b\xc3x", "a@b",  "*"};
    char label[65];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(tbh_dns_is_name(tbh_span_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!tbh_dns_is_name(tbh_span_of(bad[i])));
    memset(label, 'a', sizeof label);
    CHECK(tbh_dns_is_name(tbh_span(label, 63)));
    CHECK(!tbh_dns_is_name(tbh_span(label, 64)));
    CHECK(!tbh_dns_is_name(tbh_span("a\0b", 3)));
}

static void names_of_254_bytes_are_refused(void) {
    char name[254];
    memset(name, 'x', sizeof name);
    for (int i = 1; i < 254; i += 2) name[i] = '.';
    CHECK(tbh_dns_is_name(tbh_span(name, 253)));
    name[253] = 'x', name[252] = 'x';
    CHECK(!tbh_dns_is_name(tbh_span(name, 254)));
}

/* ------------------------------------------------------------ answers that count */
static void addresses_are_taken_with_the_least_ttl(void) {
    tbh_dns_query query = ask("game.example", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    tbh_dns_answer answer;
    put_v4(&m, 12, 7, 300);
    put_v4(&m, 12, 8, 20);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.count, 2);
    CHECK_INT(answer.ttl_s, 20);
    CHECK_INT(answer.addresses[1].family, 4);
    CHECK(memcmp(answer.addresses[1].bytes, "\xc0\0\2\x08", 4) == 0);
    CHECK_INT(answer.addresses[1].scope, 0);
}

static void ipv6_addresses_are_taken_for_a_question_about_them(void) {
    static const uint8_t address[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    tbh_dns_query query = ask("a.example", TBH_DNS_AAAA);
    message m = reply(&query, GOOD, 2);
    tbh_dns_answer answer;
    put_v4(&m, 12, 1, 60);
    put_record(&m, 12, 28, 60, address, 16);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.count, 1);
    CHECK_INT(answer.addresses[0].family, 6);
    CHECK(memcmp(answer.addresses[0].bytes, address, 16) == 0);
}

static void aliases_are_followed_in_any_order(void) {
    tbh_dns_query query = ask("www.example", TBH_DNS_A);
    message m = reply(&query, GOOD, 3);
    tbh_dns_answer answer;
    unsigned cdn = put_alias(&m, 12, "CDN.test", 600);
    unsigned edge = put_alias(&m, cdn, "edge.test", 5);
    put_v4(&m, edge, 3, 900);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.ttl_s, 5);

    m = reply(&query, GOOD, 3); /* backwards, and with names written out in another case */
    put_name(&m, "EDGE.test");
    put_fields(&m, 1, 1, 900, 4);
    put(&m, "\x7f\0\0\1", 4);
    unsigned owner = (unsigned)m.length;
    put_name(&m, "cdn.TEST");
    put_fields(&m, 5, 1, 4, 11);
    put_name(&m, "edge.test");
    put_record(&m, 12, 5, 600, "\xc0", 0);
    m.length -= 2; /* its data: a pointer to the alias's owner */
    put16(&m, 2);
    put16(&m, 0xc000 | owner);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.count, 1);
    CHECK_INT(answer.ttl_s, 4);
}

static void no_more_addresses_than_there_is_room_for(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 100);
    tbh_dns_answer answer;
    for (unsigned i = 0; i < 100; i++) put_v4(&m, 12, i, 60);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.count, TURBOHTTP_MAX_ADDRESSES);
}

static void a_negative_ttl_counts_as_zero(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 1);
    tbh_dns_answer answer;
    put_v4(&m, 12, 1, 0x80000000ul);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.ttl_s, 0);
}

static void other_sections_are_not_looked_at(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 0);
    put_v4(&m, 12, 1, 60);
    m.bytes[11] = 1; /* in the additional section */
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_NO_DATA);
    m = reply(&query, GOOD, 1);
    put_v4(&m, 12, 1, 60);
    m.bytes[9] = 9; /* announced, and not there: not our business */
    put(&m, "\xff\xff", 2);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_ADDRESSES);
}

static void response_codes_have_their_verdicts(void) {
    static const struct {
        unsigned flags;
        tbh_dns_verdict verdict;
    } rows[] = {
        {GOOD, TBH_DNS_NO_DATA},       {GOOD | 1, TBH_DNS_FORMAT_ERROR}, {GOOD | 2, TBH_DNS_FAILED},
        {GOOD | 3, TBH_DNS_NO_NAME},   {GOOD | 4, TBH_DNS_FAILED},       {GOOD | 5, TBH_DNS_FAILED},
        {GOOD | 15, TBH_DNS_FAILED},   {GOOD | 0x200, TBH_DNS_TRUNCATED}, {0x8100, TBH_DNS_FAILED},
        {0x8500, TBH_DNS_NO_DATA},     {GOOD | 0x203, TBH_DNS_TRUNCATED}, {GOOD | 0x202, TBH_DNS_FAILED},
        {0x0180, TBH_DNS_IGNORED},     {0x9180, TBH_DNS_IGNORED},        {0xa980, TBH_DNS_IGNORED},
    };
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        message m = reply(&query, rows[i].flags, 0);
        CHECK_INT(verdict_of(&query, &m), rows[i].verdict);
    }
}

static void a_truncated_answer_may_end_anywhere_after_the_question(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD | 0x200, 9);
    put(&m, "\xc0", 1);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_TRUNCATED);
}

/* ------------------------------------------------------------ answers that are passed over */
static void S_74_another_id_is_ignored(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    for (int i = 0; i < 2; i++) {
        message m = reply(&query, GOOD, 1);
        put_v4(&m, 12, 1, 60);
        m.bytes[i] ^= 1;
        CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
    }
}

static void S_74_the_question_must_be_repeated_byte_for_byte(void) {
    tbh_dns_query query = ask("game.example", TBH_DNS_A);
    for (size_t at = 12; at < query.question_end; at++) {
        message m = reply(&query, GOOD, 1);
        put_v4(&m, 12, 1, 60);
        m.bytes[at] ^= 0x20; /* the case of letters, the type, the class */
        CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
    }
}

static void exactly_one_question_is_expected(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    for (int count = 0; count < 4; count++) {
        message m = reply(&query, GOOD, 1);
        put_v4(&m, 12, 1, 60);
        m.bytes[5] = (uint8_t)count;
        CHECK_INT(verdict_of(&query, &m), count == 1 ? TBH_DNS_ADDRESSES : TBH_DNS_IGNORED);
        m.bytes[4] = 1;
        CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
    }
}

static void records_of_other_owners_types_and_classes_do_not_count(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 4);
    put_name(&m, "evil.b");
    put_fields(&m, 1, 1, 60, 4);
    put(&m, "\x06\x06\x06\x06", 4);
    put16(&m, 0xc00c);
    put_fields(&m, 1, 3, 60, 4); /* class CHAOS */
    put(&m, "\x06\x06\x06\x06", 4);
    put_record(&m, 12, 16, 60, "\4text", 5);
    put_record(&m, 12, 28, 60, "0123456789abcdef", 16);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_NO_DATA);
    tbh_dns_answer answer;
    m.bytes[7] = 5;
    put_v4(&m, 12, 77, 60);
    CHECK_INT(parse(&query, &m, &answer), TBH_DNS_ADDRESSES);
    CHECK_INT(answer.count, 1);
    CHECK_INT(answer.addresses[0].bytes[3], 77);
}

static void an_alias_of_another_name_is_not_followed(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    put_name(&m, "other.b");
    size_t at = m.length + 10;
    put_fields(&m, 5, 1, 60, 6);
    put_name(&m, "evil");
    put_v4(&m, (unsigned)at, 6, 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_NO_DATA);
}

static void owners_must_be_equal_in_full(void) {
    static const char *const others[] = {"a", "b", "a.b.c", "x.a.b", "ab", "a.bb", "aa.b", ""};
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        message m = reply(&query, GOOD, 1);
        put_name(&m, others[i]);
        put_fields(&m, 1, 1, 60, 4);
        put(&m, "\1\2\3\4", 4);
        CHECK_INT(verdict_of(&query, &m), TBH_DNS_NO_DATA);
    }
}

static message chain(const tbh_dns_query *query, int aliases) {
    message m = reply(query, GOOD, (unsigned)aliases + 1);
    char name[] = "n0.example";
    unsigned owner = 12;
    for (int i = 0; i < aliases; i++) {
        name[1] = (char)('0' + i);
        owner = put_alias(&m, owner, name, 60);
    }
    put_v4(&m, owner, 1, 60);
    return m;
}

static void eight_aliases_are_followed_and_not_nine(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = chain(&query, 8);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_ADDRESSES);
    m = chain(&query, 9);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_FAILED);
}

static void an_alias_loop_ends(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    unsigned other = put_alias(&m, 12, "c.d", 60);
    put_alias(&m, other, "A.B", 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_FAILED);
    m = reply(&query, GOOD, 1);
    put_alias(&m, 12, "a.b", 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_FAILED);
}

static void only_64_records_are_looked_at(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 65);
    for (int i = 0; i < 64; i++) put_record(&m, 12, 16, 60, "\1x", 2);
    put_v4(&m, 12, 1, 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_NO_DATA);
    m.bytes[7] = 64;
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_NO_DATA);
}

/* ------------------------------------------------------------ malformed messages */
static void every_cut_is_ignored(void) {
    tbh_dns_query query = ask("www.example", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    unsigned owner = put_alias(&m, 12, "c.example", 60);
    put_v4(&m, owner, 1, 60);
    size_t whole = m.length;
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_ADDRESSES);
    for (m.length = 0; m.length < whole; m.length++)
        CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
}

static void records_of_the_wrong_size_are_ignored(void) {
    static const struct {
        unsigned type;
        size_t n;
    } rows[] = {{1, 0}, {1, 3}, {1, 5}, {1, 16}, {28, 4}, {28, 15}, {28, 17}, {28, 0}, {5, 0}, {5, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tbh_dns_query query = ask("a.b", TBH_DNS_A);
        message m = reply(&query, GOOD, 2);
        put_record(&m, 12, rows[i].type, 60, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", rows[i].n);
        put_v4(&m, 12, 1, 60);
        CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
    }
}

static void more_data_than_there_is_is_ignored(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 1);
    put16(&m, 0xc00c);
    put_fields(&m, 16, 1, 60, 65535);
    put(&m, "xyz", 3);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
}

/* The owner of the only record, as raw bytes. */
static tbh_dns_verdict with_owner(const void *owner, size_t n) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 1);
    put(&m, owner, n);
    put_fields(&m, 1, 1, 60, 4);
    put(&m, "\1\2\3\4", 4);
    return verdict_of(&query, &m);
}

static void S_74_pointers_lead_strictly_backwards(void) {
    /* The question "a.b" stands at 12…16, the owner at 21. */
    CHECK_INT(with_owner("\xc0\x0c", 2), TBH_DNS_ADDRESSES);
    CHECK_INT(with_owner("\1a\xc0\x0e", 4), TBH_DNS_ADDRESSES);
    CHECK_INT(with_owner("\1A\1B\xc0\x10", 6), TBH_DNS_ADDRESSES);
    CHECK_INT(with_owner("\xc0\x0e", 2), TBH_DNS_NO_DATA);
    CHECK_INT(with_owner("\xc0\x15", 2), TBH_DNS_IGNORED);     /* to itself */
    CHECK_INT(with_owner("\1a\xc0\x15", 4), TBH_DNS_IGNORED);  /* to its own start */
    CHECK_INT(with_owner("\1a\xc0\x17", 4), TBH_DNS_IGNORED);  /* to the pointer */
    CHECK_INT(with_owner("\xc0\x17\1a\0", 5), TBH_DNS_IGNORED); /* forwards */
    CHECK_INT(with_owner("\xff\xff", 2), TBH_DNS_IGNORED);     /* out of the message */
    CHECK_INT(with_owner("\xc0\0", 2), TBH_DNS_IGNORED);       /* into the header */
    CHECK_INT(with_owner("\xc0\x0b", 2), TBH_DNS_IGNORED);
}

static void labels_of_unknown_kinds_are_ignored(void) {
    for (int kind = 64; kind < 192; kind++) {
        uint8_t owner[2] = {(uint8_t)kind, 0};
        CHECK_INT(with_owner(owner, 2), TBH_DNS_IGNORED);
    }
}

static void S_74_a_loop_of_two_pointers_ends(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    /* The alias's name is a pointer forward into the next record's owner, which points back. */
    put_record(&m, 12, 5, 60, "\xc0\x23", 2);
    put16(&m, 0xc021);
    put_fields(&m, 1, 1, 60, 4);
    put(&m, "\1\2\3\4", 4);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
}

/* A ladder of pointers in a TXT record, each to the one before; then an owner at its top. */
static tbh_dns_verdict ladder(unsigned steps) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    put16(&m, 0xc00c);
    put_fields(&m, 16, 1, 60, 2 * steps);
    unsigned target = 12;
    for (unsigned i = 0; i < steps; i++) {
        unsigned here = (unsigned)m.length;
        put16(&m, 0xc000 | target);
        target = here;
    }
    put_v4(&m, target, 1, 60);
    return verdict_of(&query, &m);
}

static void S_74_jumps_are_counted(void) {
    CHECK_INT(ladder(31), TBH_DNS_ADDRESSES);
    CHECK_INT(ladder(32), TBH_DNS_IGNORED);
    CHECK_INT(ladder(1900), TBH_DNS_IGNORED);
}

static void S_74_a_name_longer_than_255_bytes_is_ignored(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    char label[65];
    memset(label, 'x', sizeof label);
    label[0] = 62;
    for (int labels = 3; labels <= 5; labels++) { /* 63 each, and "a.b" behind them */
        message m = reply(&query, GOOD, 1);
        for (int i = 0; i < labels; i++) put(&m, label, 63);
        put16(&m, 0xc00c);
        put_fields(&m, 1, 1, 60, 4);
        put(&m, "\1\2\3\4", 4);
        CHECK_INT(verdict_of(&query, &m), labels == 3 ? TBH_DNS_NO_DATA : TBH_DNS_IGNORED);
    }
}

static void an_alias_must_end_where_its_record_does(void) {
    tbh_dns_query query = ask("a.b", TBH_DNS_A);
    message m = reply(&query, GOOD, 2);
    put_record(&m, 12, 5, 60, "\1c\0\0", 4);
    put_v4(&m, 12, 1, 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
    m = reply(&query, GOOD, 2);
    put_record(&m, 12, 5, 60, "\1c", 2); /* runs on into the next record */
    put_v4(&m, 12, 1, 60);
    CHECK_INT(verdict_of(&query, &m), TBH_DNS_IGNORED);
}

static void random_changes_never_read_past_the_end(void) {
    tbh_dns_query query = ask("www.example", TBH_DNS_A);
    message m = reply(&query, GOOD, 3);
    unsigned cdn = put_alias(&m, 12, "CDN.test", 600), seed = 1;
    put_v4(&m, put_alias(&m, cdn, "edge.test", 5), 3, 900);
    guard g = guard_alloc(m.length);
    for (int i = 0; i < 200000; i++) {
        tbh_dns_answer answer;
        memcpy(g.data, m.bytes, m.length);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1103515245u + 12345u;
            g.data[query.question_end + (seed >> 8) % (m.length - query.question_end)] = (uint8_t)(seed >> 24);
        }
        if (tbh_dns_answer_parse(&query, g.data, g.length, &answer) == TBH_DNS_ADDRESSES)
            CHECK(answer.count > 0 && answer.count <= TURBOHTTP_MAX_ADDRESSES);
    }
    guard_free(&g);
}

static const check_test tests[] = {
    CHECK_TEST(a_query_has_the_id_the_name_and_edns),
    CHECK_TEST(without_edns_nothing_follows_the_question),
    CHECK_TEST(S_74_the_case_of_letters_follows_the_random_bits),
    CHECK_TEST(the_longest_name_fits_the_query),
    CHECK_TEST(names_are_checked),
    CHECK_TEST(names_of_254_bytes_are_refused),
    CHECK_TEST(addresses_are_taken_with_the_least_ttl),
    CHECK_TEST(ipv6_addresses_are_taken_for_a_question_about_them),
    CHECK_TEST(aliases_are_followed_in_any_order),
    CHECK_TEST(no_more_addresses_than_there_is_room_for),
    CHECK_TEST(a_negative_ttl_counts_as_zero),
    CHECK_TEST(other_sections_are_not_looked_at),
    CHECK_TEST(response_codes_have_their_verdicts),
    CHECK_TEST(a_truncated_answer_may_end_anywhere_after_the_question),
    CHECK_TEST(S_74_another_id_is_ignored),
    CHECK_TEST(S_74_the_question_must_be_repeated_byte_for_byte),
    CHECK_TEST(exactly_one_question_is_expected),
    CHECK_TEST(records_of_other_owners_types_and_classes_do_not_count),
    CHECK_TEST(an_alias_of_another_name_is_not_followed),
    CHECK_TEST(owners_must_be_equal_in_full),
    CHECK_TEST(eight_aliases_are_followed_and_not_nine),
    CHECK_TEST(an_alias_loop_ends),
    CHECK_TEST(only_64_records_are_looked_at),
    CHECK_TEST(every_cut_is_ignored),
    CHECK_TEST(records_of_the_wrong_size_are_ignored),
    CHECK_TEST(more_data_than_there_is_is_ignored),
    CHECK_TEST(S_74_pointers_lead_strictly_backwards),
    CHECK_TEST(labels_of_unknown_kinds_are_ignored),
    CHECK_TEST(S_74_a_loop_of_two_pointers_ends),
    CHECK_TEST(S_74_jumps_are_counted),
    CHECK_TEST(S_74_a_name_longer_than_255_bytes_is_ignored),
    CHECK_TEST(an_alias_must_end_where_its_record_does),
    CHECK_TEST(random_changes_never_read_past_the_end),
};
CHECK_MAIN(tests)
