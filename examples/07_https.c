/* HTTPS: one more include, and `https://` works, verified against the system's roots. With a second
 * argument those certificates are trusted instead. Link with -lbearssl.
 * Usage: 07_https [URL [CA_FILE]] */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <stdio.h>

static int show(turbohttp_response *r) {
    if (r->error.code) {
        printf("  failed: %s\n", r->error.text);
        return 1;
    }
    printf("  %d, %llu bytes, TLS 1.%d, suite 0x%04x, ALPN \"%s\", session %s\n", r->status,
           (unsigned long long)r->body_bytes, (r->tls.version & 0xff) - 1, r->tls.cipher_suite,
           r->tls.protocol, r->tls.is_resumed ? "continued" : "new");
    printf("  connected %llu us, secured %llu us, complete %llu us\n",
           (unsigned long long)r->timing.connected_us, (unsigned long long)r->timing.secured_us,
           (unsigned long long)r->timing.total_us);
    return 0;
}

int main(int argc, char **argv) {
    turbohttp_client_desc desc = {0};
    turbohttp_request_desc request = {0};
    turbohttp_response response;
    turbohttp_client *client;
    char summary[240];
    int failed = 0;
    desc.tls.ca_file = argc > 2 ? argv[2] : NULL;
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    printf("TLS by %s\n", turbohttp_tls_summary(client, summary, sizeof summary));
    request.url = argc > 1 ? argv[1] : "https://example.com/";
    request.disable_reuse = true; /* a new connection each time: the second one resumes */
    for (int i = 0; i < 2; i++) {
        turbohttp_send(client, &request, &response);
        failed |= show(&response);
        turbohttp_response_free(&response);
    }
    turbohttp_client_destroy(client);
    return failed;
}
