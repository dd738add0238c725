/* ------------------------------------------------------------------------
 * Client: many requests over few connections, by poll or blocking.
 * ------------------------------------------------------------------------ */
#pragma once
#include "errors.h"
#include "h1.h"
#ifndef TURBOHTTP_NO_INFLATE
#include "inflate.h"
#endif
#include "memory.h"
#include "tls.h"
#include "transport.h"

/** Requests, connections and what they share. One thread at a time, except
 *  for `turbohttp_cancel` and `turbohttp_wake`. */
typedef struct turbohttp_client turbohttp_client;

/** A request in flight. Zero is never live; a stale one is always told. */
typedef struct turbohttp_request {
    uint64_t id; /**< private: index and generation */
} turbohttp_request;

/** Limits; zero means the default in the comment. Nothing that a peer
 *  announces sizes an allocation. */
typedef struct turbohttp_limits {
    uint32_t head_bytes;       /**< all heads and trailers of a response; 65536 */
    uint32_t line_bytes;       /**< one header line; 16384 */
    uint32_t header_count;     /**< headers in one response; 128 */
    uint32_t interim_count;    /**< 1xx responses; 8 */
    uint32_t url_bytes;        /**< URL; 8192 */
    uint64_t body_bytes;       /**< buffered, decoded body; 32 MiB */
    uint64_t stream_bytes;     /**< streamed, decoded body; no limit */
    uint32_t inflate_ratio;    /**< decoded : wire; 256, from 1 MiB on */
    uint32_t requests;         /**< in flight or not yet taken; 256 */
    uint32_t connections;      /**< open, in total; 64 */
    uint32_t connections_per_host; /**< open, to one origin; 6 */
    uint32_t block_bytes;      /**< one network block, power of two; 16 KiB */
    uint32_t receive_bytes;    /**< largest single receive; 256 KiB */
    uint32_t poll_bytes;       /**< work of one `turbohttp_poll`; 64 KiB */
} turbohttp_limits;

/** Time limits in milliseconds; zero means the default in the comment,
 *  `TURBOHTTP_NO_TIMEOUT` means none. */
typedef struct turbohttp_timeouts {
    uint32_t resolve_ms;    /**< name look-up; 5,000 */
    uint32_t connect_ms;    /**< one connection attempt; 10,000 */
    uint32_t tls_ms;        /**< TLS handshake; 10,000 */
    uint32_t send_ms;       /**< no byte of the request accepted; 30,000 */
    uint32_t first_byte_ms; /**< request sent, nothing received; 30,000 */
    uint32_t idle_ms;       /**< between bytes of the response; 30,000 */
    uint32_t total_ms;      /**< everything; 120,000, none when streaming */
    uint32_t continue_ms;   /**< wait for 100 (Continue); 1,000 */
    uint32_t reuse_ms;      /**< idle age of a kept connection; 30,000 */
} turbohttp_timeouts;

/** Value of a time limit that never fires. */
#define TURBOHTTP_NO_TIMEOUT 0xffffffffu

/** Everything a client can be told; zero-initialise, then set what differs.
 *  Texts and tables must stay valid until the client is destroyed. In a child
 *  of `fork` a client begins anew: requests complete with CANCELLED there and
 *  go on in the parent, connections are not shared. */
typedef struct turbohttp_client_desc {
    turbohttp_allocator allocator; /**< malloc and free */
    void *memory;        /**< fixed-memory mode: the one block to live in */
    size_t memory_bytes; /**< its size; see TURBOHTTP_FIXED_BYTES */
    const turbohttp_transport *transport; /**< the system's sockets */
    turbohttp_io io;                      /**< how to wait for sockets */
    const turbohttp_resolver *resolver;   /**< `name_service` */
    turbohttp_name_service name_service;  /**< which built-in look-up */
    turbohttp_stub_options stub;          /**< settings of the stub */
    const turbohttp_name_override *names; /**< fixed names */
    size_t name_count;                    /**< how many */
    /** Asked before each connection attempt, with the address that it goes
     *  to (after the look-up, so that no second answer can replace it); false
     *  refuses, and the next address is tried. Not asked for Unix sockets.
     *  Must not call the client. NULL: all are allowed. */
    bool (*allow_address)(void *user, const turbohttp_address *address,
                          uint16_t port);
    void *allow_user;                     /**< for `allow_address` */
    turbohttp_clock clock;                /**< the system's monotonic one */
    turbohttp_random random;              /**< the system's */
    turbohttp_wall_clock wall_clock;      /**< the system's */
    turbohttp_tls_options tls; /**< for all requests without their own */
    /** Providers to try before the built-in ones, best first. */
    const turbohttp_tls_provider *const *tls_providers;
    size_t tls_provider_count; /**< how many */
    /** Told once what was chosen and why; never a secret, never a line feed. */
    void (*log)(void *user, const char *line);
    void *log_user; /**< for `log` */
    turbohttp_limits limits;              /**< see there */
    turbohttp_timeouts timeouts;          /**< see there */
    const char *user_agent; /**< "turbohttp/<version>"; "" sends none */
    bool disable_http2;     /**< HTTP/1.1 only; always so with `memory` */
    bool http2_prior_knowledge; /**< HTTP/2 only, also over cleartext */
    bool disable_pooling;   /**< each block from the allocator */
    bool clear_on_return;   /**< wipe bodies, too, before their memory is used
                             *   again: heads and credentials always are */
    bool disable_keep_alive; /**< one connection per request */
    bool lenient; /**< forgive bare LF, folds, blanks before a colon, and
                       Transfer-Encoding beside Content-Length in HTTP/1
                       heads, as `turbohttp_h1_head_parse_lenient` says */
} turbohttp_client_desc;

