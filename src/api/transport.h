/* ------------------------------------------------------------------------
 * Hooks: transport, names, clock and entropy, each a small table.
 * All optional: a zero-initialised table means the built-in one.
 * ------------------------------------------------------------------------ */
#pragma once
#include "errors.h"

/** Where a connection leads. The texts are valid during the call only. */
typedef struct turbohttp_endpoint {
    const char *host; /**< name or address literal, without brackets */
    uint16_t port;    /**< TCP port */
    bool is_tls;      /**< the scheme was https or wss */
    const char *unix_path; /**< Unix socket to use instead, or NULL */
} turbohttp_endpoint;

/** Your own byte stream: lwIP, a modem, a test. No call may block, but
 *  `io_wait`. Calls come only from the thread that drives the client. */
typedef struct turbohttp_transport {
    void *user; /**< handed to each function */
    /** Start a connection. Returns OK or PENDING with *connection set, or an
     *  error with nothing to shut. PENDING: ask `io_ready` from then on. */
    turbohttp_status (*io_open)(void *user, const turbohttp_endpoint *to,
                                void **connection, turbohttp_error *error);
    /** Say whether the connection is up: OK, PENDING or an error. May be
     *  NULL when `io_open` never answers PENDING. */
    turbohttp_status (*io_ready)(void *user, void *connection,
                                 turbohttp_error *error);
    /** Take up to `length` bytes: OK with *sent > 0, PENDING, or an error. */
    turbohttp_status (*io_send)(void *user, void *connection, const void *data,
                                size_t length, size_t *sent);
    /** Give up to `room` bytes: OK with *received > 0, PENDING, DONE when the
     *  peer closed its side, or an error. */
    turbohttp_status (*io_receive)(void *user, void *connection, void *data,
                                   size_t room, size_t *received);
    /** Shut the connection and free what belongs to it. Called once. */
    void (*io_shut)(void *user, void *connection);
    /** Sleep until something may have changed, at most `timeout_ms`. NULL:
     *  `turbohttp_poll` returns at once and blocking calls spin. */
    void (*io_wait)(void *user, uint32_t timeout_ms);
} turbohttp_transport;

/** An IPv4 or IPv6 address in network byte order. */
typedef struct turbohttp_address {
    uint8_t family;    /**< 4 or 6 */
    uint8_t bytes[16]; /**< the first 4 count for IPv4 */
    uint32_t scope;    /**< IPv6 zone index, 0 if none */
} turbohttp_address;

/**
 * Say whether an address is not on the open Internet: loopback, private,
 * link-local (clouds' metadata), unique local, shared, documentation,
 * multicast, reserved; or an IPv6 form that leads to such an IPv4 address.
 *
 * Returns: true also for what is no address. Thread: any. Blocks: never.
 * See: `allow_address` of the client, where it guards against requests that
 * others make you send to your own network.
 */
TURBOHTTP_API bool
turbohttp_address_is_private(const turbohttp_address *address);

/** Addresses that one name may lead to; more are ignored. */
#define TURBOHTTP_MAX_ADDRESSES 16

/** Your own name look-up: never blocks. */
typedef struct turbohttp_resolver {
    void *user; /**< handed to each function */
    /** Begin looking `name` up; *query is yours. OK, or an error. */
    turbohttp_status (*start)(void *user, const char *name, void **query);
    /** Ask for the result: PENDING, an error, or OK with up to `room`
     *  addresses, best first. After OK or an error the query is over. Asked in
     *  each poll, which waits 10 ms at most; `turbohttp_wake` ends the wait. */
    turbohttp_status (*check)(void *user, void *query,
                              turbohttp_address *addresses, size_t room,
                              size_t *count);
    /** Forget a query that is still pending. */
    void (*cancel)(void *user, void *query);
} turbohttp_resolver;

/** Which built-in look-up serves names (SPEC: platform where threads exist). */
typedef enum turbohttp_name_service {
    TURBOHTTP_NAMES_DEFAULT = 0, /**< platform; stub without threads */
    TURBOHTTP_NAMES_PLATFORM,    /**< the system's, on a helper thread */
    TURBOHTTP_NAMES_STUB         /**< our own over UDP and TCP */
} turbohttp_name_service;

/** Settings of the stub resolver; zero means what the comment says. */
typedef struct turbohttp_stub_options {
    const char *servers; /**< "127.0.0.1:53 [::1]:53", up to 3; resolv.conf's */
    const char *resolv_conf_path; /**< "/etc/resolv.conf" */
    const char *hosts_path;       /**< "/etc/hosts" */
    uint32_t attempt_ms; /**< wait before asking again; resolv.conf's, 1000 */
    uint32_t attempts;   /**< tries per server, up to 10; resolv.conf's, 2 */
} turbohttp_stub_options;

/** One name whose addresses are fixed: no look-up is made for it. */
typedef struct turbohttp_name_override {
    const char *host;      /**< compared without case; "*": any host */
    uint16_t port;         /**< 0: any port */
    const char *addresses; /**< "192.0.2.1 2001:db8::1", blanks between */
} turbohttp_name_override;

/** How a client waits for its sockets; the stats say which way is in use.
 *  All behave alike, and `turbohttp_watches` serves each of them. */
typedef enum turbohttp_io {
    TURBOHTTP_IO_DEFAULT = 0, /**< poll; epoll from 16 sockets on */
    TURBOHTTP_IO_POLL,        /**< poll(2): everywhere, any number */
    TURBOHTTP_IO_EPOLL /**< epoll(7), Linux; poll where it cannot be had */
} turbohttp_io;

/** A monotonic clock. */
typedef struct turbohttp_clock {
    void *user; /**< handed to the function */
    /** Microseconds since any fixed point; never goes back. */
    uint64_t (*now_us)(void *user);
} turbohttp_clock;

/** The time of day: certificates are valid from one date to another. */
typedef struct turbohttp_wall_clock {
    void *user; /**< handed to the function */
    /** Seconds since 1970, UTC; 0 when unknown. */
    uint64_t (*unix_seconds)(void *user);
} turbohttp_wall_clock;

/** A source of unpredictable bytes. */
typedef struct turbohttp_random {
    void *user; /**< handed to the function */
    /** Fill `length` bytes. False: the operation that needs them fails. */
    bool (*fill)(void *user, void *bytes, size_t length);
} turbohttp_random;
