/* DNS answers. The first byte says whether the header and the question are put right before
 * parsing, so that most inputs get past them; what is accepted is checked against a second reading
 * of the same message that unpacks names into buffers.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_dns_message.c */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

/* ---- the reference: names as lower-case text, records in a table */
typedef struct name {
    char text[256];
    size_t length;
} name;

static size_t unpack(const uint8_t *data, size_t length, size_t at, name *out) {
    size_t end = 0, start = at;
    int jumps = 0;
    out->length = 0;
    for (;;) {
        if (at >= length) return 0;
        size_t n = data[at];
        if (n >= 0xc0) {
            if (at + 1 >= length || ++jumps > 32) return 0;
            size_t to = (n & 63) << 8 | data[at + 1];
            if (to >= start || to < 12) return 0;
            if (!end) end = at + 2;
            start = at = to;
            continue;
        }
        if (n > 63 || at + 1 + n > length || out->length + n + 1 > 255) return 0;
        out->text[out->length++] = (char)n;
        for (size_t i = 0; i < n; i++) out->text[out->length++] = (char)tbh_lower(data[at + 1 + i]);
        at += n + 1;
        if (n == 0) return end ? end : at;
    }
}

typedef struct record {
    name owner, alias;
    unsigned type, class_code;
    uint32_t ttl;
    const uint8_t *data;
    size_t length;
} record;

static bool read_record(const uint8_t *data, size_t length, size_t *at, record *r) {
    size_t p = unpack(data, length, *at, &r->owner);
    if (!p || p + 10 > length) return false;
    r->type = tbh_load16_be(data + p);
    r->class_code = tbh_load16_be(data + p + 2);
    r->ttl = tbh_load32_be(data + p + 4);
    if (r->ttl >> 31) r->ttl = 0;
    r->length = tbh_load16_be(data + p + 8);
    r->data = data + p + 10;
    if (p + 10 + r->length > length) return false;
    *at = p + 10 + r->length;
    if (r->class_code != 1) return true;
    if (r->type == 1) return r->length == 4;
    if (r->type == 28) return r->length == 16;
    return r->type != 5 || unpack(data, length, p + 10, &r->alias) == *at;
}

static bool same(const name *a, const name *b) {
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* Only for messages whose header and question are right and whose code is 0. */
static tbh_dns_verdict reference(const tbh_dns_query *query, const uint8_t *data, size_t length,
                                 tbh_dns_answer *answer) {
    static record records[64];
    size_t at = query->question_end, count = tbh_load16_be(data + 6);
    name wanted;
    uint32_t ttl = 0x7fffffff;
    if (count > 64) count = 64;
    for (size_t i = 0; i < count; i++)
        if (!read_record(data, length, &at, &records[i])) return TBH_DNS_IGNORED;
    unpack(data, length, 12, &wanted);
    for (int depth = 0; depth <= 8; depth++) {
        const record *alias = NULL;
        answer->count = 0;
        answer->ttl_s = ttl;
        for (size_t i = 0; i < count; i++) {
            const record *r = &records[i];
            if (r->class_code != 1 || !same(&r->owner, &wanted)) continue;
            if (r->type == 5 && !alias) alias = r;
            if (r->type != query->type || answer->count == TURBOHTTP_MAX_ADDRESSES) continue;
            memcpy(answer->addresses[answer->count++].bytes, r->data, r->length);
            if (r->ttl < answer->ttl_s) answer->ttl_s = r->ttl;
        }
        if (answer->count) return TBH_DNS_ADDRESSES;
        if (!alias) return TBH_DNS_NO_DATA;
        if (alias->ttl < ttl) ttl = alias->ttl;
        wanted = alias->alias;
    }
    return TBH_DNS_FAILED;
}

static void compare(const tbh_dns_query *query, const uint8_t *data, size_t length) {
    tbh_dns_answer got, expected;
    size_t bytes = query->type == TBH_DNS_A ? 4 : 16;
    if (tbh_dns_answer_parse(query, data, length, &got) != reference(query, data, length, &expected)) {
        if (tbh_load16_be(data + 6) == 0) return; /* a referral */
        abort();
    }
    if (tbh_dns_answer_parse(query, data, length, &got) != TBH_DNS_ADDRESSES) return;
    if (got.count != expected.count || got.ttl_s != expected.ttl_s) abort();
    for (uint32_t i = 0; i < got.count; i++)
        if (memcmp(got.addresses[i].bytes, expected.addresses[i].bytes, bytes) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t random[TBH_DNS_RANDOM_BYTES] = {1, 2, 0xa5, 0x3c, 0x5a};
    tbh_dns_query query;
    if (size < 1) return 0;
    tbh_dns_query_build(&query, tbh_span_of("www.example"), data[0] & 1 ? TBH_DNS_A : TBH_DNS_AAAA,
                        random, true);
    size_t length = size - 1;
    uint8_t *message = (uint8_t *)malloc(length ? length : 1);
    memcpy(message, data + 1, length);
    if ((data[0] & 2) && length >= query.question_end) {
        uint8_t count = message[7];
        memcpy(message, query.bytes + 2, query.question_end);
        message[2] = 0x81, message[3] = 0x80, message[6] = 0, message[7] = count, message[11] = 0;
        compare(&query, message, length);
    } else {
        tbh_dns_answer answer;
        (void)tbh_dns_answer_parse(&query, message, length, &answer);
    }
    free(message);
    return 0;
}
