/* URL: parse, resolve, and write what a request needs of it.
 * Owns: nothing; a parsed URL is slices of the caller's text.
 * Invariants: text that parses holds only printable ASCII without blank and backslash, so CR, LF
 * and NUL cannot reach a request; what resolve appends parses again; an error leaves the writer's
 * content as it was.
 * Input: hostile text of any length. The grammar is narrower than RFC 3986 wherever its readers
 * are known to disagree about the host (RELIABILITY S-70, S-71, S-73): rather refuse than guess.
 * Does not know: name resolution, IDNA, and which addresses are private. */
#include "url.h"

/* Character sets: one bit for each ASCII character. */
typedef struct tbh_url_set {
    uint32_t bits[4];
} tbh_url_set;

/* RFC 3986 §2.3 unreserved */
static const tbh_url_set tbh_url_unreserved = {{0, 0x03ff6000u, 0x87fffffeu, 0x47fffffeu}};
static const tbh_url_set tbh_url_host_chars = {{0, 0x03ff6000u, 0x87fffffeu, 0x07fffffeu}};
static const tbh_url_set tbh_url_userinfo = {{0, 0x2fff7fd2u, 0x87fffffeu, 0x47fffffeu}};
/* pchar, "/", [ ] and what browsers encode: " < > ^ ` { | } */
static const tbh_url_set tbh_url_path = {{0, 0x7fffffd6u, 0xefffffffu, 0x7fffffffu}};
static const tbh_url_set tbh_url_query = {{0, 0xffffffd6u, 0xefffffffu, 0x7fffffffu}};
/* What may stand in a request target; everything else is encoded there. */
static const tbh_url_set tbh_url_sent = {{0, 0xaffffff2u, 0xafffffffu, 0x47fffffeu}};
/* The WHATWG URL standard's application/x-www-form-urlencoded set, without the blank. */
static const tbh_url_set tbh_url_form = {{0, 0x03ff6400u, 0x87fffffeu, 0x07fffffeu}};

TBH_ALWAYS_INLINE bool tbh_url_in(const tbh_url_set *set, char c) {
    uint8_t u = (uint8_t)c;
    return u < 128 && (set->bits[u >> 5] >> (u & 31) & 1);
}

static bool tbh_url_is_escape(const char *p, size_t n) {
    return n >= 3 && p[0] == '%' && tbh_hex_value((uint8_t)p[1]) >= 0 &&
           tbh_hex_value((uint8_t)p[2]) >= 0;
}

/* How many characters from the start belong to the set or are %XX. */
static size_t tbh_url_span(const tbh_url_set *set, const char *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        if (tbh_url_in(set, p[i])) i++;
        else if (tbh_url_is_escape(p + i, n - i)) i += 3;
        else break;
    }
    return i;
}

static size_t tbh_url_index(const char *p, size_t n, char c) {
    const void *at = n ? memchr(p, c, n) : NULL;
    return at ? (size_t)((const char *)at - p) : n;
}

/* ------------------------------------------------------------ hosts */
TBH_FN bool tbh_is_ipv4(const char *p, size_t n) {
    uint8_t bytes[4];
    return tbh_address_parse_v4(tbh_span(p, n), bytes);
}

TBH_FN bool tbh_is_ipv6(const char *p, size_t n) {
    uint8_t bytes[16];
    return tbh_address_parse_v6(tbh_span(p, n), bytes);
}

/* A target that may be sent as it stands: nothing to encode or to refuse, no dot segment, no fragment,
 * not empty. */
TBH_FN size_t tbh_url_plain_target(const char *p) {
    size_t n = 1;
    if (p[0] != '/') return 0;
    for (;; n++) { /* ends at the NUL at the latest */
        if ((uint8_t)((p[n] | 0x20) - 'a') < 26) continue;
        bool may_be_dots = p[n] == '.' || p[n] == '%'; /* also written %2e */
        if (may_be_dots && p[n - 1] == '/') return 0;
        if (p[n] == '%' && !tbh_url_is_escape(p + n, 3)) return 0;
        if (!tbh_url_in(&tbh_url_sent, p[n])) break;
    }
    return p[n] == 0 ? n : 0;
}

