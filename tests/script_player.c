/* Plays the scripts of tests/scripts over an in-memory transport and a virtual clock: each in five
 * deliveries, then once for each allocation with that allocation failing. A script passes when
 * what it expects happens in every delivery; with a failing allocation when it happens, or every
 * request ends exactly once, and nothing is leaked. Compiled with PLAYER_SECURED, all of it goes
 * through the TLS box and a provider that secures nothing. The scripts in the folder h2 are about
 * HTTP/2: their C and S lines are frames (script_h2.h). */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "counting_allocator.h"
#include "record_tls.h"
#include "script.h"
#include "script_h2.h"
#include <dirent.h>

#ifndef PLAYER_SECURED
#define PLAYER_SECURED 0
#endif

enum { MAX_WIRES = 32, MAX_REQUESTS = 128, MAX_BULKS = 8, WIRE_BYTES = 1 << 18 };

typedef enum delivery { WHOLE, BYTE_BY_BYTE, RANDOM, TINY, UNPOOLED, DELIVERIES } delivery;
static const char *const delivery_names[] = {"whole", "byte by byte", "random", "one-byte segments",
                                             "without pools"};

/* One connection of the in-memory network. */
typedef struct wire {
    char *to_client, *to_server;
    size_t put, got;       /* to_client: written by the script, received */
    size_t room;           /* to_client */
    size_t sent, matched;  /* to_server: written by the client, expected so far */
    struct { size_t from, to; } bulks[MAX_BULKS]; /* to_client: not worth many pieces */
    int bulk_count;
    h2_peer *peer;         /* HTTP/2: the server's end */
    bool has_end, has_reset, is_shut, is_stuck;
    record_server secure; /* with PLAYER_SECURED: between the wire and the two above */
} wire;

typedef struct player {
    const script *script;
    delivery how;
    counting_allocator memory;
    uint64_t now_us, random;
    wire wires[MAX_WIRES];
    uint32_t wire_count, wire; /* wire: 1 + index of the one that lines are about; 0: the newest */
    bool refuses, hangs; /* the next connection */
    bool is_jammed;      /* no connection takes bytes */
    turbohttp_client *client;
    turbohttp_request_desc desc; /* being described */
    turbohttp_header_field fields[64], trailer_fields[8];
    size_t field_count;
    char url[20000], method[64];
    char scratch[4096]; /* names and values cut out of script lines, which stay as they are */
    size_t scratch_used;
    struct one {
        turbohttp_request handle;
        turbohttp_response response;
        turbohttp_status refused; /* by submit */
        turbohttp_error error;
        bool is_taken;
        struct player *player;
        int pauses;         /* the sink answers PENDING this often */
        int cancel_in_body; /* cancel from the callback */
        char *streamed;
        size_t streamed_length, streamed_room;
        int released, heads, dones;
        size_t read_at, read_length; /* of a callback source */
        int read_blocks;
        const char *read_data;
    } requests[MAX_REQUESTS];
    uint32_t request_count, current; /* current: 1 + index */
    int line;
    int failures;
    bool is_lenient; /* an allocation fails on purpose */
    char message[512];
} player;

static void player_fail(player *p, const char *what, const char *detail) {
    if (p->failures++ == 0)
        snprintf(p->message, sizeof p->message, "line %d: %s (%.300s)", p->line, what, detail);
}

/* ------------------------------------------------------------ the network */
static uint32_t player_random(player *p, uint32_t below) {
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(p->random >> 33) % below;
}

static size_t player_portion(player *p, size_t n) {
    if (n == 0) return 0;
    if (n > 4096 && p->how != WHOLE && p->how != UNPOOLED) return n / 2; /* soon enough in pieces */
    if (p->how == BYTE_BY_BYTE || p->how == TINY) return 1;
    if (p->how == RANDOM && n > 1) return 1 + player_random(p, n > 40 ? 40 : (uint32_t)n);
    return n;
}

/* What the client receives at once. */
static size_t net_portion(player *p, const wire *w, size_t room) {
    for (int i = 0; i < w->bulk_count; i++)
        if (w->got >= w->bulks[i].from && w->got < w->bulks[i].to) return tbh_min_size(room, w->bulks[i].to - w->got);
    return player_portion(p, tbh_min_size(room, w->put - w->got));
}

static turbohttp_status net_open(void *user, const turbohttp_endpoint *to, void **connection,
                                 turbohttp_error *error) {
    player *p = (player *)user;
    (void)to, (void)error;
    if (p->refuses || p->wire_count == MAX_WIRES) {
        p->refuses = false;
        return TURBOHTTP_ERR_CONNECT;
    }
    wire *w = &p->wires[p->wire_count++];
    memset(w, 0, sizeof *w);
    w->to_client = (char *)malloc(w->room = WIRE_BYTES);
    w->to_server = (char *)malloc(WIRE_BYTES);
    if (p->script->is_h2) {
        w->peer = (h2_peer *)calloc(1, sizeof *w->peer);
        w->peer->is_secured = PLAYER_SECURED;
    }
    w->is_stuck = p->hangs;
    p->hangs = false;
    *connection = w;
    return w->is_stuck || player_random(p, 2) ? TURBOHTTP_PENDING : TURBOHTTP_OK;
}

