/* HTTP dates: the three forms of RFC 9110 §5.6.7 in, the preferred one out.
 * Owns: nothing. Invariants: what format writes, parse reads back; calendar arithmetic is the
 * proleptic Gregorian calendar in 64 bits.
 * Input: hostile text. Does not know: the clock ("now" is a parameter), time zones other than GMT. */
#include "../api/formats.h"
#include "../base/bytes.h"

static const char tbh_date_months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char tbh_date_days[] = "SunMonTueWedThuFriSat";
static const char *const tbh_date_long_days[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                  "Thursday", "Friday", "Saturday"};

#define TBH_DATE_DAY_SECONDS 86400

typedef struct tbh_date {
    int64_t year;
    int month, day, hour, minute, second; /* month from 0, day from 1 */
    bool short_year;
} tbh_date;

/* ------------------------------------------------------------ calendar */
/* Days from 1970-01-01; years begin in March here, so that a leap day is a year's last. */
static int64_t tbh_date_days_of(int64_t year, int month, int day) {
    if (month < 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)(month < 2 ? month + 10 : month - 2) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void tbh_date_of_days(int64_t days, tbh_date *date) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    date->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    date->month = (int)(month < 10 ? month + 2 : month - 10);
    date->year = year + era * 400 + (date->month < 2);
}

static int tbh_date_month_days(int64_t year, int month) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 1) return leap ? 29 : 28;
    return month == 3 || month == 5 || month == 8 || month == 10 ? 30 : 31;
}

/* ------------------------------------------------------------ parse */
typedef struct tbh_date_text {
    const char *p;
    size_t n;
} tbh_date_text;

static bool tbh_date_take(tbh_date_text *text, const char *word, size_t n) {
    if (text->n < n || memcmp(text->p, word, n) != 0) return false;
    text->p += n;
    text->n -= n;
    return true;
}

/* The index of the three-letter name that comes next, or -1. */
static int tbh_date_name(tbh_date_text *text, const char *names, int count) {
    for (int i = 0; i < count; i++)
        if (tbh_date_take(text, names + 3 * i, 3)) return i;
    return -1;
}

static int tbh_date_long_day(tbh_date_text *text) {
    for (int i = 0; i < 7; i++)
        if (tbh_date_take(text, tbh_date_long_days[i], strlen(tbh_date_long_days[i]))) return i;
    return -1;
}

static int tbh_date_digits(tbh_date_text *text, size_t n) {
    uint64_t value;
    if (text->n < n || !tbh_parse_u64(text->p, n, 9999, &value)) return -1;
    text->p += n;
    text->n -= n;
    return (int)value;
}

/* asctime pads the day with a blank */
static int tbh_date_padded(tbh_date_text *text) {
    return tbh_date_take(text, " ", 1) ? tbh_date_digits(text, 1) : tbh_date_digits(text, 2);
}

/* One letter of a pattern; false if the text does not fit it. */
static bool tbh_date_field(tbh_date_text *text, char field, tbh_date *date) {
    switch (field) {
    case 'w': return tbh_date_name(text, tbh_date_days, 7) >= 0;
    case 'l': return tbh_date_long_day(text) >= 0;
    case 'm': return (date->month = tbh_date_name(text, tbh_date_months, 12)) >= 0;
    case 'd': return (date->day = tbh_date_digits(text, 2)) >= 0;
    case 'e': return (date->day = tbh_date_padded(text)) >= 0;
    case 'h': return (date->hour = tbh_date_digits(text, 2)) >= 0;
    case 'i': return (date->minute = tbh_date_digits(text, 2)) >= 0;
    case 's': return (date->second = tbh_date_digits(text, 2)) >= 0;
    case 'c': return (date->year = tbh_date_digits(text, 4)) >= 0;
    case 'y': date->short_year = true; return (date->year = tbh_date_digits(text, 2)) >= 0;
    default: return tbh_date_take(text, &field, 1);
    }
}

