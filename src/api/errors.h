/* ------------------------------------------------------------------------
 * Errors: one code, and one record that says what happened and what to do.
 * ------------------------------------------------------------------------ */
#pragma once
#include "core.h"

/** What a call came to: 0 is success, positive values are answers that are
 *  not errors, negative values are errors in one range for each layer. */
typedef enum turbohttp_status {
    TURBOHTTP_OK = 0,
    TURBOHTTP_PENDING = 1, /**< not finished: call again later */
    TURBOHTTP_DONE = 2,    /**< the end was reached; nothing follows */

    /* any layer */
    TURBOHTTP_ERR_INVALID_ARGUMENT = -1, /**< a parameter breaks the contract */
    TURBOHTTP_ERR_OUT_OF_MEMORY = -2,    /**< the allocator gave nothing */
    TURBOHTTP_ERR_OVERFLOW = -3,         /**< a size does not fit */
    TURBOHTTP_ERR_STATE = -4,            /**< not allowed in this state */
    TURBOHTTP_ERR_STALE = -5,            /**< the handle's object is gone */
    TURBOHTTP_ERR_UNSUPPORTED = -6,      /**< left out of this build */
    TURBOHTTP_ERR_CANCELLED = -7,        /**< the caller cancelled it */
    TURBOHTTP_ERR_SHUTDOWN = -8,         /**< the client is shut down */
    TURBOHTTP_ERR_POOL_EMPTY = -9,       /**< a pool's cap is reached */

    /* formats */
    TURBOHTTP_ERR_URL = -20,           /**< not an acceptable URL */
    TURBOHTTP_ERR_URL_SCHEME = -21,    /**< scheme other than http(s), ws(s) */
    TURBOHTTP_ERR_URL_HOST = -22,      /**< empty or malformed host */
    TURBOHTTP_ERR_URL_PORT = -23,      /**< port not in 1…65535 */
    TURBOHTTP_ERR_URL_TOO_LONG = -24,  /**< longer than the limit */
    TURBOHTTP_ERR_INFLATE_DATA = -30,  /**< the compressed data is corrupt */
    TURBOHTTP_ERR_INFLATE_CHECK = -31, /**< CRC, Adler or length differs */
    TURBOHTTP_ERR_ENCODING = -35,      /**< bad UTF-8, base64 or date */

    /* codecs */
    TURBOHTTP_ERR_HEADER_NAME = -40,     /**< a header name is not a token */
    TURBOHTTP_ERR_HEADER_VALUE = -41,    /**< control bytes in a value */
    TURBOHTTP_ERR_HEADER_RESERVED = -42, /**< a header that the library sets */
    TURBOHTTP_ERR_METHOD = -43,          /**< the method is not a token */
    TURBOHTTP_ERR_NOT_HTTP = -50,        /**< the answer is not HTTP/1.x */
    TURBOHTTP_ERR_STATUS_LINE = -51,     /**< malformed status line */
    TURBOHTTP_ERR_HEADER_LINE = -52,     /**< malformed header line */
    TURBOHTTP_ERR_HEAD_TOO_LARGE = -53,  /**< limit on head bytes */
    TURBOHTTP_ERR_LINE_TOO_LONG = -54,   /**< limit on one line */
    TURBOHTTP_ERR_TOO_MANY_HEADERS = -55, /**< limit on header count */
    TURBOHTTP_ERR_CONTENT_LENGTH = -56,  /**< invalid or conflicting */
    TURBOHTTP_ERR_TRANSFER_ENCODING = -57, /**< unknown, doubled, with CL */
    TURBOHTTP_ERR_CHUNK = -58,           /**< malformed chunk framing */
    TURBOHTTP_ERR_CHUNK_OVERHEAD = -59,  /**< limit on chunk framing bytes */
    TURBOHTTP_ERR_HPACK = -60,           /**< malformed header compression */
    TURBOHTTP_ERR_H2_FRAME = -61,        /**< a frame breaks a rule */
    TURBOHTTP_ERR_H2_FIELD = -62,        /**< a field that HTTP/2 forbids */

    /* engines */
    TURBOHTTP_ERR_NO_RESPONSE = -70,     /**< closed before any byte came */
    TURBOHTTP_ERR_HEAD_TRUNCATED = -71,  /**< closed inside the head */
    TURBOHTTP_ERR_BODY_TRUNCATED = -72,  /**< closed inside the body */
    TURBOHTTP_ERR_BODY_TOO_LARGE = -73,  /**< limit on body bytes */
    TURBOHTTP_ERR_BODY_RATIO = -74,      /**< decompression bomb guard */
    TURBOHTTP_ERR_BODY_CODING = -75,     /**< content coding not understood */
    TURBOHTTP_ERR_BODY_SOURCE = -76,     /**< the request body's source failed */
    TURBOHTTP_ERR_BODY_SINK = -77,       /**< the response body's sink failed */
    TURBOHTTP_ERR_TOO_MANY_INTERIM = -78, /**< limit on 1xx responses */
    TURBOHTTP_ERR_UNEXPECTED_UPGRADE = -79, /**< 101 that nobody asked for */
    TURBOHTTP_ERR_H2_PROTOCOL = -80,     /**< HTTP/2: a rule was broken */
    TURBOHTTP_ERR_H2_RESET = -81,        /**< HTTP/2: the server gave it up */
    TURBOHTTP_ERR_H2_GOAWAY = -82,       /**< HTTP/2: not processed any more */
    TURBOHTTP_ERR_H2_FLOOD = -83,        /**< HTTP/2: limit on idle frames */
    TURBOHTTP_ERR_H2_SILENCE = -84,      /**< HTTP/2: no ACK, or no PING back */

    /* input and output */
    TURBOHTTP_ERR_RESOLVE = -100,       /**< the name does not resolve */
    TURBOHTTP_ERR_RESOLVE_TEMPORARY = -101, /**< no name server answered */
    TURBOHTTP_ERR_CONNECT = -102,       /**< no address accepted */
    TURBOHTTP_ERR_SEND = -103,          /**< sending failed */
    TURBOHTTP_ERR_RECEIVE = -104,       /**< receiving failed */
    TURBOHTTP_ERR_DESCRIPTORS = -105,   /**< out of file descriptors */
    TURBOHTTP_ERR_FILE = -106,          /**< a file could not be used */
    TURBOHTTP_ERR_TIMEOUT = -107,       /**< a time limit; see the phase */
    TURBOHTTP_ERR_RANDOM = -108,        /**< no entropy from the system */
    TURBOHTTP_ERR_ADDRESS_REFUSED = -109, /**< by `allow_address` */

    /* client */
    TURBOHTTP_ERR_QUEUE_FULL = -120,    /**< limit on waiting requests */
    TURBOHTTP_ERR_TLS_MISSING = -121,   /**< https:// without a TLS header */

    /* TLS: the connection */
    TURBOHTTP_ERR_TLS_CAPABILITY = -130, /**< no provider can do what is asked */
    TURBOHTTP_ERR_TLS_HANDSHAKE = -131,  /**< the peer broke the protocol */
    TURBOHTTP_ERR_TLS_VERSION = -132,    /**< no protocol version in common */
    TURBOHTTP_ERR_TLS_CIPHER = -133,     /**< no cipher suite in common */
    TURBOHTTP_ERR_TLS_ALPN = -134,       /**< no protocol in common (ALPN) */
    TURBOHTTP_ERR_TLS_UNKNOWN_HOST = -135, /**< server does not know the name */
    TURBOHTTP_ERR_TLS_CERT_REQUIRED = -136, /**< wants a client certificate */
    TURBOHTTP_ERR_TLS_INTEGRITY = -137,  /**< a record or signature is wrong */
    TURBOHTTP_ERR_TLS_ALERT = -138,      /**< the peer sent another alert */
    TURBOHTTP_ERR_TLS_TRUNCATED = -139,  /**< end without close_notify */
    TURBOHTTP_ERR_TLS_CLOCK = -140,      /**< the time of day is unknown */
    TURBOHTTP_ERR_TLS_ROOTS = -141,      /**< no usable trusted certificates */
    TURBOHTTP_ERR_TLS_CLIENT_CERT = -142, /**< own certificate or key unusable */

    /* TLS: whom the peer is */
    TURBOHTTP_ERR_CERT_EXPIRED = -150,   /**< its validity has ended */
    TURBOHTTP_ERR_CERT_NOT_YET_VALID = -151, /**< its validity has not begun */
    TURBOHTTP_ERR_CERT_NAME = -152,      /**< issued to another host */
    TURBOHTTP_ERR_CERT_UNTRUSTED = -153, /**< no trusted issuer */
    TURBOHTTP_ERR_CERT_CHAIN = -154,     /**< malformed, or does not connect */
    TURBOHTTP_ERR_CERT_UNSUPPORTED = -155, /**< uses what is not understood */
    TURBOHTTP_ERR_CERT_USAGE = -156,     /**< not meant for servers */
    TURBOHTTP_ERR_CERT_WEAK = -157,      /**< key or signature too weak */
    TURBOHTTP_ERR_CERT_PIN = -158        /**< key is none of the pinned ones */
} turbohttp_status;

