/* ------------------------------------------------------------------------
 * TLS: options of https://, and the table that a TLS library fills.
 * Most programs only include turbohttp_tls_bearssl.h and set nothing here.
 * ------------------------------------------------------------------------ */
#pragma once
#include "errors.h"
#include "memory.h"
#include "transport.h"

typedef struct turbohttp_tls_provider turbohttp_tls_provider; /**< see below */

/** TLS protocol versions, as on the wire. */
typedef enum turbohttp_tls_version {
    TURBOHTTP_TLS_DEFAULT = 0, /**< 1.2, and newer where a provider can */
    TURBOHTTP_TLS_1_2 = 0x0303, /**< RFC 5246 */
    TURBOHTTP_TLS_1_3 = 0x0304  /**< RFC 8446 */
} turbohttp_tls_version;

/** Whom to trust and who we are. Zero: the system's roots, everything
 *  verified. All but ca_data is copied when first used; two requests share connections and
 *  sessions only when all of it is equal. */
typedef struct turbohttp_tls_options {
    const char *provider;  /**< a provider's name; NULL or "auto": first fit */
    const char *ca_file;   /**< PEM or DER to trust instead of the system's */
    const char *ca_path;   /**< folder of such files, named by OpenSSL's hash */
    /** The same in memory, used without ca_file. Not copied: it must stay as it
     *  is until the client is destroyed, and is told apart by its address. */
    const void *ca_data;
    size_t ca_bytes;       /**< its length */
    const char *cert_file; /**< client certificate chain, PEM or DER */
    const char *key_file;  /**< its key, PEM or DER; NULL: in cert_file */
    const char *pins;      /**< "sha256//BASE64;sha256//…": keys to accept */
    const char *server_name; /**< verify and send this name, not the URL's */
    turbohttp_tls_version min_version; /**< at least this */
    turbohttp_tls_version max_version; /**< at most this */
    uint32_t buffer_bytes; /**< per connection; 0: whole records. 837…16384:
                            *   asks the server for short records, RFC 6066 */
    bool disable_resumption; /**< every handshake in full */
    bool ignore_certificate_dates; /**< for devices without a clock */
    /** Accept anybody. One connection per request, HTTP/2 or not, and no kept
     *  sessions: what nobody verified is never shared. For a server of your
     *  own, verify it: `ca_file`, `ca_data` or `pins`. */
    bool INSECURE_skip_verification;
} turbohttp_tls_options;

/** What a handshake came to. */
typedef struct turbohttp_tls_info {
    const char *provider;  /**< name of the provider; NULL: no TLS */
    uint16_t version;      /**< 0x0303 is TLS 1.2 */
    uint16_t cipher_suite; /**< IANA number */
    bool is_resumed;       /**< continued an earlier session */
    char protocol[14];     /**< ALPN: "http/1.1", or "" */
} turbohttp_tls_info;

/** What a provider can do; options that need more skip it. */
typedef enum turbohttp_tls_capability {
    TURBOHTTP_TLS_HAS_1_2 = 1,           /**< TLS 1.2 */
    TURBOHTTP_TLS_HAS_1_3 = 2,           /**< TLS 1.3 */
    TURBOHTTP_TLS_HAS_ALPN = 4,          /**< protocol negotiation */
    TURBOHTTP_TLS_HAS_RESUMPTION = 8,    /**< sessions continued */
    TURBOHTTP_TLS_HAS_SYSTEM_ROOTS = 16, /**< trusts what the system trusts */
    TURBOHTTP_TLS_HAS_OWN_ROOTS = 32,    /**< ca_file, ca_path, ca_data */
    TURBOHTTP_TLS_HAS_PINS = 64,         /**< pins */
    TURBOHTTP_TLS_HAS_CLIENT_CERT = 128, /**< cert_file */
    TURBOHTTP_TLS_HAS_SMALL_BUFFERS = 256 /**< buffer_bytes */
} turbohttp_tls_capability;