/** One request header. A NULL value removes a header that the library would
 *  add (`Accept`, `User-Agent`, `Accept-Encoding`). */
typedef struct turbohttp_header_field {
    const char *name;  /**< token, RFC 9110 §5.1 */
    const char *value; /**< no control characters; may be "" */
} turbohttp_header_field;

/** What a `body_read` callback gives when it has nothing yet: PENDING; it is
 *  asked again after `turbohttp_resume`. DONE ends the body (with *length
 *  bytes given along), an error aborts the request. */
typedef turbohttp_status (*turbohttp_body_read)(void *user, void *data,
                                                size_t room, size_t *length);

/** Receives the next bytes of a response body. OK: all taken. PENDING:
 *  nothing taken, the same bytes come again after `turbohttp_resume`.
 *  An error aborts the request with TURBOHTTP_ERR_BODY_SINK. */
typedef turbohttp_status (*turbohttp_body_write)(void *user, const void *data,
                                                 size_t length);

/** Reports progress, in bytes of body; totals are 0 when unknown. */
typedef void (*turbohttp_progress)(void *user, uint64_t sent,
                                   uint64_t send_total, uint64_t received,
                                   uint64_t receive_total);

/** Body of a request: give exactly one of `data`, `path`, `read`. */
typedef struct turbohttp_body {
    const void *data; /**< bytes, borrowed until the request is complete */
    uint64_t length;  /**< of data or read; 0 with `read`: see is_unknown */
    const char *path; /**< file to send; its length is taken at submit, a
                           pipe or device is sent chunked up to its end */
    turbohttp_body_read read; /**< callback; chunked when is_unknown */
    bool is_unknown;  /**< length is not known: chunked (HTTP/1.1) */
    void *user;       /**< for `read` and `release` */
    void (*release)(void *user); /**< called exactly once, in every end */
    const char *content_type;    /**< adds Content-Type; may be NULL */
    const turbohttp_header_field *trailers; /**< sent after a chunked body;
                           their names are announced before it, in Trailer */
    size_t trailer_count;                   /**< how many */
} turbohttp_body;

typedef struct turbohttp_response turbohttp_response; /**< see below */

/** How urgent a request is among those to the same server: which of them gets
 *  the next free connection or HTTP/2 stream, and whose body is sent first.
 *  First come, first served inside a class. Nobody starves: when eight in a
 *  row went before a less urgent one, the one that has waited longest is next.
 *  Over HTTP/2 the server is told (RFC 9218), unless the request has a header
 *  `priority` of its own. */
typedef enum turbohttp_priority {
    TURBOHTTP_PRIORITY_LOW = -1,    /**< prefetching; "priority: u=5" */
    TURBOHTTP_PRIORITY_NORMAL = 0,  /**< not told: it is what servers assume */
    TURBOHTTP_PRIORITY_HIGH = 1,    /**< "priority: u=2" */
    TURBOHTTP_PRIORITY_CRITICAL = 2 /**< the player waits; "priority: u=0" */
} turbohttp_priority;

/** Everything a request can be told; zero-initialise, then set what differs.
 *  Texts are copied by `turbohttp_submit`; `body` says what is borrowed. */
