/* turboget: a command-line client whose options and exit codes are curl's.
 *
 * The one example that may be long. In order: options (one table) · what a transfer writes and where
 * · requests · -w · exit codes · main. Several URLs go one after the other over one client, so that
 * connections are kept. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <errno.h>
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
    bool include, head, remote_name, silent, show_error, verbose, fail, compressed, http10, get;
    double max_time, connect_timeout;
    unsigned long long max_filesize;
    bool is_bad;
} options;

typedef enum kind { FLAG, TEXT, LIST, SECONDS, BYTES, IGNORED, IGNORED_TEXT, HELP, VERSION,
                    DATA, DATA_RAW, DATA_BINARY } kind;

typedef struct option {
    const char *long_name;
    char short_name;
    kind what;
    size_t at; /* offset in options */
    const char *help;
} option;

#define AT(field) offsetof(options, field)

static const option table[] = {
    {"include", 'i', FLAG, AT(include), "write the response head, too"},
    {"head", 'I', FLAG, AT(head), "ask for the head alone"},
    {"request", 'X', TEXT, AT(method), "METHOD  use this method"},
    {"data", 'd', DATA, 0, "DATA  POST this, or @FILE without its line ends; repeated: joined by &"},
    {"data-raw", 0, DATA_RAW, 0, "DATA  as -d, @ is not special"},
    {"data-binary", 0, DATA_BINARY, 0, "DATA  as -d, @FILE as it is"},
    {"get", 'G', FLAG, AT(get), "put the data into the URL's query"},
    {"header", 'H', LIST, AT(headers), "'NAME: VALUE'  add; 'NAME:' removes, 'NAME;' sends it empty"},
    {"output", 'o', LIST, AT(outputs), "FILE  write the body to FILE, - is standard output"},
    {"remote-name", 'O', FLAG, AT(remote_name), "write the body to the URL's last part"},
    {"dump-header", 'D', TEXT, AT(dump_header), "FILE  write the response head to FILE"},
    {"silent", 's', FLAG, AT(silent), "no error messages"},
    {"show-error", 'S', FLAG, AT(show_error), "error messages in spite of -s"},
    {"verbose", 'v', FLAG, AT(verbose), "tell what happens on standard error"},
    {"fail", 'f', FLAG, AT(fail), "status 400 and above is an error: exit 22, no body"},
    {"range", 'r', TEXT, AT(range), "RANGE  ask for these bytes, such as 0-99"},
    {"user-agent", 'A', TEXT, AT(user_agent), "TEXT  send as User-Agent"},
    {"compressed", 0, FLAG, AT(compressed), "ask for gzip or deflate, and decode it"},
    {"resolve", 0, LIST, AT(resolves), "HOST:PORT:ADDRESS[,…]  use these addresses"},
    {"connect-to", 0, LIST, AT(connect_tos), "HOST1:PORT1:HOST2:PORT2  connect to the second instead"},
    {"unix-socket", 0, TEXT, AT(unix_socket), "PATH  connect to this socket"},
    {"max-time", 'm', SECONDS, AT(max_time), "SECONDS  limit on a whole transfer"},
    {"connect-timeout", 0, SECONDS, AT(connect_timeout), "SECONDS  limit on look-up and connect"},
    {"max-filesize", 0, BYTES, AT(max_filesize), "BYTES  refuse larger bodies: exit 63"},
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
    fputs("Variables of -w, as %{NAME}: http_code response_code http_version content_type method scheme\n"
          "  url url_effective filename_effective time_namelookup time_connect time_appconnect\n"
          "  time_pretransfer time_starttransfer time_total num_connects num_redirects num_headers\n"
          "  size_download size_upload size_header size_request speed_download remote_ip remote_port\n"
          "  ssl_verify_result ssl_session_reused exitcode errormsg; %% is %, and \\n \\r \\t are understood.\n"
          "Exit codes (curl's numbers):\n"
          "   0 success               1 scheme not supported   2 usage\n"
          "   3 malformed URL         6 name not resolved      7 could not connect\n"
          "   8 not HTTP              16 HTTP/2 broken         18 body cut short\n"
          "   22 status >= 400, -f    92 HTTP/2 stream reset\n"
          "   23 cannot write         26 cannot read           27 out of memory\n"
          "   28 timeout              35 TLS handshake failed  42 cancelled\n"
          "   52 no answer at all     55 sending failed        56 receiving failed\n"
          "   58 client certificate   60 server not verified   61 content decoding failed\n"
          "   63 limit exceeded       77 CA file unusable      90 pinned key does not match\n",
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
        if (!piece) return fprintf(stderr, "turboget: cannot read %s: %s\n", text + 1, strerror(errno)), 26;
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

static int set_option(options *o, post_data *post, const option *known, const char *value) {
    char *end = NULL;
    void *place = (char *)o + known->at;
    text_list *list = (text_list *)place;
    switch (known->what) {
    case FLAG: *(bool *)place = true; return 0;
    case TEXT: *(const char **)place = value; return 0;
    case LIST:
        if (list->count == MAX_LIST) return complain("too many of --", known->long_name);
        list->items[list->count++] = value;
        return 0;
    case SECONDS:
        *(double *)place = strtod(value, &end);
        return *end || end == value || *(double *)place < 0 ? complain("not a number of seconds: ", value) : 0;
    case BYTES:
        *(unsigned long long *)place = strtoull(value, &end, 10);
        return *end || end == value ? complain("not a number of bytes: ", value) : 0;
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
    return known->what != FLAG && known->what != IGNORED &&
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

/* One argument that begins with '-': "-sSo file", "-XPUT", "--max-time 3", "--max-time=3" is not curl's. */
static int parse_dashed(options *o, post_data *post, char **argv, int argc, int *i) {
    const char *text = argv[*i];
    if (text[1] == '-') {
        const option *known = find_option(text + 2, strlen(text + 2), 0);
        if (!known) return complain("unknown option ", text);
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
    for (int i = 1; i < argc; i++) {
        bool is_option = argv[i][0] == '-' && argv[i][1];
        int failed = is_option ? parse_dashed(o, post, argv, argc, &i)
                               : set_option(o, post, find_option("url", 3, 0), argv[i]);
        if (failed) return failed;
    }
    return o->urls.count ? 0 : complain("no URL given", "");
}

/* ------------------------------------------------------------ one transfer */
typedef struct transfer {
    const options *o;
    const char *url, *output; /* output NULL: standard output */
    char *remote; /* output of -O */
    FILE *out;
    bool write_failed, is_suppressed;
    int write_errno;
    size_t header_bytes;
    turbohttp_response response;
    int exit_code;
    const char *method;
} transfer;

static bool open_output(transfer *t) {
    if (t->out) return true;
    bool is_standard = !t->output || !strcmp(t->output, "-");
    t->out = is_standard ? stdout : fopen(t->output, "wb");
    if (t->out) return true;
    t->write_failed = true;
    t->write_errno = errno;
    return false;
}

static bool write_output(transfer *t, const void *data, size_t n) {
    if (!open_output(t)) return false;
    if (fwrite(data, 1, n, t->out) == n) return true;
    t->write_failed = true;
    t->write_errno = errno;
    return false;
}

static void close_output(transfer *t) {
    if (!t->out) return;
    int failed = t->out == stdout ? fflush(stdout) : fclose(t->out);
    if (failed && !t->write_failed) {
        t->write_failed = true;
        t->write_errno = errno;
    }
    t->out = NULL;
}

static turbohttp_status on_body(void *user, const void *data, size_t length) {
    transfer *t = (transfer *)user;
    if (t->is_suppressed) return TURBOHTTP_OK;
    return write_output(t, data, length) ? TURBOHTTP_OK : TURBOHTTP_ERR_BODY_SINK;
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

static void dump_head(transfer *t, const char *text, size_t n) {
    FILE *f = !strcmp(t->o->dump_header, "-") ? stdout : fopen(t->o->dump_header, "ab");
    if (!f || fwrite(text, 1, n, f) != n) t->write_failed = true;
    if (f && f != stdout) fclose(f);
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
        n = print_head(head, text, room, "< ");
        fwrite(text, 1, n, stderr);
        n = print_head(head, text, room, "");
    }
    if (t->o->dump_header) dump_head(t, text, n);
    if (t->o->include || t->o->head) write_output(t, text, n);
    free(text);
}

/* ------------------------------------------------------------ requests */
typedef struct plan { /* everything a description points to */
    turbohttp_request_desc desc;
    turbohttp_header_field fields[MAX_LIST + 4];
    char url[16384], range[128], connect_host[256];
    char *names[MAX_LIST];
    size_t name_count;
} plan;

/* Headers that the library writes itself become the option that means them. */
static bool take_special_header(plan *p, const char *name, const char *value) {
    if (!strcmp(name, "host")) p->desc.host = value;
    else if (!strcmp(name, "connection")) p->desc.disable_reuse = value && strstr(value, "lose") != NULL;
    else if (!strcmp(name, "transfer-encoding")) p->desc.body.is_unknown = value && strstr(value, "chunked") != NULL;
    else if (!strcmp(name, "expect")) p->desc.expect_continue = value && *value;
    else if (!strcmp(name, "keep-alive")) return true;
    else return false;
    return true;
}

static void lower_case(char *text) {
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z') *text = (char)(*text + 32);
}

static void add_header(plan *p, const char *line) {
    size_t n = strcspn(line, ":;");
    const char *value = line[n] ? line + n + 1 : NULL;
    if (!value || (line[n] == ';' && *value)) return; /* as curl: not a header, ignored */
    while (*value == ' ' || *value == '\t') value++;
    const char *sent = line[n] == ';' ? "" : *value ? value : NULL;
    char *name = copy_text(line, n), *lower = copy_text(line, n);
    lower_case(lower);
    p->names[p->name_count++] = name;
    if (!take_special_header(p, lower, sent)) {
        p->fields[p->desc.header_count].name = name;
        p->fields[p->desc.header_count++].value = sent;
    }
    free(lower);
}

static bool same_text(const char *a, size_t n, const char *b) {
    return strlen(b) == n && !strncmp(a, b, n);
}

/* "HOST1:PORT1:HOST2:PORT2", each of the four may be empty: any, or unchanged. */
static bool apply_connect_to(plan *p, const char *rule, const turbohttp_url *url) {
    char host[256], port[8];
    const char *second = strchr(rule, ':'), *third = second ? strchr(second + 1, ':') : NULL;
    if (!third) return false;
    snprintf(host, sizeof host, "%.*s", (int)url->host.length, url->host.data);
    snprintf(port, sizeof port, "%u", (unsigned)url->port);
    size_t n1 = (size_t)(second - rule), n2 = (size_t)(third - second - 1);
    if ((n1 && !same_text(rule, n1, host)) || (n2 && !same_text(second + 1, n2, port))) return false;
    const char *to = third + 1, *end = to[0] == '[' ? strchr(to, ']') : strchr(to, ':');
    if (!end) return false;
    snprintf(p->connect_host, sizeof p->connect_host, "%.*s", (int)(end - to) - (to[0] == '['), to + (to[0] == '['));
    const char *last = to[0] == '[' ? end + 1 : end;
    if (p->connect_host[0]) p->desc.connect_host = p->connect_host;
    if (*last == ':' && last[1]) p->desc.connect_port = (uint16_t)atoi(last + 1);
    return true;
}

static void plan_connect_to(plan *p, const options *o) {
    turbohttp_url url;
    size_t offset;
    if (turbohttp_url_parse(&url, p->url, strlen(p->url), 0, &offset) != TURBOHTTP_OK) return;
    for (size_t i = 0; i < o->connect_tos.count; i++)
        if (apply_connect_to(p, o->connect_tos.items[i], &url)) return;
}

static bool plan_url(plan *p, const options *o, const char *url, const post_data *post) {
    const char *scheme = strstr(url, "://") ? "" : "http://";
    const char *mark = o->get && post->is_set ? (strchr(url, '?') ? "&" : "?") : "";
    int n = snprintf(p->url, sizeof p->url, "%s%s%s%s", scheme, url, mark, *mark ? post->bytes : "");
    p->desc.url = p->url;
    return n >= 0 && (size_t)n < sizeof p->url;
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
    if (o->range) {
        snprintf(p->range, sizeof p->range, "bytes=%s", o->range);
        p->fields[p->desc.header_count].name = "Range";
        p->fields[p->desc.header_count++].value = p->range;
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
    p->desc.user = t;
    t->method = p->desc.method ? p->desc.method : "GET";
    plan_timeouts(p, o);
    plan_connect_to(p, o);
}

/* "HOST:PORT:ADDRESS[,ADDRESS]" */
static bool parse_resolve(const char *rule, turbohttp_name_override *name) {
    if (*rule == '+') rule++;
    const char *second = strchr(rule, ':'), *third = second ? strchr(second + 1, ':') : NULL;
    if (!third) return false;
    name->host = copy_text(rule, (size_t)(second - rule));
    name->port = (uint16_t)atoi(second + 1);
    char *addresses = copy_text(third + 1, strlen(third + 1)), *to = addresses;
    for (char *from = addresses; *from; from++)
        if (*from != '[' && *from != ']') *to++ = *from;
    *to = 0;
    name->addresses = addresses;
    return true;
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
        snprintf(error->text, sizeof error->text, "cannot write %s: %s",
                 t->output ? t->output : "to standard output", strerror(t->write_errno));
    } else if (!error->code && t->is_suppressed) {
        t->exit_code = 22;
        snprintf(error->text, sizeof error->text, "the server answered with status %d", t->response.status);
    }
}

/* ------------------------------------------------------------ -w */
static void print_seconds(uint64_t us) {
    printf("%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void print_peer(const turbohttp_response *r) {
    const uint8_t *b = r->peer.bytes;
    if (r->peer.family == 4) printf("%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    for (int i = 0; r->peer.family == 6 && i < 16; i += 2)
        printf("%s%x", i ? ":" : "", (unsigned)(b[i] << 8 | b[i + 1]));
}

static bool print_time(const char *name, size_t n, const turbohttp_timing *timing) {
    if (same_text(name, n, "time_namelookup")) print_seconds(timing->resolved_us);
    else if (same_text(name, n, "time_connect")) print_seconds(timing->connected_us);
    else if (same_text(name, n, "time_appconnect")) print_seconds(timing->secured_us);
    else if (same_text(name, n, "time_pretransfer")) print_seconds(timing->ready_us);
    else if (same_text(name, n, "time_starttransfer")) print_seconds(timing->first_byte_us);
    else if (same_text(name, n, "time_total")) print_seconds(timing->total_us);
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

static bool print_number(const char *name, size_t n, const transfer *t) {
    const turbohttp_response *r = &t->response;
    uint64_t total_us = r->timing.total_us ? r->timing.total_us : 1, value;
    if (same_text(name, n, "http_code") || same_text(name, n, "response_code"))
        return printf("%03d", r->status), true;
    if (same_text(name, n, "num_connects")) value = r->connects;
    else if (same_text(name, n, "num_redirects")) value = 0;
    else if (same_text(name, n, "num_headers")) value = r->header_count;
    else if (same_text(name, n, "size_download")) value = r->wire_bytes;
    else if (same_text(name, n, "size_header")) value = t->header_bytes;
    else if (same_text(name, n, "size_request") || same_text(name, n, "size_upload")) value = r->sent_bytes;
    else if (same_text(name, n, "speed_download")) value = r->body_bytes * 1000000 / total_us;
    else if (same_text(name, n, "remote_port")) value = r->peer_port;
    else if (same_text(name, n, "ssl_verify_result")) value = verify_result(r->error.code);
    else if (same_text(name, n, "ssl_session_reused")) value = r->tls.is_resumed;
    else if (same_text(name, n, "exitcode")) value = (uint64_t)t->exit_code;
    else return false;
    printf("%llu", (unsigned long long)value);
    return true;
}

static bool print_text(const char *name, size_t n, const transfer *t) {
    const turbohttp_response *r = &t->response;
    const char *type = turbohttp_response_header(r, "Content-Type");
    if (same_text(name, n, "http_version")) fputs(!r->status ? "0" : r->http_version == 20 ? "2" : r->minor_version ? "1.1" : "1", stdout);
    else if (same_text(name, n, "content_type")) fputs(type ? type : "", stdout);
    else if (same_text(name, n, "method")) fputs(t->method, stdout);
    else if (same_text(name, n, "scheme")) fputs(r->tls.provider ? "HTTPS" : "HTTP", stdout);
    else if (same_text(name, n, "url") || same_text(name, n, "url_effective")) fputs(t->url, stdout);
    else if (same_text(name, n, "filename_effective")) fputs(t->output ? t->output : "", stdout);
    else if (same_text(name, n, "remote_ip")) print_peer(r);
    else if (same_text(name, n, "errormsg")) fputs(t->exit_code ? r->error.text : "", stdout);
    else return false;
    return true;
}

static const char *print_variable(const char *at, const transfer *t) {
    const char *end = strchr(at, '}');
    if (!end) return fputc('%', stdout), at - 2;
    size_t n = (size_t)(end - at);
    if (!print_time(at, n, &t->response.timing) && !print_number(at, n, t) && !print_text(at, n, t))
        fprintf(stderr, "turboget: unknown -w variable: %.*s\n", (int)n, at);
    return end;
}

static void write_out(const char *format, const transfer *t) {
    for (const char *c = format; *c; c++) {
        if (c[0] == '%' && c[1] == '{') c = print_variable(c + 2, t);
        else if (c[0] == '%' && c[1] == '%') fputc(*++c, stdout);
        else if (c[0] == '\\' && c[1] == 'n') c++, fputc('\n', stdout);
        else if (c[0] == '\\' && c[1] == 'r') c++, fputc('\r', stdout);
        else if (c[0] == '\\' && c[1] == 't') c++, fputc('\t', stdout);
        else fputc(*c, stdout);
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

static void show_request(const plan *p, const transfer *t) {
    fprintf(stderr, "> %s %s HTTP/1.%d\n", t->method, p->desc.url, p->desc.use_http10 ? 0 : 1);
    for (size_t i = 0; i < p->desc.header_count; i++)
        if (p->fields[i].value) fprintf(stderr, "> %s: %s\n", p->fields[i].name, p->fields[i].value);
    fprintf(stderr, ">\n");
}

static void finish(transfer *t, const options *o) {
    bool is_quiet = o->silent && !o->show_error;
    if (!t->response.error.code && !t->is_suppressed && !t->write_failed && t->output) open_output(t);
    close_output(t);
    judge(t);
    if (t->exit_code && !is_quiet)
        fprintf(stderr, "turboget: (%d) %s\n", t->exit_code, t->response.error.text);
    if (o->write_out) write_out(o->write_out, t);
    turbohttp_response_free(&t->response);
}

typedef struct job {
    plan p;
    transfer t;
    turbohttp_request request;
    bool is_running;
} job;

/* 0, or the exit code of a transfer that cannot begin. */
static int prepare(job *j, const options *o, const post_data *post, size_t i) {
    transfer *t = &j->t;
    t->o = o;
    t->url = o->urls.items[i];
    if (i >= o->outputs.count && o->remote_name) t->remote = remote_name(t->url);
    t->output = i < o->outputs.count ? o->outputs.items[i] : t->remote;
    if (o->remote_name && i >= o->outputs.count && !t->output) {
        fprintf(stderr, "turboget: (23) -O needs a URL that ends in a file name\n");
        return 23;
    }
    if (!plan_url(&j->p, o, t->url, post)) {
        fprintf(stderr, "turboget: (3) the URL is too long\n");
        return 3;
    }
    t->url = j->p.url;
    plan_request(&j->p, o, post, t);
    if (o->verbose) show_request(&j->p, t);
    return 0;
}

static void drop(job *j) {
    for (size_t n = 0; n < j->p.name_count; n++) free(j->p.names[n]);
    free(j->t.remote);
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

int main(int argc, char **argv) {
    static options o;
    static turbohttp_name_override names[MAX_LIST];
    post_data post = {NULL, 0, false};
    turbohttp_client_desc desc;
    turbohttp_client *client;
    int code = parse_arguments(&o, &post, argc, argv);
    if (code) return code;
    memset(&desc, 0, sizeof desc);
    for (size_t i = 0; i < o.resolves.count; i++)
        if (!parse_resolve(o.resolves.items[i], &names[i]))
            return complain("not HOST:PORT:ADDRESS: ", o.resolves.items[i]);
    if (o.write_out && o.write_out[0] == '@') {
        size_t length;
        o.write_out = load_file(o.write_out + 1, &length);
        if (!o.write_out) return complain("cannot read the -w file", "");
    }
    desc.names = names;
    desc.name_count = o.resolves.count;
    if (!plan_tls(&desc.tls, &o))
        return fprintf(stderr, "turboget: (35) TLS %s is not supported: use 1.2\n", o.tls_max), 35;
    desc.user_agent = o.user_agent ? o.user_agent : "turboget/" TURBOHTTP_VERSION;
    turbohttp_status status = turbohttp_client_create(&client, &desc);
    if (status != TURBOHTTP_OK) return fprintf(stderr, "turboget: %s\n", turbohttp_status_text(status)), 27;
    if (o.parallel) code = run_parallel(client, &o, &post);
    for (size_t i = 0; i < o.urls.count && !o.parallel; i++) code = run_one(client, &o, &post, i);
    turbohttp_client_destroy(client);
    for (size_t i = 0; i < o.resolves.count; i++) {
        free((void *)(uintptr_t)names[i].host);
        free((void *)(uintptr_t)names[i].addresses);
    }
    free(post.bytes);
    return code;
}
