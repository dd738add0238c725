/* The system: POSIX (Linux, BSD, macOS). The only file that calls the kernel and libc's heap for
 * the default configuration; `poll` itself stands in poller_poll.c, threads and getaddrinfo in
 * resolver_platform.c.
 * Invariants: every descriptor is close-on-exec; sends never raise SIGPIPE (S-84, S-86); every
 * receive and send says MSG_DONTWAIT, so a socket may be made blocking for tbh_os_receive_wait.
 * Does not know: HTTP, clients, requests. */
#include "os.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#endif
#ifndef O_CLOEXEC
#error "TurboHTTP needs POSIX, hidden here by -std=c99: define _GNU_SOURCE before the first include"
#endif

#ifdef MSG_NOSIGNAL
#define TBH_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define TBH_SEND_FLAGS MSG_DONTWAIT /* SO_NOSIGPIPE is set on the socket */
#endif

/* ------------------------------------------------------------ heap, clock, entropy */
static void *tbh_posix_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void tbh_posix_release(void *user, void *block, size_t size) {
    (void)user;
    (void)size;
    free(block);
}

TBH_FN turbohttp_allocator tbh_os_allocator(void) {
    turbohttp_allocator a;
    a.user = NULL;
    a.allocate = tbh_posix_allocate;
    a.release = tbh_posix_release;
    return a;
}

TBH_FN uint64_t tbh_os_now_us(void *user) {
    struct timespec now;
    (void)user;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

TBH_FN uint64_t tbh_os_unix_seconds(void *user) {
    struct timespec now;
    (void)user;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0) return 0;
    return (uint64_t)now.tv_sec;
}

#if defined(__linux__)
static bool tbh_posix_entropy(void *bytes, size_t length) {
    return getrandom(bytes, length, 0) == (ssize_t)length;
}
#else
static bool tbh_posix_entropy(void *bytes, size_t length) {
    return getentropy(bytes, length) == 0;
}
#endif

/* Both sources give up to 256 bytes without interruption. */
TBH_FN bool tbh_os_random(void *user, void *bytes, size_t length) {
    uint8_t *at = (uint8_t *)bytes;
    (void)user;
    while (length > 0) {
        size_t n = tbh_min_size(length, 256);
        if (!tbh_posix_entropy(at, n)) return false;
        at += n;
        length -= n;
    }
    return true;
}

/* ------------------------------------------------------------ addresses */
typedef union tbh_posix_name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} tbh_posix_name;

static socklen_t tbh_posix_unix_name(const char *path, tbh_posix_name *name) {
    size_t n = strlen(path);
    if (n >= sizeof name->local.sun_path) return 0;
    name->local.sun_family = AF_UNIX;
    memcpy(name->local.sun_path, path, n + 1);
    return (socklen_t)sizeof name->local;
}

/* Returns the length, 0 when the peer cannot be expressed. */
static socklen_t tbh_posix_fill_name(const tbh_peer *peer, tbh_posix_name *name) {
    memset(name, 0, sizeof *name);
    if (peer->unix_path) return tbh_posix_unix_name(peer->unix_path, name);
    if (peer->address.family == 4) {
        name->v4.sin_family = AF_INET;
        name->v4.sin_port = htons(peer->port);
        memcpy(&name->v4.sin_addr, peer->address.bytes, 4);
        return (socklen_t)sizeof name->v4;
    }
    name->v6.sin6_family = AF_INET6;
    name->v6.sin6_port = htons(peer->port);
    name->v6.sin6_scope_id = peer->address.scope;
    memcpy(&name->v6.sin6_addr, peer->address.bytes, 16);
    return (socklen_t)sizeof name->v6;
}

/* ------------------------------------------------------------ sockets */
static turbohttp_status tbh_posix_failed(turbohttp_status status, int32_t *system_code) {
    *system_code = errno;
    return status;
}

#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
static int tbh_posix_socket(int family, int type) {
    return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}
