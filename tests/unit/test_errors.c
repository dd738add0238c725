/* Errors: every code has a name and a sentence; the record never overflows nor shows control bytes. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"

static void every_status_has_a_name_and_a_sentence(void) {
    CHECK_TEXT(turbohttp_status_name(TURBOHTTP_ERR_TIMEOUT), 21, "TURBOHTTP_ERR_TIMEOUT");
    CHECK(strcmp(turbohttp_status_name((turbohttp_status)-9999), "TURBOHTTP_UNKNOWN") == 0);
    for (size_t i = 0; i < sizeof tbh_status_rows / sizeof tbh_status_rows[0]; i++) {
        CHECK(strlen(tbh_status_string(tbh_status_rows[i].text)) > 5);
        CHECK(strlen(tbh_status_string(tbh_status_rows[i].text)) < TURBOHTTP_ERROR_TEXT_BYTES / 2);
    }
}

/* E18: what happened and what to do. TLS has faults that only the server's owner can mend. */
static void every_failure_says_what_to_do(void) {
    for (size_t i = 0; i < sizeof tbh_status_rows / sizeof tbh_status_rows[0]; i++) {
        int code = tbh_status_rows[i].code;
        if (code >= 0 || code == TURBOHTTP_ERR_CANCELLED || code <= TURBOHTTP_ERR_TLS_CAPABILITY) continue;
        if (strstr(tbh_status_string(tbh_status_rows[i].text), ": ")) continue;
        printf("no remedy: %s\n", tbh_status_string(tbh_status_rows[i].text));
        CHECK(false);
    }
}

static void S_17_error_text_is_cut_and_printable(void) {
    turbohttp_error error;
    tbh_error_set(&error, TURBOHTTP_ERR_URL, TURBOHTTP_PHASE_NONE);
    for (int i = 0; i < 100; i++) tbh_error_append(&error, "a\r\n\x7f");
    CHECK_INT(strlen(error.text), TURBOHTTP_ERROR_TEXT_BYTES - 1);
    for (size_t i = 0; error.text[i]; i++) CHECK((unsigned char)error.text[i] >= 0x20 && error.text[i] != 0x7f);
}

static const check_test tests[] = {
    CHECK_TEST(every_status_has_a_name_and_a_sentence),
    CHECK_TEST(every_failure_says_what_to_do),
    CHECK_TEST(S_17_error_text_is_cut_and_printable),
};
CHECK_MAIN(tests)