static turbohttp_status net_ready(void *user, void *connection, turbohttp_error *error) {
    (void)user, (void)error;
    return ((wire *)connection)->is_stuck ? TURBOHTTP_PENDING : TURBOHTTP_OK;
}

static turbohttp_status net_send(void *user, void *connection, const void *data, size_t length,
                                 size_t *sent) {
    player *p = (player *)user;
    COUNTING_CHECK_WRITTEN(data, length); /* S-87 */
    wire *w = (wire *)connection;
    size_t n = player_portion(p, length);
    if (length == 0) player_fail(p, "a send of nothing", "");
    if (w->has_reset && w->sent > 0) return TURBOHTTP_ERR_SEND;
    if (p->is_jammed || (p->how != WHOLE && player_random(p, 3) == 0)) return TURBOHTTP_PENDING;
    if (w->sent + n > WIRE_BYTES) return TURBOHTTP_ERR_SEND;
    if (PLAYER_SECURED) w->sent += record_server_put(&w->secure, data, n, w->to_server + w->sent);
    else {
        memcpy(w->to_server + w->sent, data, n);
        w->sent += n;
    }
    *sent = n;
    return TURBOHTTP_OK;
}

/* The next record for the client; false when there is nothing to say. */
static bool net_wrap(player *p, wire *w) {
    record_server *s = &w->secure;
    size_t n = net_portion(p, w, RECORD_ROOM);
    s->at = s->fill = 0;
    if (s->has_hello && !s->has_answered) {
        s->has_answered = true;
        s->fill = record_wrap(s->out, RECORD_HELLO, NULL, 0);
    } else if (n) {
        s->fill = record_wrap(s->out, RECORD_DATA, w->to_client + w->got, n);
        w->got += n;
    } else if (w->has_end && !s->has_closed) {
        s->has_closed = true;
        s->fill = record_wrap(s->out, RECORD_CLOSE, NULL, 0);
    }
    return s->fill > 0;
}

static turbohttp_status net_receive_secured(player *p, wire *w, void *data, size_t room,
                                            size_t *received) {
    record_server *s = &w->secure;
    if (s->at == s->fill && !net_wrap(p, w))
        return w->has_reset ? TURBOHTTP_ERR_RECEIVE : w->has_end ? TURBOHTTP_DONE : TURBOHTTP_PENDING;
    *received = player_portion(p, tbh_min_size(room, s->fill - s->at));
    memcpy(data, s->out + s->at, *received);
    s->at += *received;
    s->moved += *received;
    return TURBOHTTP_OK;
}

static turbohttp_status net_receive(void *user, void *connection, void *data, size_t room,
                                    size_t *received) {
    player *p = (player *)user;
    wire *w = (wire *)connection;
    size_t n = PLAYER_SECURED ? 0 : net_portion(p, w, room);
    if (room == 0) player_fail(p, "a receive into nothing", "");
    if (PLAYER_SECURED) return net_receive_secured(p, w, data, room, received);
    if (n == 0 && w->has_reset) return TURBOHTTP_ERR_RECEIVE;
    if (n == 0) return w->has_end && w->put == w->got ? TURBOHTTP_DONE : TURBOHTTP_PENDING;
    memcpy(data, w->to_client + w->got, n);
    w->got += n;
    *received = n;
    return TURBOHTTP_OK;
}

static void net_shut(void *user, void *connection) {
    wire *w = (wire *)connection;
    if (w->is_shut) player_fail((player *)user, "a connection was shut twice", "");
    w->is_shut = true;
}

static uint64_t net_now(void *user) {
    return ((player *)user)->now_us;
}

static bool net_random(void *user, void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)bytes)[i] = (uint8_t)player_random((player *)user, 256);
    return true;
}

/* ------------------------------------------------------------ callbacks of requests */
static turbohttp_status on_body(void *user, const void *data, size_t length) {
    struct one *r = (struct one *)user;
    if (length == 0) player_fail(r->player, "an empty piece of body", "");
    if (r->pauses > 0) {
        r->pauses--;
        return TURBOHTTP_PENDING;
    }
    if (r->pauses < 0) return TURBOHTTP_ERR_BODY_SINK;
    if (r->cancel_in_body) turbohttp_cancel(r->player->client, r->handle);
    if (r->streamed_length + length > r->streamed_room)
        r->streamed = (char *)realloc(r->streamed, r->streamed_room = 2 * r->streamed_room + length);
    memcpy(r->streamed + r->streamed_length, data, length);
    r->streamed_length += length;
    return TURBOHTTP_OK;
}

