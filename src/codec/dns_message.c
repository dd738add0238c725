/* DNS messages: builds queries and reads answers.
 * Input: any bytes. An answer counts only if it repeats the id and the question byte for byte, case
 * included (the "0x20" bits), so that who did not see the query must guess all of it (S-74).
 * Invariants: compression pointers lead strictly backwards and are counted; only the answer section
 * is read, and of it only what the question's name leads to through CNAMEs; records and aliases
 * are counted. No name is copied: names are compared where they stand.
 * Does not know: sockets, servers, retries. */
#include "dns_message.h"

enum { TBH_DNS_HEADER_BYTES = 12, TBH_DNS_RECORD_BYTES = 10, TBH_DNS_MOST_JUMPS = 32 };
enum { TBH_DNS_CNAME = 5, TBH_DNS_OPT = 41, TBH_DNS_IN = 1 };
enum { TBH_DNS_MOST_TTL = 0x7fffffff };

/* ------------------------------------------------------------ queries */
static bool tbh_dns_is_name_byte(uint8_t c) {
    return tbh_is_alpha(c) || tbh_is_digit(c) || c == '-' || c == '_';
}

TBH_FN bool tbh_dns_is_name(turbohttp_span name) {
    size_t label = 0; /* where the current one starts */
    if (name.length == 0 || name.length > 253) return false;
    for (size_t i = 0; i <= name.length; i++) {
        if (i < name.length && name.data[i] != '.') {
            if (!tbh_dns_is_name_byte((uint8_t)name.data[i])) return false;
            continue;
        }
        if (i == label || i - label > 63) return false;
        label = i + 1;
    }
    return true;
}

/* Each dot makes room for the length of the label behind it. */
static size_t tbh_dns_put_name(uint8_t *out, turbohttp_span name, const uint8_t *bits) {
    size_t label = 0;
    for (size_t i = 0; i <= name.length; i++) {
        if (i == name.length || name.data[i] == '.') {
            out[label] = (uint8_t)(i - label);
            label = i + 1;
            continue;
        }
        uint8_t c = (uint8_t)name.data[i];
        bool is_turned = tbh_is_alpha(c) && (bits[i >> 3] >> (i & 7) & 1);
        out[i + 1] = is_turned ? (uint8_t)(c ^ 0x20) : c;
    }
    out[label] = 0;
    return label + 1;
}

/* RFC 6891 §6.1.2: the root's name, OPT, our size, no flags, no options. */
static size_t tbh_dns_put_edns(uint8_t *out) {
    memset(out, 0, 11);
    tbh_store16_be(out + 1, TBH_DNS_OPT);
    tbh_store16_be(out + 3, TBH_DNS_UDP_BYTES);
    return 11;
}

TBH_FN void tbh_dns_query_build(tbh_dns_query *query, turbohttp_span name, uint16_t type,
                                const uint8_t random[TBH_DNS_RANDOM_BYTES], bool has_edns) {
    uint8_t *message = query->bytes + TBH_DNS_PREFIX_BYTES;
    size_t at = TBH_DNS_HEADER_BYTES;
    memset(message, 0, TBH_DNS_HEADER_BYTES);
    memcpy(message, random, 2);
    message[2] = 1; /* recursion desired */
    message[5] = 1; /* one question */
    message[11] = has_edns ? 1 : 0;
    at += tbh_dns_put_name(message + at, name, random + 2);
    tbh_store16_be(message + at, type);
    tbh_store16_be(message + at + 2, TBH_DNS_IN);
    at += 4;
    query->type = type;
    query->question_end = (uint16_t)at;
    if (has_edns) at += tbh_dns_put_edns(message + at);
    query->length = (uint16_t)at;
    tbh_store16_be(query->bytes, query->length);
}

/* ------------------------------------------------------------ names where they stand */
typedef struct tbh_dns_message {
    const uint8_t *data;
    size_t length;
} tbh_dns_message;

typedef struct tbh_dns_cursor {
    size_t at;
    size_t floor; /* pointers must lead before this: strictly backwards */
    size_t end;   /* behind the name's first pointer; 0 before there was one */
    size_t total; /* bytes of the name so far */
    uint32_t jumps;
} tbh_dns_cursor;

static tbh_dns_cursor tbh_dns_cursor_at(size_t at) {
    tbh_dns_cursor c;
    c.at = c.floor = at;
    c.end = c.total = 0;
    c.jumps = 0;
    return c;
}

