#include "url.h"
#include "../base/bytes.h"
turbohttp_status turbohttp_url_parse(const char *text, size_t length, size_t limit, turbohttp_url *url, size_t *offset) {
    const char *p, *e = text + length, *h;
    (void)limit; *offset = 0;
    memset(url, 0, sizeof *url);
    for (size_t i = 0; i < length; i++) if ((uint8_t)text[i] <= 0x20 || (uint8_t)text[i] >= 0x7f) return TURBOHTTP_ERR_URL;
    if (length < 7 || memcmp(text, "http://", 7)) return TURBOHTTP_ERR_URL_SCHEME;
    url->scheme = tbh_span(text, 4);
    url->port = 80;
    h = p = text + 7;
    while (p < e && *p != '/' && *p != ':' && *p != '?') p++;
    url->host = tbh_span(h, (size_t)(p - h));
    if (!url->host.length) return TURBOHTTP_ERR_URL_HOST;
    if (p < e && *p == ':') { unsigned v = 0; p++; while (p < e && tbh_is_digit((uint8_t)*p)) v = v * 10 + (unsigned)(*p++ - '0'); url->port = (uint16_t)v; }
    h = p;
    while (p < e && *p != '?') p++;
    url->path = tbh_span(h, (size_t)(p - h));
    if (p < e) { url->has_query = true; url->query = tbh_span(p + 1, (size_t)(e - p - 1)); }
    return TURBOHTTP_OK;
}
turbohttp_status turbohttp_url_write_target(const turbohttp_url *url, turbohttp_writer *w) {
    if (url->path.length) turbohttp_writer_put(w, url->path.data, url->path.length); else turbohttp_writer_put_byte(w, '/');
    if (url->has_query) { turbohttp_writer_put_byte(w, '?'); turbohttp_writer_put(w, url->query.data, url->query.length); }
    return w->status;
}
turbohttp_status turbohttp_url_write_host(const turbohttp_url *url, turbohttp_writer *w) {
    turbohttp_writer_put(w, url->host.data, url->host.length);
    if (url->port != 80) { turbohttp_writer_put_byte(w, ':'); turbohttp_writer_put_u64(w, url->port); }
    return w->status;
}
