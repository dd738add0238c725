/* DNS messages (RFC 1035, RFC 6891): one question out, its answer in. Nothing here waits. */
#pragma once
#include "../api/transport.h"
#include "../base/bytes.h"

enum { TBH_DNS_A = 1, TBH_DNS_AAAA = 28 };

enum {
    TBH_DNS_UDP_BYTES = 1232,      /* what we announce: fits every path without fragments */
    TBH_DNS_RANDOM_BYTES = 2 + 32, /* the id, and one bit for each byte of a name */
    TBH_DNS_PREFIX_BYTES = 2,      /* the length that goes before a message over TCP */
    TBH_DNS_QUERY_BYTES = 2 + 12 + 255 + 4 + 11,
    TBH_DNS_MOST_RECORDS = 64, /* answers that are looked at */
    TBH_DNS_MOST_ALIASES = 8   /* CNAMEs on the way to the addresses */
};

/* A question as it is sent; kept to compare the answer with it. */
typedef struct tbh_dns_query {
    uint16_t type;                      /* TBH_DNS_A or TBH_DNS_AAAA */
    uint16_t length;                    /* of the message, without the prefix */
    uint16_t question_end;              /* in the message */
    uint8_t bytes[TBH_DNS_QUERY_BYTES]; /* the prefix, then the message */
} tbh_dns_query;

typedef enum tbh_dns_verdict {
    TBH_DNS_IGNORED,      /* malformed, or no answer to this question: it may be forged */
    TBH_DNS_ADDRESSES,    /* at least one */
    TBH_DNS_NO_DATA,      /* the name exists, without such an address */
    TBH_DNS_NO_NAME,      /* the name does not exist */
    TBH_DNS_TRUNCATED,    /* ask over TCP */
    TBH_DNS_FORMAT_ERROR, /* the server does not know EDNS0 */
    TBH_DNS_FAILED        /* this server cannot tell */
} tbh_dns_verdict;

typedef struct tbh_dns_answer {
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    uint32_t count;
    uint32_t ttl_s; /* the least of the records that led to the addresses */
} tbh_dns_answer;

/* Labels of 1 to 63 letters, digits, '-' and '_', at most 253 bytes, no dot at the end. */
TBH_FN bool tbh_dns_is_name(turbohttp_span name);
/* `name` must be one. The first two random bytes are the id, a set bit in the others turns the
 * case of a letter; `has_edns` announces TBH_DNS_UDP_BYTES. */
TBH_FN void tbh_dns_query_build(tbh_dns_query *query, turbohttp_span name, uint16_t type,
                                const uint8_t random[TBH_DNS_RANDOM_BYTES], bool has_edns);
/* Fills *answer in when it says ADDRESSES; *answer is undefined otherwise. */
TBH_FN tbh_dns_verdict tbh_dns_answer_parse(const tbh_dns_query *query, const uint8_t *data,
                                            size_t length, tbh_dns_answer *answer);
