/* turbohttp.h - an HTTP client in one file. MIT license, at the end.
 *
 *     #define TURBOHTTP_IMPLEMENTATION      in ONE .c or .cpp file
 *     #include "turbohttp.h"
 *
 *     int main(void) {
 *         turbohttp_response response;
 *         turbohttp_get("http://example.com/", &response);
 *         puts(response.error.code ? response.error.text
 *                                  : turbohttp_response_text(&response));
 *         turbohttp_response_free(&response);
 *     }
 *
 * HTTPS: also #include "turbohttp_tls_bearssl.h" there, and link -lbearssl.
 *
 * LIMITS (all in turbohttp_limits, all can be changed): response head 64 KiB,
 * 128 headers, buffered body 32 MiB, 256 requests in flight, 64 connections,
 * 6 for each host; decompression at most 256:1. Streamed bodies have no limit.
 *
 * ------------------------------------------------------------------------
 * MANUAL
 *
 * Three shapes of use, one engine:
 *  1. One-liners: turbohttp_get, turbohttp_post, turbohttp_download. Each
 *     blocks, and makes a client of its own.
 *  2. A client: turbohttp_client_create, then turbohttp_send for each request
 *     (blocks; connections are kept), or turbohttp_submit and turbohttp_poll
 *     once a frame (never blocks with a timeout of 0), and turbohttp_take or
 *     an on_done callback for the result.
 *  3. The codecs alone: turbohttp_h1_head_parse, turbohttp_chunked_next,
 *     turbohttp_inflate_run, turbohttp_url_parse, turbohttp_hpack_decode,
 *     turbohttp_h2_read and their neighbours do no input or output and
 *     allocate nothing.
 *
 * Errors: every failure is a turbohttp_error: a code, the phase, the system's
 * code, and a sentence that names the remedy. A response that ends early is
 * an error, never a short success.
 *
 * Memory: everything is rented from pools over one allocator. After warm-up a
 * request makes no allocator call. A response owns its buffers until
 * turbohttp_response_free. With `desc.memory` the client lives in one block.
 *
 * Threads: a client belongs to one thread at a time; turbohttp_cancel,
 * turbohttp_wake and turbohttp_response_free may be called from any. The
 * library starts at most four helper threads, for names, on first need. Link
 * with -pthread where the system wants it.
 *
 * Security: header injection is refused when the request is submitted; heads,
 * framing and compressed data are parsed strictly and within limits; a
 * connection about which there is any doubt is never used again. For servers
 * that write careless heads there is one flag, `desc.lenient`, off by default;
 * the framing of bodies stays strict with it. An error that it would have
 * prevented says so. Certificates are verified; the only way off has INSECURE
 * in its name. The library reads no environment variable and writes no file
 * that it was not told to.
 *
 * SWITCHES, defined before the include in the file with the implementation
 * (and before every include where marked *):
 *   TURBOHTTP_STATIC *       all functions static
 *   TURBOHTTP_NO_SOCKETS *   no system at all: bring transport and clock, and
 *                            call everything from one thread
 *   TURBOHTTP_NO_THREADS     one thread alone: names go to the stub resolver
 *   TURBOHTTP_NO_DNS_STUB    no stub resolver
 *   TURBOHTTP_NO_EPOLL       Linux: poll(2) alone
 *   TURBOHTTP_NO_INFLATE *   no gzip and deflate
 *   TURBOHTTP_NO_TLS         no https://, whatever is included
 *   TURBOHTTP_NO_HTTP2 *     HTTP/1.1 only
 *   TURBOHTTP_NO_SIMD        portable code only
 *   TURBOHTTP_NO_LENIENT     clients have no `desc.lenient`: 1 KB less of flash
 *   TURBOHTTP_NO_SENTENCES   an error's text is its name: 5 KB less of flash
 *   TURBOHTTP_DEBUG_GUARDS   find misuse of pooled memory, and say where
 */
#if defined(TURBOHTTP_IMPLEMENT) || defined(TURBOHTTP_IMPL) ||                                     \
    defined(TURBO_HTTP_IMPLEMENTATION) || defined(TURBOHTTP_IMPLEMENTAION)
#error "misspelt: the macro is TURBOHTTP_IMPLEMENTATION"
#endif
/* POSIX names are hidden by -std=c99 unless this comes before the first system header. */
#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(_GNU_SOURCE) && !defined(_WIN32)
#define _GNU_SOURCE
#endif