static void on_head(void *user, const turbohttp_response *head) {
    struct one *r = (struct one *)user;
    if (head->status < 200) player_fail(r->player, "on_head with an interim status", "");
    r->heads++;
}

static void on_done(void *user, turbohttp_request handle, turbohttp_response *response) {
    struct one *r = (struct one *)user;
    if (handle.id != r->handle.id || r->dones++) player_fail(r->player, "on_done came wrongly", "");
    turbohttp_response_detach(response, &r->response);
    r->is_taken = true;
}

static void on_release(void *user) {
    ((struct one *)user)->released++;
}

static turbohttp_status on_read(void *user, void *data, size_t room, size_t *length) {
    struct one *r = (struct one *)user;
    if (r->read_blocks > 0) {
        r->read_blocks--;
        return TURBOHTTP_PENDING;
    }
    if (r->read_blocks < 0) return TURBOHTTP_ERR_BODY_SOURCE;
    size_t n = tbh_min_size(player_portion(r->player, r->read_length - r->read_at), room);
    memcpy(data, r->read_data + r->read_at, n);
    r->read_at += n;
    *length = n;
    return r->read_at == r->read_length ? TURBOHTTP_DONE : TURBOHTTP_OK;
}

/* ------------------------------------------------------------ moving */
static uint64_t player_progress(const player *p) {
    uint64_t sum = p->wire_count;
    for (uint32_t i = 0; i < p->wire_count; i++)
        sum += p->wires[i].got + p->wires[i].sent + p->wires[i].is_shut + p->wires[i].secure.moved;
    for (uint32_t i = 0; i < p->request_count; i++)
        sum += p->requests[i].streamed_length + (uint64_t)p->requests[i].dones;
    for (uint32_t i = 0; i < p->client->completions.capacity; i++) {
        const tbh_request *request = (const tbh_request *)tbh_completion_at(&p->client->completions, i);
        if (request) sum += request->body.decoded;
    }
    return sum;
}

/* Polls until nothing moves any more; a send is refused at random, so a few quiet rounds count. */
static void player_settle(player *p) {
    for (int quiet = 0; quiet < (p->how == WHOLE ? 4 : 30);) {
        uint64_t before = player_progress(p);
        turbohttp_poll(p->client, 0);
        quiet = player_progress(p) == before ? quiet + 1 : 0;
    }
}

static struct one *player_current(player *p) {
    return &p->requests[p->current ? p->current - 1 : 0];
}

static void player_take(player *p, struct one *r) {
    if (r->is_taken || r->refused) return;
    turbohttp_status status = turbohttp_take(p->client, r->handle, &r->response);
    if (status == TURBOHTTP_OK) r->is_taken = true;
    if (status == TURBOHTTP_ERR_STALE) player_fail(p, "the handle went stale", "");
}

/* ------------------------------------------------------------ words: describing a request */
/* "name: value" as two terminated texts of the player's own. */
static bool player_split(player *p, const char *text, const char **name, const char **value) {
    size_t n = strlen(text) + 1;
    const char *colon = strstr(text, ": ");
    if (!colon || p->scratch_used + n > sizeof p->scratch) {
        player_fail(p, "not `name: value`, or too many", text);
        return false;
    }
    char *copy = p->scratch + p->scratch_used;
    memcpy(copy, text, n);
    p->scratch_used += n;
    copy[colon - text] = 0;
    *name = copy;
    *value = copy + (colon - text) + 2;
    return true;
}

static void word_request(player *p, const script_line *line) {
    char *space = strchr(line->text, ' ');
    memset(&p->desc, 0, sizeof p->desc);
    p->field_count = p->scratch_used = 0;
    if (p->request_count < MAX_REQUESTS) p->current = ++p->request_count;
    struct one *r = player_current(p);
    memset(r, 0, sizeof *r);
    r->player = p;
    snprintf(p->method, sizeof p->method, "%.*s", (int)(space ? space - line->text : 0), line->text);
    bool is_secured = PLAYER_SECURED && space && !strncmp(space + 1, "http://", 7);
    snprintf(p->url, sizeof p->url, "%s%s", is_secured ? "https" : "", space ? space + (is_secured ? 5 : 1) : "");
    p->desc.method = p->method;
    p->desc.url = p->url;
    p->desc.disable_decompression = true;
    p->desc.user = r;
}

static void word_header(player *p, const script_line *line) {
    turbohttp_header_field *field = &p->fields[p->field_count];
    if (!player_split(p, line->text, &field->name, &field->value)) return;
    p->field_count++;
    p->desc.headers = p->fields;
    p->desc.header_count = p->field_count;
}