#else
static int tbh_posix_socket(int family, int type) {
    int s = socket(family, type, 0), one = 1;
    if (s < 0) return s;
    fcntl(s, F_SETFD, FD_CLOEXEC);
    fcntl(s, F_SETFL, O_NONBLOCK);
#ifdef SO_NOSIGPIPE
    setsockopt(s, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
    (void)one;
    return s;
}
#endif

static turbohttp_status tbh_posix_open(const tbh_peer *peer, int type, tbh_socket *out,
                                       int32_t *system_code) {
    tbh_posix_name name;
    socklen_t length = tbh_posix_fill_name(peer, &name);
    int one = 1;
    *out = TBH_NO_SOCKET;
    *system_code = ENAMETOOLONG;
    if (length == 0) return TURBOHTTP_ERR_CONNECT;
    int s = tbh_posix_socket(name.any.sa_family, type);
    if (s < 0) {
        bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS;
        return tbh_posix_failed(exhausted ? TURBOHTTP_ERR_DESCRIPTORS : TURBOHTTP_ERR_CONNECT,
                                system_code);
    }
    /* Requests leave in one send: waiting for more (Nagle) only adds latency. */
    if (type == SOCK_STREAM && !peer->unix_path)
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *out = s;
    *system_code = 0;
    if (connect(s, &name.any, length) == 0) return TURBOHTTP_OK;
    if (errno == EINPROGRESS || errno == EINTR) return TURBOHTTP_PENDING;
    *system_code = errno;
    close(s);
    *out = TBH_NO_SOCKET;
    return TURBOHTTP_ERR_CONNECT;
}

TBH_FN turbohttp_status tbh_os_stream_open(const tbh_peer *peer, tbh_socket *out,
                                           int32_t *system_code) {
    return tbh_posix_open(peer, SOCK_STREAM, out, system_code);
}

TBH_FN turbohttp_status tbh_os_datagram_open(const tbh_peer *peer, tbh_socket *out,
                                             int32_t *system_code) {
    return tbh_posix_open(peer, SOCK_DGRAM, out, system_code);
}

TBH_FN turbohttp_status tbh_os_stream_ready(tbh_socket s, int32_t *system_code) {
    int failure = 0;
    socklen_t length = sizeof failure;
    if (getsockopt((int)s, SOL_SOCKET, SO_ERROR, &failure, &length) != 0) failure = errno;
    *system_code = failure;
    return failure ? TURBOHTTP_ERR_CONNECT : TURBOHTTP_OK;
}

static bool tbh_posix_would_block(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS;
}

TBH_FN turbohttp_status tbh_os_send(tbh_socket s, const void *data, size_t length, size_t *sent,
                                    int32_t *system_code) {
    ssize_t n = send((int)s, data, length, TBH_SEND_FLAGS);
    *sent = n > 0 ? (size_t)n : 0;
    if (n > 0) return TURBOHTTP_OK;
    if (n == 0 || tbh_posix_would_block()) return TURBOHTTP_PENDING;
    return tbh_posix_failed(TURBOHTTP_ERR_SEND, system_code);
}

static turbohttp_status tbh_posix_receive(tbh_socket s, void *data, size_t room, int flags,
                                          size_t *received, int32_t *system_code) {
    ssize_t n = recv((int)s, data, room, flags);
    *received = n > 0 ? (size_t)n : 0;
    if (n > 0) return TURBOHTTP_OK;
    if (n == 0) return TURBOHTTP_DONE;
    if (tbh_posix_would_block()) return TURBOHTTP_PENDING;
    return tbh_posix_failed(TURBOHTTP_ERR_RECEIVE, system_code);
}

TBH_FN turbohttp_status tbh_os_receive(tbh_socket s, void *data, size_t room, size_t *received,
                                       int32_t *system_code) {
    return tbh_posix_receive(s, data, room, MSG_DONTWAIT, received, system_code);
}

TBH_FN bool tbh_os_receive_wait_prepare(tbh_socket s) {
    struct timeval limit;
    limit.tv_sec = 0;
    limit.tv_usec = TBH_RECEIVE_WAIT_MS * 1000;
    int flags = fcntl((int)s, F_GETFL);
    return flags >= 0 && setsockopt((int)s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
           fcntl((int)s, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

TBH_FN turbohttp_status tbh_os_receive_wait(tbh_socket s, void *data, size_t room, size_t *received,
                                            int32_t *system_code) {
    return tbh_posix_receive(s, data, room, 0, received, system_code);
}

TBH_FN void tbh_os_socket_shut(tbh_socket s) {
    if (s != TBH_NO_SOCKET) close((int)s);
}

TBH_FN void tbh_os_describe(int32_t system_code, char *text, size_t room) {
    const char *sentence = strerror(system_code);
    size_t n = tbh_min_size(strlen(sentence), room - 1);
    memcpy(text, sentence, n);
    text[n] = 0;
}

/* ------------------------------------------------------------ wake-up */
/* Between pipe and fcntl another thread may fork and leave both ends to its child (S-86): an
 * eventfd is close-on-exec from the start, and one descriptor instead of two. */
#if defined(__linux__)
static bool tbh_posix_wake_ends(int ends[2]) {
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] >= 0;
}
#else
static bool tbh_posix_wake_ends(int ends[2]) {
    if (pipe(ends) != 0) return false;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}
#endif

TBH_FN turbohttp_status tbh_os_wake_open(tbh_os_wake *wake, int32_t *system_code) {
    int ends[2];
    wake->listen_end = wake->signal_end = TBH_NO_SOCKET;
    if (!tbh_posix_wake_ends(ends)) return tbh_posix_failed(TURBOHTTP_ERR_DESCRIPTORS, system_code);
    wake->listen_end = ends[0];
    wake->signal_end = ends[1];
    return TURBOHTTP_OK;
}

/* An eventfd takes eight bytes, a pipe any number; a full one wakes its reader all the same. */
TBH_FN void tbh_os_wake_signal(const tbh_os_wake *wake) {
    uint64_t one = 1;
    if (wake->signal_end == TBH_NO_SOCKET) return;
    ssize_t written = write((int)wake->signal_end, &one, sizeof one);
    (void)written;
}

TBH_FN void tbh_os_wake_drain(const tbh_os_wake *wake) {
    char bytes[64];
    ssize_t n = read((int)wake->listen_end, bytes, sizeof bytes);
    (void)n;
}

TBH_FN void tbh_os_wake_shut(tbh_os_wake *wake) {
    tbh_os_socket_shut(wake->listen_end);
    if (wake->signal_end != wake->listen_end) tbh_os_socket_shut(wake->signal_end);
    wake->listen_end = wake->signal_end = TBH_NO_SOCKET;
}

/* ------------------------------------------------------------ fork */
/* A page that the system empties in a child tells them apart for one load; where there is none, a
 * process is asked for its number. */
#if defined(MADV_WIPEONFORK) && defined(MAP_ANONYMOUS)
static void *tbh_posix_wiped_page(void) {
    void *page =
        mmap(NULL, sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return NULL;
    if (madvise(page, sizeof(uint32_t), MADV_WIPEONFORK) == 0) return page;
    munmap(page, sizeof(uint32_t));
    return NULL;
}

static void tbh_posix_drop_page(void *page) {
    munmap(page, sizeof(uint32_t));
}
#else
static void *tbh_posix_wiped_page(void) {
    return NULL;
}

static void tbh_posix_drop_page(void *page) {
    (void)page;
}
#endif

TBH_FN void tbh_os_birth_note(tbh_os_birth *birth) {
    if (!birth->page) birth->page = (volatile uint32_t *)tbh_posix_wiped_page();
    if (birth->page) *birth->page = 1;
    birth->process = (int64_t)getpid();
}

TBH_FN bool tbh_os_birth_is_elsewhere(const tbh_os_birth *birth) {
    if (birth->page) return *birth->page == 0;
    return birth->process != 0 && birth->process != (int64_t)getpid();
}

TBH_FN void tbh_os_birth_forget(tbh_os_birth *birth) {
    if (birth->page) tbh_posix_drop_page((void *)(uintptr_t)birth->page);
    birth->page = NULL;
}

/* ------------------------------------------------------------ files */
TBH_FN turbohttp_status tbh_os_file_open(const char *path, bool for_writing, tbh_file *out,
                                         uint64_t *length, int32_t *system_code) {
    struct stat about;
    int flags = for_writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
    int f = open(path, flags | O_CLOEXEC, 0666);
    *out = TBH_NO_FILE;
    *length = 0;
    if (f < 0) return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
    bool is_known = fstat(f, &about) == 0 && S_ISREG(about.st_mode);
    if (is_known && about.st_size > 0) *length = (uint64_t)about.st_size;
    if (!is_known) *length = UINT64_MAX;
    *out = f;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_os_file_get(tbh_file f, void *data, size_t room, size_t *got,
                                        int32_t *system_code) {
    ssize_t n;
    do n = read((int)f, data, room);
    while (n < 0 && errno == EINTR);
    *got = n > 0 ? (size_t)n : 0;
    if (n < 0) return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
    return n > 0 ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

TBH_FN turbohttp_status tbh_os_file_get_at(void *user, const char *path, uint64_t offset,
                                           void *data, size_t room, size_t *got) {
    tbh_file f;
    uint64_t length;
    int32_t code;
    (void)user;
    *got = 0;
    turbohttp_status status = tbh_os_file_open(path, false, &f, &length, &code);
    if (status != TURBOHTTP_OK) return status;
    bool is_there = lseek((int)f, (off_t)offset, SEEK_SET) >= 0;
    status = is_there ? tbh_os_file_get(f, data, room, got, &code) : TURBOHTTP_ERR_FILE;
    tbh_os_file_shut(f, &code);
    return status;
}

TBH_FN turbohttp_status tbh_os_file_put(tbh_file f, const void *data, size_t length,
                                        int32_t *system_code) {
    const uint8_t *at = (const uint8_t *)data;
    while (length > 0) {
        ssize_t n = write((int)f, at, length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
        at += n;
        length -= (size_t)n;
    }
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_os_file_shut(tbh_file f, int32_t *system_code) {
    if (f == TBH_NO_FILE || close((int)f) == 0) return TURBOHTTP_OK;
    return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
}
