/* What tests ask of the system: descriptors, counted or run out, and sockets of loopback, whose ports the
 * system chooses. Loopback delivers soon, not at once: who is to find something there waits for it. */
#ifndef TEST_SYSTEM_H
#define TEST_SYSTEM_H
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 }; /* for what comes in any case */

/* All that this process has open, and the one that looks. */
static inline int count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count;
}

/* Returns what to go back to. */
static inline struct rlimit allow_no_more_descriptors(void) {
    struct rlimit limit, less;
    int next = dup(1);
    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    less = limit;
    less.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &less);
    return limit;
}

/* A socket at *port, or where the system likes if that is 0; a stream listens. -1: the port is taken. */
static inline int open_on_loopback(int type, unsigned *port) {
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons((uint16_t)*port);
    if (bind(s, (struct sockaddr *)&name, sizeof name) != 0 || (type == SOCK_STREAM && listen(s, 8) != 0)) {
        close(s);
        return -1;
    }
    getsockname(s, (struct sockaddr *)&name, &length);
    *port = ntohs(name.sin_port);
    return s;
}

static inline bool is_ready(int s, short events, int patience_ms) {
    struct pollfd p;
    p.fd = s;
    p.events = events;
    return poll(&p, 1, patience_ms) > 0;
}

static inline bool is_there(int s) {
    return is_ready(s, POLLIN, 0);
}

static inline bool arrives(int s) {
    return is_ready(s, POLLIN, PATIENCE_MS);
}
#endif
