/* The system, as seen by the rest of io/ and by client/: no OS header, no OS type, nothing blocks
 * unless its name says wait. Each function stands in exactly one os_<platform>.c. */
#pragma once
#include "../api/client.h"
#include "../base/errors.h"

typedef intptr_t tbh_socket; /* descriptor or SOCKET */
#define TBH_NO_SOCKET ((tbh_socket)-1)

/* Whom to connect to: an address and port, or a Unix path when that is set. */
typedef struct tbh_peer {
    turbohttp_address address;
    uint16_t port;
    const char *unix_path;
} tbh_peer;

#define TBH_RECEIVE_WAIT_MS 50 /* the longest that tbh_os_receive_wait blocks */

typedef struct tbh_os_wake {
    tbh_socket listen_end, signal_end;
} tbh_os_wake;

/* The process that something was made in. Zero: nothing noted. */
typedef struct tbh_os_birth {
    volatile uint32_t *page; /* 1 in that process, 0 in its children; NULL: see process */
    int64_t process;
} tbh_os_birth;

#if TBH_SOCKETS
/* ------------------------------------------------------------ heap, clock, entropy */
TBH_FN turbohttp_allocator tbh_os_allocator(void);
TBH_FN uint64_t tbh_os_now_us(void *user);
TBH_FN bool tbh_os_random(void *user, void *bytes, size_t length);
TBH_FN uint64_t tbh_os_unix_seconds(void *user);

/* ------------------------------------------------------------ sockets
 * Non-blocking, close-on-exec, without signals. *system_code gets errno on errors. */

/* Starts a TCP or Unix connection: OK when it is up at once, PENDING while it is under way,
 * ERR_CONNECT, ERR_DESCRIPTORS or ERR_UNSUPPORTED with *out TBH_NO_SOCKET. */
TBH_FN turbohttp_status tbh_os_stream_open(const tbh_peer *peer, tbh_socket *out,
                                           int32_t *system_code);
/* A UDP socket connected to the peer, bound to a port that the system chose. */
TBH_FN turbohttp_status tbh_os_datagram_open(const tbh_peer *peer, tbh_socket *out,
                                             int32_t *system_code);
/* After the socket was reported writable: OK when the connection is up, else ERR_CONNECT. */
TBH_FN turbohttp_status tbh_os_stream_ready(tbh_socket s, int32_t *system_code);
TBH_FN turbohttp_status tbh_os_send(tbh_socket s, const void *data, size_t length, size_t *sent,
                                    int32_t *system_code);
/* OK with *received > 0 · PENDING · DONE at the peer's end (never for datagrams) · ERR_RECEIVE. */
TBH_FN turbohttp_status tbh_os_receive(tbh_socket s, void *data, size_t room, size_t *received,
                                       int32_t *system_code);
/* Lets tbh_os_receive_wait block on this socket: up to TBH_RECEIVE_WAIT_MS at a time. False: it
 * cannot on this system. tbh_os_receive stays non-blocking. */
TBH_FN bool tbh_os_receive_wait_prepare(tbh_socket s);
TBH_FN turbohttp_status tbh_os_receive_wait(tbh_socket s, void *data, size_t room, size_t *received,
                                            int32_t *system_code);
TBH_FN void tbh_os_socket_shut(tbh_socket s);

/* ------------------------------------------------------------ fork (S-85) */
TBH_FN void tbh_os_birth_note(tbh_os_birth *birth);
TBH_FN bool tbh_os_birth_is_elsewhere(const tbh_os_birth *birth);
TBH_FN void tbh_os_birth_forget(tbh_os_birth *birth);

/* ------------------------------------------------------------ wake-up between threads */
TBH_FN turbohttp_status tbh_os_wake_open(tbh_os_wake *wake, int32_t *system_code);
TBH_FN void tbh_os_wake_signal(const tbh_os_wake *wake); /* any thread */
TBH_FN void tbh_os_wake_drain(const tbh_os_wake *wake);
TBH_FN void tbh_os_wake_shut(tbh_os_wake *wake);
#endif

/* The system's sentence for an errno. */
TBH_FN void tbh_os_describe(int32_t system_code, char *text, size_t room);

/* ------------------------------------------------------------ files (these may block) */
typedef intptr_t tbh_file;
#define TBH_NO_FILE ((tbh_file)-1)
/* *length: of what is read; UINT64_MAX when only its end tells (a pipe, a terminal, a device). */
TBH_FN turbohttp_status tbh_os_file_open(const char *path, bool for_writing, tbh_file *out,
                                         uint64_t *length, int32_t *system_code);
/* OK with *got > 0, DONE at the end, ERR_FILE. */
TBH_FN turbohttp_status tbh_os_file_get(tbh_file f, void *data, size_t room, size_t *got,
                                        int32_t *system_code);
/* All of it, or ERR_FILE. */
TBH_FN turbohttp_status tbh_os_file_put(tbh_file f, const void *data, size_t length,
                                        int32_t *system_code);
/* Shuts the file; ERR_FILE when the last bytes could not be kept. */
TBH_FN turbohttp_status tbh_os_file_shut(tbh_file f, int32_t *system_code);
#if TBH_SOCKETS
/* Opens, reads once from `offset` on, and shuts: as turbohttp_tls_host.file_get. */
TBH_FN turbohttp_status tbh_os_file_get_at(void *user, const char *path, uint64_t offset,
                                           void *data, size_t room, size_t *got);
#endif
