/* The five lines: fetch a URL, print the body or the reason why there is none. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>

int main(int argc, char **argv) {
    turbohttp_response response;
    turbohttp_get(argc > 1 ? argv[1] : "http://localhost/", &response);
    puts(response.error.code ? response.error.text : turbohttp_response_text(&response));
    int failed = response.error.code != 0;
    turbohttp_response_free(&response);
    return failed;
}
