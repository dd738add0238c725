/* Response heads of HTTP/1.x: status line, header lines, and the framing that follows from them.
 *
 * Owns nothing: rows go to the caller's table and are slices of the caller's bytes.
 * One run goes once over the bytes, line by line, and stops at the first fault in their order.
 * What a run says depends on the bytes alone, and a fault stays the same fault when bytes follow;
 * that is what makes every split come to the same end. A head that is not complete at the first
 * call is from then on only searched for its end (each byte once), and then parsed once more.
 * Input language: RFC 9112 §4, §5, §6 with none of the leniencies it permits; those that a user may
 * ask for have a section of their own, which strict heads never enter.
 * Does not know: connections, bodies, requests (but whether it was HEAD). */
#include "h1_head.h"

#define TBH_H1_HEAD_BYTES        65536u
#define TBH_H1_LINE_BYTES        16384u
#define TBH_H1_LINE_MAX          65535u /* name_length has 16 bits */
#define TBH_H1_HEADER_COUNT      128u
/* So few bytes are parsed at each call, so that the first wrong one is seen at once. */
#define TBH_H1_EAGER_BYTES       16u

#define TBH_H1_BIT(name)         ((uint64_t)1 << TURBOHTTP_HEADER_##name)

/* Headers with a meaning for the head itself have the first numbers, up to this one. */
#define TBH_H1_LAST_WITH_MEANING ((unsigned)TURBOHTTP_HEADER_LOCATION)
/* RFC 9110 §6.5.1: framing, routing, authentication, response control and content format. */
#define TBH_H1_REFUSED_IN_TRAILER                                                                  \
    (TBH_H1_BIT(CONTENT_LENGTH) | TBH_H1_BIT(TRANSFER_ENCODING) | TBH_H1_BIT(CONNECTION) |         \
     TBH_H1_BIT(CONTENT_ENCODING) | TBH_H1_BIT(LOCATION) | TBH_H1_BIT(KEEP_ALIVE) |                \
     TBH_H1_BIT(CONTENT_TYPE) | TBH_H1_BIT(CONTENT_RANGE) | TBH_H1_BIT(SET_COOKIE) |               \
     TBH_H1_BIT(CACHE_CONTROL) | TBH_H1_BIT(EXPIRES) | TBH_H1_BIT(AGE) | TBH_H1_BIT(VARY) |        \
     TBH_H1_BIT(RETRY_AFTER) | TBH_H1_BIT(WWW_AUTHENTICATE) | TBH_H1_BIT(PROXY_AUTHENTICATE) |     \
     TBH_H1_BIT(TRAILER) | TBH_H1_BIT(UPGRADE) | TBH_H1_BIT(HOST) | TBH_H1_BIT(TE) |               \
     TBH_H1_BIT(AUTHORIZATION) | TBH_H1_BIT(PROXY_AUTHORIZATION) | TBH_H1_BIT(PROXY_CONNECTION))

/* One run over the bytes, and what the watched headers said so far. */
typedef struct tbh_h1_run {
    const char *begin, *end; /* the bytes, cut at the limit on the head */
    const char *fault;       /* the byte at fault */
    turbohttp_header *table;
    uint32_t count, capacity;
    uint32_t line_bytes, head_bytes;
    turbohttp_status status; /* why a function returned NULL */

    bool has_content_length, says_close, says_keep_alive, says_upgrade;
    turbohttp_content_coding coding;
    uint64_t content_length;
    const char *chunked; /* the value of Transfer-Encoding */
    const turbohttp_header *location;
} tbh_h1_run;

static uint32_t tbh_h1_limit(uint32_t wanted, uint32_t standard) {
    return wanted ? wanted : standard;
}

TBH_ALWAYS_INLINE void tbh_h1_run_init(tbh_h1_run *r, const char *data, size_t length,
                                       const turbohttp_head_limits *limits, turbohttp_header *table,
                                       uint32_t capacity) {
    static const turbohttp_head_limits standard = {0, 0, 0};
    if (!limits) limits = &standard;
    uint32_t header_count = tbh_h1_limit(limits->header_count, TBH_H1_HEADER_COUNT);
    uint32_t line_bytes = tbh_h1_limit(limits->line_bytes, TBH_H1_LINE_BYTES);
    r->head_bytes = tbh_h1_limit(limits->head_bytes, TBH_H1_HEAD_BYTES);
    if (r->head_bytes < 2) r->head_bytes = 2; /* an empty trailer section always fits */
    r->line_bytes = line_bytes < TBH_H1_LINE_MAX ? line_bytes : TBH_H1_LINE_MAX;
    r->capacity = header_count < capacity ? header_count : capacity;
    r->count = 0;
    r->table = table;
    r->begin = data;
    r->end = data + tbh_min_size(length, r->head_bytes);
    r->fault = data;
    r->status = TURBOHTTP_OK;
    r->has_content_length = r->says_close = r->says_keep_alive = r->says_upgrade = false;
    r->coding = TURBOHTTP_CODING_IDENTITY;
    r->content_length = 0;
    r->chunked = NULL;
    r->location = NULL;
}

