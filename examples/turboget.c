/* turboget: a command-line client whose options and exit codes are curl's.
 *
 * The one example that may be long. In order: options (one table) · what a transfer writes and where
 * · requests · exit codes · -w · main. Several URLs go one after the other over one client, so that
 * connections are kept. Where curl is looser than the library (its limits, its strictness about what
 * a message may look like), the library's word stands: --help lists these. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIST = 256 };

/* ------------------------------------------------------------ options */
typedef struct text_list {
    const char *items[MAX_LIST];
    size_t count;
} text_list;

typedef struct options {
    text_list urls, outputs, headers, data, resolves, connect_tos;
    const char *method, *user_agent, *range, *unix_socket, *write_out, *dump_header;
    const char *ca_file, *ca_path, *cert, *key, *pins, *tls_max;
    bool insecure, tls12, tls13, no_session, http11, http2, http2_prior, parallel;
    unsigned long long parallel_max;
    bool include, head, remote_name_all, silent, show_error, verbose, fail, compressed, http10, get;
    double max_time, connect_timeout;
    unsigned long long max_filesize;
    bool is_bad;
} options;

typedef enum kind { FLAG, TEXT, LIST, OUTPUT, REMOTE_NAME, HEADER, SECONDS, BYTES, IGNORED, IGNORED_TEXT,
                    HELP, VERSION, DATA, DATA_RAW, DATA_BINARY } kind;

typedef struct option {
    const char *long_name;
    char short_name;
    kind what;
    size_t at; /* offset in options */
    const char *help;
} option;

#define AT(field) offsetof(options, field)

static const char by_url[] = "-O"; /* stands in options.outputs for a name made from the URL */

static const option table[] = {
    {"include", 'i', FLAG, AT(include), "write the response head, too"},
    {"head", 'I', FLAG, AT(head), "ask for the head alone"},
    {"request", 'X', TEXT, AT(method), "METHOD  use this method"},
    {"data", 'd', DATA, 0, "DATA  POST this, or @FILE without its line ends; repeated: joined by &"},
    {"data-ascii", 0, DATA, 0, "DATA  the same"},
    {"data-raw", 0, DATA_RAW, 0, "DATA  as -d, @ is not special"},
    {"data-binary", 0, DATA_BINARY, 0, "DATA  as -d, @FILE as it is"},
    {"get", 'G', FLAG, AT(get), "put the data into the URL's query"},
    {"header", 'H', HEADER, AT(headers), "'NAME: VALUE'  add; 'NAME:' removes, 'NAME;' sends it empty; @FILE"},
    {"output", 'o', OUTPUT, AT(outputs), "FILE  write the body to FILE, - is standard output; one for each URL"},
    {"remote-name", 'O', REMOTE_NAME, AT(outputs), "write the body to the URL's last part; one for each URL"},
    {"remote-name-all", 0, FLAG, AT(remote_name_all), "-O for all URLs without -o"},
    {"dump-header", 'D', TEXT, AT(dump_header), "FILE  write the response head to FILE"},
    {"silent", 's', FLAG, AT(silent), "no error messages"},
    {"show-error", 'S', FLAG, AT(show_error), "error messages in spite of -s"},
    {"verbose", 'v', FLAG, AT(verbose), "tell what happens on standard error"},
    {"fail", 'f', FLAG, AT(fail), "status 400 and above is an error: exit 22, no body"},
    {"range", 'r', TEXT, AT(range), "RANGE  ask for these bytes, such as 0-99; 100 is 100-"},
    {"user-agent", 'A', TEXT, AT(user_agent), "TEXT  send as User-Agent"},
    {"compressed", 0, FLAG, AT(compressed), "ask for gzip or deflate, and decode it"},
    {"resolve", 0, LIST, AT(resolves), "HOST:PORT:ADDRESS[,…]  use these addresses; host *: any; -HOST:PORT removes"},
    {"connect-to", 0, LIST, AT(connect_tos), "HOST1:PORT1:HOST2:PORT2  connect to the second instead; empty: any, unchanged"},
    {"unix-socket", 0, TEXT, AT(unix_socket), "PATH  connect to this socket"},
    {"max-time", 'm', SECONDS, AT(max_time), "SECONDS  limit on a whole transfer"},
    {"connect-timeout", 0, SECONDS, AT(connect_timeout), "SECONDS  limit on look-up and connect"},
    {"max-filesize", 0, BYTES, AT(max_filesize), "BYTES  refuse larger bodies, decoded: exit 63; 10k, 2M, 1G"},
    {"cacert", 0, TEXT, AT(ca_file), "FILE  trust these certificates, PEM or DER, instead of the system's"},
    {"capath", 0, TEXT, AT(ca_path), "FOLDER  trust the certificates in it (made by openssl rehash)"},
    {"cert", 'E', TEXT, AT(cert), "FILE  client certificate, PEM or DER"},
    {"key", 0, TEXT, AT(key), "FILE  its private key; otherwise in the file of --cert"},
    {"pinnedpubkey", 0, TEXT, AT(pins), "sha256//BASE64[;…]  accept only servers with one of these keys"},
    {"tls-max", 0, TEXT, AT(tls_max), "VERSION  at most 1.2 or 1.3"},
    {"tlsv1.2", 0, FLAG, AT(tls12), "at least TLS 1.2 (the default)"},
    {"tlsv1.3", 0, FLAG, AT(tls13), "at least TLS 1.3"},
    {"no-sessionid", 0, FLAG, AT(no_session), "no resumption of TLS sessions"},
    {"insecure", 'k', FLAG, AT(insecure), "accept any certificate: anybody may be at the other end; a connection each"},
    {"http1.0", '0', FLAG, AT(http10), "speak HTTP/1.0"},
    {"http1.1", 0, FLAG, AT(http11), "speak HTTP/1.1"},
    {"http2", 0, FLAG, AT(http2), "HTTP/2 over TLS if the server likes (the default)"},
    {"http2-prior-knowledge", 0, FLAG, AT(http2_prior), "HTTP/2 without asking, also over cleartext"},
    {"parallel", 'Z', FLAG, AT(parallel), "transfers at the same time"},
    {"parallel-max", 0, BYTES, AT(parallel_max), "N  so many at once: 50"},
    {"noproxy", 0, IGNORED_TEXT, 0, "HOSTS  accepted; no proxy is ever used"},
    {"no-buffer", 'N', IGNORED, 0, "accepted; output is written as it comes"},
    {"no-progress-meter", 0, IGNORED, 0, "accepted; there is none"},
    {"progress-bar", '#', IGNORED, 0, "accepted; there is none"},
    {"disable", 'q', IGNORED, 0, "accepted; no file of settings is ever read"},
    {"globoff", 'g', IGNORED, 0, "accepted; URLs are taken as they are"},
    {"url", 0, LIST, AT(urls), "URL  as an argument without a dash"},
    {"write-out", 'w', TEXT, AT(write_out), "FORMAT  print after each transfer, see below; @FILE"},
    {"help", 'h', HELP, 0, "this text"},
    {"version", 'V', VERSION, 0, "the version"},
};

