/* A download into a file with progress, polled, so that the program stays alive meanwhile.
 * Usage: 05_download URL FILE */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>

static void on_progress(void *user, uint64_t sent, uint64_t send_total, uint64_t received,
                        uint64_t total) {
    int *shown = (int *)user;
    int percent = total ? (int)(received * 100 / total) : 0;
    (void)sent;
    (void)send_total;
    if (total && percent == *shown) return;
    *shown = percent;
    if (total)
        printf("\r%3d %%  %llu of %llu bytes", percent, (unsigned long long)received,
               (unsigned long long)total);
    else
        printf("\r%llu bytes", (unsigned long long)received);
    fflush(stdout);
}

int main(int argc, char **argv) {
    turbohttp_client *client;
    turbohttp_request request;
    turbohttp_response response;
    turbohttp_request_desc desc = {0};
    turbohttp_error error;
    int shown = -1, failed;

    if (argc < 3) return fprintf(stderr, "usage: %s URL FILE\n", argv[0]), 2;
    if (turbohttp_client_create(&client, NULL) != TURBOHTTP_OK) return 1;
    desc.url = argv[1];
    desc.body_path = argv[2];
    desc.on_progress = on_progress;
    desc.user = &shown;
    if (turbohttp_submit(client, &desc, &request, &error) != TURBOHTTP_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    while (turbohttp_poll(client, 100) == TURBOHTTP_PENDING) {
        /* here the program does something else */
    }
    turbohttp_take(client, request, &response);
    failed = response.error.code != 0;
    printf("\n%s\n", failed ? response.error.text : "done");
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
    return failed;
}