static bool tbh_dns_follow(const tbh_dns_message *m, tbh_dns_cursor *c) {
    if (c->at + 2 > m->length || ++c->jumps > TBH_DNS_MOST_JUMPS) return false;
    size_t target = tbh_load16_be(m->data + c->at) & 0x3fffu;
    if (target >= c->floor || target < TBH_DNS_HEADER_BYTES) return false;
    if (c->end == 0) c->end = c->at + 2;
    c->at = c->floor = target;
    return true;
}

/* Moves over the next label: its length (0: the name ends), or -1 when the name is malformed. */
static int tbh_dns_next_label(const tbh_dns_message *m, tbh_dns_cursor *c) {
    while (c->at < m->length && m->data[c->at] >= 0xc0) /* ends: jumps are counted */
        if (!tbh_dns_follow(m, c)) return -1;
    if (c->at >= m->length || m->data[c->at] > 63) return -1;
    size_t n = m->data[c->at];
    c->total += n + 1;
    if (c->total > 255 || m->length - c->at - 1 < n) return -1;
    c->at += n + 1;
    return (int)n;
}

/* Returns where the name ends, 0 when it is malformed. */
static size_t tbh_dns_skip_name(const tbh_dns_message *m, size_t at) {
    tbh_dns_cursor c = tbh_dns_cursor_at(at);
    int n;
    while ((n = tbh_dns_next_label(m, &c)) > 0) { /* ends: at most 255 bytes */
    }
    if (n < 0) return 0;
    return c.end ? c.end : c.at;
}

/* Both names are well-formed. Case does not count (RFC 4343). */
static bool tbh_dns_names_equal(const tbh_dns_message *m, size_t at_a, size_t at_b) {
    tbh_dns_cursor a = tbh_dns_cursor_at(at_a), b = tbh_dns_cursor_at(at_b);
    int n;
    do {
        n = tbh_dns_next_label(m, &a);
        if (tbh_dns_next_label(m, &b) != n || n < 0) return false;
        if (!tbh_equal_nocase(m->data + a.at - n, m->data + b.at - n, (size_t)n)) return false;
    } while (n > 0);
    return true;
}

/* ------------------------------------------------------------ records */
typedef struct tbh_dns_record {
    size_t owner, data; /* offsets */
    size_t data_length, end;
    uint16_t type, class_code;
    uint32_t ttl_s;
} tbh_dns_record;

static bool tbh_dns_record_is_sound(const tbh_dns_message *m, const tbh_dns_record *r) {
    if (r->class_code != TBH_DNS_IN) return true; /* not looked at any further */
    if (r->type == TBH_DNS_A) return r->data_length == 4;
    if (r->type == TBH_DNS_AAAA) return r->data_length == 16;
    return r->type != TBH_DNS_CNAME || tbh_dns_skip_name(m, r->data) == r->end;
}

static bool tbh_dns_record_read(const tbh_dns_message *m, size_t at, tbh_dns_record *r) {
    r->owner = at;
    at = tbh_dns_skip_name(m, at);
    if (at == 0 || m->length - at < TBH_DNS_RECORD_BYTES) return false;
    r->type = tbh_load16_be(m->data + at);
    r->class_code = tbh_load16_be(m->data + at + 2);
    r->ttl_s = tbh_load32_be(m->data + at + 4);
    if (r->ttl_s > TBH_DNS_MOST_TTL) r->ttl_s = 0; /* RFC 2181 §8 */
    r->data_length = tbh_load16_be(m->data + at + 8);
    r->data = at + TBH_DNS_RECORD_BYTES;
    if (m->length - r->data < r->data_length) return false;
    r->end = r->data + r->data_length;
    return tbh_dns_record_is_sound(m, r);
}

typedef struct tbh_dns_answers {
    tbh_dns_message message;
    uint16_t type;
    size_t first; /* where they start */
    uint32_t count;
    size_t name;    /* whose addresses are wanted: the question's, then its aliases' */
    uint32_t ttl_s; /* least of the aliases so far */
} tbh_dns_answers;

static bool tbh_dns_all_sound(const tbh_dns_answers *a) {
    tbh_dns_record r;
    size_t at = a->first;
    for (uint32_t i = 0; i < a->count; i++, at = r.end)
        if (!tbh_dns_record_read(&a->message, at, &r)) return false;
    return true;
}