/* ------------------------------------------------------------ lines */
/* Ends the run at a byte of a line. Beyond the limit it is a long line before it is a bad one. */
static const char *tbh_h1_stop(tbh_h1_run *r, const char *line, const char *at,
                               turbohttp_status status) {
    bool too_long = (size_t)(at - line) > r->line_bytes;
    r->fault = too_long ? line + r->line_bytes : at;
    r->status = too_long ? TURBOHTTP_ERR_LINE_TOO_LONG : status;
    return NULL;
}

/* The line does not end with CRLF at `at`: more bytes may mend it, or nothing can. */
static TBH_NOINLINE const char *tbh_h1_stop_at_end(tbh_h1_run *r, const char *line, const char *at,
                                                   turbohttp_status status) {
    bool cut = at == r->end || (*at == '\r' && at + 1 == r->end);
    return tbh_h1_stop(r, line, at, cut ? TURBOHTTP_PENDING : status);
}

/* A header line without a good name, or without its CRLF at `at`: which byte is the first wrong one?
 * Blanks before the colon, a folded line and an empty name are bytes that no token has. */
static TBH_NOINLINE const char *tbh_h1_stop_in_field(tbh_h1_run *r, const char *line,
                                                     const char *at) {
    const char *token_end = tbh_scan_token(line, at);
    bool named = token_end == at || (token_end > line && *token_end == ':');
    if (!named) return tbh_h1_stop(r, line, token_end, TURBOHTTP_ERR_HEADER_LINE);
    return tbh_h1_stop_at_end(r, line, at, TURBOHTTP_ERR_HEADER_LINE);
}

/* What the loop over lines looks at all the time: a copy that nothing else points to stays in
 * registers. */
typedef struct tbh_h1_bounds {
    const char *begin, *end;
    const char *lane_end; /* from before it, a lane can be read */
    size_t line_most;     /* bytes of a line before its last one and CRLF */
} tbh_h1_bounds;

static tbh_h1_bounds tbh_h1_bounds_of(const tbh_h1_run *r) {
    tbh_h1_bounds b;
    b.begin = r->begin;
    b.end = r->end;
    b.lane_end = r->end - r->begin >= TBH_LANE ? r->end - TBH_LANE + 1 : r->begin;
    b.line_most = (size_t)r->line_bytes - 1;
    return b;
}

TBH_ALWAYS_INLINE bool tbh_h1_is_blank(char c) {
    return c == ' ' || c == '\t';
}

TBH_ALWAYS_INLINE bool tbh_h1_is_crlf(const char *p) {
    uint16_t found, crlf;
    memcpy(&found, p, 2);
    memcpy(&crlf, "\r\n", 2);
    return found == crlf;
}

/* Does the line end at `lf`, and has at least one byte? Too few wrap around, and are too many. */
TBH_ALWAYS_INLINE bool tbh_h1_ends_line(const tbh_h1_bounds *b, const char *line, const char *lf) {
    return TBH_LIKELY((size_t)(lf - line) - 2 <= b->line_most) &&
           TBH_LIKELY(tbh_h1_is_crlf(lf - 1));
}

/* One blank is how nearly every line looks. Two bytes can be read even at the end, the CRLF. */
TBH_ALWAYS_INLINE const char *tbh_h1_skip_blanks(const char *p, const char *end) {
    if (TBH_LIKELY(p[0] == ' ' && (uint8_t)p[1] > ' ')) return p + 1;
    while (p < end && tbh_h1_is_blank(*p)) p++;
    return p;
}

typedef struct tbh_h1_place {
    const char *at;
    bool is_end;
    tbh_marks marks; /* those behind it */
} tbh_h1_place;

/* No line ends at its first mark: is there an end behind bytes that were only marked? Otherwise `at`
 * is the first control byte. By value, so that the caller can keep its marks in registers. */
static TBH_NOINLINE tbh_h1_place tbh_h1_line_goes_on(const tbh_h1_run *r, const char *line) {
    tbh_h1_place place;
    const char *at = tbh_scan_control(r->begin, line, r->end);
    place.is_end = r->end - at >= 2 && tbh_h1_is_crlf(at) && (size_t)(at - line) <= r->line_bytes;
    place.at = place.is_end ? at + 1 : at;
    place.marks = tbh_marks_start(r->begin, place.is_end ? at + 2 : r->end, r->end);
    return place;
}

#define TBH_H1_NO_NAME SIZE_MAX /* not a token before a colon */

typedef struct tbh_h1_name {
    size_t length;
    size_t id; /* turbohttp_header_id, or TBH_H1_NO_NAME */
} tbh_h1_name;

TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_named(size_t length, size_t id) {
    tbh_h1_name name;
    name.length = length;
    name.id = id;
    return name;
}

/* The name of any line that ends at `at`: for those that are short, near the end, or malformed. */
static TBH_NOINLINE tbh_h1_name tbh_h1_any_name(const char *line, const char *at) {
    const char *colon = tbh_scan_token(line, at);
    const size_t n = (size_t)(colon - line);
    if (n == 0 || colon == at || *colon != ':') return tbh_h1_named(0, TBH_H1_NO_NAME);
    return tbh_h1_named(n, tbh_header_id_before_colon(line, n));
}

