/* The client's objects and who may do what with them.
 *
 *   client ── origins ── links ── stream + h1 (one exchange at a time)
 *          │                   └─ stream + mux (HTTP/2: many)
 *          └─ completions ── requests ── body, store, response
 *
 * A request waits at its origin, runs on one link, and ends in its completion. Files here:
 * client.c (life, poll, timers) · request.c (submit, complete, take) · request_head.c (what is
 * sent) · origin.c (who waits, which link) · link.c (life of connections) · link_h1.c, link_h2.c
 * (moving bytes, as the protocol wants it) · deliver.c (what arrived) ·
 * response.c · secure.c (which TLS, with what) · blocking.c. */
#pragma once
#include "../engine/body.h"
#include "../engine/completion.h"
#include "../engine/conn_h1.h"
#if TBH_HTTP2
#include "../engine/conn_h2.h"
#endif
#include "../api/url.h"
#include "../io/stream.h"
#include "../memory/heap.h"

typedef struct tbh_origin tbh_origin;
typedef struct tbh_tls_config tbh_tls_config;
typedef struct tbh_link tbh_link;
typedef struct tbh_request tbh_request;

/* ------------------------------------------------------------ request */
typedef enum tbh_request_state {
    TBH_REQUEST_WAITING, /* in its origin's queue */
    TBH_REQUEST_RUNNING, /* on a link */
    TBH_REQUEST_DONE     /* its completion is set */
} tbh_request_state;

struct tbh_request {
    turbohttp_client *client;
    turbohttp_request handle;
    tbh_request_state state;
    tbh_request *next, *previous; /* origin's queue */
    tbh_origin *origin;
    tbh_link *link; /* while running */
    void *exchange; /* of the link's protocol, while running: a tbh_mux_stream; HTTP/1.1 has none */

    /* what to send */
    turbohttp_buffer text; /* the head on the wire, and a small body */
    tbh_conn_request wire;
    size_t expect_at; /* offset of that line in `text` */
    tbh_source source;
    turbohttp_body body_desc;
    tbh_file upload;

    /* where the answer goes */
    turbohttp_body_write on_body;
    void (*on_head)(void *user, const turbohttp_response *head);
    turbohttp_progress on_progress;
    void (*on_done)(void *user, turbohttp_request request, turbohttp_response *response);
    void *user;
    void *done_user;
    const char *body_path; /* inside `text`'s tail: copied at submit */
    tbh_file download;
    tbh_body body;
    turbohttp_segments store;
    turbohttp_response response;

    /* rules */
    turbohttp_timeouts timeouts; /* every field set */
    uint64_t started_us, total_deadline_us, phase_deadline_us;
    uint64_t sent_bytes;
    uint64_t uploaded;   /* bytes of the body among them */
    uint64_t body_total; /* as announced; 0: not known */
    uint64_t ticket;     /* grows with each submit of the client */
    uint32_t refusals;   /* attempts that the server did not look at (RELIABILITY 3.3) */
    turbohttp_phase phase;
    bool is_idempotent, is_replayable, disable_reuse, decode;
    bool was_sent; /* in an attempt that was given up */
    bool was_replayed, has_response_byte, is_paused, head_was_seen;
    bool is_ended;    /* the answer is here, the sink has not taken all of it */
    bool is_call_due; /* in the client's list of callbacks to make */
};

/* ------------------------------------------------------------ origin: everything that must be
 * equal for two requests to share a connection (RELIABILITY 3.4), compared field by field. */
/* Which protocols a connection may speak. */
typedef enum tbh_policy {
    TBH_POLICY_H1,    /* HTTP/1.1 */
    TBH_POLICY_OFFER, /* TLS: HTTP/2 or HTTP/1.1, as the server likes */
    TBH_POLICY_H2     /* HTTP/2 without asking */
} tbh_policy;

typedef struct tbh_origin_key {
    turbohttp_span host; /* lower case, without the trailing dot */
    turbohttp_span zone; /* of an IPv6 address */
    turbohttp_span connect_host;
    turbohttp_span unix_path;
    uint16_t port, connect_port;
    tbh_policy policy;
    tbh_tls_config *tls; /* interned: equal options are one object; NULL: no TLS */
} tbh_origin_key;

