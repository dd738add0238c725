/* ------------------------------------------------------------------------
 * HTTP/1.1: writing a request head. Injection is impossible: every name and
 * value is checked before a byte of it is written (RFC 9110 §5, RFC 9112 §3).
 * ------------------------------------------------------------------------ */
#pragma once
#include "memory.h"

/**
 * Write "METHOD target HTTP/1.x" and CRLF.
 *
 * Returns: OK, ERR_METHOD when the method is not a token, ERR_URL when the
 * target is empty or has blanks, control or non-ASCII bytes, or the writer's
 * error. Nothing is written then.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_write_request_line(
    turbohttp_writer *writer, turbohttp_span method, turbohttp_span target,
    int minor_version);

/**
 * Write one "name: value" line.
 *
 * Returns: OK, ERR_HEADER_NAME when the name is not a token,
 * ERR_HEADER_VALUE for control characters other than HTAB, or the writer's
 * error. Nothing is written then.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_write_field(
    turbohttp_writer *writer, turbohttp_span name, turbohttp_span value);