/* A name that does not end in the first lane of the line. */
TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_long_name(const char *begin, const char *line,
                                               const char *at) {
    if (at - line <= TBH_LANE) return tbh_h1_any_name(line, at);
    const char *colon = tbh_scan_colon(begin, line + TBH_LANE, at);
    const size_t n = (size_t)(colon - line);
    if (colon == at || (TBH_LANE < 4 && n < 4)) return tbh_h1_any_name(line, at);
    const size_t id = tbh_header_candidate(line, n);
    if (tbh_header_length(id) == n && tbh_scan_is_name(line, n, tbh_header_text(id)))
        return tbh_h1_named(n, id);
    return tbh_scan_is_common(line, n) ? tbh_h1_named(n, 0) : tbh_h1_any_name(line, at);
}

/* The name of the line that ends at `at`. A colon behind that makes no name: CR and LF are odd, and
 * differ from all that names have. Nor does one behind a colon among the first four bytes, which are
 * what the hash needs: that is odd, too. */
TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_name_of(const tbh_h1_bounds *b, const char *line,
                                             const char *at) {
    if (TBH_LANE > 1 && TBH_UNLIKELY(line >= b->lane_end)) return tbh_h1_any_name(line, at);
    const tbh_lane lane = tbh_lane_load(line);
    const uint64_t colons = tbh_lane_from(tbh_lane_colons(lane), 4);
    if (TBH_UNLIKELY(colons == 0)) return tbh_h1_long_name(b->begin, line, at);
    const size_t n = tbh_lane_first(colons);
    const size_t id = tbh_header_candidate(line, n); /* with the colon it can only be as long */
    const uint64_t differ = tbh_lane_differ(lane, tbh_lane_load(tbh_header_text(id)));
    if (TBH_LIKELY(tbh_lane_none_up_to(differ, colons))) return tbh_h1_named(n, id);
    return tbh_lane_none(tbh_lane_odd(lane), n) ? tbh_h1_named(n, 0) : tbh_h1_any_name(line, at);
}

TBH_ALWAYS_INLINE void tbh_h1_row_fill(turbohttp_header *row, const char *line, tbh_h1_name name,
                                       const char *at) {
    const char *value = tbh_h1_skip_blanks(line + name.length + 1, at), *value_end = at;
    if (TBH_UNLIKELY((uint8_t)at[-1] <= ' '))
        while (value_end > value && (uint8_t)value_end[-1] <= ' ') value_end--;
    row->name = line;
    row->value = value;
    row->value_length = (uint32_t)(value_end - value);
    row->name_length = (uint16_t)name.length;
    row->id = (uint16_t)name.id;
}

/* ------------------------------------------------------------ headers with a meaning */
TBH_FN bool tbh_list_next(turbohttp_span *rest, turbohttp_span *element) {
    if (!rest->data) return false;
    const char *p = rest->data, *end = p + rest->length;
    const char *comma = p;
    while (comma < end && *comma != ',') comma++;
    const char *stop = comma;
    while (p < stop && tbh_h1_is_blank(*p)) p++;
    while (stop > p && tbh_h1_is_blank(stop[-1])) stop--;
    *element = tbh_span(p, (size_t)(stop - p));
    bool last = comma == end;
    *rest = last ? tbh_span(NULL, 0) : tbh_span(comma + 1, (size_t)(end - comma - 1));
    return true;
}

/* Is it that word, in any case? */
TBH_ALWAYS_INLINE bool tbh_h1_is(turbohttp_span a, const char *word, size_t n) {
    return a.length == n && tbh_scan_is_word(a.data, word, n);
}

static bool tbh_h1_number(turbohttp_span text, uint64_t *n) {
    return tbh_parse_u64(text.data, text.length, INT64_MAX, n);
}

static turbohttp_status tbh_h1_one_length(tbh_h1_run *r, uint64_t n) {
    if (r->has_content_length && n != r->content_length) return TURBOHTTP_ERR_CONTENT_LENGTH;
    r->has_content_length = true;
    r->content_length = n;
    return TURBOHTTP_OK;
}