/* A label that other parsers read as a number: decimal, octal or 0x. */
static bool tbh_url_is_number(const char *p, size_t n) {
    bool hex = n >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x';
    for (size_t i = hex ? 2 : 0; i < n; i++)
        if (hex ? tbh_hex_value((uint8_t)p[i]) < 0 : !tbh_is_digit((uint8_t)p[i])) return false;
    return n > 0;
}

TBH_FN bool tbh_is_host_name(const char *p, size_t n) {
    size_t at = 0;
    if (n > 0 && p[n - 1] == '.') n--;
    if (n == 0 || n > 253) return false;
    for (size_t i = 0; i < n; i++)
        if (!tbh_url_in(&tbh_url_host_chars, p[i])) return false;
    for (;;) { /* n labels at most */
        size_t label = tbh_url_index(p + at, n - at, '.');
        if (label == 0 || label > 63) return false;
        if (at + label == n) return !tbh_url_is_number(p + at, label);
        at += label + 1;
    }
}

/* ------------------------------------------------------------ parse */
typedef struct tbh_url_scheme_row {
    char name[6];
    bool is_tls, is_websocket;
} tbh_url_scheme_row;

static const tbh_url_scheme_row tbh_url_schemes[] = {
    {"http", false, false},
    {"https", true, false},
    {"ws", false, true},
    {"wss", true, true},
};

TBH_FN uint16_t tbh_url_default_port(const turbohttp_url *url) {
    return url->is_tls ? 443 : 80;
}

/* The parser's position in the text; `at` is where the fault is when a step fails. */
typedef struct tbh_url_parser {
    turbohttp_url *url;
    const char *text;
    size_t length, at;
} tbh_url_parser;

/* RFC 3986 §3.1: length of "scheme:" without the colon, or 0 when there is none. */
static size_t tbh_url_scheme_length(const char *p, size_t n) {
    size_t i = 0;
    if (n == 0 || !tbh_is_alpha((uint8_t)p[0])) return 0;
    while (i < n && (tbh_is_alpha((uint8_t)p[i]) || tbh_is_digit((uint8_t)p[i]) || p[i] == '+' ||
                     p[i] == '-' || p[i] == '.'))
        i++;
    return i < n && p[i] == ':' ? i : 0;
}

static turbohttp_status tbh_url_parse_scheme(tbh_url_parser *s) {
    size_t n = tbh_url_scheme_length(s->text, s->length);
    s->url->scheme = tbh_span(s->text, n);
    for (size_t i = 0; i < sizeof tbh_url_schemes / sizeof tbh_url_schemes[0]; i++) {
        const tbh_url_scheme_row *row = &tbh_url_schemes[i];
        if (!tbh_span_equal_nocase(s->url->scheme, row->name)) continue;
        s->url->is_tls = row->is_tls;
        s->url->is_websocket = row->is_websocket;
        s->url->port = tbh_url_default_port(s->url);
        s->at = n + 1;
        for (int slash = 0; slash < 2; slash++, s->at++)
            if (s->at >= s->length || s->text[s->at] != '/') return TURBOHTTP_ERR_URL;
        return TURBOHTTP_OK;
    }
    return TURBOHTTP_ERR_URL_SCHEME;
}