static void usage(FILE *out) {
    fputs("Usage: turboget [options] URL...\n", out);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char dash[4] = {' ', ' ', ' ', 0};
        if (table[i].short_name) dash[0] = '-', dash[1] = table[i].short_name, dash[2] = ',';
        fprintf(out, " %s --%-18s %s\n", dash, table[i].long_name, table[i].help);
    }
    fputs("--no-NAME turns a switch off, -- ends the options; long names are written in full.\n"
          "Variables of -w, as %{NAME}: http_code response_code http_version http_connect content_type\n"
          "  method scheme url url_effective urlnum redirect_url filename_effective time_namelookup\n"
          "  time_connect time_appconnect time_pretransfer time_redirect time_starttransfer time_total\n"
          "  num_connects num_redirects num_headers size_download size_upload size_header size_request\n"
          "  speed_download speed_upload remote_ip remote_port ssl_verify_result ssl_session_reused\n"
          "  exitcode errormsg; %{stdout} %{stderr} say where, %{onerror} that the rest is for failures,\n"
          "  %header{NAME} is a header; %% is %, and \\n \\r \\t are understood.\n"
          "Exit codes (curl's numbers):\n"
          "   0 success               1 scheme not supported   2 usage\n"
          "   3 malformed URL         6 name not resolved      7 could not connect\n"
          "   8 not HTTP              16 HTTP/2 broken         18 body cut short\n"
          "   22 status >= 400, -f    23 cannot write          26 cannot read\n"
          "   27 out of memory        28 timeout               35 TLS handshake failed\n"
          "   42 cancelled            49 bad --resolve, --connect-to\n"
          "   52 no answer at all     55 sending failed        56 receiving failed\n"
          "   58 client certificate   60 server not verified   61 content decoding failed\n"
          "   63 limit exceeded       77 CA file unusable      90 pinned key does not match\n"
          "   92 HTTP/2 stream reset\n"
          "Stricter than curl, on purpose: a head that is cut, has bare LF, folds, contradicting lengths,\n"
          "another version than HTTP/1.x, a status outside 100 to 599 (8, or 56 when cut); more than 64 KiB\n"
          "or 128 headers, 8 interim heads, a larger chunked body than --max-filesize (63); gzip that is cut\n"
          "or followed by something, and codings not asked for (61); URLs with blanks, \\, bytes above 126\n"
          "or numbers as short hosts (3); headers and methods that would break the request, and those that\n"
          "frame it (2). Interim heads are not shown, Host and the length of a PUT are always sent.\n",
          out);
}

static int complain(const char *text, const char *what) {
    fprintf(stderr, "turboget: %s%s; try turboget --help\n", text, what);
    return 2;
}

static char *copy_text(const char *text, size_t n) {
    char *copy = (char *)malloc(n + 1);
    if (!copy) exit(27);
    memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

/* The whole file, terminated; "-" is standard input. NULL: cannot be read. */
static char *load_file(const char *path, size_t *length) {
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    size_t room = 65536, n = 0, got;
    char *bytes = f ? (char *)malloc(room) : NULL;
    if (!bytes) return NULL;
    while ((got = fread(bytes + n, 1, room - n - 1, f)) > 0) {
        n += got;
        if (room - n < 4096) bytes = (char *)realloc(bytes, room *= 2);
        if (!bytes) return NULL;
    }
    bool is_bad = ferror(f) != 0;
    if (f != stdin) fclose(f);
    if (is_bad) return free(bytes), NULL;
    bytes[n] = 0;
    *length = n;
    return bytes;
}

static int cannot_read(const char *path) {
    fprintf(stderr, "turboget: (26) cannot read %s: %s\n", *path ? path : "@ without a name", strerror(errno));
    return 26;
}

/* -d: pieces are joined by '&'; curl drops line ends and NULs of files given to -d. */
typedef struct post_data {
    char *bytes;
    size_t length;
    bool is_set;
} post_data;

static int add_data(post_data *post, kind what, const char *text) {
    char *piece;
    size_t n = strlen(text), kept = 0;
    if (text[0] == '@' && what != DATA_RAW) {
        piece = load_file(text + 1, &n);
        if (!piece) return cannot_read(text + 1);
        for (size_t i = 0; i < n; i++)
            if (what == DATA_BINARY || !strchr("\r\n", piece[i])) piece[kept++] = piece[i];
        n = kept;
    } else
        piece = copy_text(text, n);
    char *joined = (char *)realloc(post->bytes, post->length + n + 2);
    if (!joined) return 27;
    if (post->is_set) joined[post->length++] = '&';
    memcpy(joined + post->length, piece, n);
    post->bytes = joined;
    post->length += n;
    joined[post->length] = 0;
    post->is_set = true;
    free(piece);
    return 0;
}

static int add_to_list(text_list *list, const option *known, const char *value) {
    if (list->count == MAX_LIST) return complain("too many of --", known->long_name);
    list->items[list->count++] = value;
    return 0;
}

/* "-H @FILE": a header in each line. The text stays for as long as the program runs. */
static int add_header_file(text_list *list, const option *known, const char *path) {
    size_t n;
    char *text = load_file(path, &n);
    if (!text) return cannot_read(path);
    for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
        if (add_to_list(list, known, line)) return 2;
    return 0;
}

/* Whole bytes, or with k, M, G, T, P for the powers of 1024. */
static int set_bytes(unsigned long long *place, const char *text) {
    static const char units[] = "kmgtp";
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    bool is_bad = end == text || *text < '0' || *text > '9' || errno != 0;
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    if (is_bad || (*end && (!unit || end[1]))) return complain("not a number of bytes: ", text);
    for (size_t i = 0; unit && i <= (size_t)(unit - units); i++) {
        if (n > ULLONG_MAX / 1024) return complain("not a number of bytes: ", text);
        n *= 1024;
    }
    *place = n;
    return 0;
}

static int set_seconds(double *place, const char *text) {
    char *end;
    *place = strtod(text, &end);
    bool is_good = !*end && end != text && *place >= 0 && *place < 1e15; /* not NaN, not endless */
    return is_good ? 0 : complain("not a number of seconds: ", text);
}

static int set_option(options *o, post_data *post, const option *known, const char *value) {
    void *place = (char *)o + known->at;
    switch (known->what) {
    case FLAG: *(bool *)place = true; return 0;
    case TEXT: *(const char **)place = value; return 0;
    case OUTPUT:
        if (!*value) return complain("a file name is missing for --", known->long_name);
        return add_to_list((text_list *)place, known, value);
    case REMOTE_NAME: return add_to_list((text_list *)place, known, by_url);
    case HEADER:
        if (*value == '@') return add_header_file((text_list *)place, known, value + 1);
        return add_to_list((text_list *)place, known, value);
    case LIST: return add_to_list((text_list *)place, known, value);
    case SECONDS: return set_seconds((double *)place, value);
    case BYTES: return set_bytes((unsigned long long *)place, value);
    case DATA:
    case DATA_RAW:
    case DATA_BINARY: return add_data(post, known->what, value);
    case IGNORED:
    case IGNORED_TEXT: return 0;
    case HELP: usage(stdout); exit(0);
    case VERSION: puts("turboget " TURBOHTTP_VERSION); exit(0);
    }
    return 2;
}

static bool takes_value(const option *known) {
    return known->what != FLAG && known->what != IGNORED && known->what != REMOTE_NAME &&
           known->what != HELP && known->what != VERSION;
}

static const option *find_option(const char *long_name, size_t n, char short_name) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (short_name && table[i].short_name == short_name) return &table[i];
        if (long_name && strlen(table[i].long_name) == n && !strncmp(table[i].long_name, long_name, n))
            return &table[i];
    }
    return NULL;
}

/* "--no-NAME": false where NAME is a switch. */
static bool turn_off(options *o, const char *name) {
    const option *known = strncmp(name, "no-", 3) ? NULL : find_option(name + 3, strlen(name + 3), 0);
    if (!known || (known->what != FLAG && known->what != IGNORED)) return false;
    if (known->what == FLAG) *(bool *)(void *)((char *)o + known->at) = false;
    return true;
}