typedef struct turbohttp_request_desc {
    const char *url;    /**< absolute; http:// or https:// */
    const char *method; /**< "GET", or "POST" when there is a body */
    const turbohttp_header_field *headers; /**< extra headers */
    size_t header_count;                   /**< how many */
    turbohttp_body body;                   /**< none */
    const char *host;          /**< value of Host instead of the URL's */
    const char *unix_path;     /**< Unix socket to connect to */
    const char *connect_host;  /**< connect here instead; Host stays */
    uint16_t connect_port;     /**< 0: the URL's */
    turbohttp_body_write on_body; /**< stream the body instead of keeping it */
    const char *body_path;        /**< write the body to this file instead */
    void (*on_head)(void *user, const turbohttp_response *head); /**< or NULL */
    turbohttp_progress on_progress; /**< or NULL */
    /** Called once with the result, which is freed afterwards unless
     *  `turbohttp_response_detach` took it. NULL: `turbohttp_take` it. */
    void (*on_done)(void *user, turbohttp_request request,
                    turbohttp_response *response);
    void *user;                  /**< for the callbacks above */
    turbohttp_timeouts timeouts; /**< what is 0 comes from the client */
    const turbohttp_tls_options *tls; /**< NULL: the client's */
    uint64_t body_limit; /**< overrides limits.body_bytes or stream_bytes */
    turbohttp_priority priority; /**< TURBOHTTP_PRIORITY_NORMAL */
    bool expect_continue;       /**< wait for 100 before sending the body; if
                                     417 comes instead, the request is sent
                                     once more without the expectation */
    bool accept_trailers;       /**< tell the server that trailers are read:
                                     `TE: trailers` (not in HTTP/1.0). They
                                     are also there if it sends them unasked */
    bool use_http10;            /**< speak HTTP/1.0 */
    bool disable_http2;         /**< HTTP/1.1, whatever the server offers */
    bool http2_prior_knowledge; /**< HTTP/2, without asking the server */
    bool disable_decompression; /**< ask for, and decode, no coding; the same
                                     with a Range header of yours */
    bool disable_reuse;         /**< own connection, closed afterwards */
    bool is_idempotent;         /**< may be repeated whatever the method */
} turbohttp_request_desc;

/** Points in time of a request, microseconds after its submission; 0 means
 *  not reached (or at once, for the first four). */
typedef struct turbohttp_timing {
    uint64_t resolved_us;   /**< name known */
    uint64_t connected_us;  /**< connection up (0 when reused) */
    uint64_t secured_us;    /**< TLS handshake over (0 without, or reused) */
    uint64_t ready_us;      /**< has a connection, sending begins */
    uint64_t sent_us;       /**< request handed over in full */
    uint64_t first_byte_us; /**< first byte of the response */
    uint64_t total_us;      /**< complete */
} turbohttp_timing;

/** A response, or why there is none. The storage is yours; its buffers are
 *  rented: give them back with `turbohttp_response_free`. It may outlive the
 *  client. */
struct turbohttp_response {
    turbohttp_error error;   /**< error.code is 0 on success */
    uint16_t status;         /**< 200, 404, …; 0 if no head came */
    uint8_t http_version;    /**< 10, 11 or 20; 0 if no head came */
    uint8_t minor_version;   /**< HTTP/1.minor_version; 0 with HTTP/2 */
    bool is_reused;          /**< went over a kept connection */
    uint32_t header_count;   /**< headers */
    uint32_t trailer_count;  /**< trailers */
    const turbohttp_header *headers;  /**< in the order received */
    const turbohttp_header *trailers; /**< of a chunked body */
    turbohttp_span reason;   /**< reason phrase, may be empty */
    turbohttp_sequence body; /**< buffered body, decoded */
    uint64_t body_bytes;     /**< decoded body bytes, streamed ones too */
    uint64_t wire_bytes;     /**< body bytes before decoding */
    uint64_t sent_bytes;     /**< bytes of the request that were sent */
    uint32_t head_bytes;     /**< bytes of the final head */
    uint32_t connects;       /**< connections opened for it */
    turbohttp_address peer;  /**< whom it was connected to */
    uint16_t peer_port;      /**< and the port */
    turbohttp_tls_info tls;  /**< how it was secured */
    turbohttp_timing timing; /**< when what happened */
    struct {
        void *heap, *first, *table, *trailer_block, *text;
        size_t table_bytes, trailer_bytes, text_bytes;
    } owned; /**< private: what `turbohttp_response_free` returns */
};