/* "[" address [ "%25" zone ] "]"; RFC 6874. Leaves `at` behind the bracket. */
static turbohttp_status tbh_url_parse_bracket(tbh_url_parser *s, size_t end) {
    const char *p = s->text + s->at + 1;
    size_t n = tbh_url_index(p, end - s->at - 1, ']');
    if (s->at + 1 + n >= end) return TURBOHTTP_ERR_URL_HOST;
    size_t address = tbh_url_index(p, n, '%');
    s->at++;
    if (!tbh_is_ipv6(p, address)) return TURBOHTTP_ERR_URL_HOST;
    s->url->host = tbh_span(p, address);
    s->url->is_ipv6 = true;
    if (address < n) {
        size_t zone = address + 3;
        s->at += address;
        if (n <= zone || memcmp(p + address, "%25", 3) != 0) return TURBOHTTP_ERR_URL_HOST;
        s->at += 3;
        for (size_t i = zone; i < n; i++, s->at++)
            if (!tbh_url_in(&tbh_url_unreserved, p[i])) return TURBOHTTP_ERR_URL_HOST;
        s->url->zone = tbh_span(p + zone, n - zone);
    }
    s->at = (size_t)(p - s->text) + n + 1;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_url_parse_name(tbh_url_parser *s, size_t end) {
    const char *p = s->text + s->at;
    size_t n = tbh_url_index(p, end - s->at, ':'), bad = 0;
    while (bad < n && tbh_url_in(&tbh_url_host_chars, p[bad])) bad++;
    s->url->host = tbh_span(p, n);
    s->url->is_ipv4 = tbh_is_ipv4(p, n);
    if (bad < n) s->at += bad;
    if (!s->url->is_ipv4 && !tbh_is_host_name(p, n)) return TURBOHTTP_ERR_URL_HOST;
    s->at += n;
    return TURBOHTTP_OK;
}

/* RFC 3986 §3.2.3: the digits may be missing; the default is meant then. */
static turbohttp_status tbh_url_parse_port(tbh_url_parser *s, size_t end) {
    uint64_t port;
    if (s->at == end) return TURBOHTTP_OK;
    if (s->text[s->at] != ':') return TURBOHTTP_ERR_URL_HOST;
    s->at++;
    size_t n = end - s->at;
    s->url->port_text = tbh_span(s->text + s->at, n);
    if (n == 0) return TURBOHTTP_OK;
    if (n > 5 || !tbh_parse_u64(s->text + s->at, n, 65535, &port) || port == 0)
        return TURBOHTTP_ERR_URL_PORT;
    s->url->port = (uint16_t)port;
    s->at = end;
    return TURBOHTTP_OK;
}

/* A second '@' is not a character of a host, and so is refused there. */
static turbohttp_status tbh_url_parse_authority(tbh_url_parser *s, size_t end) {
    const char *p = s->text + s->at;
    size_t n = end - s->at, user = tbh_url_index(p, n, '@');
    s->url->authority = tbh_span(p, n);
    if (user < n) {
        size_t good = tbh_url_span(&tbh_url_userinfo, p, user);
        s->url->userinfo = tbh_span(p, user);
        s->url->has_userinfo = true;
        s->at += good;
        if (good < user) return TURBOHTTP_ERR_URL;
        s->at++;
    }
    bool bracket = s->at < end && s->text[s->at] == '[';
    turbohttp_status status = bracket ? tbh_url_parse_bracket(s, end) : tbh_url_parse_name(s, end);
    return status == TURBOHTTP_OK ? tbh_url_parse_port(s, end) : status;
}

/* Takes what belongs to the set. */
static turbohttp_span tbh_url_take(tbh_url_parser *s, const tbh_url_set *set) {
    size_t n = tbh_url_span(set, s->text + s->at, s->length - s->at);
    turbohttp_span part = tbh_span(s->text + s->at, n);
    s->at += n;
    return part;
}

/* Skips the character that begins a part, if it comes next. */
static bool tbh_url_mark(tbh_url_parser *s, char mark) {
    if (s->at == s->length || s->text[s->at] != mark) return false;
    s->at++;
    return true;
}

/* path [ "?" query ] [ "#" fragment ], to the end of the text */
static turbohttp_status tbh_url_parse_tail(tbh_url_parser *s) {
    turbohttp_url *url = s->url;
    url->path = tbh_url_take(s, &tbh_url_path);
    url->has_query = tbh_url_mark(s, '?');
    if (url->has_query) url->query = tbh_url_take(s, &tbh_url_query);
    url->has_fragment = tbh_url_mark(s, '#');
    if (url->has_fragment) url->fragment = tbh_url_take(s, &tbh_url_query);
    return s->at == s->length ? TURBOHTTP_OK : TURBOHTTP_ERR_URL;
}

/* Where the authority that starts at `at` ends. */
static size_t tbh_url_authority_end(const tbh_url_parser *s, size_t at) {
    while (at < s->length && s->text[at] != '/' && s->text[at] != '?' && s->text[at] != '#') at++;
    return at;
}

static turbohttp_status tbh_url_parse_all(tbh_url_parser *s) {
    turbohttp_status status = tbh_url_parse_scheme(s);
    if (status == TURBOHTTP_OK)
        status = tbh_url_parse_authority(s, tbh_url_authority_end(s, s->at));
    return status == TURBOHTTP_OK ? tbh_url_parse_tail(s) : status;
}

TURBOHTTP_API turbohttp_status turbohttp_url_parse(turbohttp_url *url, const char *text, size_t n,
                                                   size_t max_bytes, size_t *bad) {
    tbh_url_parser s;
    memset(url, 0, sizeof *url);
    s.url = url;
    s.text = text;
    s.length = n;
    s.at = 0;
    if (max_bytes == 0) max_bytes = TURBOHTTP_URL_BYTES;
    if (n > max_bytes) s.at = max_bytes;
    turbohttp_status status = n > max_bytes ? TURBOHTTP_ERR_URL_TOO_LONG : tbh_url_parse_all(&s);
    if (bad) *bad = status == TURBOHTTP_OK ? 0 : s.at;
    if (status != TURBOHTTP_OK) memset(url, 0, sizeof *url);
    else url->text = tbh_span(text, n);
    return status;
}

/* ------------------------------------------------------------ encoding */
/* Takes back what was appended since `start`. */
static turbohttp_status tbh_url_undo(turbohttp_writer *writer, size_t start,
                                     turbohttp_status status) {
    writer->length = start;
    return status;
}

static turbohttp_status tbh_url_put_encoded(turbohttp_writer *writer, const tbh_url_set *plain,
                                            bool plus, const char *p, size_t n) {
    static const char digits[] = "0123456789ABCDEF";
    size_t start = writer->length, at = 0;
    while (at < n && writer->status == TURBOHTTP_OK) {
        size_t run = at;
        while (run < n && tbh_url_in(plain, p[run])) run++;
        (void)turbohttp_writer_put(writer, p + at, run - at);
        at = run + 1;
        if (run == n) break;
        uint8_t c = (uint8_t)p[run];
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (plus && c == ' ') (void)turbohttp_writer_put_byte(writer, '+');
        else (void)turbohttp_writer_put(writer, escape, 3);
    }
    return writer->status == TURBOHTTP_OK ? TURBOHTTP_OK
                                          : tbh_url_undo(writer, start, writer->status);
}

TURBOHTTP_API turbohttp_status turbohttp_percent_encode(turbohttp_writer *writer, const void *bytes,
                                                        size_t n) {
    return tbh_url_put_encoded(writer, &tbh_url_unreserved, false, (const char *)bytes, n);
}

/* The bytes that the text stands for; false for a '%' without two digits. */
static bool tbh_url_decoded_length(const char *text, size_t n, size_t *length) {
    *length = 0;
    for (size_t i = 0; i < n; i++, ++*length) {
        if (text[i] != '%') continue;
        if (!tbh_url_is_escape(text + i, n - i)) return false;
        i += 2;
    }
    return true;
}

TURBOHTTP_API turbohttp_status turbohttp_percent_decode(turbohttp_writer *writer, const char *text,
                                                        size_t n) {
    char *to;
    size_t length;
    if (!tbh_url_decoded_length(text, n, &length)) return TURBOHTTP_ERR_ENCODING;
    turbohttp_status status = turbohttp_writer_reserve(writer, length, &to);
    if (status != TURBOHTTP_OK) return status;
    for (size_t i = 0, written = 0; i < n; i++) {
        char c = text[i];
        if (c == '%') {
            c = (char)(tbh_hex_value((uint8_t)text[i + 1]) * 16 +
                       tbh_hex_value((uint8_t)text[i + 2]));
            i += 2;
        }
        to[written++] = c;
    }
    return turbohttp_writer_commit(writer, length);
}

/* ------------------------------------------------------------ dot segments */
/* 1 or 2 for a segment that means "." or "..", also when written %2e; else 0. */
static size_t tbh_url_dots(const char *p, size_t n) {
    size_t dots = 0, i = 0;
    while (i < n && dots < 3) {
        if (p[i] == '.') i++;
        else if (n - i >= 3 && tbh_equal_nocase(p + i, "%2e", 3)) i += 3;
        else return 0;
        dots++;
    }
    return dots < 3 ? dots : 0;
}

/* Appends "/" and each segment of p (no leading slash), resolving dots against what was appended
 * since `floor` (RFC 3986 §5.2.4). `is_end`: the last segment is the path's last. */
static void tbh_url_put_segments(turbohttp_writer *writer, size_t floor, const char *p, size_t n,
                                 bool is_end) {
    for (size_t at = 0; at <= n;) {
        size_t length = tbh_url_index(p + at, n - at, '/');
        size_t dots = tbh_url_dots(p + at, length);
        bool is_last = is_end && at + length == n;
        if (dots == 2)
            while (writer->length > floor && writer->data[--writer->length] != '/') {
            }
        if (dots == 0 || is_last) (void)turbohttp_writer_put_byte(writer, '/');
        if (dots == 0) (void)tbh_url_put_encoded(writer, &tbh_url_sent, false, p + at, length);
        at += length + 1;
    }
}

/* A whole path that is empty or begins with a slash. */
static void tbh_url_put_path(turbohttp_writer *writer, turbohttp_span path) {
    if (path.length == 0) (void)turbohttp_writer_put_byte(writer, '/');
    else tbh_url_put_segments(writer, writer->length, path.data + 1, path.length - 1, true);
}

static void tbh_url_put_part(turbohttp_writer *writer, bool has, char mark, turbohttp_span part) {
    if (!has) return;
    (void)turbohttp_writer_put_byte(writer, mark);
    (void)tbh_url_put_encoded(writer, &tbh_url_sent, false, part.data, part.length);
}

/* ------------------------------------------------------------ what a request needs */
TURBOHTTP_API turbohttp_status turbohttp_url_put_target(const turbohttp_url *url,
                                                        turbohttp_writer *writer) {
    size_t start = writer->length;
    tbh_url_put_path(writer, url->path);
    tbh_url_put_part(writer, url->has_query, '?', url->query);
    if (writer->status != TURBOHTTP_OK) return tbh_url_undo(writer, start, writer->status);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_url_put_host(const turbohttp_url *url,
                                                      turbohttp_writer *writer) {
    size_t start = writer->length;
    if (url->is_ipv6) (void)turbohttp_writer_put_byte(writer, '[');
    for (size_t i = 0; i < url->host.length; i++)
        (void)turbohttp_writer_put_byte(writer, (char)tbh_lower((uint8_t)url->host.data[i]));
    if (url->is_ipv6) (void)turbohttp_writer_put_byte(writer, ']');
    if (url->port != tbh_url_default_port(url)) {
        (void)turbohttp_writer_put_byte(writer, ':');
        (void)turbohttp_writer_put_u64(writer, url->port);
    }
    if (writer->status != TURBOHTTP_OK) return tbh_url_undo(writer, start, writer->status);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ resolve (RFC 3986 §5.2.2) */
/* Appends the directory of the base's path without its last slash. A last segment of dots is part of
 * it, because such a base was requested without dots. */
static void tbh_url_put_directory(turbohttp_writer *writer, turbohttp_span path) {
    size_t last = path.length;
    while (last > 0 && path.data[last - 1] != '/') last--;
    bool is_directory = tbh_url_dots(path.data + last, path.length - last) > 0;
    size_t n = is_directory ? path.length + 1 : last;
    if (n > 1) tbh_url_put_segments(writer, writer->length, path.data + 1, n - 2, false);
}

/* A reference without scheme and authority, against the base. */
static turbohttp_status tbh_url_merge(const turbohttp_url *base, const turbohttp_url *r,
                                      turbohttp_writer *writer) {
    if (r->path.length > 0 && r->path.data[0] == '/') {
        tbh_url_put_path(writer, r->path);
    } else if (r->path.length > 0) {
        size_t floor = writer->length;
        tbh_url_put_directory(writer, base->path);
        tbh_url_put_segments(writer, floor, r->path.data, r->path.length, true);
    } else {
        tbh_url_put_path(writer, base->path);
    }
    bool inherits = r->path.length == 0 && !r->has_query;
    if (inherits) tbh_url_put_part(writer, base->has_query, '?', base->query);
    else tbh_url_put_part(writer, r->has_query, '?', r->query);
    tbh_url_put_part(writer, r->has_fragment, '#', r->fragment);
    return writer->status;
}

/* What an absolute URL becomes: the same without dot segments. */
static turbohttp_status tbh_url_put_absolute(const turbohttp_url *url, turbohttp_writer *writer) {
    tbh_url_put_path(writer, url->path);
    tbh_url_put_part(writer, url->has_query, '?', url->query);
    tbh_url_put_part(writer, url->has_fragment, '#', url->fragment);
    return writer->status;
}

static void tbh_url_put_origin(const turbohttp_url *from, turbohttp_span authority,
                               turbohttp_writer *writer) {
    (void)turbohttp_writer_put(writer, from->scheme.data, from->scheme.length);
    (void)turbohttp_writer_put_text(writer, "://");
    (void)turbohttp_writer_put(writer, authority.data, authority.length);
}

static turbohttp_status tbh_url_resolve_into(const turbohttp_url *base, tbh_url_parser *s,
                                             turbohttp_writer *writer) {
    turbohttp_url *r = s->url;
    if (tbh_url_scheme_length(s->text, s->length) > 0) {
        turbohttp_status status = tbh_url_parse_all(s);
        if (status != TURBOHTTP_OK) return status;
        tbh_url_put_origin(r, r->authority, writer);
        return tbh_url_put_absolute(r, writer);
    }
    if (s->length >= 2 && s->text[0] == '/' && s->text[1] == '/') {
        s->at = 2;
        turbohttp_status status = tbh_url_parse_authority(s, tbh_url_authority_end(s, 2));
        if (status == TURBOHTTP_OK) status = tbh_url_parse_tail(s);
        if (status != TURBOHTTP_OK) return status;
        tbh_url_put_origin(base, r->authority, writer);
        return tbh_url_put_absolute(r, writer);
    }
    turbohttp_status status = tbh_url_parse_tail(s);
    if (status != TURBOHTTP_OK) return status;
    tbh_url_put_origin(base, base->authority, writer);
    return tbh_url_merge(base, r, writer);
}

TURBOHTTP_API turbohttp_status turbohttp_url_resolve(const turbohttp_url *base,
                                                     const char *reference, size_t n,
                                                     size_t max_bytes, turbohttp_writer *writer) {
    turbohttp_url parsed;
    tbh_url_parser s;
    size_t start = writer->length;
    if (max_bytes == 0) max_bytes = TURBOHTTP_URL_BYTES;
    if (n > max_bytes) return TURBOHTTP_ERR_URL_TOO_LONG;
    memset(&parsed, 0, sizeof parsed);
    s.url = &parsed;
    s.text = reference;
    s.length = n;
    s.at = 0;
    turbohttp_status status = tbh_url_resolve_into(base, &s, writer);
    if (status == TURBOHTTP_OK)
        status = turbohttp_url_parse(&parsed, writer->data + start, writer->length - start,
                                     max_bytes, NULL);
    return status == TURBOHTTP_OK ? status : tbh_url_undo(writer, start, status);
}

/* ------------------------------------------------------------ queries and forms */
TURBOHTTP_API void turbohttp_query_init(turbohttp_query *query, turbohttp_writer *writer,
                                        char first) {
    query->writer = writer;
    query->separator = first;
    query->is_form = false;
}

TURBOHTTP_API void turbohttp_form_init(turbohttp_query *query, turbohttp_writer *writer) {
    turbohttp_query_init(query, writer, 0);
    query->is_form = true;
}

TURBOHTTP_API turbohttp_status turbohttp_query_add_span(turbohttp_query *query, turbohttp_span name,
                                                        turbohttp_span value) {
    turbohttp_writer *writer = query->writer;
    const tbh_url_set *plain = query->is_form ? &tbh_url_form : &tbh_url_unreserved;
    size_t start = writer->length;
    if (query->separator) (void)turbohttp_writer_put_byte(writer, query->separator);
    (void)tbh_url_put_encoded(writer, plain, query->is_form, name.data, name.length);
    (void)turbohttp_writer_put_byte(writer, '=');
    (void)tbh_url_put_encoded(writer, plain, query->is_form, value.data, value.length);
    if (writer->status != TURBOHTTP_OK) return tbh_url_undo(writer, start, writer->status);
    query->separator = '&';
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_query_add(turbohttp_query *query, const char *name,
                                                   const char *value) {
    return turbohttp_query_add_span(query, tbh_span_of(name), tbh_span_of(value));
}
