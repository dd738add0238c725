/* Blocking shapes: the same poll in a loop, and clients that live for one request.
 * Owns the client of a one-liner. Invariant: a response is always filled, so that it can always be
 * looked at and freed. Does not know: anything that the public API does not say. */
#include "internal.h"

TURBOHTTP_API turbohttp_status turbohttp_wait(turbohttp_client *client, turbohttp_request request,
                                              turbohttp_response *response) {
    turbohttp_status status;
    memset(response, 0, sizeof *response);
    while ((status = turbohttp_take(client, request, response)) == TURBOHTTP_PENDING) {
        status = tbh_client_round(client, 1000, true);
        if (status < 0) return tbh_error_set(&response->error, status, TURBOHTTP_PHASE_NONE);
    }
    if (status != TURBOHTTP_OK) tbh_error_set(&response->error, status, TURBOHTTP_PHASE_NONE);
    return response->error.code;
}

TURBOHTTP_API turbohttp_status turbohttp_send(turbohttp_client *client,
                                              const turbohttp_request_desc *desc,
                                              turbohttp_response *response) {
    turbohttp_request request;
    memset(response, 0, sizeof *response);
    if (client->is_polling) { /* inside a callback nobody could wait for it */
        if (desc->body.release) desc->body.release(desc->body.user);
        return tbh_error_set(&response->error, TURBOHTTP_ERR_STATE, TURBOHTTP_PHASE_NONE);
    }
    turbohttp_status status = turbohttp_submit(client, desc, &request, &response->error);
    return status == TURBOHTTP_OK ? turbohttp_wait(client, request, response) : status;
}

#if TBH_SOCKETS
static turbohttp_status tbh_send_once(const turbohttp_request_desc *desc,
                                      turbohttp_response *response) {
    turbohttp_client *client;
    memset(response, 0, sizeof *response);
    turbohttp_status status = turbohttp_client_create(&client, NULL);
    if (status != TURBOHTTP_OK)
        return tbh_error_set(&response->error, status, TURBOHTTP_PHASE_NONE);
    status = turbohttp_send(client, desc, response);
    turbohttp_client_destroy(client);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_get(const char *url, turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    return tbh_send_once(&desc, response);
}

TURBOHTTP_API turbohttp_status turbohttp_post(const char *url, const char *content_type,
                                              const void *data, size_t length,
                                              turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    desc.method = "POST";
    desc.body.data = length ? data : NULL;
    desc.body.length = length;
    desc.body.content_type = content_type;
    return tbh_send_once(&desc, response);
}

TURBOHTTP_API turbohttp_status turbohttp_download(const char *url, const char *path,
                                                  turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    desc.body_path = path;
    return tbh_send_once(&desc, response);
}
#endif
