#pragma once
#include "../api/memory.h"
typedef struct turbohttp_url { turbohttp_span scheme, host, path, query; uint16_t port; bool is_tls, has_query;} turbohttp_url;
turbohttp_status turbohttp_url_parse(const char *text, size_t length, size_t limit, turbohttp_url *url, size_t *offset);
turbohttp_status turbohttp_url_write_target(const turbohttp_url *url, turbohttp_writer *w);
turbohttp_status turbohttp_url_write_host(const turbohttp_url *url, turbohttp_writer *w);
