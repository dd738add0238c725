/* IP addresses as text and as bytes. Numbers in hosts are dotted-quad decimal or IPv6, nothing
 * else (S-71). */
#pragma once
#include "../api/transport.h"
#include "../base/bytes.h"

/* Exactly four decimal numbers without leading zeros. */
TBH_FN bool tbh_address_parse_v4(turbohttp_span text, uint8_t bytes[4]);
/* RFC 4291 §2.2, all three forms; no zone, no brackets. */
TBH_FN bool tbh_address_parse_v6(turbohttp_span text, uint8_t bytes[16]);
/* Either of them. */
TBH_FN bool tbh_address_parse(turbohttp_span text, turbohttp_address *address);
/* Writes the address as text (RFC 5952), terminated; returns its length (at most 45). */
TBH_FN size_t tbh_address_format(const turbohttp_address *address, char text[46]);
