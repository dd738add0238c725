/* The first header with its implementation, then the second: C fills in what was left open. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"

const turbohttp_tls_provider *tls_of_the_other_file(void);

int main(void) {
    turbohttp_client *client;
    char text[200];
    if (turbohttp_client_create(&client, NULL) != TURBOHTTP_OK) return 1;
    turbohttp_tls_summary(client, text, sizeof text);
    turbohttp_client_destroy(client);
    return strncmp(text, "bearssl*:", 9) != 0 || tls_of_the_other_file() == NULL;
}
