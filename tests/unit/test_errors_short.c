/* Without sentences an error says its name, and what is added to it. */
#define TURBOHTTP_NO_SENTENCES
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"

static void a_name_stands_for_its_sentence(void) {
    for (size_t i = 0; i < sizeof tbh_status_rows / sizeof tbh_status_rows[0]; i++) {
        turbohttp_status code = (turbohttp_status)tbh_status_rows[i].code;
        CHECK(strcmp(turbohttp_status_text(code), turbohttp_status_name(code)) == 0);
    }
    CHECK(strcmp(turbohttp_status_text(TURBOHTTP_ERR_TIMEOUT), "TURBOHTTP_ERR_TIMEOUT") == 0);
}

static void the_record_adds_what_it_knows(void) {
    turbohttp_error error;
    tbh_error_set(&error, TURBOHTTP_ERR_CONNECT, TURBOHTTP_PHASE_CONNECT);
    tbh_error_append(&error, " (refused)");
    CHECK(strcmp(error.text, "TURBOHTTP_ERR_CONNECT (refused)") == 0);
}

static const check_test tests[] = {
    CHECK_TEST(a_name_stands_for_its_sentence),
    CHECK_TEST(the_record_adds_what_it_knows),
};
CHECK_MAIN(tests)