static void tbh_dns_add_address(const tbh_dns_answers *a, const tbh_dns_record *r,
                                tbh_dns_answer *answer) {
    if (answer->count == TURBOHTTP_MAX_ADDRESSES) return;
    turbohttp_address *address = &answer->addresses[answer->count++];
    memset(address, 0, sizeof *address);
    address->family = r->type == TBH_DNS_A ? 4 : 6;
    memcpy(address->bytes, a->message.data + r->data, r->data_length);
    if (r->ttl_s < answer->ttl_s) answer->ttl_s = r->ttl_s;
}

/* One pass: the wanted addresses of a->name, and where its alias leads (0: it has none). */
static size_t tbh_dns_collect(const tbh_dns_answers *a, tbh_dns_answer *answer,
                              uint32_t *alias_ttl_s) {
    tbh_dns_record r;
    size_t alias = 0, at = a->first;
    for (uint32_t i = 0; i < a->count; i++, at = r.end) {
        if (!tbh_dns_record_read(&a->message, at, &r)) return 0;
        bool is_wanted = r.type == a->type || r.type == TBH_DNS_CNAME;
        if (!is_wanted || r.class_code != TBH_DNS_IN) continue;
        if (!tbh_dns_names_equal(&a->message, r.owner, a->name)) continue;
        if (r.type == a->type) {
            tbh_dns_add_address(a, &r, answer);
        } else if (alias == 0) {
            alias = r.data;
            *alias_ttl_s = r.ttl_s;
        }
    }
    return alias;
}

/* The order of the records does not matter: each alias is looked for from the start. */
static tbh_dns_verdict tbh_dns_chase(tbh_dns_answers *a, tbh_dns_answer *answer) {
    uint32_t alias_ttl_s = 0;
    for (int i = 0; i <= TBH_DNS_MOST_ALIASES; i++) {
        answer->count = 0;
        answer->ttl_s = a->ttl_s;
        size_t alias = tbh_dns_collect(a, answer, &alias_ttl_s);
        if (answer->count) return TBH_DNS_ADDRESSES;
        if (alias == 0) return TBH_DNS_NO_DATA;
        a->name = alias;
        if (alias_ttl_s < a->ttl_s) a->ttl_s = alias_ttl_s;
    }
    return TBH_DNS_FAILED;
}

/* ------------------------------------------------------------ answers */
/* The id, "response", "standard query", and exactly our question. */
static bool tbh_dns_is_answer_to(const tbh_dns_query *query, const uint8_t *data, size_t length) {
    const uint8_t *asked = query->bytes + TBH_DNS_PREFIX_BYTES;
    size_t n = query->question_end;
    if (length < n || memcmp(data, asked, 2) != 0) return false;
    if ((data[2] & 0xf8) != 0x80 || tbh_load16_be(data + 4) != 1) return false;
    return memcmp(data + TBH_DNS_HEADER_BYTES, asked + TBH_DNS_HEADER_BYTES,
                  n - TBH_DNS_HEADER_BYTES) == 0;
}

/* A server that neither is in charge (AA) nor asks others (RA) and has nothing: a referral. */
static bool tbh_dns_is_referral(const uint8_t *data) {
    return (data[2] & 0x04) == 0 && (data[3] & 0x80) == 0 && tbh_load16_be(data + 6) == 0;
}

TBH_FN tbh_dns_verdict tbh_dns_answer_parse(const tbh_dns_query *query, const uint8_t *data,
                                            size_t length, tbh_dns_answer *answer) {
    tbh_dns_answers a;
    if (!tbh_dns_is_answer_to(query, data, length)) return TBH_DNS_IGNORED;
    unsigned code = data[3] & 15u;
    if (code == 1) return TBH_DNS_FORMAT_ERROR;
    if (code != 0 && code != 3) return TBH_DNS_FAILED;
    if (data[2] & 0x02) return TBH_DNS_TRUNCATED;
    if (code == 3) return TBH_DNS_NO_NAME;
    if (tbh_dns_is_referral(data)) return TBH_DNS_FAILED;
    a.message.data = data;
    a.message.length = length;
    a.type = query->type;
    a.first = query->question_end;
    a.count = tbh_load16_be(data + 6);
    if (a.count > TBH_DNS_MOST_RECORDS) a.count = TBH_DNS_MOST_RECORDS;
    a.name = TBH_DNS_HEADER_BYTES;
    a.ttl_s = TBH_DNS_MOST_TTL;
    if (!tbh_dns_all_sound(&a)) return TBH_DNS_IGNORED;
    return tbh_dns_chase(&a, answer);
}