static bool tbh_date_matches(const char *p, size_t n, const char *pattern, tbh_date *date) {
    tbh_date_text text;
    text.p = p;
    text.n = n;
    memset(date, 0, sizeof *date);
    for (; *pattern; pattern++)
        if (!tbh_date_field(&text, *pattern, date)) return false;
    return text.n == 0;
}

/* A second of 60 is a leap second. */
static bool tbh_date_is_valid(const tbh_date *date) {
    return date->day >= 1 && date->day <= tbh_date_month_days(date->year, date->month) &&
           date->hour < 24 && date->minute < 60 && date->second <= 60;
}

static int64_t tbh_date_seconds(const tbh_date *date) {
    return tbh_date_days_of(date->year, date->month, date->day) * TBH_DATE_DAY_SECONDS +
           (int64_t)date->hour * 3600 + (int64_t)date->minute * 60 + date->second;
}

/* Days since 1970, rounded down. */
static int64_t tbh_date_day_number(int64_t seconds) {
    int64_t days = seconds / TBH_DATE_DAY_SECONDS;
    return seconds % TBH_DATE_DAY_SECONDS < 0 ? days - 1 : days;
}

/* RFC 9110 §5.6.7: more than 50 years ahead means the last such year in the past. */
static int64_t tbh_date_full_year(int64_t two_digits, int64_t now) {
    tbh_date today;
    tbh_date_of_days(tbh_date_day_number(now), &today);
    int64_t year = today.year - today.year % 100 + two_digits;
    if (year > today.year + 50) year -= 100;
    else if (year <= today.year - 50) year += 100;
    return year;
}

TURBOHTTP_API turbohttp_status turbohttp_http_date_parse(const char *text, size_t n, int64_t now,
                                                         int64_t *seconds) {
    static const char *const patterns[3] = {"w, d m c h:i:s GMT", "l, d-m-y h:i:s GMT",
                                            "w m e h:i:s c"};
    tbh_date date;
    *seconds = 0;
    for (int i = 0; i < 3; i++) {
        if (!tbh_date_matches(text, n, patterns[i], &date)) continue;
        if (date.short_year) date.year = tbh_date_full_year(date.year, now);
        if (!tbh_date_is_valid(&date)) return TURBOHTTP_ERR_ENCODING;
        *seconds = tbh_date_seconds(&date);
        return TURBOHTTP_OK;
    }
    return TURBOHTTP_ERR_ENCODING;
}

/* ------------------------------------------------------------ format */
static char *tbh_date_put_digits(char *to, int64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--, value /= 10) to[i] = (char)('0' + value % 10);
    return to + digits;
}

static char *tbh_date_put(char *to, const char *text, size_t n) {
    memcpy(to, text, n);
    return to + n;
}

TURBOHTTP_API turbohttp_status turbohttp_http_date_format(int64_t seconds,
                                                          char text[TURBOHTTP_HTTP_DATE_BYTES]) {
    tbh_date date;
    int64_t days = tbh_date_day_number(seconds);
    text[0] = 0;
    if (days < -719528 || days >= 2932897) return TURBOHTTP_ERR_OVERFLOW;
    int64_t rest = seconds - days * TBH_DATE_DAY_SECONDS;
    tbh_date_of_days(days, &date);
    char *to = tbh_date_put(text, tbh_date_days + (days + 719534) % 7 * 3, 3);
    to = tbh_date_put_digits(tbh_date_put(to, ", ", 2), date.day, 2);
    to = tbh_date_put(tbh_date_put(to, " ", 1), tbh_date_months + 3 * date.month, 3);
    to = tbh_date_put_digits(tbh_date_put(to, " ", 1), date.year, 4);
    to = tbh_date_put_digits(tbh_date_put(to, " ", 1), rest / 3600, 2);
    to = tbh_date_put_digits(tbh_date_put(to, ":", 1), rest / 60 % 60, 2);
    to = tbh_date_put_digits(tbh_date_put(to, ":", 1), rest % 60, 2);
    memcpy(to, " GMT", 5);
    return TURBOHTTP_OK;
}
