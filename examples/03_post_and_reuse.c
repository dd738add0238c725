/* A client, a POST with a JSON body, own headers, and a second request over the same connection.
 * Usage: 03_post_and_reuse URL */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>

static int show(turbohttp_response *response) {
    int failed = response->error.code != 0;
    if (failed)
        printf("failed: %s\n", response->error.text);
    else
        printf("status %d, %llu bytes, %s connection, %.3f ms\n%s\n", response->status,
               (unsigned long long)response->body_bytes, response->is_reused ? "kept" : "new",
               (double)response->timing.total_us / 1000.0, turbohttp_response_text(response));
    turbohttp_response_free(response);
    return failed;
}

int main(int argc, char **argv) {
    static const char score[] = "{\"player\":\"ada\",\"points\":4200}";
    turbohttp_header_field headers[] = {{"X-Game-Version", "1.4"}, {"Accept", "application/json"}};
    turbohttp_client *client;
    turbohttp_response response;
    turbohttp_request_desc desc = {0};
    int failed;

    if (turbohttp_client_create(&client, NULL) != TURBOHTTP_OK) return 1;
    desc.url = argc > 1 ? argv[1] : "http://localhost/";
    desc.headers = headers;
    desc.header_count = 2;
    desc.body.data = score;
    desc.body.length = sizeof score - 1;
    desc.body.content_type = "application/json";
    turbohttp_send(client, &desc, &response);
    failed = show(&response);

    desc.method = "PUT"; /* the same description, changed: the connection is used again */
    turbohttp_send(client, &desc, &response);
    failed |= show(&response);
    turbohttp_client_destroy(client);
    return failed;
}