static void word_body(player *p, const script_line *line) {
    struct one *r = player_current(p);
    p->desc.body.data = line->text;
    p->desc.body.length = line->length;
    p->desc.body.release = on_release;
    p->desc.body.user = r;
    r->read_data = line->text;
    r->read_length = line->length;
}

static void option_read(player *p, int blocks) {
    struct one *r = player_current(p);
    p->desc.body.data = NULL;
    p->desc.body.read = on_read;
    r->read_blocks = blocks;
}

static void word_option(player *p, const script_line *line) {
    char name[32] = "";
    int value = 0;
    struct one *r = player_current(p);
    sscanf(line->text, "%31s %d", name, &value);
    if (!strcmp(name, "decode")) p->desc.disable_decompression = false;
    else if (!strcmp(name, "stream")) p->desc.on_body = on_body;
    else if (!strcmp(name, "pause")) { p->desc.on_body = on_body; r->pauses = value; }
    else if (!strcmp(name, "sink_fails")) { p->desc.on_body = on_body; r->pauses = -1; }
    else if (!strcmp(name, "cancel_in_body")) { p->desc.on_body = on_body; r->cancel_in_body = 1; }
    else if (!strcmp(name, "callback")) { p->desc.on_done = on_done; p->desc.on_head = on_head; }
    else if (!strcmp(name, "read")) option_read(p, value);
    else if (!strcmp(name, "read_fails")) option_read(p, -1);
    else if (!strcmp(name, "unknown_length")) p->desc.body.is_unknown = true;
    else if (!strcmp(name, "claim_length")) p->desc.body.length = (uint64_t)value;
    else if (!strcmp(name, "expect")) p->desc.expect_continue = true;
    else if (!strcmp(name, "accept_trailers")) p->desc.accept_trailers = true;
    else if (!strcmp(name, "http10")) p->desc.use_http10 = true;
    else if (!strcmp(name, "priority")) p->desc.priority = (turbohttp_priority)value;
    else if (!strcmp(name, "no_reuse")) p->desc.disable_reuse = true;
    else if (!strcmp(name, "idempotent")) p->desc.is_idempotent = true;
    else if (!strcmp(name, "body_limit")) p->desc.body_limit = (uint64_t)value;
    else if (!strcmp(name, "host")) p->desc.host = line->text + 5;
    else if (!strcmp(name, "total_ms")) p->desc.timeouts.total_ms = (uint32_t)value;
    else if (!strcmp(name, "idle_ms")) p->desc.timeouts.idle_ms = (uint32_t)value;
    else if (!strcmp(name, "first_byte_ms")) p->desc.timeouts.first_byte_ms = (uint32_t)value;
    else if (!strcmp(name, "connect_ms")) p->desc.timeouts.connect_ms = (uint32_t)value;
    else if (!strcmp(name, "continue_ms")) p->desc.timeouts.continue_ms = (uint32_t)value;
    else if (!strcmp(name, "send_ms")) p->desc.timeouts.send_ms = (uint32_t)value;
    else if (!strcmp(name, "trailer")) {
        turbohttp_header_field *field = &p->trailer_fields[p->desc.body.trailer_count++];
        player_split(p, line->text + 8, &field->name, &field->value);
        p->desc.body.trailers = p->trailer_fields;
    } else player_fail(p, "no such option", line->text);
}

/* The present request is submitted so often again. */
static void word_again(player *p, int times) {
    const struct one *before = player_current(p);
    for (; times > 0 && p->request_count < MAX_REQUESTS; times--) {
        struct one *r = &p->requests[p->request_count++];
        memset(r, 0, sizeof *r);
        r->player = p;
        r->pauses = before->pauses;
        p->desc.user = r;
        r->refused = turbohttp_submit(p->client, &p->desc, &r->handle, &r->error);
    }
    p->current = p->request_count;
    player_settle(p);
}

static void word_go(player *p) {
    struct one *r = player_current(p);
    turbohttp_header_field no_accept = {"Accept", NULL};
    p->fields[p->field_count++] = no_accept;
    p->desc.headers = p->fields;
    p->desc.header_count = p->field_count;
    r->refused = turbohttp_submit(p->client, &p->desc, &r->handle, &r->error);
    if (r->refused != r->error.code && r->refused) player_fail(p, "submit's record differs", "");
    player_settle(p);
}

/* ------------------------------------------------------------ words: the server */
static wire *player_wire(player *p) {
    uint32_t number = p->wire ? p->wire : p->wire_count;
    return number && number <= p->wire_count ? &p->wires[number - 1] : NULL;
}