/** What a provider gets from the client: everything it needs of a system. */
typedef struct turbohttp_tls_host {
    const turbohttp_allocator *allocator; /**< all memory comes from here */
    turbohttp_random random;              /**< entropy; failing is an error */
    /** Seconds since 1970, UTC; 0 when unknown. */
    uint64_t (*unix_seconds)(void *user);
    /** Read up to `room` bytes of a file from `offset` on: OK with *got > 0,
     *  DONE at its end, or an error. NULL where there are no files. */
    turbohttp_status (*file_get)(void *user, const char *path, uint64_t offset,
                                 void *data, size_t room, size_t *got);
    void *user; /**< for the two above */
} turbohttp_tls_host;

/** One connection to secure. Texts are valid during the call only. */
typedef struct turbohttp_tls_target {
    const char *host; /**< to verify, lower case; an address has no brackets */
    const turbohttp_address *address; /**< `host` is this address, or NULL */
    const char *const *protocols; /**< ALPN to offer, best first */
    size_t protocol_count;        /**< 0: no ALPN */
    const void *session;          /**< saved by an earlier connection */
    size_t session_bytes;         /**< 0: none */
} turbohttp_tls_target;

/** What a connection can use now. */
typedef enum turbohttp_tls_wants {
    TURBOHTTP_TLS_WIRE_IN = 1,   /**< bytes from the peer */
    TURBOHTTP_TLS_WIRE_OUT = 2,  /**< bytes for the peer are ready */
    TURBOHTTP_TLS_PLAIN_IN = 4,  /**< bytes to encrypt */
    TURBOHTTP_TLS_PLAIN_OUT = 8, /**< decrypted bytes are ready */
    TURBOHTTP_TLS_STEP = 16      /**< `step` again, without any bytes */
} turbohttp_tls_wants;

/** A TLS library, sans I/O: bytes in, bytes out; it never blocks and never
 *  sees a socket. A table may be shared by all threads. */
struct turbohttp_tls_provider {
    const char *name;      /**< lower case, such as "bearssl" */
    uint32_t capabilities; /**< turbohttp_tls_capability, added up */
    /** Prepare what all connections with these options share. UNSUPPORTED
     *  lets `auto` try the next provider; every other error is final. The
     *  options stay valid until `context_destroy`. */
    turbohttp_status (*context_create)(const turbohttp_tls_host *host,
                                       const turbohttp_tls_options *options,
                                       void **context, turbohttp_error *error);
    /** Free it; its connections are gone. */
    void (*context_destroy)(void *context);
    /** Begin a connection. OK with *tls set, or an error, which is final. */
    turbohttp_status (*open)(void *context, const turbohttp_tls_target *target,
                             void **tls, turbohttp_error *error);
    /** Free it and wipe its keys. */
    void (*shut)(void *tls);
    /** Work until bytes are needed, or one public-key operation is done:
     *  PENDING in the handshake, OK when it is over, DONE when the peer said
     *  close_notify, or an error (an alert may then be in WIRE_OUT). */
    turbohttp_status (*step)(void *tls, turbohttp_error *error);
    /** turbohttp_tls_wants, added up. */
    uint32_t (*wants)(const void *tls);
    void *(*wire_in_room)(void *tls, size_t *room);     /**< NULL: not now */
    void (*wire_in_commit)(void *tls, size_t n);        /**< n were written */
    const void *(*wire_out_peek)(void *tls, size_t *n); /**< NULL: nothing */
    void (*wire_out_consume)(void *tls, size_t n);      /**< n were sent */
    void *(*plain_in_room)(void *tls, size_t *room);    /**< NULL: not now */
    void (*plain_in_commit)(void *tls, size_t n);       /**< n were written */
    const void *(*plain_out_peek)(void *tls, size_t *n); /**< NULL: nothing */
    void (*plain_out_consume)(void *tls, size_t n);     /**< n were used */
    /** Make a record of what was committed so far. */
    void (*flush)(void *tls);
    /** Put close_notify into WIRE_OUT, if that is possible now. */
    void (*close)(void *tls);
    /** Describe the finished handshake. */
    void (*info)(const void *tls, turbohttp_tls_info *info);
    /** Save what `open` can continue: its length, 0 if there is nothing. */
    size_t (*session_get)(const void *tls, void *session, size_t room);
};

/** The longest session that a client keeps, in bytes. */
#define TURBOHTTP_TLS_SESSION_BYTES 128