struct tbh_origin {
    tbh_origin *next;
    tbh_origin_key key;           /* its texts lie behind this struct, each terminated */
    turbohttp_span absolute_host; /* key.host with a trailing dot: looked up without search list */
    bool is_absolute;             /* a URL wrote the dot; the key does not tell the two apart */
    turbohttp_span prefix;        /* a URL that begins so, and asks for nothing special, is ours */
    turbohttp_span head_end;      /* what is behind the target of such a URL in a plain GET */
    size_t line_end_bytes;        /* of it: the rest of the request line, and Host */
    size_t bytes;
    tbh_request *waiting_first, *waiting_last; /* the most urgent ones first */
    uint32_t overtaken;                        /* starts in a row before somebody less urgent */
    tbh_link *idle;                            /* last used first */
    tbh_link *shared; /* speaks HTTP/2 and takes requests; perhaps idle, too */
    uint32_t links, requests, opening;
    bool speaks_h1; /* the last answer to an offer of both */
    bool needs_h1;  /* it said so (HTTP_1_1_REQUIRED) */
    /* The last TLS session, for as long as the origin is remembered: equal keys alone may continue
     * it (S-02). An origin with one outlives its links and requests for a while: it is dormant. */
    uint8_t session[TURBOHTTP_TLS_SESSION_BYTES];
    size_t session_bytes;
    bool is_dormant;
};

/* ------------------------------------------------------------ tls: options in use */
struct tbh_tls_config {
    tbh_tls_config *next;
    turbohttp_tls_options options; /* its texts lie behind this struct */
    size_t bytes;
    uint32_t holders; /* origins, and submits under way */
    const turbohttp_tls_provider *provider;
    void *context; /* the provider's */
};

/* ------------------------------------------------------------ link: one connection */
typedef enum tbh_link_state { TBH_LINK_OPENING, TBH_LINK_BUSY, TBH_LINK_IDLE } tbh_link_state;

/* Requests that may not be repeated do not trust a connection that was idle for longer
 * (RELIABILITY 3.3): the server may be closing it right now, or the way to it is gone. */
#define TBH_IDLE_TRUST_US 3000000u

/* The seam between links and protocols. */
typedef struct tbh_protocol {
    void (*start)(tbh_link *link, tbh_request *request); /* an exchange */
    void (*pump)(tbh_link *link, bool may_block);        /* move bytes, as far as they go */
    void (*leave)(tbh_link *link, tbh_request *request); /* the request ends before its answer */
    void (*resume)(tbh_link *link, tbh_request *request);
    bool (*awaits_continue)(const tbh_request *request);
    void (*go_on)(tbh_request *request);       /* without 100 (Continue) */
    bool (*only_waits)(const tbh_link *link);  /* for bytes of the only exchange */
    bool (*has_room)(const tbh_link *link);    /* for one more exchange while it is busy */
    bool (*is_doubtful)(const tbh_link *link); /* nobody knows whether the peer is still there */
    void (*on_idle_ready)(tbh_link *link);     /* idle, look what there is; the link may be gone */
    void (*tick)(tbh_link *link);              /* deadlines of its own; an idle link may be gone */
    void (*shut)(tbh_link *link);              /* says goodbye, returns what it holds */
} tbh_protocol;

struct tbh_link {
    turbohttp_client *client;
    tbh_origin *origin;
    tbh_link *next, *previous;           /* all links of the client */
    tbh_link *idle_next, *idle_previous; /* idle links of the origin */
    tbh_link *dirty_next;
    tbh_request *request; /* while opening, and with HTTP/1.1 while busy */
    tbh_stream stream;
    const tbh_protocol *protocol; /* NULL while opening */
    tbh_conn_h1 h1;
#if TBH_HTTP2
    tbh_mux *mux; /* rented when it turns out that the connection speaks HTTP/2 */
    size_t mux_bytes;
    uint32_t uploads; /* requests that are not sent in full */
    bool has_held;    /* some request goes on with bytes that were held back */
#endif
    tbh_link_state state;
    bool is_dirty;        /* in the list of links to pump */
    bool is_send_blocked; /* the stream took less than offered */
    bool may_receive;     /* bytes may be there without another wait */
    bool is_private;      /* never shared, closed when its request is complete */
    uint32_t served;      /* exchanges completed; with HTTP/2 begun */
    uint64_t idle_since_us, idle_until_us, opened_us;
    uint64_t reuse_us;            /* how long it may be idle after this exchange */
    turbohttp_status send_status; /* why sending ended early */
};

