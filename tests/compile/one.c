/* The translation unit with the implementation, included the ways users do. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp.h" /* again: nothing happens */

int declared_only(void);

int main(void) {
    turbohttp_client_desc desc;
    turbohttp_client *client;
    for (size_t i = 0; i < sizeof desc; i++) ((unsigned char *)&desc)[i] = 0;
#ifdef TURBOHTTP_NO_SOCKETS
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_ERR_INVALID_ARGUMENT) return 1;
#else
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    turbohttp_client_destroy(client);
#endif
    return declared_only();
}
