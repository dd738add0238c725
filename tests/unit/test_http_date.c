/* HTTP dates: three forms in, one out, every day of ten thousand years. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

#define NOW 1790000000 /* September 2026 */

static turbohttp_status parse(const char *text, int64_t now, int64_t *seconds) {
    guard g = guard_copy(text, strlen(text));
    turbohttp_status status = turbohttp_http_date_parse((char *)g.data, g.length, now, seconds);
    guard_free(&g);
    return status;
}

static void the_three_forms_mean_the_same(void) {
    static const char *const texts[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
    for (int i = 0; i < 3; i++) {
        int64_t t = 0;
        CHECK_INT(parse(texts[i], NOW, &t), TURBOHTTP_OK);
        CHECK_INT(t, 784111777);
    }
    char out[TURBOHTTP_HTTP_DATE_BYTES];
    CHECK_INT(turbohttp_http_date_format(784111777, out), TURBOHTTP_OK);
    CHECK_TEXT(out, strlen(out), texts[0]);
}

static void edges_of_the_calendar(void) {
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                 {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
                 {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
                 {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
                 {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
                 {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
                 {"Sat, 01 Jan 0000 00:00:00 GMT", -62167219200},
                 {"Mon Nov 16 08:49:37 1994", 784975777}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = 5;
        CHECK_INT(parse(cases[i].text, NOW, &t), TURBOHTTP_OK);
        CHECK_INT(t, cases[i].seconds);
    }
}

static void two_digit_years_lie_at_most_fifty_years_ahead(void) {
    static const struct {
        const char *text;
        int64_t now;
        int64_t seconds;
    } cases[] = {{"Sunday, 01-Jan-76 00:00:00 GMT", NOW, 3345062400},  /* 2076 */
                 {"Sunday, 01-Jan-77 00:00:00 GMT", NOW, 220924800},   /* 1977 */
                 {"Sunday, 01-Jan-00 00:00:00 GMT", NOW, 946684800},   /* 2000 */
                 {"Sunday, 01-Jan-05 00:00:00 GMT", 4070908800, 4260211200}, /* 2105, seen in 2099 */
                 {"Sunday, 01-Jan-94 00:00:00 GMT", 0, 757382400}};    /* 1994, seen in 1970 */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = 5;
        CHECK_INT(parse(cases[i].text, cases[i].now, &t), TURBOHTTP_OK);
        CHECK_INT(t, cases[i].seconds);
    }
    int64_t t;
    CHECK_INT(parse("Sunday, 01-Jan-94 00:00:00 GMT", INT64_MIN, &t), TURBOHTTP_OK);
    CHECK_INT(parse("Sunday, 01-Jan-94 00:00:00 GMT", INT64_MAX, &t), TURBOHTTP_OK);
}

static void everything_else_is_refused(void) {
    static const char *const bad[] = {"", "Sun", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Xun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov  994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94", "Sun Nov  0 08:49:37 1994", "Sun Nov 31 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:3", "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 08:49:-7 GMT"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t t = 5;
        if (parse(bad[i], NOW, &t) == TURBOHTTP_OK) printf("accepted %s\n", bad[i]);
        CHECK_INT(parse(bad[i], NOW, &t), TURBOHTTP_ERR_ENCODING);
        CHECK_INT(t, 0);
    }
}

/* Every day number of every month, in a leap year, a common year, and the two kinds of century. */
static void days_end_where_their_month_does(void) {
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}, years[] = {2024, 2023, 2000, 1900};
    for (int y = 0; y < 4; y++) {
        for (int m = 0; m < 12; m++) {
            int last = lengths[m] + (m == 1 && (y == 0 || y == 2));
            for (int day = 0; day < 100; day++) {
                char text[64];
                int64_t t = 5;
                turbohttp_status expected = day >= 1 && day <= last ? TURBOHTTP_OK : TURBOHTTP_ERR_ENCODING;
                snprintf(text, sizeof text, "Mon, %02d %s %04d 00:00:00 GMT", day, months[m], years[y]);
                CHECK_INT(parse(text, NOW, &t), expected);
                snprintf(text, sizeof text, "Mon %s %2d 00:00:00 %04d", months[m], day, years[y]);
                CHECK_INT(parse(text, NOW, &t), expected);
                if (years[y] < 2000) continue; /* seen from 2026 */
                snprintf(text, sizeof text, "Monday, %02d-%s-%02d 00:00:00 GMT", day, months[m], years[y] % 100);
                CHECK_INT(parse(text, NOW, &t), expected);
            }
        }
    }
}

static void every_day_round_trips_with_the_right_weekday(void) {
    static const char names[] = "SunMonTueWedThuFriSat";
    char out[TURBOHTTP_HTTP_DATE_BYTES];
    int weekday = 6; /* 0000-01-01 was a Saturday */
    int64_t first = -62167219200, last = 253402300799;
    for (int64_t t = first; t <= last; t += 86400, weekday = (weekday + 1) % 7) {
        int64_t moment = t + (t - first) / 86400 * 7919 % 86400, back = 5;
        bool good = turbohttp_http_date_format(moment, out) == TURBOHTTP_OK &&
                    turbohttp_http_date_parse(out, strlen(out), NOW, &back) == TURBOHTTP_OK &&
                    back == moment && memcmp(out, names + 3 * weekday, 3) == 0 && strlen(out) == 29;
        if (!good) CHECK_TEXT(out, strlen(out), "a date that round-trips");
        if (!good) break;
    }
    CHECK_INT(turbohttp_http_date_format(first - 1, out), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_http_date_format(last + 1, out), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_http_date_format(INT64_MIN, out), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_http_date_format(INT64_MAX, out), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(out[0], 0);
}

static const check_test tests[] = {
    CHECK_TEST(the_three_forms_mean_the_same),
    CHECK_TEST(edges_of_the_calendar),
    CHECK_TEST(two_digit_years_lie_at_most_fifty_years_ahead),
    CHECK_TEST(everything_else_is_refused),
    CHECK_TEST(days_end_where_their_month_does),
    CHECK_TEST(every_day_round_trips_with_the_right_weekday),
};
CHECK_MAIN(tests)