static void wire_put(wire *w, const void *bytes, size_t n) {
    if (w->put + n > w->room) w->to_client = (char *)realloc(w->to_client, w->room = 2 * w->room + n);
    if (n) memcpy(w->to_client + w->put, bytes, n);
    if (n > 2 * WIRE_BYTES / 16 && w->bulk_count < MAX_BULKS) {
        w->bulks[w->bulk_count].from = w->put + 64;
        w->bulks[w->bulk_count++].to = w->put + n - 64;
    }
    w->put += n;
}

static void word_server(player *p, const script_line *line) {
    wire *w = player_wire(p);
    if (w) wire_put(w, line->text, line->length);
    else player_fail(p, "no connection to write to", line->text);
}

/* HTTP/2: one frame, or the same one often. The line's CRLF does not belong to it. */
static void word_server_frame(player *p, const script_line *line) {
    static h2_payload out;
    wire *w = player_wire(p);
    out.length = 0;
    if (w && h2_peer_say(w->peer, line->text, line->length - 2, &out)) wire_put(w, out.bytes, out.length);
    else player_fail(p, w ? w->peer->why : "no connection to write to", line->text);
}

static void word_server_hex(player *p, const script_line *line) {
    h2_payload out = {NULL, 0, 0};
    wire *w = player_wire(p);
    h2_put_hex(&out, line->text, line->text + line->length);
    if (w) wire_put(w, out.bytes, out.length);
    else player_fail(p, "no connection to write to", line->text);
    free(out.bytes);
}

static void word_expect_frame(player *p, const script_line *line) {
    player_settle(p);
    wire *w = player_wire(p);
    if (!w) {
        player_fail(p, "no connection", line->text);
        return;
    }
    h2_peer_hear(w->peer, w->to_server, w->sent);
    if (!h2_peer_expect(w->peer, line->text, line->length - 2, w->is_shut && p->how != WHOLE))
        player_fail(p, w->peer->why, "");
}

static void word_expect_bytes(player *p, const script_line *line) {
    wire *w = player_wire(p);
    player_settle(p);
    if (!w || w->sent < w->matched + line->length) {
        player_fail(p, "the client sent too little", line->text);
        return;
    }
    if (memcmp(w->to_server + w->matched, line->text, line->length) != 0) {
        w->to_server[w->sent] = 0;
        player_fail(p, "the client sent something else", w->to_server + w->matched);
    }
    w->matched += line->length;
}

static void word_end(player *p, bool is_reset) {
    wire *w = player_wire(p);
    if (!w) player_fail(p, "no connection to end", "");
    else if (is_reset) w->has_reset = true;
    else w->has_end = true;
    player_settle(p);
}

/* ------------------------------------------------------------ words: expectations */
static turbohttp_status player_code(const struct one *r) {
    return r->refused ? r->refused : r->response.error.code;
}

static void expect_error(player *p, const struct one *r, const char *name, const char *phase) {
    char full[80];
    snprintf(full, sizeof full, "TURBOHTTP_ERR_%s", name);
    const turbohttp_error *error = r->refused ? &r->error : &r->response.error;
    if (strcmp(turbohttp_status_name(player_code(r)), full) != 0)
        player_fail(p, "another error", turbohttp_status_name(player_code(r)));
    if (*phase && strcmp(turbohttp_phase_name(error->phase), phase) != 0)
        player_fail(p, "another phase", turbohttp_phase_name(error->phase));
    if (strlen(error->text) < 8) player_fail(p, "no sentence", error->text);
}

static void expect_header(player *p, const turbohttp_header *headers, uint32_t count, char *text) {
    char *equals = strchr(text, '=');
    if (!equals) {
        player_fail(p, "header needs name=value", text);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(headers[i].name, text, (size_t)(equals - text)) == 0 &&
            strcmp(headers[i].value, equals + 1) == 0)
            return;
    player_fail(p, "no such header", text);
}

static void expect_body(player *p, const struct one *r, const char *text, size_t length) {
    if (r->streamed_length || (p->desc.on_body && length == 0)) {
        if (r->streamed_length != length || memcmp(r->streamed, text, length) != 0)
            player_fail(p, "another streamed body", r->streamed ? "" : "nothing");
        return;
    }
    if (!turbohttp_sequence_equals(&r->response.body, text, length)) {
        char got[200] = "";
        turbohttp_sequence_copy_to(&r->response.body, got, sizeof got - 1);
        player_fail(p, "another body", got);
    }
}

static void expect_count(player *p, const char *what, long long actual, long long expected) {
    char detail[96];
    if (actual == expected) return;
    snprintf(detail, sizeof detail, "%s is %lld, expected %lld", what, actual, expected);
    player_fail(p, "a count differs", detail);
}