/* RFC 9112 §6.3: a list of equal values counts as one; anything else that is not digits is refused. */
static TBH_NOINLINE turbohttp_status tbh_h1_length_list(tbh_h1_run *r, turbohttp_span rest) {
    uint64_t n = 0;
    turbohttp_span element;
    while (tbh_list_next(&rest, &element)) {
        if (!tbh_h1_number(element, &n)) return TURBOHTTP_ERR_CONTENT_LENGTH;
        if (tbh_h1_one_length(r, n) != TURBOHTTP_OK) return TURBOHTTP_ERR_CONTENT_LENGTH;
    }
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_content_length(tbh_h1_run *r, turbohttp_span value) {
    uint64_t n;
    if (value.length > 0 && value.length <= TBH_FEW_DIGITS &&
        TBH_LIKELY(tbh_parse_few_digits(value.data, value.length, &n)))
        return tbh_h1_one_length(r, n);
    return tbh_h1_length_list(r, value);
}

/* One `chunked` and nothing else: every other list is either unknown to us or ambiguous. */
static TBH_NOINLINE turbohttp_status tbh_h1_transfer_encoding(tbh_h1_run *r, turbohttp_span value) {
    if (r->chunked || !tbh_h1_is(value, "chunked", 7)) return TURBOHTTP_ERR_TRANSFER_ENCODING;
    r->chunked = value.data;
    return TURBOHTTP_OK;
}

TBH_ALWAYS_INLINE bool tbh_h1_option(tbh_h1_run *r, turbohttp_span option) {
    if (tbh_h1_is(option, "keep-alive", 10)) return r->says_keep_alive = true;
    if (tbh_h1_is(option, "close", 5)) return r->says_close = true;
    if (tbh_h1_is(option, "upgrade", 7)) return r->says_upgrade = true;
    return false;
}

static TBH_NOINLINE turbohttp_status tbh_h1_options(tbh_h1_run *r, turbohttp_span rest) {
    turbohttp_span option;
    while (tbh_list_next(&rest, &option)) tbh_h1_option(r, option);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_connection(tbh_h1_run *r, turbohttp_span value) {
    if (TBH_LIKELY(tbh_h1_option(r, value))) return TURBOHTTP_OK;
    return tbh_h1_options(r, value);
}

static turbohttp_content_coding tbh_h1_coding_of(turbohttp_span name) {
    if (tbh_h1_is(name, "gzip", 4)) return TURBOHTTP_CODING_GZIP;
    if (tbh_span_equal_nocase(name, "x-gzip")) return TURBOHTTP_CODING_GZIP;
    if (tbh_h1_is(name, "deflate", 7)) return TURBOHTTP_CODING_DEFLATE;
    return TURBOHTTP_CODING_OTHER;
}

TBH_FN TBH_NOINLINE turbohttp_content_coding tbh_content_coding(turbohttp_content_coding so_far,
                                                                turbohttp_span rest) {
    turbohttp_span layer;
    while (tbh_list_next(&rest, &layer)) {
        if (layer.length == 0 || tbh_span_equal_nocase(layer, "identity")) continue;
        bool is_first = so_far == TURBOHTTP_CODING_IDENTITY;
        so_far = is_first ? tbh_h1_coding_of(layer) : TURBOHTTP_CODING_OTHER;
    }
    return so_far;
}

/* Two targets are no target: whoever picks one may pick the attacker's. */
static TBH_NOINLINE turbohttp_status tbh_h1_location(tbh_h1_run *r, const turbohttp_header *row) {
    const turbohttp_header *first = r->location;
    r->location = row;
    if (!first) return TURBOHTTP_OK;
    bool same = first->value_length == row->value_length &&
                memcmp(first->value, row->value, row->value_length) == 0;
    return same ? TURBOHTTP_OK : TURBOHTTP_ERR_HEADER_LINE;
}

static TBH_NOINLINE turbohttp_status tbh_h1_meaning(tbh_h1_run *r, const turbohttp_header *row) {
    turbohttp_span value = tbh_span(row->value, row->value_length);
    switch (row->id) {
    case TURBOHTTP_HEADER_CONTENT_LENGTH: return tbh_h1_content_length(r, value);
    case TURBOHTTP_HEADER_TRANSFER_ENCODING: return tbh_h1_transfer_encoding(r, value);
    case TURBOHTTP_HEADER_CONNECTION: return tbh_h1_connection(r, value);
    case TURBOHTTP_HEADER_CONTENT_ENCODING:
        r->coding = tbh_content_coding(r->coding, value);
        return TURBOHTTP_OK;
    default: return tbh_h1_location(r, row);
    }
}

static turbohttp_status tbh_h1_meaning_in_trailer(const turbohttp_header *row) {
    return TBH_H1_REFUSED_IN_TRAILER >> row->id & 1 ? TURBOHTTP_ERR_HEADER_LINE : TURBOHTTP_OK;
}

/* ------------------------------------------------------------ sections */
static turbohttp_status tbh_h1_fail(tbh_h1_run *r, const char *at, turbohttp_status status) {
    r->fault = at;
    return status;
}

/* The line at p has a mark among its first two bytes, but is not the empty line that ends the section:
 * a bad one, or nothing is there yet. */
static TBH_NOINLINE turbohttp_status tbh_h1_no_last_line(tbh_h1_run *r, const char *p) {
    if (p == r->end || (*p == '\r' && p + 1 == r->end)) return TURBOHTTP_PENDING;
    if (*p != '\r' && r->count == r->capacity)
        return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
    tbh_h1_stop_in_field(r, p, tbh_scan_control(r->begin, p, r->end));
    return r->status;
}

/* Header lines up to the empty one. Each turn takes one line and at most `capacity` are taken.
 * The headers with the ids 1 … watched mean something here. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h1_fields(tbh_h1_run *r, bool in_trailer, tbh_marks marks,
                                                 const char *p, const char **after) {
    const tbh_h1_bounds bounds = tbh_h1_bounds_of(r);
    const size_t watched = in_trailer ? TBH_HEADER_NAMES - 1 : TBH_H1_LAST_WITH_MEANING;
    turbohttp_header *row = r->table, *const table_end = row + r->capacity;
    for (;; row++) {
        const char *lf = tbh_marks_next(&marks, bounds.begin, bounds.end);
        if (TBH_UNLIKELY(!tbh_h1_ends_line(&bounds, p, lf))) {
            if (lf - p < 2) break;
            if (row == table_end) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
            tbh_h1_place place = tbh_h1_line_goes_on(r, p);
            lf = place.at;
            marks = place.marks;
            if (!place.is_end) return tbh_h1_stop_in_field(r, p, lf), r->status;
        }
        if (row == table_end) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
        const tbh_h1_name name = tbh_h1_name_of(&bounds, p, lf - 1);
        if (TBH_UNLIKELY(name.id == TBH_H1_NO_NAME))
            return tbh_h1_stop_in_field(r, p, lf - 1), r->status;
        tbh_h1_row_fill(row, p, name, lf - 1);
        p = lf + 1;
        if (TBH_LIKELY(name.id - 1 >= watched)) continue;
        turbohttp_status status =
            in_trailer ? tbh_h1_meaning_in_trailer(row) : tbh_h1_meaning(r, row);
        if (status != TURBOHTTP_OK) return tbh_h1_fail(r, row->value, status);
    }
    r->count = (uint32_t)(row - r->table);
    if (TBH_UNLIKELY(bounds.end - p < 2 || !tbh_h1_is_crlf(p))) return tbh_h1_no_last_line(r, p);
    *after = p + 2;
    return TURBOHTTP_OK;
}

/* Finds the first byte that is not as RFC 9112 §4 says: '0' stands for any digit, '1' for 1 to 9. */
static TBH_NOINLINE const char *tbh_h1_stop_at_status(tbh_h1_run *r) {
    static const char shape[] = "HTTP/1.0 100";
    const char *p = r->begin;
    for (size_t i = 0; i < sizeof shape - 1; i++, p++) {
        if (p == r->end) return tbh_h1_stop(r, r->begin, p, TURBOHTTP_PENDING);
        bool digit = i >= 7 && i != 8;
        bool good =
            digit ? tbh_is_digit((uint8_t)*p) && (*p != '0' || shape[i] == '0') : *p == shape[i];
        if (good) continue;
        return tbh_h1_stop(r, r->begin, p,
                           i < 7 ? TURBOHTTP_ERR_NOT_HTTP : TURBOHTTP_ERR_STATUS_LINE);
    }
    if (p < r->end && *p == ' ') p = tbh_scan_control(r->begin, p, r->end);
    return tbh_h1_stop_at_end(r, r->begin, p, TURBOHTTP_ERR_STATUS_LINE);
}

/* A byte XOR '0' is below 10 for a digit and for nothing else. The status in three digits behind
 * `HTTP/1.`, a digit and a blank; 0 where that is not what stands there. */
static uint32_t tbh_h1_status_code(const tbh_h1_run *r) {
    const char *p = r->begin;
    if (r->end - p < 14 || (p[12] != ' ' && p[12] != '\r')) return 0;
    const uint64_t version = tbh_load64_le(p) ^ tbh_load64_le("HTTP/1.0");
    const uint32_t code = tbh_load32_le(p + 8) ^ tbh_load32_le(" 000");
    if ((version << 8 | version >> 56) > 9) return 0;
    if (((code + 0x76767600u) | code) & 0x808080ffu) return 0;
    return (code >> 8 & 15) * 100 + (code >> 16 & 15) * 10 + (code >> 24);
}

/* The blank before an absent reason phrase is often left out, and means nothing. */
static const char *tbh_h1_status_line(tbh_h1_run *r, tbh_marks *marks, turbohttp_h1_head *out) {
    const char *p = r->begin;
    const uint32_t status = tbh_h1_status_code(r);
    if (status < 100) return tbh_h1_stop_at_status(r);
    const char *reason = p + (p[12] == ' ' ? 13 : 12);
    const tbh_h1_bounds bounds = tbh_h1_bounds_of(r);
    const char *lf = tbh_marks_next(marks, p, r->end);
    if (TBH_UNLIKELY(!tbh_h1_ends_line(&bounds, p, lf))) {
        tbh_h1_place place = tbh_h1_line_goes_on(r, p);
        lf = place.at;
        *marks = place.marks;
        if (!place.is_end) return tbh_h1_stop_at_end(r, p, lf, TURBOHTTP_ERR_STATUS_LINE);
    }
    out->minor_version = p[7] != '0';
    out->status = (uint16_t)status;
    out->reason = tbh_span(reason, (size_t)(lf - 1 - reason));
    return lf + 1;
}

TBH_ALWAYS_INLINE bool tbh_h1_may_have_body(uint16_t status) {
    return status == 200 || (status > 200 && status != 204 && status != 304);
}

TBH_ALWAYS_INLINE turbohttp_body_framing tbh_h1_framing(const tbh_h1_run *r, bool request_was_head,
                                                        uint16_t status) {
    if (request_was_head || !tbh_h1_may_have_body(status)) return TURBOHTTP_FRAMING_NONE;
    if (r->chunked) return TURBOHTTP_FRAMING_CHUNKED;
    return r->has_content_length ? TURBOHTTP_FRAMING_LENGTH : TURBOHTTP_FRAMING_UNTIL_CLOSE;
}

/* RFC 9112 §6.3, in its order; both lengths at once is the classic smuggling and refused. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h1_decide(tbh_h1_run *r, bool request_was_head,
                                                 turbohttp_h1_head *out) {
    if (r->chunked && (r->has_content_length || out->minor_version == 0))
        return tbh_h1_fail(r, r->chunked, TURBOHTTP_ERR_TRANSFER_ENCODING);
    out->framing = tbh_h1_framing(r, request_was_head, out->status);
    out->keep_alive = !r->says_close && (out->minor_version || r->says_keep_alive) &&
                      out->framing != TURBOHTTP_FRAMING_UNTIL_CLOSE;
    out->connection_upgrade = r->says_upgrade;
    out->has_content_length = r->has_content_length;
    out->content_length = r->content_length;
    out->content_coding = r->coding;
    out->headers = r->table;
    out->header_count = r->count;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ input in pieces */
/* Goes on searching for something that a run must look at: the empty line, a limit, or a control
 * byte that no head may have. False while there is none. */
static TBH_NOINLINE bool tbh_h1_seek(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
    const char *p = r->begin + s->scanned, *line = r->begin + s->line_start;
    while (p < r->end) {
        p = tbh_scan_control(r->begin, p, r->end);
        if (r->end - p < 2) break;
        if (p[0] != '\r' || p[1] != '\n' || p == line) return true;
        if ((size_t)(p - line) > r->line_bytes) return true;
        p += 2;
        line = p;
    }
    if (p < r->end && *p != '\r') return true;
    s->scanned = (uint32_t)(p - r->begin);
    s->line_start = (uint32_t)(line - r->begin);
    return (size_t)(r->end - line) > r->line_bytes || (size_t)(r->end - r->begin) == r->head_bytes;
}

/* Is a run worth its work? At the first call, on the first bytes, and when the search has found. */
static bool tbh_h1_must_wait(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
    bool eager = (size_t)(r->end - r->begin) <= TBH_H1_EAGER_BYTES;
    if (s->attempts > 0 && !eager && !tbh_h1_seek(s, r)) return true;
    s->attempts++;
    return false;
}

static turbohttp_status tbh_h1_finish(const tbh_h1_run *r, turbohttp_status status,
                                      uint64_t *error_offset) {
    const char *fault = r->fault;
    if (status == TURBOHTTP_PENDING && (size_t)(r->end - r->begin) == r->head_bytes) {
        status = TURBOHTTP_ERR_HEAD_TOO_LARGE;
        fault = r->end;
    }
    if (error_offset && status < TURBOHTTP_OK) *error_offset = (uint64_t)(fault - r->begin);
    return status;
}

TURBOHTTP_API void turbohttp_h1_head_parser_init(turbohttp_h1_head_parser *parser) {
    memset(parser, 0, sizeof *parser);
}

TURBOHTTP_API turbohttp_status turbohttp_h1_head_parse(
    turbohttp_h1_head_parser *parser, const char *data, size_t length, bool request_was_head,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    turbohttp_h1_head *out, uint64_t *error_offset) {
    tbh_h1_run r;
    if (length == 0) return TURBOHTTP_PENDING;
    tbh_h1_run_init(&r, data, length, limits, table, table_capacity);
    if (tbh_h1_must_wait(parser, &r)) return TURBOHTTP_PENDING;
    tbh_marks marks = tbh_marks_start(r.begin, r.begin, r.end);
    const char *after = NULL, *fields = tbh_h1_status_line(&r, &marks, out);
    turbohttp_status status = fields ? tbh_h1_fields(&r, false, marks, fields, &after) : r.status;
    if (status == TURBOHTTP_OK) status = tbh_h1_decide(&r, request_was_head, out);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(&r, status, error_offset);
    out->head_length = (uint32_t)(after - data);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_trailer_run(tbh_h1_run *r, uint32_t *count, size_t *consumed,
                                           uint64_t *error_offset) {
    const char *after = NULL;
    tbh_marks marks = tbh_marks_start(r->begin, r->begin, r->end);
    turbohttp_status status = tbh_h1_fields(r, true, marks, r->begin, &after);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(r, status, error_offset);
    *count = r->count;
    *consumed = (size_t)(after - r->begin);
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_h1_fields_parse(const char *data, size_t length,
                                            const turbohttp_head_limits *limits,
                                            turbohttp_header *table, uint32_t capacity,
                                            uint32_t *count, size_t *consumed,
                                            uint64_t *error_offset) {
    tbh_h1_run r;
    if (length == 0) return TURBOHTTP_PENDING;
    tbh_h1_run_init(&r, data, length, limits, table, capacity);
    return tbh_h1_trailer_run(&r, count, consumed, error_offset);
}

TURBOHTTP_API turbohttp_status turbohttp_h1_trailer_parse(
    turbohttp_h1_head_parser *parser, const char *data, size_t length,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    uint32_t *field_count, size_t *consumed, uint64_t *error_offset) {
    tbh_h1_run r;
    if (length == 0) return TURBOHTTP_PENDING;
    if (length >= 2 && data[0] == '\r' && data[1] == '\n') { /* nearly always */
        *field_count = 0;
        *consumed = 2;
        return TURBOHTTP_OK;
    }
    tbh_h1_run_init(&r, data, length, limits, table, table_capacity);
    if (tbh_h1_must_wait(parser, &r)) return TURBOHTTP_PENDING;
    return tbh_h1_trailer_run(&r, field_count, consumed, error_offset);
}

/* ------------------------------------------------------------ lenient heads */
/* Lines may end with a bare LF, blanks may stand before the colon, values may be folded, and of two
 * lengths the chunked coding counts. A run goes line by line, without haste. */

/* The line that begins at `line` goes up to the byte returned, and `*next` is behind its end. */
static const char *tbh_h1_loose_end(tbh_h1_run *r, const char *line, const char *from,
                                    turbohttp_status status, const char **next) {
    const char *at = tbh_scan_control(r->begin, from, r->end);
    const char *lf = at < r->end && *at == '\r' ? at + 1 : at;
    if (lf == r->end || *lf != '\n' || (size_t)(at - line) > r->line_bytes)
        return tbh_h1_stop_at_end(r, line, at, status);
    *next = lf + 1; /* RFC 9112 §2.2 */
    return at;
}

/* The shape is as strict as ever: what fails behind it may be the end of the line. */
static const char *tbh_h1_loose_status_line(tbh_h1_run *r, turbohttp_h1_head *out) {
    const char *p = r->begin, *next = NULL;
    tbh_h1_stop_at_status(r);
    if (r->fault - p < 12 || r->end - p == 12) return NULL;
    const char *reason = p + 12;
    if (*reason != ' ' && *reason != '\r' && *reason != '\n') return NULL;
    const char *at = tbh_h1_loose_end(r, p, reason, TURBOHTTP_ERR_STATUS_LINE, &next);
    if (!at) return NULL;
    if (*reason == ' ') reason++;
    out->minor_version = p[7] != '0';
    out->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    out->reason = tbh_span(reason, (size_t)(at - reason));
    return next;
}

/* Who reads the lines in another way must not find another end of the body. */
static bool tbh_h1_is_framing(const char *name, size_t n) {
    const uint16_t id = tbh_header_id(name, n);
    return id == TURBOHTTP_HEADER_CONTENT_LENGTH || id == TURBOHTTP_HEADER_TRANSFER_ENCODING;
}

/* The colon; blanks before it are no part of the name (RFC 9112 §5.1). */
static const char *tbh_h1_loose_name(tbh_h1_run *r, const char *line, turbohttp_header *row) {
    const char *name_end = tbh_scan_token(line, r->end), *colon = name_end;
    const size_t n = (size_t)(name_end - line);
    while (colon < r->end && tbh_h1_is_blank(*colon)) colon++;
    if (n == 0 || (colon > name_end && tbh_h1_is_framing(line, n)))
        return tbh_h1_stop(r, line, name_end, TURBOHTTP_ERR_HEADER_LINE);
    if (colon == r->end) return tbh_h1_stop(r, line, colon, TURBOHTTP_PENDING);
    if (*colon != ':') return tbh_h1_stop(r, line, colon, TURBOHTTP_ERR_HEADER_LINE);
    row->name = line;
    row->name_length = (uint16_t)n; /* if it does not fit, the line is too long */
    row->id = tbh_header_id(line, n);
    return colon;
}

/* The end of a value with all its folds, which count as one line. A fold of a field that frames the
 * body, or one that reads like such a field, is refused. */
static const char *tbh_h1_loose_value(tbh_h1_run *r, const char *line, const char *value,
                                      const char **next) {
    const char *at = tbh_h1_loose_end(r, line, value, TURBOHTTP_ERR_HEADER_LINE, next);
    const bool is_framing = tbh_h1_is_framing(line, (size_t)(tbh_scan_token(line, value) - line));
    while (at && *next < r->end && tbh_h1_is_blank(**next)) {
        const char *fold = *next, *text = fold;
        at = tbh_h1_loose_end(r, line, fold, TURBOHTTP_ERR_HEADER_LINE, next);
        if (!at) return NULL;
        while (text < at && tbh_h1_is_blank(*text)) text++;
        const size_t n = (size_t)(tbh_scan_token(text, at) - text);
        if (is_framing || tbh_h1_is_framing(text, n))
            return tbh_h1_stop(r, line, fold, TURBOHTTP_ERR_HEADER_LINE);
    }
    /* The next line may be one more fold. */
    return at && *next == r->end ? tbh_h1_stop(r, line, at, TURBOHTTP_PENDING) : at;
}

/* RFC 9112 §5.2: the end of a line and the blanks behind it become blanks. */
static void tbh_h1_unfold(char *p, const char *end) {
    bool is_fold = false;
    for (; p < end; p++) {
        is_fold = *p == '\r' || *p == '\n' || (is_fold && tbh_h1_is_blank(*p));
        if (is_fold) *p = ' ';
    }
}

/* Returns where the next line begins. Bytes change only when no more bytes can change what they mean:
 * who comes to them again finds the same. */
static const char *tbh_h1_loose_field(tbh_h1_run *r, const char *line, turbohttp_header *row) {
    const char *next = NULL, *colon = tbh_h1_loose_name(r, line, row);
    const char *value = colon ? colon + 1 : NULL;
    const char *at = colon ? tbh_h1_loose_value(r, line, value, &next) : NULL;
    if (!at) return NULL;
    tbh_h1_unfold((char *)(uintptr_t)value, at);
    while (value < at && tbh_h1_is_blank(*value)) value++;
    while (at > value && tbh_h1_is_blank(at[-1])) at--;
    row->value = value;
    row->value_length = (uint32_t)(at - value);
    return next;
}

/* Each turn takes one line and at most `capacity` are taken. */
static turbohttp_status tbh_h1_loose_fields(tbh_h1_run *r, const char *p, const char **after) {
    for (turbohttp_header *row = r->table;; row++, r->count++) {
        if (p == r->end) return TURBOHTTP_PENDING;
        if (*p == '\r' || *p == '\n') break;
        if (r->count == r->capacity) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
        p = tbh_h1_loose_field(r, p, row);
        if (!p) return r->status;
        if ((size_t)row->id - 1 >= TBH_H1_LAST_WITH_MEANING) continue;
        turbohttp_status status = tbh_h1_meaning(r, row);
        if (status != TURBOHTTP_OK) return tbh_h1_fail(r, row->value, status);
    }
    return tbh_h1_loose_end(r, p, p, TURBOHTTP_ERR_HEADER_LINE, after) ? TURBOHTTP_OK : r->status;
}

/* RFC 9112 §6.3: chunked overrides the length, and who sends both is not trusted with a second
 * exchange. An interim head has neither (RFC 9110 §6.4.1). */
static turbohttp_status tbh_h1_loose_decide(tbh_h1_run *r, bool request_was_head,
                                            turbohttp_h1_head *out) {
    if (r->chunked && r->has_content_length && out->status >= 200) {
        r->has_content_length = false;
        r->content_length = 0;
        r->says_close = true;
    }
    return tbh_h1_decide(r, request_was_head, out);
}

/* As tbh_h1_seek: true when a run will come to an end. */
static bool tbh_h1_loose_seek(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
    const char *p = r->begin + s->scanned, *line = r->begin + s->line_start;
    while ((p = tbh_scan_control(r->begin, p, r->end)) < r->end) {
        const char *lf = *p == '\r' ? p + 1 : p;
        if (lf == r->end) break;
        if (*lf != '\n' || p == line || (size_t)(p - line) > r->line_bytes) return true;
        p = line = lf + 1;
    }
    s->scanned = (uint32_t)(p - r->begin);
    s->line_start = (uint32_t)(line - r->begin);
    return (size_t)(r->end - line) > r->line_bytes || (size_t)(r->end - r->begin) == r->head_bytes;
}

static turbohttp_status tbh_h1_loose_run(tbh_h1_run *r, bool request_was_head,
                                         turbohttp_h1_head *out, uint64_t *error_offset) {
    const char *after = NULL, *fields = tbh_h1_loose_status_line(r, out);
    turbohttp_status status = fields ? tbh_h1_loose_fields(r, fields, &after) : r->status;
    if (status == TURBOHTTP_OK) status = tbh_h1_loose_decide(r, request_was_head, out);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(r, status, error_offset);
    out->head_length = (uint32_t)(after - r->begin);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_h1_head_parse_lenient(
    turbohttp_h1_head_parser *parser, char *data, size_t length, bool request_was_head,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    turbohttp_h1_head *out, uint64_t *error_offset) {
    tbh_h1_run r;
    bool is_first = parser->attempts == 0;
    if (is_first) { /* nearly all heads are as they should be, and here in one piece */
        turbohttp_status status = turbohttp_h1_head_parse(parser, data, length, request_was_head,
                                                          limits, table, table_capacity, out, NULL);
        if (status >= TURBOHTTP_OK) return status;
    }
    tbh_h1_run_init(&r, data, length, limits, table, table_capacity);
    bool is_eager = is_first || (size_t)(r.end - r.begin) <= TBH_H1_EAGER_BYTES;
    if (!is_eager && !tbh_h1_loose_seek(parser, &r)) return TURBOHTTP_PENDING;
    parser->attempts++;
    return tbh_h1_loose_run(&r, request_was_head, out, error_offset);
}