/* ------------------------------------------------------------ client */
struct turbohttp_client {
    turbohttp_allocator allocator;
    turbohttp_arena arena; /* fixed-memory mode */
    tbh_heap *heap;
    turbohttp_limits limits;     /* every field set */
    turbohttp_timeouts timeouts; /* every field set */
    turbohttp_client_desc desc;
    tbh_io io;
    tbh_completions completions;
    turbohttp_object_pool request_pool, link_pool, inflaters;
#if TBH_HTTP2
    turbohttp_object_pool stream_pool;
#endif
    tbh_origin *origins;
    uint32_t dormant_count;
    tbh_tls_config *tls_configs;
    tbh_link *links, *dirty_first, *dirty_last;
    tbh_request *done_first, *done_last; /* on_done is due */
    uint32_t link_count, idle_count, opening_count;
    uint32_t crowded_starts; /* in a row, with every connection in use */
    uint64_t deadline_us;    /* no timer is due before; may be too early, never too late */
    size_t budget;           /* bytes of work left in this poll */
    uint64_t connects, replays, tickets;
    bool may_dispatch; /* since the last dispatch a request came to wait, or a link was set free */
    bool is_polling, is_shut, is_doomed, must_tear_down, disable_keep_alive;
};

/* client.c */
TBH_FN void tbh_client_read_clock(turbohttp_client *client);
/* In a child of fork, once: everything that moves is the parent's (S-85). Called before anything
 * that could touch it. */
TBH_FN void tbh_client_check_birth(turbohttp_client *client);
/* Takes n bytes of work off what is left for this poll. */
TBH_FN void tbh_client_spend(turbohttp_client *client, uint64_t n);
TBH_FN void tbh_client_arm(turbohttp_client *client, uint64_t deadline_us);
/* One round of poll; may_block: nothing else runs in this thread until the request is complete. */
TBH_FN turbohttp_status tbh_client_round(turbohttp_client *client, uint32_t timeout_ms,
                                         bool may_block);

/* request.c */
TBH_FN void tbh_request_complete(tbh_request *request, turbohttp_status status);
/* As above, with the record already in request->response.error. */
TBH_FN void tbh_request_complete_recorded(tbh_request *request);
TBH_FN void tbh_request_set_phase(tbh_request *request, turbohttp_phase phase);
TBH_FN uint64_t tbh_request_deadline(const tbh_request *request);
TBH_FN void tbh_request_time_out(tbh_request *request);
TBH_FN void tbh_request_call_done(turbohttp_client *client);
/* Makes a request that was sent as good as new. */
TBH_FN void tbh_request_rewind(tbh_request *request);

/* request_head.c */
#define TBH_USER_AGENT_LINE "User-Agent: turbohttp/" TURBOHTTP_VERSION "\r\n"
#define TBH_ACCEPT_LINE     "Accept: */*\r\n"
#define TBH_CODINGS_LINE    "Accept-Encoding: gzip, deflate\r\n"
/* The lines that a request has if nobody says anything else, and the end of the head. */
#if TBH_INFLATE
#define TBH_DEFAULT_LINES TBH_USER_AGENT_LINE TBH_ACCEPT_LINE TBH_CODINGS_LINE "\r\n"
#else
#define TBH_DEFAULT_LINES TBH_USER_AGENT_LINE TBH_ACCEPT_LINE "\r\n"
#endif
/* Where a request goes: slices that live until it is built. */
typedef struct tbh_target {
    const turbohttp_url *url; /* NULL: it is `path`, and `origin` knows what comes behind it */
    turbohttp_span path;      /* request target */
    const tbh_origin *origin;
} tbh_target;
TBH_FN turbohttp_status tbh_request_build(tbh_request *request, const turbohttp_request_desc *desc,
                                          const tbh_target *target, turbohttp_error *error);
/* Was the expectation refused (RFC 9110 §15.5.18)? Then the request has none any more; true once. */
TBH_FN bool tbh_request_drop_expectation(tbh_request *request, uint16_t status);

/* secure.c */
/* The config of these options (NULL: the client's), held for the caller. */
TBH_FN turbohttp_status tbh_secure_get(turbohttp_client *client,
                                       const turbohttp_tls_options *options,
                                       tbh_tls_config **config, turbohttp_error *error);