/* One argument that begins with '-': "-sSo file", "-XPUT", "--max-time 3", "--max-time=3" is not curl's. */
static int parse_dashed(options *o, post_data *post, char **argv, int argc, int *i) {
    const char *text = argv[*i];
    if (text[1] == '-') {
        const option *known = find_option(text + 2, strlen(text + 2), 0);
        if (!known) return turn_off(o, text + 2) ? 0 : complain("unknown option ", text);
        if (takes_value(known) && *i + 1 >= argc) return complain("a value is missing for ", text);
        return set_option(o, post, known, takes_value(known) ? argv[++*i] : NULL);
    }
    for (const char *c = text + 1; *c; c++) {
        const option *known = find_option(NULL, 0, *c);
        if (!known) return complain("unknown option ", text);
        if (!takes_value(known)) {
            int failed = set_option(o, post, known, NULL);
            if (failed) return failed;
            continue;
        }
        if (!c[1] && *i + 1 >= argc) return complain("a value is missing for ", text);
        return set_option(o, post, known, c[1] ? c + 1 : argv[++*i]);
    }
    return 0;
}

static int parse_arguments(options *o, post_data *post, int argc, char **argv) {
    bool is_over = false;
    for (int i = 1; i < argc; i++) {
        bool is_option = argv[i][0] == '-' && !is_over;
        if (is_option && !strcmp(argv[i], "-")) return complain("unknown option ", argv[i]);
        if (is_option && !strcmp(argv[i], "--")) {
            is_over = true;
            continue;
        }
        int failed = is_option ? parse_dashed(o, post, argv, argc, &i)
                               : set_option(o, post, find_option("url", 3, 0), argv[i]);
        if (failed) return failed;
    }
    if (o->head && post->is_set && !o->get) return complain("-I and -d: only one method can be meant", "");
    return o->urls.count ? 0 : complain("no URL given", "");
}

/* ------------------------------------------------------------ one transfer */
typedef struct transfer {
    const options *o;
    const char *url, *output; /* as given; output NULL: standard output */
    char *remote;             /* output of -O */
    char *effective;          /* the URL as it is asked for */
    char *failed_path;        /* what could not be written, if not the output */
    size_t number;            /* of the URL */
    FILE *out;
    bool write_failed, is_suppressed;
    int write_errno;
    size_t header_bytes;
    uint64_t uploaded;
    turbohttp_response response;
    int exit_code;
    const char *method;
} transfer;

/* Where it went wrong first is what is told. */
static bool fail_to_write(transfer *t, const char *path) {
    if (!t->write_failed) {
        t->write_errno = errno;
        t->failed_path = path ? copy_text(path, strlen(path)) : NULL;
    }
    t->write_failed = true;
    return false;
}

static bool open_output(transfer *t) {
    if (t->out) return true;
    bool is_standard = !t->output || !strcmp(t->output, "-");
    t->out = is_standard ? stdout : fopen(t->output, "wb");
    return t->out || fail_to_write(t, t->output);
}

static bool write_output(transfer *t, const void *data, size_t n) {
    if (!open_output(t)) return false;
    return fwrite(data, 1, n, t->out) == n || fail_to_write(t, t->output);
}

static void close_output(transfer *t) {
    if (!t->out) return;
    int failed = t->out == stdout ? fflush(stdout) : fclose(t->out);
    if (failed) fail_to_write(t, t->output);
    t->out = NULL;
}

static turbohttp_status on_body(void *user, const void *data, size_t length) {
    transfer *t = (transfer *)user;
    if (t->is_suppressed || t->o->head) return TURBOHTTP_OK;
    bool is_written = write_output(t, data, length) && (t->out != stdout || !fflush(stdout) || fail_to_write(t, t->output));
    return is_written ? TURBOHTTP_OK : TURBOHTTP_ERR_BODY_SINK;
}

static void on_progress(void *user, uint64_t sent, uint64_t send_total, uint64_t received,
                        uint64_t receive_total) {
    (void)send_total, (void)received, (void)receive_total;
    ((transfer *)user)->uploaded = sent;
}

