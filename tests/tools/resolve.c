/* Drives the name look-up from a command line: one client, one GET for each URL, one line each:
 *   URL status address port milliseconds      or      URL error number phase milliseconds sentence
 *
 *     build/resolve [--servers LIST] [--resolv-conf FILE] [--hosts FILE] [--platform]
 *                   [--attempt-ms N] [--attempts N] [--resolve-ms N] [--no-random] URL…
 *
 * Exits with 1 when descriptors are left open after the client is destroyed. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "../support/system.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool no_random(void *user, void *bytes, size_t length) {
    (void)user, (void)bytes, (void)length;
    return false;
}

static void fetch(turbohttp_client *client, const char *url) {
    turbohttp_request_desc request;
    turbohttp_response response;
    char address[64] = "?";
    memset(&request, 0, sizeof request);
    request.url = url;
    turbohttp_status status = turbohttp_send(client, &request, &response);
    unsigned long ms = (unsigned long)(response.timing.total_us / 1000);
    int family = response.peer.family == 4 ? AF_INET : AF_INET6;
    if (response.peer.family) inet_ntop(family, response.peer.bytes, address, sizeof address);
    if (status == TURBOHTTP_OK)
        printf("%s %u %s %u %lu\n", url, response.status, address, response.peer_port, ms);
    else
        printf("%s error %d %s %lu %s\n", url, (int)status,
               turbohttp_phase_name(response.error.phase), ms, response.error.text);
    fflush(stdout);
    turbohttp_response_free(&response);
}

/* Takes one option and its value; returns how many arguments that were. */
static int take_option(turbohttp_client_desc *desc, char **argv) {
    const char *name = argv[0], *value = argv[1] ? argv[1] : "";
    if (strcmp(name, "--platform") == 0) desc->name_service = TURBOHTTP_NAMES_PLATFORM;
    if (strcmp(name, "--no-random") == 0) desc->random.fill = no_random;
    if (strcmp(name, "--platform") == 0 || strcmp(name, "--no-random") == 0) return 1;
    if (strcmp(name, "--servers") == 0) desc->stub.servers = value;
    if (strcmp(name, "--resolv-conf") == 0) desc->stub.resolv_conf_path = value;
    if (strcmp(name, "--hosts") == 0) desc->stub.hosts_path = value;
    if (strcmp(name, "--attempt-ms") == 0) desc->stub.attempt_ms = (uint32_t)atoi(value);
    if (strcmp(name, "--attempts") == 0) desc->stub.attempts = (uint32_t)atoi(value);
    if (strcmp(name, "--resolve-ms") == 0) desc->timeouts.resolve_ms = (uint32_t)atoi(value);
    return 2;
}

int main(int argc, char **argv) {
    turbohttp_client_desc desc;
    turbohttp_client *client;
    int before = count_descriptors(), i = 1;
    memset(&desc, 0, sizeof desc);
    desc.name_service = TURBOHTTP_NAMES_STUB;
    while (i < argc && strncmp(argv[i], "--", 2) == 0) i += take_option(&desc, argv + i);
    turbohttp_status status = turbohttp_client_create(&client, &desc);
    if (status != TURBOHTTP_OK) {
        printf("client error %d %s\n", (int)status, turbohttp_status_text(status));
        return 2;
    }
    for (; i < argc; i++) fetch(client, argv[i]);
    turbohttp_client_destroy(client);
    return count_descriptors() != before;
}
