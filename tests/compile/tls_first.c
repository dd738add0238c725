/* The second header alone: it includes the first one, and the implementations of both. tls_late.c comes
 * here with the first one's behind it. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp_tls_bearssl.h"
#include "turbohttp.h" /* again: nothing happens */
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