#ifdef TURBOHTTP_NO_INFLATE
#define TURBOHTTP_FIXED_INFLATER_BYTES 0 /**< nothing is decoded */
#else
/** What decoding one response takes, in bytes. */
#define TURBOHTTP_FIXED_INFLATER_BYTES sizeof(turbohttp_inflate)
#endif

/** Memory for a client in fixed-memory mode (`desc.memory`), in bytes, for
 *  these limits and `limits.receive_bytes` equal to `block_bytes`: all
 *  requests and connections at work at once, each response one block, or two
 *  when it is decoded. Larger buffered responses need `block_bytes` more for
 *  each block that they fill. */
#define TURBOHTTP_FIXED_BYTES(requests, connections, block_bytes, header_count) \
    (4096 + (requests) * (2560 + 3 * (size_t)(block_bytes) +                    \
                          48 * (size_t)(header_count)) +                        \
     (connections) * (2048 + TURBOHTTP_FIXED_INFLATER_BYTES + 2 * (size_t)(block_bytes)))

/**
 * Create a client.
 *
 * Returns: OK with *client set, or INVALID_ARGUMENT, OUT_OF_MEMORY,
 * DESCRIPTORS, UNSUPPORTED (`lenient`, when a switch leaves it out) with
 * *client NULL. `desc` may be NULL: all defaults.
 * Owner: the caller; `turbohttp_client_destroy`. Blocks: never.
 */
TURBOHTTP_API turbohttp_status
turbohttp_client_create(turbohttp_client **client,
                        const turbohttp_client_desc *desc);

/**
 * Cancel everything, complete each request with SHUTDOWN, free the client.
 * NULL is fine. Responses already taken stay valid. Inside a callback it
 * takes effect when the poll that called back returns. Blocks: never.
 */
TURBOHTTP_API void turbohttp_client_destroy(turbohttp_client *client);

/**
 * Stop: complete every request with SHUTDOWN and shut all connections; later
 * submits say SHUTDOWN. Idempotent. Never waits for the network. Inside a
 * callback it takes effect when the poll that called back returns.
 */
TURBOHTTP_API void turbohttp_client_shutdown(turbohttp_client *client);

/**
 * Start a request. Nothing is sent before the next poll.
 *
 * Returns: OK with *request (may be NULL) live; or an error that is the whole
 * story: no callback follows, and `body.release` has been called. *error (may
 * be NULL) then has the sentence.
 */
TURBOHTTP_API turbohttp_status
turbohttp_submit(turbohttp_client *client, const turbohttp_request_desc *desc,
                 turbohttp_request *request, turbohttp_error *error);

/**
 * Move all requests on, and wait at most `timeout_ms` (0: never) if there is
 * nothing to do. Does at most `limits.poll_bytes` of work. Callbacks are
 * called from here, and what is left of them from shutdown and destroy.
 *
 * Returns: PENDING while requests are in flight, OK when none is.
 * Blocks: at most `timeout_ms`; names, connects and closes never do.
 */
TURBOHTTP_API turbohttp_status turbohttp_poll(turbohttp_client *client,
                                              uint32_t timeout_ms);

/**
 * Take a finished request's response; the handle is stale afterwards.
 *
 * Returns: OK with *response filled (look at response->error), PENDING, or
 * STALE. Owner: the caller, `turbohttp_response_free`. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_take(turbohttp_client *client,
                                              turbohttp_request request,
                                              turbohttp_response *response);

/**
 * Find the oldest finished request that nobody took.
 *
 * Returns: OK with *request set, or PENDING when there is none.
 */
TURBOHTTP_API turbohttp_status turbohttp_next_done(turbohttp_client *client,
                                                   turbohttp_request *request);

/**
 * Set or replace a request's `on_done`, also after it finished: then the call
 * comes from the next poll.
 *
 * Returns: OK or STALE.
 */
TURBOHTTP_API turbohttp_status turbohttp_on_done(
    turbohttp_client *client, turbohttp_request request,
    void (*on_done)(void *user, turbohttp_request request,
                    turbohttp_response *response),
    void *user);

/**
 * Cancel a request: it completes with CANCELLED at the next poll, unless it
 * is complete already. O(1).
 *
 * Returns: OK or STALE. Thread: any. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_cancel(turbohttp_client *client,
                                                turbohttp_request request);

/**
 * Go on with a body that a callback answered with PENDING.
 *
 * Returns: OK or STALE.
 */
TURBOHTTP_API turbohttp_status turbohttp_resume(turbohttp_client *client,
                                                turbohttp_request request);

/**
 * Make a `turbohttp_poll` that waits return at once. Thread: any.
 */