static void word_expect_client(player *p, const char *name, long long value) {
    turbohttp_client_stats stats;
    const wire *w = player_wire(p);
    turbohttp_client_stats_get(p->client, &stats);
    if (!strcmp(name, "idle")) expect_count(p, name, stats.connections_idle, value);
    else if (!strcmp(name, "open")) expect_count(p, name, stats.connections_open, value);
    else if (!strcmp(name, "connects")) expect_count(p, name, p->wire_count, value);
    else if (!strcmp(name, "replays")) expect_count(p, name, (long long)stats.replays, value);
    else if (!strcmp(name, "waiting")) expect_count(p, name, stats.requests_waiting, value);
    else if (!strcmp(name, "shut")) {
        long long shut = 0;
        for (uint32_t i = 0; i < p->wire_count; i++) shut += p->wires[i].is_shut;
        expect_count(p, name, shut, value);
    }
    else if (!strcmp(name, "unmatched")) expect_count(p, name, w ? (long long)(w->sent - w->matched) : 0, value);
    else player_fail(p, "no such expectation", name);
}

static void word_expect_request(player *p, struct one *r, const char *name, const script_line *line) {
    char a[64] = "", b[64] = "";
    size_t skip = strlen(name) + (line->length > strlen(name));
    long long value = atoll(line->text + skip);
    sscanf(line->text + skip, "%63s %63s", a, b);
    player_take(p, r);
    if (!r->is_taken && !r->refused) {
        player_fail(p, "the request is not complete", line->text);
        return;
    }
    if (!strcmp(name, "error")) expect_error(p, r, a, b);
    else if (!strcmp(name, "says")) {
        if (!strstr(r->refused ? r->error.text : r->response.error.text, line->text + skip))
            player_fail(p, "the sentence is another", r->response.error.text);
    } else if (!strcmp(name, "hides")) {
        if (strstr(r->response.error.text, line->text + skip))
            player_fail(p, "the sentence says too much", r->response.error.text);
    }
    else if (player_code(r) != 0 && strcmp(name, "partial") && strcmp(name, "released"))
        player_fail(p, turbohttp_status_name(player_code(r)), r->refused ? r->error.text : r->response.error.text);
    if (!strcmp(name, "status")) expect_count(p, name, r->response.status, value);
    else if (!strcmp(name, "body") || !strcmp(name, "partial"))
        expect_body(p, r, line->text + skip, line->length - skip);
    else if (!strcmp(name, "body_bytes")) expect_count(p, name, (long long)r->response.body_bytes, value);
    else if (!strcmp(name, "header")) expect_header(p, r->response.headers, r->response.header_count, line->text + skip);
    else if (!strcmp(name, "headers")) expect_count(p, name, r->response.header_count, value);
    else if (!strcmp(name, "trailer")) expect_header(p, r->response.trailers, r->response.trailer_count, line->text + skip);
    else if (!strcmp(name, "trailers")) expect_count(p, name, r->response.trailer_count, value);
    else if (!strcmp(name, "reused")) expect_count(p, name, r->response.is_reused, value);
    else if (!strcmp(name, "version")) expect_count(p, name, r->response.http_version, value);
    else if (!strcmp(name, "minor")) expect_count(p, name, r->response.minor_version, value);
    else if (!strcmp(name, "released")) expect_count(p, name, r->released, value);
    else if (!strcmp(name, "heads")) expect_count(p, name, r->heads, value);
    else if (!strcmp(name, "reason")) {
        if (r->response.reason.length != line->length - skip) player_fail(p, "another reason", "");
    } else if (strcmp(name, "error") && strcmp(name, "says") && strcmp(name, "hides")) player_fail(p, "no such expectation", name);
}

static void word_expect(player *p, const script_line *line) {
    char name[32] = "";
    struct one *r = player_current(p);
    player_settle(p);
    sscanf(line->text, "%31s", name);
    if (!strcmp(name, "pending")) {
        player_take(p, r);
        if (r->is_taken || r->refused) player_fail(p, "complete too early", r->response.error.text);
    } else if (!strcmp(name, "streamed")) {
        const char *text = line->text + 8 + (line->length > 8);
        size_t n = r->streamed_length;
        if (n != strlen(text) || (n && memcmp(r->streamed, text, n) != 0))
            player_fail(p, "another streamed body so far", text);
    } else if (!strcmp(name, "idle") || !strcmp(name, "open") || !strcmp(name, "connects") ||
               !strcmp(name, "replays") || !strcmp(name, "shut") || !strcmp(name, "waiting") || !strcmp(name, "unmatched"))
        word_expect_client(p, name, atoll(line->text + strlen(name)));
    else word_expect_request(p, r, name, line);
}

