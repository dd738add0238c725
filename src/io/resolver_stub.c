/* The stub resolver: asks the name servers of resolv.conf over UDP, and over TCP when an answer does
 * not fit; the hosts file comes first. Addresses of both families are asked for at the same time.
 * Owns, for each lookup, one job with its exchanges: one socket, id and question each. A retry opens
 * a new exchange and keeps the old ones, so a slow server is still heard; a socket of its own for
 * each exchange makes the system choose an unpredictable port (RFC 5452 §9.2, S-74).
 * Input: both files and all datagrams may be garbage; what makes no sense is passed over.
 * Invariants: nothing waits; tries are counted over all servers; a fault that another server cannot
 * mend (memory, descriptors, entropy) ends the lookup at once.
 * Does not know: the cache, literals, overrides, what a name is for. */
#include "../codec/dns_message.h"
#include "../format/address.h"
#include "resolver.h"

enum {
    TBH_STUB_SERVERS = 3,
    TBH_STUB_DOMAINS = 6,         /* of the search list */
    TBH_STUB_SEARCH_BYTES = 256,  /* of the search list, in all */
    TBH_STUB_STREAM_BYTES = 4096, /* largest answer over TCP: room for 64 records and more */
    TBH_STUB_DATAGRAMS = 8        /* received per socket and step: a flood does not hold us up */
};
#define TBH_STUB_CONF_BYTES  65536u          /* looked at in resolv.conf */
#define TBH_STUB_HOSTS_BYTES (1024u * 1024u) /* looked at in hosts */
#define TBH_STUB_DELAY_US    UINT64_C(50000) /* wait for the other family: RFC 8305 §3 */

/* One question to one server. */
typedef struct tbh_stub_exchange {
    struct tbh_stub_exchange *next;
    tbh_watch watch;
    uint32_t family, server; /* indices in the job */
    bool is_over;            /* its socket is shut; the next sweep frees it */
    bool is_connected;       /* TCP */
    uint8_t *stream;         /* what came over TCP; NULL: UDP */
    size_t sent, received;   /* TCP: bytes, with the prefix */
    tbh_dns_query query;
} tbh_stub_exchange;

typedef enum tbh_stub_state {
    TBH_STUB_ASKING,
    TBH_STUB_FOUND,
    TBH_STUB_NONE,  /* a server said so */
    TBH_STUB_SILENT /* no server could tell */
} tbh_stub_state;

typedef struct tbh_stub_family {
    tbh_stub_state state;
    uint32_t tries;   /* made, over all servers */
    uint64_t next_us; /* when to try the next one, or to give up */
    tbh_dns_answer answer;
} tbh_stub_family;

enum { TBH_STUB_V6, TBH_STUB_V4, TBH_STUB_FAMILIES };

typedef struct tbh_stub_job {
    tbh_resolver *resolver;
    tbh_lookup *lookup; /* while hosts is read: takes its addresses */
    tbh_stub_exchange *exchanges;
    tbh_stub_family families[TBH_STUB_FAMILIES];
    tbh_peer servers[TBH_STUB_SERVERS];
    uint32_t server_count, suspicious; /* bits: servers whose datagrams made no sense */
    uint32_t dots_least, attempts;
    uint64_t attempt_us, delay_us; /* delay_us: 0, or when not to wait for the other family */
    uint32_t late;                 /* the family that is missing in half an answer */
    uint32_t candidate;            /* the next of the names that the search list makes */
    bool is_plain;                 /* a server did not understand EDNS0 */
    bool is_line_long;             /* the rest of a line that did not fit is passed over */
    char search[TBH_STUB_SEARCH_BYTES];
    char name[TBH_NAME_BYTES];          /* the candidate */
    uint8_t scratch[TBH_DNS_UDP_BYTES]; /* lines of files, then datagrams */
} tbh_stub_job;

/* ------------------------------------------------------------ lines of files */
typedef void (*tbh_stub_line_taker)(tbh_stub_job *job, turbohttp_span line);

/* Hands the complete lines over and moves the rest to the front; returns its length. */
static size_t tbh_stub_take_lines(tbh_stub_job *job, size_t length, tbh_stub_line_taker take) {
    const char *text = (const char *)job->scratch, *end;
    size_t at = 0;
    while ((end = (const char *)memchr(text + at, '\n', length - at)) != NULL) {
        size_t n = (size_t)(end - text) - at;
        if (!job->is_line_long) take(job, tbh_span(text + at, n));
        job->is_line_long = false;
        at += n + 1;
    }
    size_t rest = length - at;
    memmove(job->scratch, job->scratch + at, rest);
    if (rest < sizeof job->scratch) return rest;
    if (!job->is_line_long) take(job, tbh_span(text, rest));
    job->is_line_long = true;
    return 0;
}

