/* BearSSL's error numbers as statuses and sentences.
 * Owns nothing. Does not know: connections. */
#include "connection.h"

typedef struct tbh_bear_row {
    int code;
    turbohttp_status status;
    const char *text; /* NULL: the status says it */
} tbh_bear_row;

#define TBH_ALERT_RECEIVED(n) (BR_ERR_RECV_FATAL_ALERT + (n))

static const tbh_bear_row tbh_bear_rows[] = {
    {BR_ERR_UNSUPPORTED_VERSION, TURBOHTTP_ERR_TLS_VERSION,
     "the server speaks no TLS 1.2, only an older version: it must be updated"},
    {TBH_BEAR_NOT_TLS, TURBOHTTP_ERR_TLS_HANDSHAKE,
     "the server did not answer with TLS: is this a plain HTTP port? try http://"},
    {TBH_ALERT_RECEIVED(70), TURBOHTTP_ERR_TLS_VERSION,
     "the server refuses TLS 1.2, it probably requires TLS 1.3, which BearSSL lacks: allow TLS 1.2 "
     "on the server"},
    {TBH_ALERT_RECEIVED(40), TURBOHTTP_ERR_TLS_CIPHER,
     "the server refused the handshake: it has no TLS 1.2 or no cipher suite in common, or wants a "
     "client certificate (tls.cert_file)"},
    {BR_ERR_BAD_CIPHER_SUITE, TURBOHTTP_ERR_TLS_CIPHER, NULL},
    {TBH_ALERT_RECEIVED(120), TURBOHTTP_ERR_TLS_ALPN, NULL},
    {BR_ERR_UNEXPECTED, TURBOHTTP_ERR_TLS_HANDSHAKE,
     "the server broke the TLS protocol: is this a TLS port?"},
    {TBH_ALERT_RECEIVED(112), TURBOHTTP_ERR_TLS_UNKNOWN_HOST, NULL},
    {TBH_ALERT_RECEIVED(116), TURBOHTTP_ERR_TLS_CERT_REQUIRED, NULL},
    {TBH_ALERT_RECEIVED(42), TURBOHTTP_ERR_TLS_ALERT,
     "the server refused the client certificate: check tls.cert_file"},
    {TBH_ALERT_RECEIVED(43), TURBOHTTP_ERR_TLS_ALERT,
     "the server does not support this kind of client certificate"},
    {TBH_ALERT_RECEIVED(45), TURBOHTTP_ERR_TLS_ALERT, "the client certificate expired: renew it"},
    {TBH_ALERT_RECEIVED(48), TURBOHTTP_ERR_TLS_ALERT,
     "the server does not trust the client certificate's issuer"},
    {BR_ERR_NO_CLIENT_AUTH, TURBOHTTP_ERR_TLS_CERT_REQUIRED, NULL},
    {BR_ERR_NO_RANDOM, TURBOHTTP_ERR_RANDOM, NULL},
    {BR_ERR_BAD_MAC, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_BAD_FINISHED, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_BAD_SIGNATURE, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_X509_BAD_SIGNATURE, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {TBH_ALERT_RECEIVED(20), TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_TOO_LARGE, TURBOHTTP_ERR_TLS_HANDSHAKE,
     "the server sent a record larger than the buffer: raise tls.buffer_bytes"},
    {BR_ERR_WRONG_KEY_USAGE, TURBOHTTP_ERR_CERT_USAGE, NULL},
    {BR_ERR_X509_LIMIT_EXCEEDED, TURBOHTTP_ERR_CERT_CHAIN,
     "certificate chain is too long: at most 16 certificates and 64 KiB"},
    {TBH_CHAIN_STARVED, TURBOHTTP_ERR_OUT_OF_MEMORY, NULL},
    {BR_ERR_X509_EMPTY_CHAIN, TURBOHTTP_ERR_CERT_CHAIN, "the server sent no certificate"},
    {BR_ERR_X509_INVALID_VALUE, TURBOHTTP_ERR_CERT_CHAIN, "the server's certificate is malformed"},
    {BR_ERR_X509_UNSUPPORTED, TURBOHTTP_ERR_CERT_UNSUPPORTED, NULL},
};

static void tbh_bear_add_number(turbohttp_error *error, unsigned n) {
    char text[8];
    unsigned at = sizeof text - 1;
    text[at] = 0;
    do text[--at] = (char)('0' + n % 10);
    while ((n /= 10) != 0 && at > 0);
    tbh_bear_add(error, text + at);
}

static turbohttp_status tbh_bear_map_other(int code, bool in_handshake, turbohttp_error *error) {
    bool is_alert = code >= BR_ERR_RECV_FATAL_ALERT && code < BR_ERR_SEND_FATAL_ALERT;
    turbohttp_status status = is_alert ? TURBOHTTP_ERR_TLS_ALERT : TURBOHTTP_ERR_TLS_HANDSHAKE;
    if (!is_alert && !in_handshake) status = TURBOHTTP_ERR_TLS_INTEGRITY;
    tbh_bear_say(error, status,
                 is_alert ? "the server sent TLS alert " : "TLS failed, BearSSL error ", "", "");
    tbh_bear_add_number(error, (unsigned)(is_alert ? code - BR_ERR_RECV_FATAL_ALERT : code));
    if (!is_alert && in_handshake) tbh_bear_add(error, ": is this a TLS port?");
    return status;
}

TBH_BEAR_FN turbohttp_status tbh_bear_map(int code, bool in_handshake, turbohttp_error *error) {
    turbohttp_status status = TURBOHTTP_OK;
    for (size_t i = 0; i < sizeof tbh_bear_rows / sizeof tbh_bear_rows[0] && !status; i++) {
        const tbh_bear_row *row = &tbh_bear_rows[i];
        if (row->code != code) continue;
        status = row->status;
        tbh_bear_say(error, status, row->text ? row->text : turbohttp_status_text(status), "", "");
    }
    if (status == TURBOHTTP_OK) status = tbh_bear_map_other(code, in_handshake, error);
    if (error) error->system_code = code;
    return status;
}