/* ------------------------------------------------------------ driver */
static void player_run_line(player *p, const script_line *line) {
    const char *w = line->word;
    p->line = line->number;
    if (!strcmp(w, "R:")) word_request(p, line);
    else if (!strcmp(w, "h:")) word_header(p, line);
    else if (!strcmp(w, "b|")) word_body(p, line);
    else if (!strcmp(w, "o:")) word_option(p, line);
    else if (!strcmp(w, "go")) word_go(p);
    else if (!strcmp(w, "again")) word_again(p, atoi(line->text));
    else if (!strcmp(w, "S:") && p->script->is_h2) word_server_frame(p, line);
    else if (!strcmp(w, "S#")) word_server_hex(p, line);
    else if (!strcmp(w, "C:") && p->script->is_h2) word_expect_frame(p, line);
    else if (!strcmp(w, "S:") || !strcmp(w, "S|")) word_server(p, line);
    else if (!strcmp(w, "C:") || !strcmp(w, "C|")) word_expect_bytes(p, line);
    else if (!strcmp(w, "E:")) word_expect(p, line);
    else if (!strcmp(w, "T:")) { player_settle(p); p->now_us += strtoull(line->text, NULL, 10) * 1000; player_settle(p); }
    else if (!strcmp(w, "end")) word_end(p, false);
    else if (!strcmp(w, "reset")) word_end(p, true);
    else if (!strcmp(w, "refuse")) p->refuses = true;
    else if (!strcmp(w, "hang")) p->hangs = true;
    else if (!strcmp(w, "jam")) p->is_jammed = true;
    else if (!strcmp(w, "unjam")) p->is_jammed = false;
    else if (!strcmp(w, "on")) p->wire = (uint32_t)atoi(line->text);
    else if (!strcmp(w, "use")) p->current = (uint32_t)atoi(line->text);
    else if (!strcmp(w, "cancel")) turbohttp_cancel(p->client, player_current(p)->handle);
    else if (!strcmp(w, "resume")) { player_settle(p); turbohttp_resume(p->client, player_current(p)->handle); player_settle(p); }
    else if (!strcmp(w, "shutdown")) turbohttp_client_shutdown(p->client);
    else if (!strcmp(w, "limit") || !strcmp(w, "alpn")) {}
    else player_fail(p, "no such word", w);
}

/* `limit name value` lines hold for the whole script. */
static void player_limits(const script *s, turbohttp_client_desc *desc) {
    for (size_t i = 0; i < s->count; i++) {
        char name[32] = "";
        unsigned value = 0;
        if (strcmp(s->lines[i].word, "limit") != 0) continue;
        sscanf(s->lines[i].text, "%31s %u", name, &value);
        if (!strcmp(name, "head_bytes")) desc->limits.head_bytes = value;
        else if (!strcmp(name, "line_bytes")) desc->limits.line_bytes = value;
        else if (!strcmp(name, "header_count")) desc->limits.header_count = value;
        else if (!strcmp(name, "interim_count")) desc->limits.interim_count = value;
        else if (!strcmp(name, "body_bytes")) desc->limits.body_bytes = value;
        else if (!strcmp(name, "inflate_ratio")) desc->limits.inflate_ratio = value;
        else if (!strcmp(name, "requests")) desc->limits.requests = value;
        else if (!strcmp(name, "connections")) desc->limits.connections = value;
        else if (!strcmp(name, "per_host")) desc->limits.connections_per_host = value;
        else if (!strcmp(name, "url_bytes")) desc->limits.url_bytes = value;
        else if (!strcmp(name, "no_keep_alive")) desc->disable_keep_alive = true;
        else if (!strcmp(name, "lenient")) desc->lenient = true;
        else fprintf(stderr, "no such limit: %s\n", name);
    }
}

/* Whatever happened: all that was sent are frames by the rules, the last one perhaps cut short. */
static void wire_check_frames(player *p, wire *w) {
    if (w->matched == 0) h2_peer_hear(w->peer, w->to_server, w->sent); /* else it was HTTP/1.1 */
    if (w->peer->is_broken) player_fail(p, "the client broke the protocol", "");
    h2_peer_close(w->peer);
    free(w->peer);
}

static void player_check_end(player *p) {
    for (uint32_t i = 0; i < p->request_count; i++) {
        struct one *r = &p->requests[i];
        player_take(p, r);
        if (!r->is_taken && !r->refused) player_fail(p, "a request never ended", "");
        turbohttp_response_free(&r->response);
        turbohttp_response_free(&r->response); /* idempotent */
        free(r->streamed);
    }
    turbohttp_client_destroy(p->client);
    for (uint32_t i = 0; i < p->wire_count; i++) {
        if (!p->wires[i].is_shut) player_fail(p, "a connection was never shut", "");
        if (p->wires[i].peer) wire_check_frames(p, &p->wires[i]);
        free(p->wires[i].to_client);
        free(p->wires[i].to_server);
    }
    if (!counting_allocator_balanced(&p->memory)) {
        p->is_lenient = false;
        player_fail(p, "memory is not back at its baseline", "");
    }
}