/** The part of an exchange in which something happened. */
typedef enum turbohttp_phase {
    TURBOHTTP_PHASE_NONE = 0, /**< outside an exchange */
    TURBOHTTP_PHASE_QUEUE,    /**< waiting for a connection */
    TURBOHTTP_PHASE_RESOLVE,  /**< looking the name up */
    TURBOHTTP_PHASE_CONNECT,  /**< connecting */
    TURBOHTTP_PHASE_TLS,      /**< TLS handshake */
    TURBOHTTP_PHASE_SEND,     /**< sending the request */
    TURBOHTTP_PHASE_HEAD,     /**< waiting for, or reading, the head */
    TURBOHTTP_PHASE_BODY,     /**< reading the body */
    TURBOHTTP_PHASE_DONE      /**< finished */
} turbohttp_phase;

/** Bytes of `turbohttp_error.text`, terminator included. */
#define TURBOHTTP_ERROR_TEXT_BYTES 240

/** The record of one failure: written once, where the fault is found.
 *  It never contains secrets, and no byte below 0x20. */
typedef struct turbohttp_error {
    turbohttp_status code;  /**< TURBOHTTP_OK when nothing failed */
    turbohttp_phase phase;  /**< where in the exchange */
    int32_t system_code;    /**< errno or the platform's code; 0 if none */
    bool request_sent;      /**< was any byte of the request handed over? */
    uint64_t offset;        /**< byte at fault, or where it ended: of the
                                 response with all its framing, or the URL */
    char text[TURBOHTTP_ERROR_TEXT_BYTES]; /**< what happened, what to do */
} turbohttp_error;

/**
 * Name the constant of a status: "TURBOHTTP_ERR_TIMEOUT".
 *
 * Returns: static text, never NULL; "TURBOHTTP_UNKNOWN" for other numbers.
 * Thread: any. Blocks: never.
 */
TURBOHTTP_API const char *turbohttp_status_name(turbohttp_status status);

/**
 * Say what a status means and what mends it, in one sentence.
 *
 * Returns: static text, never NULL; with TURBOHTTP_NO_SENTENCES the name.
 * Thread: any. Blocks: never. See: turbohttp_error.text for the full story.
 */
TURBOHTTP_API const char *turbohttp_status_text(turbohttp_status status);

/**
 * Name a phase in lower case: "resolve", "connect", "body".
 *
 * Returns: static text, never NULL. Thread: any. Blocks: never.
 */
TURBOHTTP_API const char *turbohttp_phase_name(turbohttp_phase phase);