TBH_FN void tbh_secure_drop(tbh_tls_config *config);
TBH_FN void tbh_secure_free_all(turbohttp_client *client);
/* What a new connection of the origin needs; `host` backs it. NULL: no TLS. */
TBH_FN const tbh_tls_plan *tbh_secure_plan(const tbh_origin *origin, char host[256],
                                           turbohttp_address *address, tbh_tls_plan *plan);

/* origin.c */
/* Nobody shares its connections or sessions (RELIABILITY 3.2): who is at the other end, nobody knows. */
TBH_FN bool tbh_origin_is_unverified(const tbh_origin *origin);
/* Takes over the hold on `tls`. */
TBH_FN tbh_origin *tbh_origin_get(turbohttp_client *client, const turbohttp_url *url,
                                  const turbohttp_request_desc *desc, tbh_tls_config *tls);
/* The origin of a URL that was seen before, without parsing it again; NULL: parse it. */
TBH_FN tbh_origin *tbh_origin_recall(turbohttp_client *client, const turbohttp_request_desc *desc,
                                     tbh_target *target);
TBH_FN void tbh_origin_drop_if_unused(turbohttp_client *client, tbh_origin *origin);
TBH_FN void tbh_origin_drop(turbohttp_client *client, tbh_origin *origin);
TBH_FN void tbh_origin_keep_session(tbh_origin *origin, const tbh_stream *stream);
TBH_FN void tbh_origin_forget_session(tbh_origin *origin);
TBH_FN void tbh_origin_queue(tbh_origin *origin, tbh_request *request, bool at_front);
TBH_FN void tbh_origin_unqueue(tbh_origin *origin, tbh_request *request);
/* Gives waiting requests to idle links, or opens links, as far as the caps allow. */
TBH_FN void tbh_origins_dispatch(turbohttp_client *client);
TBH_FN bool tbh_origins_shut_oldest_idle(turbohttp_client *client);
TBH_FN void tbh_origin_push_idle(tbh_origin *origin, tbh_link *link);
TBH_FN void tbh_origin_remove_idle(tbh_origin *origin, tbh_link *link);

/* link.c */
TBH_FN void tbh_link_open(tbh_origin *origin, tbh_request *request);
TBH_FN void tbh_link_assign(tbh_link *link, tbh_request *request);
TBH_FN void tbh_link_mark_dirty(tbh_link *link);
TBH_FN void tbh_link_step_opening(tbh_link *link);
TBH_FN void tbh_link_destroy(tbh_link *link);
TBH_FN bool tbh_link_is_fresh(tbh_link *link);
/* May it be kept for further requests? Then it becomes idle, for at most `reuse_us`. */
TBH_FN bool tbh_link_may_rest(const tbh_link *link);
TBH_FN void tbh_link_rest(tbh_link *link, uint64_t reuse_us);

/* link_h1.c, link_h2.c */
TBH_FN void tbh_link_speak_h1(tbh_link *link);
#if TBH_HTTP2
TBH_FN turbohttp_status tbh_link_speak_h2(tbh_link *link);
#endif

/* deliver.c */
TBH_FN void tbh_deliver_first_byte(tbh_request *request);
TBH_FN turbohttp_status tbh_deliver_head(tbh_request *request, const turbohttp_h1_head *head,
                                         uint8_t http_version);
/* Hands wire bytes on; PENDING when the sink pauses (is_paused) or the budget of this poll is used up. */
TBH_FN turbohttp_status tbh_deliver_put(tbh_request *request, turbohttp_span span, size_t *taken);
TBH_FN turbohttp_status tbh_deliver_stored(tbh_request *request, size_t n);
TBH_FN void tbh_deliver_progress(tbh_request *request);
/* So many bytes of the request's body are sent by now. */
TBH_FN void tbh_deliver_upload(tbh_request *request, uint64_t uploaded);
/* The framing says that all is here. PENDING: the sink pauses. */
TBH_FN turbohttp_status tbh_deliver_finish(tbh_request *request);
/* The request waits again, in front of the others; its link is left already. `is_safe`: the server
 * did not act on it, so that it does not count. */
TBH_FN void tbh_deliver_replay(tbh_request *request, bool is_safe);
TBH_FN void tbh_deliver_record(tbh_request *request, const tbh_link *link, turbohttp_status status,
                               uint64_t offset);