/* A file that is not there, or cannot be read, is an empty one. */
static void tbh_stub_read_file(tbh_stub_job *job, const char *path, size_t limit,
                               tbh_stub_line_taker take) {
    tbh_file file;
    uint64_t length;
    int32_t code;
    size_t rest = 0, got = 0;
    job->is_line_long = false;
    if (tbh_os_file_open(path, false, &file, &length, &code) != TURBOHTTP_OK) return;
    for (size_t total = 0; total < limit; total += got) {
        if (tbh_os_file_get(file, job->scratch + rest, sizeof job->scratch - rest, &got, &code) !=
            TURBOHTTP_OK)
            break;
        rest = tbh_stub_take_lines(job, rest + got, take);
    }
    if (rest && !job->is_line_long) take(job, tbh_span((const char *)job->scratch, rest));
    tbh_os_file_shut(file, &code);
}

static bool tbh_stub_is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

/* Takes the next word off the text; empty at its end, where a comment starts too. */
static turbohttp_span tbh_stub_word(turbohttp_span *text) {
    size_t from = 0, to;
    while (from < text->length && tbh_stub_is_blank(text->data[from])) from++;
    for (to = from; to < text->length && !tbh_stub_is_blank(text->data[to]); to++)
        if (text->data[to] == '#' || text->data[to] == ';') break;
    turbohttp_span word = tbh_span(text->data + from, to - from);
    *text = tbh_span(text->data + to, text->length - to);
    return word;
}

/* ------------------------------------------------------------ servers */
/* "192.0.2.1", "2001:db8::1" or "fe80::1%2"; a zone must be a number. */
static bool tbh_stub_parse_address(turbohttp_span text, turbohttp_address *address) {
    const char *zone = text.length ? (const char *)memchr(text.data, '%', text.length) : NULL;
    uint64_t scope = 0;
    if (zone) {
        size_t head = (size_t)(zone - text.data);
        if (!tbh_parse_u64(zone + 1, text.length - head - 1, UINT32_MAX, &scope)) return false;
        text.length = head;
    }
    if (!tbh_address_parse(text, address)) return false;
    address->scope = (uint32_t)scope;
    return true;
}

/* An address alone, or "192.0.2.1:5353", "[::1]:5353", "[::1]". */
static bool tbh_stub_parse_server(turbohttp_span text, tbh_peer *server) {
    uint64_t port = 53;
    memset(server, 0, sizeof *server);
    server->port = 53;
    if (tbh_stub_parse_address(text, &server->address)) return true;
    size_t host = text.length;
    while (host && text.data[host - 1] != ':' && text.data[host - 1] != ']') host--;
    if (host && text.data[host - 1] == ':') {
        if (!tbh_parse_u64(text.data + host, text.length - host, 65535, &port) || !port)
            return false;
        text.length = host - 1;
    }
    if (text.length >= 2 && text.data[0] == '[' && text.data[text.length - 1] == ']')
        text = tbh_span(text.data + 1, text.length - 2);
    else if (text.length && memchr(text.data, ':', text.length)) return false;
    server->port = (uint16_t)port;
    return tbh_stub_parse_address(text, &server->address);
}

static uint32_t tbh_stub_parse_servers(const char *list, tbh_peer *servers) {
    turbohttp_span text = tbh_span_of(list), word;
    uint32_t count = 0;
    while (count < TBH_STUB_SERVERS && (word = tbh_stub_word(&text)).length)
        if (tbh_stub_parse_server(word, &servers[count])) count++;
    return count;
}

/* ------------------------------------------------------------ resolv.conf */
static void tbh_stub_take_option(tbh_stub_job *job, turbohttp_span word) {
    static const char *const names[] = {"ndots:", "timeout:", "attempts:"};
    static const uint8_t most[] = {15, 30, 5};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);
        uint64_t value;
        if (word.length <= n || memcmp(word.data, names[i], n) != 0) continue;
        if (!tbh_parse_u64(word.data + n, word.length - n, UINT32_MAX, &value)) continue;
        if (value > most[i]) value = most[i];
        if (i == 0) job->dots_least = (uint32_t)value;
        if (i == 1 && value) job->attempt_us = value * 1000000;
        if (i == 2 && value) job->attempts = (uint32_t)value;
    }
}

