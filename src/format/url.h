/* URL: what other layers ask about hosts. */
#pragma once
#include "../api/url.h"
#include "address.h"

/* Dotted quad, decimal, no leading zeros. */
TBH_FN bool tbh_is_ipv4(const char *p, size_t n);
/* RFC 4291 §2.2 text without brackets and zone. */
TBH_FN bool tbh_is_ipv6(const char *p, size_t n);
/* A name that may be looked up: labels of letters, digits, '-' and '_'; not a number. */
TBH_FN bool tbh_is_host_name(const char *p, size_t n);
/* Bytes of the terminated text if it is a request target that can be sent as it stands, without a
 * fragment; 0 if it must be parsed. */
TBH_FN size_t tbh_url_plain_target(const char *p);
TBH_FN uint16_t tbh_url_default_port(const turbohttp_url *url);