/* `alpn name`: what the server chooses, for the whole script; the client has no prior knowledge. */
static const char *player_alpn(const script *s) {
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->lines[i].word, "alpn")) return s->lines[i].text;
    return NULL;
}

/* A script that writes https:// itself is about a client that has no provider. */
static bool player_asks_for_https(const script *s) {
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->lines[i].word, "R:") && strstr(s->lines[i].text, "https://")) return true;
    return false;
}

/* Returns the number of allocations asked for. */
static uint64_t play(const script *s, delivery how, uint64_t seed, uint64_t fail_at, player *p) {
    static const turbohttp_tls_provider *const providers[] = {&record_provider};
    turbohttp_transport transport = {p, net_open, net_ready, net_send, net_receive, net_shut, NULL};
    turbohttp_client_desc desc;
    memset(p, 0, sizeof *p);
    memset(&desc, 0, sizeof desc);
    p->script = s;
    p->how = how;
    p->random = seed;
    p->now_us = 1000000;
    p->memory.fail_at = fail_at;
    p->is_lenient = fail_at != 0;
    desc.allocator = counting_allocator_hooks(&p->memory);
    desc.transport = &transport;
    desc.tls_providers = providers;
    desc.tls_provider_count = PLAYER_SECURED && !player_asks_for_https(s);
    desc.clock.user = p;
    desc.clock.now_us = net_now;
    desc.random.user = p;
    desc.random.fill = net_random;
    desc.user_agent = "";
    record_alpn = player_alpn(s);
    desc.http2_prior_knowledge = s->is_h2 && !record_alpn;
    desc.disable_pooling = how == UNPOOLED;
    if (how == TINY) desc.limits.block_bytes = desc.limits.receive_bytes = 512;
    player_limits(s, &desc);
    if (turbohttp_client_create(&p->client, &desc) != TURBOHTTP_OK) {
        if (!fail_at || !counting_allocator_balanced(&p->memory)) player_fail(p, "create failed", "");
        return p->memory.requests;
    }
    for (size_t i = 0; i < s->count; i++) player_run_line(p, &s->lines[i]);
    if (p->is_lenient) { /* whatever happened: every request must end when the client does */
        p->failures = 0;
        turbohttp_client_shutdown(p->client);
    }
    player_check_end(p);
    return p->memory.requests;
}

static size_t player_volume(const player *p) {
    size_t volume = 0;
    for (uint32_t i = 0; i < p->wire_count; i++) volume += p->wires[i].got;
    return volume;
}

static int play_all_ways(const char *path, const char *name) {
    static player p;
    script s;
    int failed = 0;
    uint64_t allocations = 0, stride = 1;
    if (!script_load(&s, path)) return 1;
    for (int how = 0; how < DELIVERIES && !failed; how++) {
        for (uint64_t seed = 1; seed <= (how == RANDOM ? 5 : 1) && !failed; seed++) {
            uint64_t asked = play(&s, (delivery)how, seed, 0, &p);
            if (how == WHOLE) allocations = asked;
            failed = p.failures;
            if (failed) printf("%s [%s]: %s\n", name, delivery_names[how], p.message);
        }
        if (how != WHOLE) continue;
        stride = 1 + player_volume(&p) / (2 * WIRE_BYTES); /* large bodies: each third allocation or so */
        if (PLAYER_SECURED && player_volume(&p) > WIRE_BYTES) { /* through the provider's small rooms */
            allocations = 0;
            break;
        }
    }
    for (uint64_t k = 1; k <= allocations && !failed; k += stride) {
        play(&s, WHOLE, 1, k, &p);
        failed = p.failures;
        if (failed) printf("%s [allocation %d fails]: %s\n", name, (int)k, p.message);
    }
    script_free(&s);
    return failed;
}

static int is_script(const struct dirent *entry) {
    return strstr(entry->d_name, ".script") != NULL;
}

/* Without TLS no protocol is negotiated. */
static bool is_for_others(const char *path) {
    script s;
    if (!script_load(&s, path)) return false;
    bool is_so = player_alpn(&s) && !PLAYER_SECURED;
    script_free(&s);
    return is_so;
}

/* Plays those whose name contains `part`. */
static void play_folder(const char *folder, const char *part, int *passed, int *failed) {
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_script, alphasort);
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if ((!part || strstr(names[i]->d_name, part)) && !is_for_others(path)) {
            if (play_all_ways(path, names[i]->d_name)) ++*failed;
            else ++*passed;
        }
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "tests/scripts", *part = argc > 2 ? argv[2] : NULL;
    char h2[1024];
    int passed = 0, failed = 0;
    play_folder(folder, part, &passed, &failed);
    snprintf(h2, sizeof h2, "%s/h2", folder);
    play_folder(h2, part, &passed, &failed);
    printf("%d passed, %d failed\n", passed, failed);
    return failed || passed == 0;
}