/* The last line of this kind counts; the list is kept as text with single blanks. */
static void tbh_stub_take_search(tbh_stub_job *job, turbohttp_span line) {
    turbohttp_span word;
    size_t at = 0;
    for (int i = 0; i < TBH_STUB_DOMAINS && (word = tbh_stub_word(&line)).length; i++) {
        if (word.data[word.length - 1] == '.') word.length--;
        if (!tbh_dns_is_name(word) || word.length + 1 >= sizeof job->search - at) continue;
        memcpy(job->search + at, word.data, word.length);
        at += word.length;
        job->search[at++] = ' ';
    }
    job->search[at] = 0;
}

static void tbh_stub_take_conf_line(tbh_stub_job *job, turbohttp_span line) {
    turbohttp_span key = tbh_stub_word(&line), word;
    if (tbh_span_equal_nocase(key, "search") || tbh_span_equal_nocase(key, "domain")) {
        tbh_stub_take_search(job, line);
    } else if (tbh_span_equal_nocase(key, "options")) {
        while ((word = tbh_stub_word(&line)).length) tbh_stub_take_option(job, word);
    } else if (tbh_span_equal_nocase(key, "nameserver") && job->server_count < TBH_STUB_SERVERS) {
        tbh_peer *server = &job->servers[job->server_count];
        memset(server, 0, sizeof *server);
        server->port = 53;
        if (tbh_stub_parse_address(tbh_stub_word(&line), &server->address)) job->server_count++;
    }
}

/* Read again for each lookup: a laptop moves from network to network. */
static void tbh_stub_configure(tbh_stub_job *job) {
    const turbohttp_stub_options *o = &job->resolver->desc->stub;
    job->dots_least = 1;
    job->attempts = 2;
    job->attempt_us = 1000000;
    tbh_stub_read_file(job, o->resolv_conf_path ? o->resolv_conf_path : "/etc/resolv.conf",
                       TBH_STUB_CONF_BYTES, tbh_stub_take_conf_line);
    if (o->servers) job->server_count = tbh_stub_parse_servers(o->servers, job->servers);
    if (job->server_count == 0)
        job->server_count = tbh_stub_parse_servers("127.0.0.1", job->servers);
    if (o->attempt_ms) job->attempt_us = (uint64_t)o->attempt_ms * 1000;
    if (o->attempts) job->attempts = o->attempts;
    if (job->attempts > 10) job->attempts = 10;
}

/* ------------------------------------------------------------ hosts */
static void tbh_stub_take_hosts_line(tbh_stub_job *job, turbohttp_span line) {
    turbohttp_span first = tbh_stub_word(&line), word;
    tbh_lookup *lookup = job->lookup;
    while ((word = tbh_stub_word(&line)).length) {
        if (word.data[word.length - 1] == '.') word.length--;
        if (!tbh_span_equal_nocase(word, lookup->name)) continue;
        if (lookup->count == TURBOHTTP_MAX_ADDRESSES) return;
        if (tbh_stub_parse_address(first, &lookup->addresses[lookup->count])) lookup->count++;
        return;
    }
}

static bool tbh_stub_find_in_hosts(tbh_stub_job *job) {
    const char *path = job->resolver->desc->stub.hosts_path;
    job->lookup->count = 0;
    job->lookup->ttl_s = 1; /* an edit counts at once */
    tbh_stub_read_file(job, path ? path : "/etc/hosts", TBH_STUB_HOSTS_BYTES,
                       tbh_stub_take_hosts_line);
    return job->lookup->count > 0;
}

/* ------------------------------------------------------------ names to ask for */
static bool tbh_stub_join(tbh_stub_job *job, const char *name, turbohttp_span domain) {
    size_t n = strlen(name), dot = domain.length ? 1 : 0;
    if (n + dot + domain.length >= sizeof job->name) return false;
    memcpy(job->name, name, n);
    if (dot) {
        job->name[n] = '.';
        memcpy(job->name + n + 1, domain.data, domain.length);
    }
    job->name[n + dot + domain.length] = 0;
    return tbh_dns_is_name(tbh_span_of(job->name));
}

static turbohttp_span tbh_stub_domain(const tbh_stub_job *job, uint32_t index) {
    turbohttp_span text = tbh_span_of(job->search), word = tbh_stub_word(&text);
    for (uint32_t i = 0; i < index; i++) word = tbh_stub_word(&text);
    return word;
}