TURBOHTTP_API void turbohttp_wake(turbohttp_client *client);

/**
 * Block until the request is complete and take its response.
 *
 * Returns: response->error.code, or STALE. Blocks: within its time limits.
 */
TURBOHTTP_API turbohttp_status turbohttp_wait(turbohttp_client *client,
                                              turbohttp_request request,
                                              turbohttp_response *response);

/**
 * Submit and wait, in one call.
 *
 * Returns: response->error.code. The response must be freed in any case.
 */
TURBOHTTP_API turbohttp_status turbohttp_send(
    turbohttp_client *client, const turbohttp_request_desc *desc,
    turbohttp_response *response);

/** What to watch for a client in somebody else's event loop. */
typedef struct turbohttp_watch {
    intptr_t descriptor; /**< socket */
    bool wants_receive;  /**< wake when it can be read */
    bool wants_send;     /**< wake when it can be written */
} turbohttp_watch;

/**
 * Export the descriptors to watch and the time until the next deadline.
 *
 * Returns: how many there are (more than `room`: call again with more).
 * *timeout_ms (may be NULL): when to poll at the latest; TURBOHTTP_NO_TIMEOUT
 * when nothing is due.
 */
TURBOHTTP_API size_t turbohttp_watches(turbohttp_client *client,
                                       turbohttp_watch *watches, size_t room,
                                       uint32_t *timeout_ms);

/** Counters of a client, for tests, gates and a health report. */
typedef struct turbohttp_client_stats {
    uint32_t requests_active;    /**< submitted, not complete */
    uint32_t requests_waiting;   /**< of these, without a connection */
    uint32_t requests_done;      /**< complete, not taken */
    uint32_t connections_open;   /**< including idle ones */
    uint32_t connections_idle;   /**< kept for reuse */
    uint64_t connects;           /**< connections opened so far */
    uint64_t replays;            /**< requests sent again */
    turbohttp_pool_stats blocks; /**< of the byte pool */
    turbohttp_io io;             /**< the mode in use; DEFAULT: no sockets */
} turbohttp_client_stats;

/** Fill *stats. Thread: the client's. Blocks: never. */
TURBOHTTP_API void turbohttp_client_stats_get(turbohttp_client *client,
                                              turbohttp_client_stats *stats);

/**
 * Say which TLS providers there are, what each can do, and which one the
 * client's options choose: "bearssl*: 1.2 alpn resumption …; …", the chosen
 * one with a star.
 *
 * Returns: `text`, terminated, cut when longer than `room`. Blocks: never.
 */
TURBOHTTP_API const char *turbohttp_tls_summary(turbohttp_client *client,
                                                char *text, size_t room);

/**
 * Find a header of the response, without case; the first one if repeated.
 *
 * Returns: its value, terminated, or NULL. Valid until: the response is freed.
 */
TURBOHTTP_API const char *
turbohttp_response_header(const turbohttp_response *response, const char *name);

/**
 * Make the body contiguous and terminated (the cold path; done once, kept).
 *
 * Returns: the text, "" if there is no body or no memory for it.
 * Valid until: the response is freed.
 */
TURBOHTTP_API const char *
turbohttp_response_text(turbohttp_response *response);

/** Give the response's buffers back. Idempotent; NULL is fine. Thread: any. */
TURBOHTTP_API void turbohttp_response_free(turbohttp_response *response);

/** Move a response out of an `on_done` callback into the caller's storage. */
TURBOHTTP_API void turbohttp_response_detach(turbohttp_response *response,
                                             turbohttp_response *into);

#ifndef TURBOHTTP_NO_SOCKETS
/* ---- one-liners: a client of their own for one blocking request ---- */

/**
 * Fetch a URL.
 *
 * Returns: response->error.code; the response must be freed in any case.
 * Blocks: within the default time limits.
 */
TURBOHTTP_API turbohttp_status turbohttp_get(const char *url,
                                             turbohttp_response *response);

/**
 * Post bytes. `content_type` may be NULL.
 *
 * Returns: response->error.code; the response must be freed in any case.
 */
TURBOHTTP_API turbohttp_status
turbohttp_post(const char *url, const char *content_type, const void *data,
               size_t length, turbohttp_response *response);

/**
 * Fetch a URL into a file, which is created or truncated when the head came.
 *
 * Returns: response->error.code; the response must be freed in any case.
 */
TURBOHTTP_API turbohttp_status
turbohttp_download(const char *url, const char *path,
                   turbohttp_response *response);
#endif
