/* A network and a server of HTTP/1.1 in memory, with a clock of their own and faults: for tests that
 * simulate. Include it behind the implementation.
 *
 * Everything comes out of one number, the seed: how sends and receives are split, how long each piece
 * takes, which connections die between two requests. What the server does with a request stands in
 * the job that the request's path names ("/SLOT/SERIAL"); the server reads requests with a strict
 * parser of its own, checks uploaded bytes, counts attempts, and echoes the serial number in the head
 * and in each byte of the body, so that an answer that reaches the wrong request is seen.
 *
 * Faults: with faults[i].at = k, the k-th call of open, ready, send or receive is cut to one byte,
 * would block, meets the peer's end, or a reset. */
#ifndef TEST_SIM_NETWORK_H
#define TEST_SIM_NETWORK_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIM_HOSTS = 8, SIM_FAULTS = 2, SIM_HEAD_BYTES = 1024 };

typedef enum sim_framing { SIM_LENGTH, SIM_CHUNKED, SIM_UNTIL_CLOSE, SIM_BODYLESS, SIM_FRAMINGS } sim_framing;
typedef enum sim_upload { SIM_NO_UPLOAD, SIM_BYTES, SIM_BYTES_CHUNKED, SIM_READ, SIM_READ_CHUNKED, SIM_UPLOADS } sim_upload;
/* What happens to the connection behind the answer. */
typedef enum sim_after { SIM_KEEP, SIM_CLOSE, SIM_CLOSE_SILENTLY, SIM_JUNK, SIM_AFTERS } sim_after;
/* What happens to the answer, at `stop_at`. */
typedef enum sim_malice { SIM_GOOD, SIM_TRUNCATED, SIM_RESET, SIM_STALLED, SIM_GARBAGE, SIM_MALICES } sim_malice;
typedef enum sim_fault { SIM_CUT, SIM_BLOCKED, SIM_ENDED, SIM_BROKEN, SIM_FAULT_KINDS } sim_fault;

/* One request, as the server sees it; the test's own job begins with it. */
typedef struct sim_job {
    uint32_t serial;
    bool is_head, is_idempotent;
    sim_upload upload;
    uint32_t upload_bytes;
    bool expects_continue, ignores_expect; /* the server never says 100 */
    bool answers_early;                    /* before the body was read */
    sim_framing framing;
    bool is_gzip;
    uint32_t body_bytes, run_bytes; /* after decoding: keyed bytes, then a run of one byte (gzip) */
    uint16_t status;
    uint8_t interims;
    bool has_trailers;
    sim_after after;
    sim_malice malice;
    uint32_t stop_permille; /* of the answer, where malice shows */
    /* what the server saw */
    uint32_t attempts; /* connections that took a byte of it */
    uint32_t arrivals; /* heads understood, by a server that lives */
    bool is_uploaded;  /* in full, byte for byte */
} sim_job;

typedef struct sim_network {
    uint64_t random, now_us;
    uint8_t *jobs; /* of `job_size` bytes each, a sim_job first */
    size_t job_size;
    uint32_t job_count;
    /* knobs */
    uint32_t split_in;      /* one in so many calls is cut short or would block; 0: none */
    uint32_t latency_us;    /* at most, for each piece */
    uint32_t dies_in;       /* one in so many kept connections dies silently; 0: none */
    uint32_t refuses_in;    /* one in so many connects fails; 0: none */
    bool dead_takes_bytes;  /* a dead connection takes bytes before it says so */
    uint32_t cap_per_host, cap_total;
    struct {
        uint64_t at;
        sim_fault kind;
        bool hit, is_blamed; /* it met a connection at work that may not begin anew */
    } faults[SIM_FAULTS];
    /* counters */
    uint64_t operations, progress, hash;
    uint32_t opened, shut, per_host[SIM_HOSTS];
    uint64_t mistakes; /* what a client must never do */
    struct sim_connection *connections;
} sim_network;

typedef enum sim_reading { SIM_IN_HEAD, SIM_IN_LENGTH, SIM_IN_CHUNK_SIZE, SIM_IN_CHUNK, SIM_IN_CHUNK_END, SIM_IN_TRAILER, SIM_IN_NOTHING } sim_reading;