static uint32_t tbh_stub_count(const char *text, char c) {
    uint32_t count = 0;
    for (; *text; text++) count += *text == c;
    return count;
}

/* resolv.conf(5): a name with `ndots` dots is tried as it is first, any other one last. */
static bool tbh_stub_next_name(tbh_stub_job *job, const tbh_lookup *lookup) {
    uint32_t domains = lookup->is_absolute ? 0 : tbh_stub_count(job->search, ' ');
    bool is_first = tbh_stub_count(lookup->name, '.') >= job->dots_least;
    turbohttp_span none = tbh_span("", 0);
    while (job->candidate <= domains) {
        uint32_t i = job->candidate++;
        bool is_alone = i == (is_first ? 0 : domains);
        turbohttp_span domain = is_alone ? none : tbh_stub_domain(job, is_first ? i - 1 : i);
        if (!tbh_stub_join(job, lookup->name, domain)) continue;
        memset(job->families, 0, sizeof job->families);
        job->delay_us = 0;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------ exchanges */
static void tbh_stub_shut(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_socket s = x->watch.descriptor;
    x->is_over = true;
    if (!x->watch.place) return;
    tbh_poller_remove(job->resolver->poller, &x->watch);
    tbh_os_socket_shut(s);
}

static void tbh_stub_free(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_stub_shut(job, x);
    tbh_release(job->resolver->allocator, x->stream, TBH_STUB_STREAM_BYTES);
    tbh_release(job->resolver->allocator, x, sizeof *x);
}

/* Frees what is over, and what nobody waits for any more. */
static void tbh_stub_sweep(tbh_stub_job *job) {
    tbh_stub_exchange **link = &job->exchanges, *x;
    while ((x = *link) != NULL) {
        bool is_awaited = !x->is_over && job->families[x->family].state == TBH_STUB_ASKING;
        if (is_awaited) {
            link = &x->next;
            continue;
        }
        *link = x->next;
        tbh_stub_free(job, x);
    }
}

static void tbh_stub_free_job(tbh_stub_job *job) {
    tbh_stub_exchange *next;
    for (tbh_stub_exchange *x = job->exchanges; x; x = next) {
        next = x->next;
        tbh_stub_free(job, x);
    }
    tbh_release(job->resolver->allocator, job, sizeof *job);
}

static turbohttp_status tbh_stub_watch(tbh_stub_job *job, tbh_stub_exchange *x, tbh_socket s,
                                       uint8_t wants) {
    turbohttp_status status = tbh_poller_add(job->resolver->poller, &x->watch, s, wants, NULL);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

/* What no other server can mend. */
static bool tbh_stub_is_fatal(turbohttp_status status) {
    return status == TURBOHTTP_ERR_OUT_OF_MEMORY || status == TURBOHTTP_ERR_DESCRIPTORS ||
           status == TURBOHTTP_ERR_RANDOM;
}

/* A new id each time. TCP needs no help against forgery by turning letters, and servers that do
 * not keep the case of a question can be understood that way. */
static turbohttp_status tbh_stub_build_query(tbh_stub_job *job, tbh_stub_exchange *x) {
    const turbohttp_random *source = &job->resolver->desc->random;
    uint8_t random[TBH_DNS_RANDOM_BYTES];
    bool is_filled = source->fill ? source->fill(source->user, random, sizeof random)
                                  : tbh_os_random(NULL, random, sizeof random);
    if (!is_filled) return TURBOHTTP_ERR_RANDOM;
    if (x->stream) memset(random + 2, 0, sizeof random - 2);
    tbh_dns_query_build(&x->query, tbh_span_of(job->name),
                        x->family == TBH_STUB_V6 ? TBH_DNS_AAAA : TBH_DNS_A, random,
                        !job->is_plain);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_stub_open_datagram(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_socket s;
    int32_t code;
    size_t sent;
    turbohttp_status status = tbh_stub_build_query(job, x);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_os_datagram_open(&job->servers[x->server], &s, &code);
    if (status < 0) return status;
    status = tbh_stub_watch(job, x, s, TBH_WANT_RECEIVE);
    if (status != TURBOHTTP_OK) return status;
    /* A full queue is a lost datagram: the retry mends it. */
    status = tbh_os_send(s, x->query.bytes + TBH_DNS_PREFIX_BYTES, x->query.length, &sent, &code);
    return status < 0 ? status : TURBOHTTP_OK;
}

static turbohttp_status tbh_stub_open_stream(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_socket s;
    int32_t code;
    x->stream = (uint8_t *)tbh_allocate(job->resolver->allocator, TBH_STUB_STREAM_BYTES);
    if (!x->stream) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status = tbh_stub_build_query(job, x);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_os_stream_open(&job->servers[x->server], &s, &code);
    return status < 0 ? status : tbh_stub_watch(job, x, s, TBH_WANT_SEND);
}

/* RFC 5452 §9.3 and S-74: a server whose datagrams made no sense is asked over TCP from then on. */
static turbohttp_status tbh_stub_open(tbh_stub_job *job, uint32_t family, uint32_t server) {
    tbh_stub_exchange *x = (tbh_stub_exchange *)tbh_allocate(job->resolver->allocator, sizeof *x);
    if (!x) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(x, 0, sizeof *x);
    x->family = family;
    x->server = server;
    x->next = job->exchanges;
    job->exchanges = x;
    bool is_stream = (job->suspicious >> server & 1) != 0;
    turbohttp_status status =
        is_stream ? tbh_stub_open_stream(job, x) : tbh_stub_open_datagram(job, x);
    if (status != TURBOHTTP_OK) tbh_stub_shut(job, x);
    return status;
}

/* ------------------------------------------------------------ tries */
static bool tbh_stub_is_awaited(const tbh_stub_job *job, uint32_t family) {
    for (const tbh_stub_exchange *x = job->exchanges; x; x = x->next)
        if (x->family == family && !x->is_over) return true;
    return false;
}

static uint32_t tbh_stub_most_tries(const tbh_stub_job *job) {
    return job->attempts * job->server_count;
}

/* Asks the next server that can be asked; an error is one that none can mend. The last one gets
 * twice the time. */
static turbohttp_status tbh_stub_ask(tbh_stub_job *job, uint32_t family, uint64_t now_us) {
    tbh_stub_family *f = &job->families[family];
    turbohttp_status status = TURBOHTTP_ERR_CONNECT;
    while (status != TURBOHTTP_OK && f->tries < tbh_stub_most_tries(job)) {
        status = tbh_stub_open(job, family, f->tries++ % job->server_count);
        if (tbh_stub_is_fatal(status)) return status;
    }
    bool is_last = f->tries == tbh_stub_most_tries(job);
    f->next_us = now_us + job->attempt_us * (is_last ? 2 : 1);
    if (!tbh_stub_is_awaited(job, family)) f->state = TBH_STUB_SILENT;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_stub_ask_due(tbh_stub_job *job, uint64_t now_us) {
    for (uint32_t family = 0; family < TBH_STUB_FAMILIES; family++) {
        tbh_stub_family *f = &job->families[family];
        if (f->state != TBH_STUB_ASKING || now_us < f->next_us) continue;
        if (f->tries == tbh_stub_most_tries(job)) {
            f->state = TBH_STUB_SILENT;
            continue;
        }
        turbohttp_status status = tbh_stub_ask(job, family, now_us);
        if (status != TURBOHTTP_OK) return status;
    }
    return TURBOHTTP_OK;
}

/* The next server is asked at once; older exchanges may still answer. */
static void tbh_stub_fail_exchange(tbh_stub_job *job, tbh_stub_exchange *x, uint64_t now_us) {
    tbh_stub_family *f = &job->families[x->family];
    tbh_stub_shut(job, x);
    if (f->tries < tbh_stub_most_tries(job)) f->next_us = now_us;
    else if (!tbh_stub_is_awaited(job, x->family)) f->state = TBH_STUB_SILENT;
}

/* ------------------------------------------------------------ answers */
static turbohttp_status tbh_stub_go_to_stream(tbh_stub_job *job, tbh_stub_exchange *x,
                                              uint64_t now_us) {
    tbh_stub_family *f = &job->families[x->family];
    tbh_stub_shut(job, x);
    turbohttp_status status = tbh_stub_open_stream(job, x);
    x->is_over = status != TURBOHTTP_OK;
    if (tbh_stub_is_fatal(status)) return status;
    if (x->is_over) tbh_stub_fail_exchange(job, x, now_us);
    else if (f->next_us < now_us + job->attempt_us) f->next_us = now_us + job->attempt_us;
    return TURBOHTTP_OK;
}

/* One message that is not simply passed over ends the exchange, or moves it to TCP. */
static turbohttp_status tbh_stub_take_message(tbh_stub_job *job, tbh_stub_exchange *x,
                                              const uint8_t *data, size_t length, uint64_t now_us) {
    tbh_stub_family *f = &job->families[x->family];
    tbh_dns_verdict verdict = tbh_dns_answer_parse(&x->query, data, length, &f->answer);
    bool is_stream = x->stream != NULL;
    if (verdict == TBH_DNS_IGNORED && !is_stream) {
        job->suspicious |= 1u << x->server;
        return TURBOHTTP_OK;
    }
    if (verdict == TBH_DNS_TRUNCATED && !is_stream) return tbh_stub_go_to_stream(job, x, now_us);
    if (verdict == TBH_DNS_FORMAT_ERROR) job->is_plain = true;
    if (verdict == TBH_DNS_ADDRESSES) f->state = TBH_STUB_FOUND;
    else if (verdict == TBH_DNS_NO_DATA || verdict == TBH_DNS_NO_NAME) f->state = TBH_STUB_NONE;
    else tbh_stub_fail_exchange(job, x, now_us);
    return TURBOHTTP_OK;
}

static bool tbh_stub_is_settled(const tbh_stub_job *job, const tbh_stub_exchange *x) {
    return x->is_over || job->families[x->family].state != TBH_STUB_ASKING;
}

static turbohttp_status tbh_stub_step_datagram(tbh_stub_job *job, tbh_stub_exchange *x,
                                               uint64_t now_us) {
    for (int i = 0; i < TBH_STUB_DATAGRAMS; i++) {
        size_t n;
        int32_t code;
        turbohttp_status status =
            tbh_os_receive(x->watch.descriptor, job->scratch, sizeof job->scratch, &n, &code);
        if (status == TURBOHTTP_PENDING) return TURBOHTTP_OK;
        if (status < 0) { /* "port unreachable" */
            tbh_stub_fail_exchange(job, x, now_us);
            return TURBOHTTP_OK;
        }
        status = tbh_stub_take_message(job, x, job->scratch, n, now_us);
        if (status != TURBOHTTP_OK || x->stream || tbh_stub_is_settled(job, x)) return status;
    }
    return TURBOHTTP_OK;
}

/* OK when all of it is sent. */
static turbohttp_status tbh_stub_send_stream(tbh_stub_job *job, tbh_stub_exchange *x) {
    size_t length = (size_t)x->query.length + TBH_DNS_PREFIX_BYTES, n = 0;
    int32_t code;
    turbohttp_status status = TURBOHTTP_OK;
    if (!x->is_connected) status = tbh_os_stream_ready(x->watch.descriptor, &code);
    if (status != TURBOHTTP_OK) return status;
    x->is_connected = true;
    status =
        tbh_os_send(x->watch.descriptor, x->query.bytes + x->sent, length - x->sent, &n, &code);
    if (status != TURBOHTTP_OK) return status;
    x->sent += n;
    if (x->sent < length) return TURBOHTTP_PENDING;
    tbh_poller_change(job->resolver->poller, &x->watch, TBH_WANT_RECEIVE);
    return TURBOHTTP_OK;
}

/* How many bytes the message has, as far as is known, with the prefix; 0: too many. */
static size_t tbh_stub_stream_length(const tbh_stub_exchange *x) {
    if (x->received < TBH_DNS_PREFIX_BYTES) return TBH_DNS_PREFIX_BYTES;
    size_t n = (size_t)tbh_load16_be(x->stream) + TBH_DNS_PREFIX_BYTES;
    return n > TBH_STUB_STREAM_BYTES ? 0 : n;
}

/* OK when all of it is there. */
static turbohttp_status tbh_stub_receive_stream(tbh_stub_exchange *x) {
    size_t length, n;
    int32_t code;
    while ((length = tbh_stub_stream_length(x)) > x->received) { /* ends: at most 4096 bytes */
        turbohttp_status status = tbh_os_receive(x->watch.descriptor, x->stream + x->received,
                                                 length - x->received, &n, &code);
        if (status != TURBOHTTP_OK) return status;
        x->received += n;
    }
    return length ? TURBOHTTP_OK : TURBOHTTP_ERR_OVERFLOW;
}

static turbohttp_status tbh_stub_step_stream(tbh_stub_job *job, tbh_stub_exchange *x,
                                             uint64_t now_us) {
    bool is_sending = (x->watch.wants & TBH_WANT_SEND) != 0;
    turbohttp_status status =
        is_sending ? tbh_stub_send_stream(job, x) : tbh_stub_receive_stream(x);
    if (status == TURBOHTTP_PENDING || (is_sending && status == TURBOHTTP_OK)) return TURBOHTTP_OK;
    if (status == TURBOHTTP_OK)
        return tbh_stub_take_message(job, x, x->stream + TBH_DNS_PREFIX_BYTES,
                                     x->received - TBH_DNS_PREFIX_BYTES, now_us);
    tbh_stub_fail_exchange(job, x, now_us);
    return TURBOHTTP_OK;
}

/* The poller looks again before the next step, so what is left over is not forgotten. */
static turbohttp_status tbh_stub_receive(tbh_stub_job *job, uint64_t now_us) {
    turbohttp_status status = TURBOHTTP_OK;
    for (tbh_stub_exchange *x = job->exchanges; x && status == TURBOHTTP_OK; x = x->next) {
        bool is_ready = x->watch.ready != 0;
        x->watch.ready = 0;
        if (!is_ready || tbh_stub_is_settled(job, x)) continue;
        status = x->stream ? tbh_stub_step_stream(job, x, now_us)
                           : tbh_stub_step_datagram(job, x, now_us);
    }
    return status;
}

/* ------------------------------------------------------------ the lookup */
static bool tbh_stub_any(const tbh_stub_job *job, tbh_stub_state state) {
    return job->families[TBH_STUB_V6].state == state || job->families[TBH_STUB_V4].state == state;
}

static void tbh_stub_append(tbh_lookup *lookup, const tbh_stub_family *f, uint32_t most) {
    uint32_t count = f->state == TBH_STUB_FOUND ? f->answer.count : 0;
    if (count > most) count = most;
    memcpy(lookup->addresses + lookup->count, f->answer.addresses,
           count * sizeof lookup->addresses[0]);
    lookup->count += count;
}

/* Half of the room for what is not known yet. */
static uint32_t tbh_stub_reserve(const tbh_stub_family *f) {
    const uint32_t half = TURBOHTTP_MAX_ADDRESSES / 2;
    if (f->state == TBH_STUB_ASKING) return half;
    if (f->state != TBH_STUB_FOUND) return 0;
    return f->answer.count < half ? f->answer.count : half;
}

/* An answer with one family missing is not kept. */
static uint32_t tbh_stub_ttl(const tbh_stub_job *job) {
    uint32_t ttl_s = TBH_CACHE_MOST_S;
    for (int i = 0; i < TBH_STUB_FAMILIES; i++) {
        const tbh_stub_family *f = &job->families[i];
        if (f->state == TBH_STUB_ASKING || f->state == TBH_STUB_SILENT) return 1;
        if (f->state == TBH_STUB_FOUND && f->answer.count && f->answer.ttl_s < ttl_s)
            ttl_s = f->answer.ttl_s;
    }
    return ttl_s ? ttl_s : 1;
}

/* IPv6 first (RFC 6724 §2.1), with room for IPv4. */
static void tbh_stub_fill(tbh_lookup *lookup, tbh_stub_job *job) {
    const tbh_stub_family *v6 = &job->families[TBH_STUB_V6], *v4 = &job->families[TBH_STUB_V4];
    lookup->count = 0;
    tbh_stub_append(lookup, v6, TURBOHTTP_MAX_ADDRESSES - tbh_stub_reserve(v4));
    uint32_t kept = v6->state == TBH_STUB_ASKING ? tbh_stub_reserve(v6) : 0;
    tbh_stub_append(lookup, v4, TURBOHTTP_MAX_ADDRESSES - lookup->count - kept);
    lookup->ttl_s = tbh_stub_ttl(job);
    lookup->is_partial = tbh_stub_any(job, TBH_STUB_ASKING);
    job->late = v6->state == TBH_STUB_ASKING ? TBH_STUB_V6 : TBH_STUB_V4;
}

/* The addresses that are there are in use: they stay where they are (RFC 8305 §3). */
static void tbh_stub_fill_rest(tbh_lookup *lookup, const tbh_stub_job *job) {
    tbh_stub_append(lookup, &job->families[job->late], TURBOHTTP_MAX_ADDRESSES - lookup->count);
    lookup->ttl_s = tbh_stub_ttl(job);
}

/* OK, PENDING, an error, or DONE: nobody knows this name, the search list may go on. OK with
 * is_partial: one family is still being asked for. */
static turbohttp_status tbh_stub_decide(tbh_lookup *lookup, tbh_stub_job *job, uint64_t now_us) {
    bool is_found = tbh_stub_any(job, TBH_STUB_FOUND),
         is_asking = tbh_stub_any(job, TBH_STUB_ASKING);
    if (is_found && is_asking && !job->delay_us) job->delay_us = now_us + TBH_STUB_DELAY_US;
    bool may_begin = is_found && now_us >= job->delay_us && !lookup->is_partial;
    if (is_asking && !may_begin) return TURBOHTTP_PENDING;
    if (is_found) {
        if (lookup->is_partial) tbh_stub_fill_rest(lookup, job);
        else tbh_stub_fill(lookup, job);
        return TURBOHTTP_OK;
    }
    if (tbh_stub_any(job, TBH_STUB_SILENT)) return TURBOHTTP_ERR_RESOLVE_TEMPORARY;
    return TURBOHTTP_DONE;
}

static turbohttp_status tbh_stub_round(tbh_lookup *lookup, tbh_stub_job *job, uint64_t now_us) {
    turbohttp_status status = tbh_stub_receive(job, now_us);
    if (status == TURBOHTTP_OK) status = tbh_stub_ask_due(job, now_us);
    tbh_stub_sweep(job);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_stub_decide(lookup, job, now_us);
    if (status != TURBOHTTP_DONE) return status;
    tbh_stub_sweep(job);
    return tbh_stub_next_name(job, lookup) ? TURBOHTTP_DONE : TURBOHTTP_ERR_RESOLVE;
}

static turbohttp_status tbh_stub_end(tbh_lookup *lookup, tbh_stub_job *job, turbohttp_status status,
                                     turbohttp_error *error) {
    tbh_stub_free_job(job);
    lookup->job = NULL;
    return status < 0 ? tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE) : status;
}

static turbohttp_status tbh_stub_step(tbh_lookup *lookup, uint64_t now_us, turbohttp_error *error) {
    tbh_stub_job *job = (tbh_stub_job *)lookup->job;
    bool was_partial = lookup->is_partial;
    turbohttp_status status;
    do status = tbh_stub_round(lookup, job, now_us); /* ends: names are counted */
    while (status == TURBOHTTP_DONE);
    bool goes_on = status == TURBOHTTP_OK && lookup->is_partial && !was_partial;
    if (status == TURBOHTTP_PENDING || goes_on) return status;
    return tbh_stub_end(lookup, job, status, error);
}

static turbohttp_status tbh_stub_start(tbh_lookup *lookup, uint64_t now_us,
                                       turbohttp_error *error) {
    tbh_resolver *resolver = lookup->resolver;
    tbh_stub_job *job = (tbh_stub_job *)tbh_allocate(resolver->allocator, sizeof *job);
    if (!job) return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_RESOLVE);
    memset(job, 0, sizeof *job);
    job->resolver = resolver;
    job->lookup = lookup;
    lookup->job = job;
    if (tbh_stub_find_in_hosts(job)) return tbh_stub_end(lookup, job, TURBOHTTP_OK, error);
    tbh_stub_configure(job);
    if (!tbh_stub_next_name(job, lookup))
        return tbh_stub_end(lookup, job, TURBOHTTP_ERR_URL_HOST, error);
    return tbh_stub_step(lookup, now_us, error);
}

static uint64_t tbh_stub_deadline(const tbh_lookup *lookup) {
    const tbh_stub_job *job = (const tbh_stub_job *)lookup->job;
    uint64_t due = job->delay_us && !lookup->is_partial ? job->delay_us : UINT64_MAX;
    for (int i = 0; i < TBH_STUB_FAMILIES; i++) {
        const tbh_stub_family *f = &job->families[i];
        if (f->state == TBH_STUB_ASKING && f->next_us < due) due = f->next_us;
    }
    return due;
}

static void tbh_stub_cancel(tbh_lookup *lookup) {
    tbh_stub_free_job((tbh_stub_job *)lookup->job);
}

static const tbh_name_service tbh_stub_service = {tbh_stub_start, tbh_stub_step, tbh_stub_deadline,
                                                  tbh_stub_cancel};

TBH_FN turbohttp_status tbh_stub_create(tbh_resolver *resolver) {
    tbh_peer servers[TBH_STUB_SERVERS];
    const char *list = resolver->desc->stub.servers;
    if (list && tbh_stub_parse_servers(list, servers) == 0) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    resolver->service = &tbh_stub_service;
    return TURBOHTTP_OK;
}