static void print_peer(FILE *out, const turbohttp_response *r) {
    const uint8_t *b = r->peer.bytes;
    if (r->peer.family == 4) fprintf(out, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    for (int i = 0; r->peer.family == 6 && i < 16; i += 2)
        fprintf(out, "%s%x", i ? ":" : "", (unsigned)(b[i] << 8 | b[i + 1]));
}

static size_t print_head(const turbohttp_response *r, char *text, size_t room, const char *prefix) {
    const char *version = r->http_version == 20 ? "2" : r->minor_version ? "1.1" : "1.0";
    size_t n = (size_t)snprintf(text, room, "%sHTTP/%s %03d %.*s\r\n", prefix, version, r->status,
                                (int)r->reason.length, r->reason.data ? r->reason.data : "");
    for (uint32_t i = 0; i < r->header_count && n < room; i++)
        n += (size_t)snprintf(text + n, room - n, "%s%s: %s\r\n", prefix, r->headers[i].name,
                              r->headers[i].value);
    if (n < room) n += (size_t)snprintf(text + n, room - n, "%s\r\n", prefix);
    return n < room ? n : room - 1;
}

/* The first transfer begins the file anew. */
static bool dump_head(transfer *t, const char *text, size_t n, const char *mode) {
    const char *path = t->o->dump_header;
    bool is_standard = !strcmp(path, "-");
    FILE *f = is_standard ? stdout : fopen(path, mode);
    bool failed = !f || fwrite(text, 1, n, f) != n;
    if (f && (is_standard ? fflush(f) : fclose(f))) failed = true;
    return !failed || fail_to_write(t, path);
}

static void tell_peer(const turbohttp_response *r) {
    fprintf(stderr, "* %s connection to ", r->is_reused ? "kept" : "new");
    print_peer(stderr, r);
    fprintf(stderr, " port %u\n", (unsigned)r->peer_port);
}

static void on_head(void *user, const turbohttp_response *head) {
    transfer *t = (transfer *)user;
    size_t room = (size_t)head->head_bytes + 16 * (size_t)head->header_count + 64;
    char *text = (char *)malloc(room);
    if (!text) return;
    size_t n = print_head(head, text, room, "");
    t->header_bytes = head->head_bytes;
    t->is_suppressed = t->o->fail && head->status >= 400;
    if (t->o->verbose) {
        tell_peer(head);
        n = print_head(head, text, room, "< ");
        fwrite(text, 1, n, stderr);
        n = print_head(head, text, room, "");
    }
    if (t->o->dump_header) dump_head(t, text, n, "ab");
    if (t->o->include || t->o->head) write_output(t, text, n);
    free(text);
}

/* ------------------------------------------------------------ requests */
typedef struct plan { /* everything a description points to */
    turbohttp_request_desc desc;
    const char *method;
    turbohttp_header_field fields[MAX_LIST + 4];
    char url[16384], range[128], connect_host[256];
    char *names[MAX_LIST + 1];
    size_t name_count;
} plan;

static turbohttp_byte_pool scratch; /* for what is composed here */

static void *scratch_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void scratch_release(void *user, void *block, size_t size) {
    (void)user, (void)size;
    free(block);
}

static void init_scratch(void) {
    static const turbohttp_allocator heap = {NULL, scratch_allocate, scratch_release};
    turbohttp_byte_pool_init(&scratch, &heap, 64, 65536, 8, TURBOHTTP_CLEAR_ON_RETURN, false);
}

static bool equals_nocase(const char *a, size_t n, const char *b) {
    for (size_t i = 0; i < n; i++)
        if (!b[i] || (a[i] | 0x20) != (b[i] | 0x20)) return false; /* letters, digits, '-', '.' */
    return b[n] == 0;
}

/* Headers that the library writes itself become the option that means them; false: it is the
 * library's to send, or to refuse. `value` is NULL when the header is to go. */
static bool take_special_header(plan *p, const char *name, const char *value) {
    size_t n = strlen(name), length = value ? strlen(value) : 0;
    bool is_close = value && equals_nocase(value, length, "close");
    if (equals_nocase(name, n, "host")) p->desc.host = value;
    else if (equals_nocase(name, n, "connection") && (!value || is_close || equals_nocase(value, length, "keep-alive")))
        p->desc.disable_reuse = is_close;
    else if (equals_nocase(name, n, "transfer-encoding") && (!value || equals_nocase(value, length, "chunked")))
        p->desc.body.is_unknown = value != NULL;
    else if (equals_nocase(name, n, "expect") && (!value || equals_nocase(value, length, "100-continue")))
        p->desc.expect_continue = value != NULL;
    else if (equals_nocase(name, n, "content-length") && value && *value >= '0' && *value <= '9')
        return strtoull(value, NULL, 10) == p->desc.body.length; /* sent in any case */
    else return false;
    return true;
}

static void put_header(plan *p, const char *name, const char *value) {
    p->fields[p->desc.header_count].name = name;
    p->fields[p->desc.header_count++].value = value;
}

static bool has_header(const plan *p, const char *name) {
    for (size_t i = 0; i < p->desc.header_count; i++)
        if (equals_nocase(p->fields[i].name, strlen(p->fields[i].name), name)) return true;
    return false;
}

static void add_header(plan *p, const char *line) {
    const char *colon = strchr(line, ':'), *end = colon ? colon : strchr(line, ';');
    if (!end || (!colon && end[1])) return; /* as curl: not a header, ignored */
    const char *value = end + 1 + strspn(end + 1, " \t");
    const char *sent = *value || !colon ? value : NULL;
    char *name = copy_text(line, (size_t)(end - line));
    p->names[p->name_count++] = name;
    if (!take_special_header(p, name, sent)) put_header(p, name, sent);
}

/* "HOST" or "[HOST]" up to a colon or the end; returns what follows. */
static const char *host_part(const char *text, const char **host, size_t *n) {
    const char *end = *text == '[' ? strchr(text, ']') : NULL;
    *host = end ? text + 1 : text;
    *n = end ? (size_t)(end - text) - 1 : strcspn(text, ":");
    return end ? end + 1 : text + *n;
}

/* Digits up to `end`, at most 65535. */
static bool port_part(const char *text, const char *end, uint16_t *port) {
    char *last;
    unsigned long n = strtoul(text, &last, 10);
    *port = (uint16_t)n;
    return *text >= '0' && *text <= '9' && last == end && n <= 65535;
}

/* "HOST1:PORT1:" of a rule, both may be empty: any. NULL: it is about another server. */
static const char *match_connect_to(const char *rule, const turbohttp_url *url) {
    const char *host, *third;
    char wanted[256];
    size_t n;
    uint16_t port;
    const char *second = host_part(rule, &host, &n);
    if (*second != ':' || !(third = strchr(second + 1, ':'))) return NULL;
    snprintf(wanted, sizeof wanted, "%.*s", (int)url->host.length, url->host.data);
    if (second != rule && !equals_nocase(host, n, wanted)) return NULL;
    if (third != second + 1 && (!port_part(second + 1, third, &port) || port != url->port)) return NULL;
    return third + 1;
}

/* "HOST2[:PORT2]", both may be empty: unchanged. */
static bool apply_connect_to(plan *p, const char *to) {
    const char *host;
    size_t n;
    const char *last = host_part(to, &host, &n);
    if (n >= sizeof p->connect_host || (*last && *last != ':')) return false;
    snprintf(p->connect_host, sizeof p->connect_host, "%.*s", (int)n, host);
    if (n) p->desc.connect_host = p->connect_host;
    return !*last || !last[1] || port_part(last + 1, last + strlen(last), &p->desc.connect_port);
}

/* The first rule that changes something; false: it cannot be understood. */
static bool plan_connect_to(plan *p, const options *o, const turbohttp_url *url) {
    for (size_t i = 0; i < o->connect_tos.count && !p->desc.connect_host && !p->desc.connect_port; i++) {
        const char *to = match_connect_to(o->connect_tos.items[i], url);
        if (to && !apply_connect_to(p, to)) return false;
    }
    return true;
}

/* "http://" is put before what has no scheme; data of -G go before the fragment. */
static bool plan_url(plan *p, const options *o, const char *url, const post_data *post) {
    bool is_short = !strncmp(url, "http:/", 6) || !strncmp(url, "https:/", 7); /* left to be refused */
    const char *scheme = is_short || strstr(url, "://") ? "" : "http://";
    int head = (int)strcspn(url, "#");
    bool has_data = o->get && post->length > 0;
    const char *mark = !has_data ? "" : memchr(url, '?', (size_t)head) ? "&" : "?";
    int n = snprintf(p->url, sizeof p->url, "%s%.*s%s%s%s", scheme, head, url, mark,
                     has_data ? post->bytes : "", url + head);
    p->desc.url = p->url;
    return n >= 0 && (size_t)n < sizeof p->url;
}

/* The user and password of a URL, as a header. */
static void plan_userinfo(plan *p, const turbohttp_url *url) {
    turbohttp_writer plain, coded;
    if (!url->has_userinfo || has_header(p, "authorization")) return;
    turbohttp_writer_init(&plain, &scratch, 0);
    turbohttp_writer_init(&coded, &scratch, 0);
    turbohttp_percent_decode(&plain, url->userinfo.data, url->userinfo.length);
    if (!memchr(plain.data ? plain.data : "", ':', plain.length)) turbohttp_writer_put(&plain, ":", 1);
    turbohttp_writer_put_text(&coded, "Basic ");
    turbohttp_base64_encode(&coded, plain.data, plain.length);
    put_header(p, "Authorization", p->names[p->name_count++] = copy_text(coded.data, coded.length));
    turbohttp_writer_reset(&plain);
    turbohttp_writer_reset(&coded);
}

/* What -w calls url_effective: the URL in the form in which it is asked for. */
static char *effective_url(const turbohttp_url *url) {
    turbohttp_writer w;
    turbohttp_writer_init(&w, &scratch, 0);
    turbohttp_writer_put_text(&w, url->is_tls ? "https://" : "http://");
    turbohttp_writer_put(&w, url->authority.data, url->authority.length);
    turbohttp_url_put_target(url, &w);
    if (url->has_fragment) turbohttp_writer_put(&w, url->fragment.data - 1, url->fragment.length + 1);
    char *text = copy_text(w.data ? w.data : "", w.length);
    turbohttp_writer_reset(&w);
    return text;
}

/* At least a millisecond, and never so much that it means none. */
static uint32_t milliseconds(double seconds) {
    return seconds < 0.001 ? 1 : seconds > 4000000 ? 4000000000u : (uint32_t)(seconds * 1000 + 0.5);
}

static void plan_timeouts(plan *p, const options *o) {
    turbohttp_timeouts *t = &p->desc.timeouts;
    t->send_ms = t->first_byte_ms = t->idle_ms = t->total_ms = TURBOHTTP_NO_TIMEOUT;
    t->resolve_ms = t->connect_ms = t->tls_ms = 300000;
    if (o->connect_timeout > 0)
        t->resolve_ms = t->connect_ms = t->tls_ms = milliseconds(o->connect_timeout);
    if (o->max_time > 0) t->total_ms = milliseconds(o->max_time);
}

static void plan_body(plan *p, const options *o, const post_data *post) {
    if (!post->is_set || o->get || o->head) return;
    p->desc.method = "POST";
    p->desc.body.data = post->bytes;
    p->desc.body.length = post->length;
    p->desc.body.content_type = "application/x-www-form-urlencoded";
}

static void plan_request(plan *p, const options *o, const post_data *post, transfer *t) {
    p->desc.headers = p->fields;
    plan_body(p, o, post);
    for (size_t i = 0; i < o->headers.count; i++) add_header(p, o->headers.items[i]);
    if (o->range && *o->range && !has_header(p, "range")) {
        bool is_start = *o->range >= '0' && *o->range <= '9' && !strchr(o->range, '-');
        snprintf(p->range, sizeof p->range, "bytes=%s%s", o->range, is_start ? "-" : "");
        put_header(p, "Range", p->range);
    }
    if (o->head) p->desc.method = "HEAD";
    if (o->method) p->desc.method = o->method;
    p->desc.unix_path = o->unix_socket;
    p->desc.use_http10 = o->http10;
    p->desc.disable_http2 = o->http11 || o->http10;
    p->desc.http2_prior_knowledge = o->http2_prior;
    p->desc.disable_decompression = !o->compressed;
    p->desc.body_limit = o->max_filesize;
    p->desc.on_body = on_body;
    p->desc.on_head = on_head;
    p->desc.on_progress = on_progress;
    p->desc.user = t;
    t->method = p->method = p->desc.method ? p->desc.method : "GET";
    plan_timeouts(p, o);
}

typedef struct name_table {
    turbohttp_name_override names[MAX_LIST];
    size_t count;
} name_table;

static void forget_name(name_table *fixed, const char *host, size_t n, uint16_t port) {
    for (size_t i = 0; i < fixed->count; i++) {
        turbohttp_name_override *known = &fixed->names[i];
        if (known->port != port || !equals_nocase(host, n, known->host)) continue;
        free((void *)(uintptr_t)known->host);
        free((void *)(uintptr_t)known->addresses);
        *known = fixed->names[--fixed->count];
        return;
    }
}

static bool is_address(const char *text, size_t n) {
    char url[80];
    turbohttp_url parsed;
    bool is_v6 = memchr(text, ':', n) != NULL;
    int length = snprintf(url, sizeof url, is_v6 ? "http://[%.*s]/" : "http://%.*s/", (int)n, text);
    if (length < 0 || (size_t)length >= sizeof url) return false;
    if (turbohttp_url_parse(&parsed, url, (size_t)length, 0, NULL) != TURBOHTTP_OK) return false;
    return is_v6 ? parsed.is_ipv6 : parsed.is_ipv4;
}

/* "1.2.3.4,[::1]" with blanks for the rest; NULL: not addresses. */
static char *address_list(const char *text) {
    char *list = copy_text(text, strlen(text)), *to = list;
    for (const char *from = text; *from; from++)
        if (*from != '[' && *from != ']') *to++ = *from == ',' ? ' ' : *from;
    *to = 0;
    bool is_good = *list != 0;
    for (const char *at = list; *at && is_good; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        is_good = is_address(at, n);
        at += n;
    }
    return is_good ? list : (free(list), NULL);
}

/* "[+]HOST:PORT:ADDRESS[,ADDRESS]", "-HOST:PORT"; the last rule for a name counts. */
static bool add_resolve(name_table *fixed, const char *rule) {
    const char *host;
    size_t n;
    uint16_t port;
    bool is_removal = *rule == '-';
    const char *second = host_part(rule + (*rule == '+' || is_removal), &host, &n);
    const char *third = *second == ':' ? second + 1 + strcspn(second + 1, ":") : NULL;
    if (!third || !port_part(second + 1, third, &port)) return false;
    char *addresses = is_removal || *third != ':' ? NULL : address_list(third + 1);
    if (!addresses && !is_removal) return false;
    forget_name(fixed, host, n, port);
    if (is_removal || port == 0) return free(addresses), true; /* no URL has port 0 */
    turbohttp_name_override *name = &fixed->names[fixed->count++];
    name->host = copy_text(host, n);
    name->port = port;
    name->addresses = addresses;
    return true;
}

static void free_names(name_table *fixed) {
    for (size_t i = 0; i < fixed->count; i++) {
        free((void *)(uintptr_t)fixed->names[i].host);
        free((void *)(uintptr_t)fixed->names[i].addresses);
    }
}

/* ------------------------------------------------------------ exit codes: curl's numbers */
static const struct {
    turbohttp_status status;
    int code;
} exit_codes[] = {
    {TURBOHTTP_ERR_URL_SCHEME, 1},     {TURBOHTTP_ERR_TLS_MISSING, 1},
    {TURBOHTTP_ERR_H2_PROTOCOL, 16},   {TURBOHTTP_ERR_H2_FRAME, 16},
    {TURBOHTTP_ERR_H2_FLOOD, 16},      {TURBOHTTP_ERR_H2_SILENCE, 16},
    {TURBOHTTP_ERR_H2_GOAWAY, 16},     {TURBOHTTP_ERR_HPACK, 16},
    {TURBOHTTP_ERR_H2_RESET, 92},      {TURBOHTTP_ERR_H2_FIELD, 92},
    {TURBOHTTP_ERR_URL, 3},            {TURBOHTTP_ERR_URL_HOST, 3},
    {TURBOHTTP_ERR_URL_PORT, 3},       {TURBOHTTP_ERR_URL_TOO_LONG, 3},
    {TURBOHTTP_ERR_RESOLVE, 6},        {TURBOHTTP_ERR_RESOLVE_TEMPORARY, 6},
    {TURBOHTTP_ERR_CONNECT, 7},        {TURBOHTTP_ERR_DESCRIPTORS, 7},
    {TURBOHTTP_ERR_NOT_HTTP, 8},       {TURBOHTTP_ERR_STATUS_LINE, 8},
    {TURBOHTTP_ERR_HEADER_LINE, 8},    {TURBOHTTP_ERR_CONTENT_LENGTH, 8},
    {TURBOHTTP_ERR_TRANSFER_ENCODING, 8}, {TURBOHTTP_ERR_UNEXPECTED_UPGRADE, 8},
    {TURBOHTTP_ERR_BODY_TRUNCATED, 18}, {TURBOHTTP_ERR_BODY_SINK, 23},
    {TURBOHTTP_ERR_FILE, 26},          {TURBOHTTP_ERR_BODY_SOURCE, 26},
    {TURBOHTTP_ERR_OUT_OF_MEMORY, 27}, {TURBOHTTP_ERR_TIMEOUT, 28},
    {TURBOHTTP_ERR_CANCELLED, 42},     {TURBOHTTP_ERR_NO_RESPONSE, 52},
    {TURBOHTTP_ERR_SEND, 55},          {TURBOHTTP_ERR_RECEIVE, 56},
    {TURBOHTTP_ERR_HEAD_TRUNCATED, 56}, {TURBOHTTP_ERR_CHUNK, 56},
    {TURBOHTTP_ERR_INFLATE_DATA, 61},  {TURBOHTTP_ERR_INFLATE_CHECK, 61},
    {TURBOHTTP_ERR_BODY_CODING, 61},   {TURBOHTTP_ERR_HEAD_TOO_LARGE, 63},
    {TURBOHTTP_ERR_LINE_TOO_LONG, 63}, {TURBOHTTP_ERR_TOO_MANY_HEADERS, 63},
    {TURBOHTTP_ERR_CHUNK_OVERHEAD, 63}, {TURBOHTTP_ERR_BODY_TOO_LARGE, 63},
    {TURBOHTTP_ERR_BODY_RATIO, 63},    {TURBOHTTP_ERR_TOO_MANY_INTERIM, 63},
    {TURBOHTTP_ERR_QUEUE_FULL, 63},    {TURBOHTTP_ERR_TLS_CAPABILITY, 35},
    {TURBOHTTP_ERR_TLS_HANDSHAKE, 35}, {TURBOHTTP_ERR_TLS_VERSION, 35},
    {TURBOHTTP_ERR_TLS_CIPHER, 35},    {TURBOHTTP_ERR_TLS_ALPN, 35},
    {TURBOHTTP_ERR_TLS_UNKNOWN_HOST, 35}, {TURBOHTTP_ERR_TLS_CERT_REQUIRED, 35},
    {TURBOHTTP_ERR_TLS_INTEGRITY, 35}, {TURBOHTTP_ERR_TLS_ALERT, 35},
    {TURBOHTTP_ERR_RANDOM, 35},        {TURBOHTTP_ERR_TLS_TRUNCATED, 56},
    {TURBOHTTP_ERR_TLS_CLOCK, 60},     {TURBOHTTP_ERR_TLS_ROOTS, 77},
    {TURBOHTTP_ERR_TLS_CLIENT_CERT, 58}, {TURBOHTTP_ERR_CERT_EXPIRED, 60},
    {TURBOHTTP_ERR_CERT_NOT_YET_VALID, 60}, {TURBOHTTP_ERR_CERT_NAME, 60},
    {TURBOHTTP_ERR_CERT_UNTRUSTED, 60}, {TURBOHTTP_ERR_CERT_CHAIN, 60},
    {TURBOHTTP_ERR_CERT_UNSUPPORTED, 60}, {TURBOHTTP_ERR_CERT_USAGE, 60},
    {TURBOHTTP_ERR_CERT_WEAK, 60},     {TURBOHTTP_ERR_CERT_PIN, 90},
};

static int exit_code_of(turbohttp_status status) {
    for (size_t i = 0; i < sizeof exit_codes / sizeof exit_codes[0]; i++)
        if (exit_codes[i].status == status) return exit_codes[i].code;
    return status == TURBOHTTP_OK ? 0 : 2;
}

static void judge(transfer *t) {
    turbohttp_error *error = &t->response.error;
    t->exit_code = exit_code_of(error->code);
    /* As curl has it: what breaks behind the handshake is a failure to receive. */
    if (t->exit_code == 35 && error->phase > TURBOHTTP_PHASE_TLS) t->exit_code = 56;
    bool is_broken = t->exit_code == 55 || t->exit_code == 56;
    if (is_broken && error->phase == TURBOHTTP_PHASE_TLS) t->exit_code = 35;
    if (t->write_failed) {
        t->exit_code = 23;
        error->phase = TURBOHTTP_PHASE_NONE;
        snprintf(error->text, sizeof error->text, "cannot write %s: %s",
                 t->failed_path ? t->failed_path : "to standard output", strerror(t->write_errno));
    } else if (!error->code && t->is_suppressed) {
        t->exit_code = 22;
        snprintf(error->text, sizeof error->text, "the server answered with status %d", t->response.status);
    }
}

/* ------------------------------------------------------------ -w */
static void print_seconds(FILE *out, uint64_t us) {
    fprintf(out, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static bool is_named(const char *name, size_t n, const char *known) {
    return equals_nocase(name, n, known);
}

static bool print_time(FILE *out, const char *name, size_t n, const turbohttp_timing *timing) {
    if (is_named(name, n, "time_namelookup")) print_seconds(out, timing->resolved_us);
    else if (is_named(name, n, "time_connect")) print_seconds(out, timing->connected_us);
    else if (is_named(name, n, "time_appconnect")) print_seconds(out, timing->secured_us);
    else if (is_named(name, n, "time_pretransfer")) print_seconds(out, timing->ready_us);
    else if (is_named(name, n, "time_redirect")) print_seconds(out, 0);
    else if (is_named(name, n, "time_starttransfer")) print_seconds(out, timing->first_byte_us);
    else if (is_named(name, n, "time_total")) print_seconds(out, timing->total_us);
    else return false;
    return true;
}

/* OpenSSL's numbers, which scripts of curl look for. */
static uint64_t verify_result(turbohttp_status status) {
    switch (status) {
    case TURBOHTTP_ERR_CERT_NOT_YET_VALID: return 9;
    case TURBOHTTP_ERR_CERT_EXPIRED: return 10;
    case TURBOHTTP_ERR_CERT_UNTRUSTED: return 20;
    case TURBOHTTP_ERR_CERT_CHAIN: return 21;
    case TURBOHTTP_ERR_CERT_USAGE: return 26;
    case TURBOHTTP_ERR_CERT_NAME: return 62;
    case TURBOHTTP_ERR_CERT_WEAK: return 66;
    case TURBOHTTP_ERR_CERT_UNSUPPORTED: return 1;
    default: return 0;
    }
}

static bool print_number(FILE *out, const char *name, size_t n, const transfer *t) {
    const turbohttp_response *r = &t->response;
    uint64_t total_us = r->timing.total_us ? r->timing.total_us : 1, value;
    if (is_named(name, n, "http_code") || is_named(name, n, "response_code"))
        return fprintf(out, "%03d", r->status), true;
    if (is_named(name, n, "http_connect")) return fputs("000", out), true;
    if (is_named(name, n, "num_connects")) value = r->connects;
    else if (is_named(name, n, "num_redirects")) value = 0;
    else if (is_named(name, n, "num_headers")) value = r->header_count;
    else if (is_named(name, n, "size_download")) value = r->wire_bytes;
    else if (is_named(name, n, "size_header")) value = t->header_bytes;
    else if (is_named(name, n, "size_request")) value = r->sent_bytes - t->uploaded;
    else if (is_named(name, n, "size_upload")) value = t->uploaded;
    else if (is_named(name, n, "speed_download")) value = r->wire_bytes * 1000000 / total_us;
    else if (is_named(name, n, "speed_upload")) value = t->uploaded * 1000000 / total_us;
    else if (is_named(name, n, "remote_port")) value = r->peer_port;
    else if (is_named(name, n, "ssl_verify_result")) value = verify_result(r->error.code);
    else if (is_named(name, n, "ssl_session_reused")) value = r->tls.is_resumed;
    else if (is_named(name, n, "urlnum")) value = t->number;
    else if (is_named(name, n, "exitcode")) value = (uint64_t)t->exit_code;
    else return false;
    fprintf(out, "%llu", (unsigned long long)value);
    return true;
}

/* Where a 3xx answer points to. */
static void print_redirect(FILE *out, const transfer *t) {
    const char *location = turbohttp_response_header(&t->response, "Location");
    turbohttp_url base;
    turbohttp_writer w;
    if (t->response.status / 100 != 3 || !location) return;
    if (turbohttp_url_parse(&base, t->effective, strlen(t->effective), 0, NULL) != TURBOHTTP_OK) return;
    turbohttp_writer_init(&w, &scratch, 0);
    turbohttp_url_resolve(&base, location, strlen(location), 0, &w);
    if (w.length) fwrite(w.data, 1, w.length, out);
    turbohttp_writer_reset(&w);
}

static const char *version_of(const turbohttp_response *r) {
    if (!r->status) return "0";
    return r->http_version == 20 ? "2" : r->minor_version ? "1.1" : "1";
}

static bool print_text(FILE *out, const char *name, size_t n, const transfer *t) {
    const turbohttp_response *r = &t->response;
    const char *type = turbohttp_response_header(r, "Content-Type");
    if (is_named(name, n, "http_version")) fputs(version_of(r), out);
    else if (is_named(name, n, "content_type")) fputs(type ? type : "", out);
    else if (is_named(name, n, "method")) fputs(t->method, out);
    else if (is_named(name, n, "scheme")) fputs(r->tls.provider ? "HTTPS" : r->peer_port || r->status ? "HTTP" : "", out);
    else if (is_named(name, n, "url")) fputs(t->url, out);
    else if (is_named(name, n, "url_effective")) fputs(t->effective, out);
    else if (is_named(name, n, "redirect_url")) print_redirect(out, t);
    else if (is_named(name, n, "filename_effective")) fputs(t->output ? t->output : "", out);
    else if (is_named(name, n, "remote_ip")) print_peer(out, r);
    else if (is_named(name, n, "errormsg")) fputs(t->exit_code ? r->error.text : "", out);
    else return false;
    return true;
}

typedef struct printer { /* a format being gone through */
    const transfer *t;
    FILE *out;
    bool is_over;
} printer;

/* At '{' of "%{NAME}"; returns its last character, or where to go on. */
static const char *print_variable(printer *p, const char *at) {
    const char *name = at + 1, *end = strchr(name, '}');
    if (!end) return fputs("%{", p->out), at;
    size_t n = (size_t)(end - name);
    if (is_named(name, n, "stdout")) p->out = stdout;
    else if (is_named(name, n, "stderr")) p->out = stderr;
    else if (is_named(name, n, "onerror")) p->is_over = p->t->exit_code == 0;
    else if (!print_time(p->out, name, n, &p->t->response.timing) && !print_number(p->out, name, n, p->t) &&
             !print_text(p->out, name, n, p->t))
        fprintf(stderr, "turboget: unknown -w variable: %.*s\n", (int)n, name);
    return end;
}

/* At '{' of "%header{NAME}". */
static const char *print_header(printer *p, const char *at) {
    const char *end = strchr(at, '}');
    if (!end) return fputs("%header{", p->out), at;
    char *name = copy_text(at + 1, (size_t)(end - at - 1));
    const char *value = turbohttp_response_header(&p->t->response, name);
    if (value) fputs(value, p->out);
    free(name);
    return end;
}

static const char *print_escape(FILE *out, const char *at) {
    const char *known = at[1] ? strchr("n\nr\rt\t", at[1]) : NULL;
    if (at[1] == 'n' || at[1] == 'r' || at[1] == 't') return fputc(known[1], out), at + 1;
    fputc('\\', out);
    if (at[1]) fputc(at[1], out);
    return at[1] ? at + 1 : at;
}

static void write_out(const char *format, const transfer *t) {
    printer p = {t, stdout, false};
    for (const char *c = format; *c && !p.is_over; c++) {
        if (c[0] == '%' && c[1] == '{') c = print_variable(&p, c + 1);
        else if (!strncmp(c, "%header{", 8)) c = print_header(&p, c + 7);
        else if (c[0] == '%' && c[1] == '%') fputc(*++c, p.out);
        else if (c[0] == '\\') c = print_escape(p.out, c);
        else fputc(*c, p.out);
    }
    fflush(stdout);
}

/* ------------------------------------------------------------ main */
static char *remote_name(const char *url) {
    const char *path = strstr(url, "://") ? strstr(url, "://") + 3 : url;
    size_t n = strcspn(path, "?#");
    const char *last = path;
    for (size_t i = 0; i < n; i++)
        if (path[i] == '/') last = path + i + 1;
    size_t length = (size_t)(path + n - last);
    return last == path || !length ? NULL : copy_text(last, length);
}

static void show_field(const char *name, const char *value) {
    fprintf(stderr, "> %s: %s\n", name, value);
}

static void show_body_fields(const plan *p) {
    const turbohttp_body *body = &p->desc.body;
    bool expects = !strcmp(p->method, "POST") || !strcmp(p->method, "PUT") || !strcmp(p->method, "PATCH");
    if (body->data && !has_header(p, "content-type")) show_field("Content-Type", body->content_type);
    if (body->data && body->is_unknown) show_field("Transfer-Encoding", "chunked");
    else if (body->data || expects) fprintf(stderr, "> Content-Length: %llu\n", (unsigned long long)body->length);
    if (body->length && p->desc.expect_continue && !p->desc.use_http10) show_field("Expect", "100-continue");
}

/* The head as the library writes it over HTTP/1. */
static void show_request(const plan *p, const turbohttp_url *url, const char *user_agent) {
    turbohttp_writer w;
    turbohttp_writer_init(&w, &scratch, 0);
    turbohttp_url_put_target(url, &w);
    fprintf(stderr, "> %s %.*s HTTP/1.%d\n", p->method, (int)w.length, w.data, p->desc.use_http10 ? 0 : 1);
    turbohttp_writer_clear(&w);
    turbohttp_url_put_host(url, &w);
    fprintf(stderr, "> Host: %.*s\n", p->desc.host ? (int)strlen(p->desc.host) : (int)w.length,
            p->desc.host ? p->desc.host : w.data);
    turbohttp_writer_reset(&w);
    for (size_t i = 0; i < p->desc.header_count; i++)
        if (p->fields[i].value) show_field(p->fields[i].name, p->fields[i].value);
    if (*user_agent && !has_header(p, "user-agent")) show_field("User-Agent", user_agent);
    if (!has_header(p, "accept")) show_field("Accept", "*/*");
    if (!p->desc.disable_decompression && !has_header(p, "accept-encoding"))
        show_field("Accept-Encoding", "gzip, deflate");
    show_body_fields(p);
    if (p->desc.disable_reuse && !p->desc.use_http10) show_field("Connection", "close");
    fputs(">\n", stderr);
}

/* As curl has it, trailers are part of the output when heads are. */
static void write_trailers(transfer *t) {
    const turbohttp_response *r = &t->response;
    for (uint32_t i = 0; i < r->trailer_count && t->o->include && !t->is_suppressed; i++) {
        const turbohttp_header *field = &r->trailers[i];
        write_output(t, field->name, strlen(field->name));
        write_output(t, ": ", 2);
        write_output(t, field->value, strlen(field->value));
        write_output(t, "\r\n", 2);
    }
}

/* The option of this program that moves what the sentence is about. */
static const char *option_for(turbohttp_status status, const options *o) {
    if (status == TURBOHTTP_ERR_TIMEOUT) return " (-m, --connect-timeout)";
    if (status == TURBOHTTP_ERR_BODY_TOO_LARGE && o->max_filesize) return " (--max-filesize)";
    return "";
}

static void tell_failure(const transfer *t, const options *o) {
    const turbohttp_error *error = &t->response.error;
    if (o->silent && !o->show_error) return;
    fprintf(stderr, "turboget: (%d) %s%s", t->exit_code, error->text, option_for(error->code, o));
    if (error->phase != TURBOHTTP_PHASE_NONE && !strstr(error->text, "phase "))
        fprintf(stderr, " [phase %s]", turbohttp_phase_name(error->phase));
    fputs("\n", stderr);
}

static void finish(transfer *t, const options *o) {
    if (!t->response.error.code && !t->is_suppressed && !t->write_failed && t->output) open_output(t);
    write_trailers(t);
    close_output(t);
    judge(t);
    if (t->exit_code) tell_failure(t, o);
    if (o->write_out) write_out(o->write_out, t);
    turbohttp_response_free(&t->response);
}

typedef struct job {
    plan p;
    transfer t;
    turbohttp_request request;
    bool is_running;
} job;

/* Says why a transfer does not begin, whatever -s says: nothing was tried. */
static int refuse(int code, const char *text, const char *what) {
    fprintf(stderr, "turboget: (%d) %s%s\n", code, text, what);
    return code;
}

/* Outputs go to the URLs in the order in which they were given. */
static bool plan_output(transfer *t, const options *o) {
    const char *given = t->number < o->outputs.count ? o->outputs.items[t->number]
                        : o->remote_name_all         ? by_url
                                                     : NULL;
    t->output = given;
    if (given != by_url) return true;
    t->output = t->remote = remote_name(t->url);
    return t->remote != NULL;
}

/* 0, or the exit code of a transfer that cannot begin. */
static int prepare(job *j, const options *o, const post_data *post, size_t i) {
    transfer *t = &j->t;
    turbohttp_url url;
    t->o = o;
    t->number = i;
    t->url = o->urls.items[i];
    if (!plan_output(t, o)) return refuse(23, "-O needs a URL that ends in a file name: ", t->url);
    if (!plan_url(&j->p, o, t->url, post)) return refuse(3, "the URL is too long: at most 16383 bytes", "");
    plan_request(&j->p, o, post, t);
    /* A URL that is not one is the library's to refuse. */
    bool is_url = turbohttp_url_parse(&url, j->p.url, strlen(j->p.url), 0, NULL) == TURBOHTTP_OK;
    t->effective = is_url ? effective_url(&url) : copy_text(j->p.url, strlen(j->p.url));
    if (is_url && !plan_connect_to(&j->p, o, &url)) return refuse(49, "--connect-to needs a port up to 65535", "");
    if (is_url) plan_userinfo(&j->p, &url);
    if (is_url && o->verbose) show_request(&j->p, &url, o->user_agent);
    if (!o->dump_header || dump_head(t, "", 0, i ? "ab" : "wb")) return 0;
    return refuse(23, "cannot write ", o->dump_header);
}

static void drop(job *j) {
    for (size_t n = 0; n < j->p.name_count; n++) free(j->p.names[n]);
    free(j->t.remote);
    free(j->t.effective);
    free(j->t.failed_path);
    free(j);
}

static int run_one(turbohttp_client *client, const options *o, const post_data *post, size_t i) {
    job *j = (job *)calloc(1, sizeof *j);
    if (!j) return 27;
    int code = prepare(j, o, post, i);
    if (!code) {
        turbohttp_send(client, &j->p.desc, &j->t.response);
        finish(&j->t, o);
        code = j->t.exit_code;
    }
    drop(j);
    return code;
}

/* False: it could not be begun, and is over. */
static bool begin(turbohttp_client *client, job *j, const options *o) {
    turbohttp_error *error = &j->t.response.error;
    j->is_running = turbohttp_submit(client, &j->p.desc, &j->request, error) == TURBOHTTP_OK;
    if (!j->is_running) finish(&j->t, o);
    return j->is_running;
}

/* Up to --parallel-max at a time; what is over makes room for the next. The first failure is told. */
static int run_parallel(turbohttp_client *client, const options *o, const post_data *post) {
    static job *jobs[MAX_LIST];
    size_t next = 0, running = 0, most = o->parallel_max ? (size_t)o->parallel_max : 50;
    int code = 0;
    while (next < o->urls.count || running > 0) {
        for (; next < o->urls.count && running < most; next++) {
            job *j = jobs[next] = (job *)calloc(1, sizeof *j);
            int failed = j ? prepare(j, o, post, next) : 27;
            if (!failed && begin(client, j, o)) running++;
            else if (!code) code = failed ? failed : j->t.exit_code;
        }
        turbohttp_poll(client, 1000);
        for (size_t i = 0; i < next; i++) {
            job *j = jobs[i];
            if (!j || !j->is_running) continue;
            if (turbohttp_take(client, j->request, &j->t.response) != TURBOHTTP_OK) continue;
            j->is_running = false;
            running--;
            finish(&j->t, o);
            if (!code) code = j->t.exit_code;
        }
    }
    for (size_t i = 0; i < next; i++)
        if (jobs[i]) drop(jobs[i]);
    return code;
}

/* False: a version that is not to be had. */
static bool plan_tls(turbohttp_tls_options *tls, const options *o) {
    tls->ca_file = o->ca_file;
    tls->ca_path = o->ca_path;
    tls->cert_file = o->cert;
    tls->key_file = o->key;
    tls->pins = o->pins;
    tls->disable_resumption = o->no_session;
    tls->INSECURE_skip_verification = o->insecure;
    if (o->tls13) tls->min_version = TURBOHTTP_TLS_1_3;
    if (o->insecure) fputs("turboget: warning: -k: the server's identity is not verified\n", stderr);
    if (!o->tls_max || !strcmp(o->tls_max, "default") || !strcmp(o->tls_max, "1.3")) return true;
    tls->max_version = TURBOHTTP_TLS_1_2;
    return !strcmp(o->tls_max, "1.2");
}

/* "@FILE": its text without line ends, as curl has it. */
static bool load_format(options *o) {
    size_t length, kept = 0;
    if (!o->write_out || o->write_out[0] != '@') return true;
    char *text = load_file(o->write_out + 1, &length);
    if (!text) return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] != '\r' && text[i] != '\n') text[kept++] = text[i];
    text[kept] = 0;
    o->write_out = text;
    return true;
}

/* A descriptor 0, 1 or 2 that is closed would be given to a socket, and the body written into it. A
 * pipe nobody reads is an error to report, not the end of this program. */
static void keep_standard_streams(void) {
    for (int i = 0; i < 3; i++)
        if (!fopen("/dev/null", "rb")) break;
#ifdef SIGPIPE
    signal(SIGPIPE, SIG_IGN);
#endif
}

static int run_all(turbohttp_client *client, const options *o, const post_data *post) {
    int code = 0;
    if (o->parallel) return run_parallel(client, o, post);
    for (size_t i = 0; i < o->urls.count; i++) code = run_one(client, o, post, i);
    return code;
}

int main(int argc, char **argv) {
    static options o;
    static name_table names;
    static post_data post;
    turbohttp_client_desc desc;
    turbohttp_client *client;
    keep_standard_streams();
    int code = parse_arguments(&o, &post, argc, argv);
    if (code) return code;
    memset(&desc, 0, sizeof desc);
    for (size_t i = 0; i < o.resolves.count; i++)
        if (!add_resolve(&names, o.resolves.items[i]))
            return refuse(49, "--resolve needs HOST:PORT:ADDRESS[,ADDRESS]: ", o.resolves.items[i]);
    if (!load_format(&o)) return cannot_read(o.write_out + 1);
    desc.names = names.names;
    desc.name_count = names.count;
    if (!plan_tls(&desc.tls, &o))
        return fprintf(stderr, "turboget: (35) TLS %s is not supported: use 1.2\n", o.tls_max), 35;
    if (!o.user_agent) o.user_agent = "turboget/" TURBOHTTP_VERSION;
    desc.user_agent = o.user_agent;
    init_scratch();
    turbohttp_status status = turbohttp_client_create(&client, &desc);
    if (status != TURBOHTTP_OK) return fprintf(stderr, "turboget: %s\n", turbohttp_status_text(status)), 27;
    code = run_all(client, &o, &post);
    turbohttp_client_destroy(client);
    turbohttp_byte_pool_destroy(&scratch);
    free_names(&names);
    free(post.bytes);
    return code;
}