typedef struct sim_connection {
    sim_network *net;
    struct sim_connection *next;
    uint32_t host, served;
    uint64_t up_us, readable_us, writable_us, dies_us;
    bool will_fail, is_up, is_dead, is_broken, sends_fail, has_lost_bytes, is_blocked;
    /* the request in hand */
    sim_reading reading;
    char head[SIM_HEAD_BYTES];
    size_t head_length, line_length;
    sim_job *job;
    uint64_t left, body_at; /* of the body or chunk; in the body */
    bool is_wrong, has_begun, has_given, is_last;
    /* the answer */
    char *answer;
    size_t length, room, at, stop_at, quick_from;
    bool ends, breaks, stalls;
} sim_connection;

/* ------------------------------------------------------------ chance */
static inline uint64_t sim_random(sim_network *net) { /* splitmix64 */
    uint64_t z = net->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint32_t sim_below(sim_network *net, uint32_t n) {
    return n ? (uint32_t)(sim_random(net) >> 33) % n : 0;
}

static inline bool sim_one_in(sim_network *net, uint32_t n) {
    return n && sim_below(net, n) == 0;
}

/* What happened, in one number: equal seeds give equal ones. */
static inline void sim_note(sim_network *net, uint64_t what) {
    net->hash = (net->hash ^ what) * 0x100000001b3u;
}

static inline void sim_mistake(sim_network *net, const char *what, uint32_t serial) {
    if (net->mistakes++ < 5) printf("  request %u: %s\n", serial, what);
}

static inline uint8_t sim_byte(uint32_t serial, uint64_t at) {
    uint32_t x = serial * 2654435761u + (uint32_t)at * 40503u;
    return (uint8_t)(x >> 24 ^ x >> 11);
}

/* Byte `at` of the decoded answer. */
static inline uint8_t sim_answer_byte(const sim_job *job, uint64_t at) {
    return sim_byte(job->serial, at < job->body_bytes ? at : job->body_bytes);
}

/* ------------------------------------------------------------ the answer: bytes */
static inline void sim_put(sim_connection *c, const void *data, size_t n) {
    if (c->length + n > c->room) {
        c->room = (c->length + n) * 2;
        c->answer = (char *)realloc(c->answer, c->room);
        if (!c->answer) abort();
    }
    memcpy(c->answer + c->length, data, n);
    c->length += n;
}

static inline void sim_format(sim_connection *c, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sim_put(c, text, (size_t)n);
}

/* Bits of deflate, from the lowest. */
typedef struct sim_bits {
    uint8_t *out;
    size_t length;
    uint32_t held, count;
} sim_bits;

static inline void sim_put_bits(sim_bits *b, uint32_t bits, uint32_t count) {
    b->held |= bits << b->count;
    for (b->count += count; b->count >= 8; b->count -= 8, b->held >>= 8) b->out[b->length++] = (uint8_t)b->held;
}

static inline void sim_put_code(sim_bits *b, uint32_t code, uint32_t count) { /* from the highest */
    while (count-- > 0) sim_put_bits(b, code >> count & 1, 1);
}

static inline void sim_put_le32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* The keyed bytes in stored blocks, then the run in one block of fixed codes: a literal and matches of
 * 258 at distance 1. A run is 1 + 258 × n bytes. */
static inline size_t sim_gzip(const sim_job *job, const uint8_t *plain, uint8_t *out) {
    static const uint8_t head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    sim_bits b = {out, 10, 0, 0};
    uint32_t total = job->body_bytes + job->run_bytes;
    memcpy(out, head, sizeof head);
    for (uint32_t at = 0; at < job->body_bytes;) {
        uint32_t n = job->body_bytes - at < 65535 ? job->body_bytes - at : 65535;
        out[b.length++] = 0; /* stored, not the last */
        out[b.length++] = (uint8_t)n, out[b.length++] = (uint8_t)(n >> 8);
        out[b.length++] = (uint8_t)~n, out[b.length++] = (uint8_t)(~n >> 8);
        memcpy(out + b.length, plain + at, n);
        b.length += n;
        at += n;
    }
    sim_put_bits(&b, 3, 3); /* fixed codes, the last */
    if (job->run_bytes) {
        uint32_t literal = plain[job->body_bytes];
        sim_put_code(&b, literal < 144 ? 0x30 + literal : 0x190 + literal - 144, literal < 144 ? 8 : 9);
        for (uint32_t n = job->run_bytes / 258; n > 0; n--) sim_put_code(&b, 0xc5, 8), sim_put_code(&b, 0, 5);
    }
    sim_put_code(&b, 0, 7);
    sim_put_bits(&b, 0, b.count ? 8 - b.count : 0);
    sim_put_le32(out + b.length, turbohttp_crc32(0, plain, total));
    sim_put_le32(out + b.length + 4, total);
    return b.length + 8;
}

/* ------------------------------------------------------------ the answer: the whole */
static inline void sim_put_body(sim_connection *c, const uint8_t *body, size_t n) {
    sim_job *job = c->job;
    if (job->framing != SIM_CHUNKED) {
        if (n) sim_put(c, body, n);
        return;
    }
    for (size_t at = 0; at < n;) {
        size_t most = n - at, piece = 1 + sim_below(c->net, most > 5000 ? 5000 : (uint32_t)most);
        sim_format(c, sim_one_in(c->net, 8) ? "%zx;name=value\r\n" : "%zx\r\n", piece);
        sim_put(c, body + at, piece);
        sim_put(c, "\r\n", 2);
        at += piece;
    }
    sim_put(c, "0\r\n", 3);
    if (job->has_trailers) sim_format(c, "X-Sum: %u\r\n", job->serial);
    sim_put(c, "\r\n", 2);
}

static inline void sim_put_head(sim_connection *c, size_t wire_bytes) {
    sim_job *job = c->job;
    for (uint8_t i = 0; i < job->interims; i++) sim_format(c, "HTTP/1.1 103 Early Hints\r\nLink: </%u>\r\n\r\n", job->serial);
    sim_format(c, "HTTP/1.1 %u Some Words\r\nX-Marker: %u\r\n", job->status, job->serial);
    if (job->after == SIM_CLOSE) sim_format(c, "Connection: close\r\n");
    if (job->serial % 16 == 0) sim_format(c, "Keep-Alive: timeout=%u, max=100\r\n", job->serial / 16 % 5);
    if (job->is_gzip) sim_format(c, "Content-Encoding: gzip\r\n");
    if (job->framing == SIM_LENGTH) sim_format(c, "Content-Length: %zu\r\n", wire_bytes);
    if (job->framing == SIM_CHUNKED) sim_format(c, "Transfer-Encoding: chunked\r\n");
    sim_put(c, "\r\n", 2);
}

/* Where and how the answer stops. */
static inline void sim_spoil(sim_connection *c) {
    sim_job *job = c->job;
    c->is_last = job->after == SIM_CLOSE || job->after == SIM_JUNK || (job->framing == SIM_UNTIL_CLOSE && !job->is_head);
    c->stop_at = c->quick_from = c->length;
    c->ends = job->framing == SIM_UNTIL_CLOSE && !job->is_head;
    if (job->after == SIM_CLOSE) c->ends = true;
    if (job->after == SIM_JUNK) {
        sim_format(c, "HTTP/1.1 200 Nobody Asked\r\nX-Marker: 0\r\nContent-Length: 0\r\n\r\n");
        c->stop_at = c->length;
    }
    if (job->malice == SIM_GOOD || job->malice == SIM_GARBAGE) return;
    c->stop_at = c->at + (c->length - 1 - c->at) * job->stop_permille / 1000; /* a 100 may be behind us */
    c->ends = job->malice == SIM_TRUNCATED;
    c->breaks = job->malice == SIM_RESET;
    c->stalls = job->malice == SIM_STALLED;
}

static inline uint32_t sim_latency(sim_network *net) {
    return sim_one_in(net, 2) ? sim_below(net, net->latency_us + 1) : 0;
}

static inline void sim_answer(sim_connection *c) {
    sim_job *job = c->job;
    size_t total = job->is_head || job->framing == SIM_BODYLESS ? 0 : (size_t)job->body_bytes + job->run_bytes;
    uint8_t *plain = (uint8_t *)malloc(total + 1);
    uint8_t *packed = (uint8_t *)malloc(total + total / 65535 * 5 + 64);
    size_t n = total;
    if (!plain || !packed) abort();
    for (size_t i = 0; i < total; i++) plain[i] = sim_answer_byte(job, i);
    if (job->is_gzip && total) n = sim_gzip(job, plain, packed);
    if (job->malice == SIM_GARBAGE) sim_format(c, "\x16\x03\x01 this is not HTTP\r\n\r\n");
    sim_put_head(c, job->is_head ? job->body_bytes : n);
    if (!job->is_head && job->framing != SIM_BODYLESS) sim_put_body(c, job->is_gzip && total ? packed : plain, n);
    sim_spoil(c);
    c->readable_us = c->net->now_us + sim_latency(c->net);
    free(plain);
    free(packed);
}

/* ------------------------------------------------------------ the request: reading */
static inline sim_job *sim_find_job(sim_network *net, const char *text) {
    unsigned slot, serial;
    char method[16];
    if (sscanf(text, "%15[A-Z] /%u/%u ", method, &slot, &serial) != 3 || slot >= net->job_count) return NULL;
    sim_job *job = (sim_job *)(net->jobs + slot * net->job_size);
    return job->serial == serial ? job : NULL;
}

static inline bool sim_head_has(const sim_connection *c, const char *line) {
    return strstr(c->head, line) != NULL;
}

static inline void sim_request_read(sim_connection *c) {
    bool was_early = c->job->answers_early;
    c->reading = SIM_IN_NOTHING;
    c->job->is_uploaded = !c->is_wrong && c->body_at == c->job->upload_bytes;
    if (c->is_wrong) sim_mistake(c->net, "other bytes were uploaded", c->job->serial);
    if (!was_early) sim_answer(c);
}

static inline void sim_head_read(sim_connection *c) {
    sim_job *job = sim_find_job(c->net, c->head);
    const char *length = strstr(c->head, "\r\nContent-Length: ");
    if (!job || job != c->job) sim_mistake(c->net, "a head that nobody sent", job ? job->serial : 0);
    if (!sim_head_has(c, " HTTP/1.1\r\nHost: ")) sim_mistake(c->net, "no host", c->job->serial);
    if (sim_head_has(c, "chunked\r\n") && length) sim_mistake(c->net, "two framings", c->job->serial);
    c->job->arrivals++;
    c->body_at = 0;
    c->is_wrong = false;
    c->left = length ? strtoull(length + 18, NULL, 10) : 0;
    if (c->job->expects_continue && !c->job->ignores_expect && !c->job->answers_early) {
        sim_put(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        c->stop_at = c->quick_from = c->length;
        c->readable_us = c->net->now_us + sim_latency(c->net);
    }
    if (c->job->answers_early) sim_answer(c);
    c->reading = sim_head_has(c, "chunked\r\n") ? SIM_IN_CHUNK_SIZE : SIM_IN_LENGTH;
    c->line_length = 0;
    if (c->reading == SIM_IN_LENGTH && c->left == 0) sim_request_read(c);
}

static inline void sim_read_head_byte(sim_connection *c, char byte) {
    if (c->head_length + 1 >= SIM_HEAD_BYTES) {
        sim_mistake(c->net, "a head without an end", c->job->serial);
        c->head_length = 0;
    }
    c->head[c->head_length++] = byte;
    c->head[c->head_length] = 0;
    if (byte == '\n' && c->head_length >= 4 && !memcmp(c->head + c->head_length - 4, "\r\n\r\n", 4)) sim_head_read(c);
}

static inline void sim_read_body_byte(sim_connection *c, char byte) {
    if ((uint8_t)byte != sim_byte(c->job->serial, c->body_at)) c->is_wrong = true;
    c->body_at++;
    if (--c->left > 0) return;
    if (c->reading == SIM_IN_LENGTH) sim_request_read(c);
    else c->reading = SIM_IN_CHUNK_END;
}

/* "1f CR LF", the CR LF behind a chunk, and the lines behind the last one. */
static inline void sim_read_line_byte(sim_connection *c, char byte) {
    c->head[c->line_length++] = byte;
    if (c->line_length >= 100) sim_mistake(c->net, "a chunk's line without an end", c->job->serial);
    if (c->line_length >= 100) c->line_length = 0;
    if (byte != '\n') return;
    size_t n = c->line_length;
    c->head[n] = 0;
    c->line_length = 0;
    if (n < 2 || c->head[n - 2] != '\r') sim_mistake(c->net, "a bare LF", c->job->serial);
    if (c->reading == SIM_IN_CHUNK_SIZE) {
        c->left = strtoull(c->head, NULL, 16);
        c->reading = c->left ? SIM_IN_CHUNK : SIM_IN_TRAILER;
    } else if (c->reading == SIM_IN_CHUNK_END) {
        if (n != 2) sim_mistake(c->net, "a chunk that is longer than it says", c->job->serial);
        c->reading = SIM_IN_CHUNK_SIZE;
    } else if (n == 2) {
        sim_request_read(c);
    }
}

/* The first byte that a connection takes of a request is an attempt, whatever comes of it. `data` has
 * the whole head, even when only its first byte is taken. */
static inline void sim_begin_request(sim_connection *c, const char *data, size_t length) {
    char text[64];
    size_t n = length < sizeof text - 1 ? length : sizeof text - 1;
    memcpy(text, data, n);
    text[n] = 0;
    if (c->job && c->at < c->length) sim_mistake(c->net, "sent before the answer to the one before", c->job->serial);
    if (c->is_last) sim_mistake(c->net, "sent over a connection that was to close, or had bytes left", c->job->serial);
    c->job = sim_find_job(c->net, text);
    c->head_length = c->length = c->at = c->stop_at = 0;
    c->reading = SIM_IN_HEAD;
    c->has_given = false;
    if (!c->job) {
        sim_mistake(c->net, text, 0);
        fflush(stdout);
        abort();
    }
    if (++c->job->attempts > (c->job->is_idempotent ? 2u : 1u)) sim_mistake(c->net, "sent too often", c->job->serial);
}

static inline void sim_read(sim_connection *c, const char *data, size_t n, size_t offered) {
    for (size_t i = 0; i < n; i++) {
        if (c->reading == SIM_IN_NOTHING) sim_begin_request(c, data + i, offered - i);
        if (c->has_lost_bytes) continue;
        if (c->reading == SIM_IN_HEAD) sim_read_head_byte(c, data[i]);
        else if (c->reading == SIM_IN_LENGTH || c->reading == SIM_IN_CHUNK) sim_read_body_byte(c, data[i]);
        else sim_read_line_byte(c, data[i]);
    }
}

/* ------------------------------------------------------------ faults */
/* May a client that meets the end of this connection now lose a request by it? Not while it is idle,
 * and not while a request may begin anew: on a kept connection, with no byte of an answer, if it may
 * be repeated or nothing of it was taken. */
static inline bool sim_is_vulnerable(const sim_connection *c) {
    if (!c->job || !c->has_begun) return c->served == 0;
    return c->served == 0 || c->has_given || !c->job->is_idempotent || c->job->upload >= SIM_READ;
}

static inline bool sim_fault_due(sim_network *net, sim_connection *c, sim_fault *kind) {
    net->operations++;
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (net->faults[i].at != net->operations) continue;
        *kind = net->faults[i].kind;
        net->faults[i].hit = true;
        net->faults[i].is_blamed = sim_is_vulnerable(c);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------ the transport */
static inline turbohttp_status sim_up(sim_connection *c) {
    if (c->net->now_us < c->up_us) return TURBOHTTP_PENDING;
    if (c->will_fail) return TURBOHTTP_ERR_CONNECT;
    if (!c->is_up) c->net->progress++;
    c->is_up = true;
    return TURBOHTTP_OK;
}

static inline void sim_count_host(sim_network *net, sim_connection *c) {
    if (++net->per_host[c->host] > net->cap_per_host) sim_mistake(net, "too many connections to a host", c->host);
    if (net->opened - net->shut > net->cap_total) sim_mistake(net, "too many connections", c->host);
}

static inline void sim_forget(sim_connection *c) {
    sim_connection **at = &c->net->connections;
    while (*at != c) at = &(*at)->next;
    *at = c->next;
    c->net->per_host[c->host]--;
    c->net->shut++;
    c->net->progress++;
    free(c->answer);
    free(c);
}

static inline turbohttp_status sim_open(void *user, const turbohttp_endpoint *to, void **connection,
                                        turbohttp_error *error) {
    sim_network *net = (sim_network *)user;
    sim_connection *c = (sim_connection *)calloc(1, sizeof *c);
    sim_fault fault = SIM_CUT;
    (void)error;
    if (!c) abort();
    c->net = net;
    c->host = (uint32_t)(to->host[0] - 'a') % SIM_HOSTS;
    c->reading = SIM_IN_NOTHING;
    c->up_us = net->now_us + sim_latency(net);
    c->dies_us = UINT64_MAX;
    c->will_fail = sim_one_in(net, net->refuses_in);
    c->next = net->connections;
    net->connections = c;
    net->opened++;
    net->progress++;
    sim_count_host(net, c);
    if (sim_fault_due(net, c, &fault)) {
        c->will_fail = fault >= SIM_ENDED;
        c->up_us = net->now_us + (fault == SIM_CUT || fault == SIM_BROKEN ? 0 : 100);
    }
    turbohttp_status status = sim_up(c);
    if (status < 0) sim_forget(c);
    else *connection = c;
    return status;
}

static inline turbohttp_status sim_ready(void *user, void *connection, turbohttp_error *error) {
    sim_connection *c = (sim_connection *)connection;
    sim_fault fault;
    (void)user, (void)error;
    if (sim_fault_due(c->net, c, &fault)) {
        if (fault >= SIM_ENDED) c->will_fail = true;
        c->up_us = c->net->now_us + (fault == SIM_BROKEN ? 0 : 100);
    }
    return sim_up(c);
}

static inline void sim_die(sim_connection *c, bool is_broken) {
    c->is_dead = true;
    c->is_broken = is_broken;
    c->length = c->at = c->stop_at = 0;
    c->stalls = false;
}

/* A server closes what it believes to be idle: a request may be on its way, but no answer. */
static inline void sim_age(sim_connection *c) {
    if (c->is_dead || c->net->now_us < c->dies_us) return;
    c->dies_us = UINT64_MAX;
    if (!(c->has_begun && c->has_given)) sim_die(c, sim_one_in(c->net, 3));
}

/* The peer's end: what it said before is still there. */
static inline turbohttp_status sim_send_fault(sim_connection *c, sim_fault fault) {
    if (fault == SIM_BROKEN) sim_die(c, true);
    c->sends_fail = true;
    if (fault == SIM_ENDED && !c->is_dead) {
        c->ends = true;
        c->stalls = false;
        c->has_lost_bytes = true;
    }
    return TURBOHTTP_ERR_SEND;
}

static inline turbohttp_status sim_send(void *user, void *connection, const void *data, size_t length, size_t *sent) {
    sim_connection *c = (sim_connection *)connection;
    sim_network *net = c->net;
    sim_fault fault;
    size_t n = length;
    (void)user;
    if (length == 0) sim_mistake(net, "an empty send", 0);
    sim_age(c);
    if (sim_fault_due(net, c, &fault)) {
        if (fault == SIM_BLOCKED) return TURBOHTTP_PENDING;
        if (fault >= SIM_ENDED) return sim_send_fault(c, fault);
        n = 1;
    }
    if (c->sends_fail || (c->is_dead && !net->dead_takes_bytes)) return TURBOHTTP_ERR_SEND;
    c->is_blocked = net->now_us < c->writable_us;
    if (c->is_blocked) return TURBOHTTP_PENDING;
    if (n > 1 && sim_one_in(net, net->split_in)) n = 1 + sim_below(net, (uint32_t)(n < 4000 ? n : 4000));
    if (sim_one_in(net, net->split_in)) c->writable_us = net->now_us + sim_latency(net);
    if (c->is_dead) c->has_lost_bytes = true;
    c->has_begun = true;
    sim_read(c, (const char *)data, n, length);
    net->progress++;
    *sent = n;
    return TURBOHTTP_OK;
}

/* The answer has gone: what becomes of the connection. */
static inline void sim_answered(sim_connection *c) {
    if (!c->job || c->reading != SIM_IN_NOTHING) return;
    c->served++;
    c->has_begun = c->ends; /* the end is a part of the answer */
    if (c->job->after == SIM_CLOSE_SILENTLY || sim_one_in(c->net, c->net->dies_in))
        c->dies_us = c->net->now_us + sim_latency(c->net);
}

static inline turbohttp_status sim_nothing_left(sim_connection *c) {
    if (c->is_broken) return TURBOHTTP_ERR_RECEIVE;
    if (c->is_dead) return TURBOHTTP_DONE;
    bool is_over = c->length ? c->at == c->stop_at : c->sends_fail;
    if (is_over && c->breaks) return TURBOHTTP_ERR_RECEIVE;
    return is_over && c->ends ? TURBOHTTP_DONE : TURBOHTTP_PENDING;
}

static inline turbohttp_status sim_receive_fault(sim_connection *c, sim_fault fault) {
    if (fault == SIM_BLOCKED) return TURBOHTTP_PENDING;
    sim_die(c, fault == SIM_BROKEN);
    return sim_nothing_left(c);
}

static inline turbohttp_status sim_receive(void *user, void *connection, void *data, size_t room, size_t *received) {
    sim_connection *c = (sim_connection *)connection;
    sim_network *net = c->net;
    sim_fault fault;
    (void)user;
    size_t most = room;
    if (room == 0) sim_mistake(net, "an empty receive", 0);
    sim_age(c);
    if (sim_fault_due(net, c, &fault)) {
        if (fault != SIM_CUT) return sim_receive_fault(c, fault);
        most = 1;
    }
    size_t left = c->stop_at - c->at, n = left < most ? left : most;
    bool is_late = net->now_us < c->readable_us && c->at < c->quick_from;
    if (n && is_late) return TURBOHTTP_PENDING;
    if (n == 0) return sim_nothing_left(c);
    if (n > 1 && c->at < c->quick_from && sim_one_in(net, net->split_in)) n = 1 + sim_below(net, (uint32_t)(n < 4000 ? n : 4000));
    memcpy(data, c->answer + c->at, n);
    c->at += n;
    c->has_given = true;
    net->progress++;
    if (sim_one_in(net, net->split_in)) c->readable_us = net->now_us + sim_latency(net);
    if (c->at == c->stop_at && c->stop_at == c->length) sim_answered(c);
    *received = n;
    return TURBOHTTP_OK;
}

static inline void sim_shut(void *user, void *connection) {
    (void)user;
    sim_forget((sim_connection *)connection);
}

static inline uint64_t sim_now(void *user) {
    return ((sim_network *)user)->now_us;
}

/* ------------------------------------------------------------ time */
static inline uint64_t sim_later(const sim_network *net, uint64_t when, uint64_t best) {
    return when > net->now_us && when < best ? when : best;
}

/* The next moment at which the network changes by itself; UINT64_MAX: never. */
static inline uint64_t sim_next_event(const sim_network *net) {
    uint64_t best = UINT64_MAX;
    for (const sim_connection *c = net->connections; c; c = c->next) {
        if (!c->is_up) best = sim_later(net, c->up_us, best);
        if (c->at < c->stop_at) best = sim_later(net, c->readable_us, best);
        if (c->is_blocked) best = sim_later(net, c->writable_us, best);
        if (!c->is_dead) best = sim_later(net, c->dies_us, best);
    }
    return best;
}

static inline turbohttp_transport sim_transport(sim_network *net) {
    turbohttp_transport t;
    memset(&t, 0, sizeof t);
    t.user = net;
    t.io_open = sim_open;
    t.io_ready = sim_ready;
    t.io_send = sim_send;
    t.io_receive = sim_receive;
    t.io_shut = sim_shut;
    return t;
}
#endif
