/* Without sentences an error says its name, and what is added to it; what else a switch left out is refused. */
#define TURBOHTTP_NO_SENTENCES
#define TURBOHTTP_NO_LENIENT
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

static void a_flag_that_is_left_out_is_refused(void) {
    turbohttp_client *client;
    turbohttp_client_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.lenient = true;
    CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_ERR_UNSUPPORTED);
    CHECK(!client);
}

static const check_test tests[] = {
    CHECK_TEST(a_name_stands_for_its_sentence),
    CHECK_TEST(the_record_adds_what_it_knows),
    CHECK_TEST(a_flag_that_is_left_out_is_refused),
};
CHECK_MAIN(tests)
