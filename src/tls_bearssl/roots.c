/* Trusted certificates, read when they are needed.
 * Owns the index: eight bytes of a hash and a place for each certificate, 16 bytes in all, so that
 * a bundle of 150 costs 2.4 KB and a fraction of a millisecond. Decoded are only those that a chain
 * asks for by name. Sources: a file, a folder, memory; the system's bundle when none is given.
 * Invariant: what cannot be read is not trusted. Does not know: signatures, hosts. */
#include "roots.h"

#define TBH_ROOTS_WINDOW    16384u /* bytes of the source seen at once: the longest block */
#define TBH_ROOTS_MAX       10000u
#define TBH_ROOTS_FILE_MAX  (8u << 20)
#define TBH_ROOTS_PATH_ROOM 512

/* ------------------------------------------------------------ sources */
static const char *const tbh_roots_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
    "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    "/etc/ssl/cert.pem",                  /* macOS, BSD */
};

/* Bytes [offset, offset + room) of the source, as far as there are any. */
static size_t tbh_roots_get(const tbh_roots *roots, const char *path, uint64_t offset,
                            unsigned char *to, size_t room) {
    size_t got = 0, n = 0;
    const turbohttp_tls_options *o = roots->options;
    if (!path) {
        size_t left = offset < o->ca_bytes ? o->ca_bytes - (size_t)offset : 0;
        n = left < room ? left : room;
        if (n) memcpy(to, (const unsigned char *)o->ca_data + offset, n);
        return n;
    }
    if (!roots->host->file_get) return 0;
    while (n < room && roots->host->file_get(roots->host->user, path, offset + n, to + n, room - n,
                                             &got) == TURBOHTTP_OK)
        n += got;
    return n;
}

static void tbh_roots_hash(tbh_der subject, unsigned char hash[8]) {
    br_sha256_context sha;
    unsigned char whole[br_sha256_SIZE];
    br_sha256_init(&sha);
    br_sha256_update(&sha, subject.data, subject.length);
    br_sha256_out(&sha, whole);
    memcpy(hash, whole, 8);
}

/* ------------------------------------------------------------ the index */
static bool tbh_roots_grow(tbh_roots *roots) {
    uint32_t capacity = roots->capacity ? roots->capacity * 2 : 32;
    if (roots->count >= TBH_ROOTS_MAX) roots->is_too_large = true;
    if (roots->is_too_large) return false;
    if (roots->count < roots->capacity) return true;
    tbh_root *index = (tbh_root *)tbh_bear_allocate(roots->host, capacity * sizeof *index);
    if (!index) roots->is_starved = true;
    if (!index) return false;
    if (roots->count) memcpy(index, roots->index, roots->count * sizeof *index);
    tbh_bear_release(roots->host, roots->index, roots->capacity * sizeof *index);
    roots->index = index;
    roots->capacity = capacity;
    return true;
}

static bool tbh_roots_is_certificate(const tbh_pem *pem) {
    return pem->label_length == 0 || tbh_pem_is(pem, "CERTIFICATE") ||
           tbh_pem_is(pem, "X509 CERTIFICATE");
}

static void tbh_roots_add(tbh_roots *roots, const tbh_pem *pem, uint64_t base) {
    tbh_cert cert;
    size_t room = pem->content.length;
    if (!tbh_roots_is_certificate(pem) || room == 0) return;
    unsigned char *scratch = (unsigned char *)tbh_bear_allocate(roots->host, room);
    if (!scratch) roots->is_starved = true;
    if (!scratch) return;
    tbh_der der = {scratch, tbh_pem_decode(pem, scratch)};
    if (tbh_cert_read(&cert, der) && tbh_roots_grow(roots)) {
        tbh_root *root = &roots->index[roots->count++];
        tbh_roots_hash(cert.subject, root->subject_hash);
        root->offset = (uint32_t)(base + pem->begin);
        root->length = (uint32_t)(pem->end - pem->begin);
    }
    tbh_bear_release(roots->host, scratch, room);
}

/* Where the first block begins that is not whole, for the next look. */
static size_t tbh_roots_add_all(tbh_roots *roots, tbh_der in, uint64_t base) {
    tbh_pem pem;
    size_t at = 0, begin = 0;
    while (at < in.length && tbh_pem_find(in, at, &pem, &begin)) {
        tbh_roots_add(roots, &pem, base);
        begin = at = pem.end;
        while (at < in.length && (in.data[at] == '\n' || in.data[at] == '\r')) at++;
    }
    return begin;
}

/* Slides a window over the file; a block that does not fit into it is skipped. */
static turbohttp_status tbh_roots_scan_file(tbh_roots *roots, const char *path) {
    uint64_t base = 0;
    tbh_der in = {NULL, TBH_ROOTS_WINDOW};
    unsigned char *window = (unsigned char *)tbh_bear_allocate(roots->host, TBH_ROOTS_WINDOW);
    if (!window) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    in.data = window;
    if (tbh_roots_get(roots, path, TBH_ROOTS_FILE_MAX, window, 1)) roots->is_too_large = true;
    while (base < TBH_ROOTS_FILE_MAX && in.length == TBH_ROOTS_WINDOW) {
        in.length = tbh_roots_get(roots, path, base, window, TBH_ROOTS_WINDOW);
        size_t begin = tbh_roots_add_all(roots, in, base);
        base += begin > 0 ? begin : in.length;
    }
    tbh_bear_release(roots->host, window, TBH_ROOTS_WINDOW);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_roots_scan(tbh_roots *roots) {
    const turbohttp_tls_options *o = roots->options;
    turbohttp_status status = TURBOHTTP_OK;
    tbh_der memory = {(const unsigned char *)o->ca_data, o->ca_bytes};
    roots->path = o->ca_file;
    if (o->ca_file) return tbh_roots_scan_file(roots, o->ca_file);
    if (o->ca_data) tbh_roots_add_all(roots, memory, 0);
    if (o->ca_data || o->ca_path) return TURBOHTTP_OK;
    for (size_t i = 0; i < sizeof tbh_roots_bundles / sizeof tbh_roots_bundles[0]; i++) {
        roots->path = tbh_roots_bundles[i];
        status = tbh_roots_scan_file(roots, roots->path);
        if (status != TURBOHTTP_OK || roots->count) break;
    }
    return status;
}

/* Half of the roots would be a riddle: all, or an error. */
static turbohttp_status tbh_roots_refuse(tbh_roots *roots, turbohttp_error *error) {
    roots->count = 0;
    tbh_bear_say(error, TURBOHTTP_ERR_TLS_ROOTS,
                 "more than 10000 trusted certificates, or 8 MiB of them, in ",
                 roots->path ? roots->path : "tls.ca_data",
                 ": give a folder, tls.ca_path, or those that you need");
    return TURBOHTTP_ERR_TLS_ROOTS;
}

TBH_BEAR_FN turbohttp_status tbh_roots_load(tbh_roots *roots, turbohttp_error *error) {
    if (roots->is_loaded) return TURBOHTTP_OK;
    roots->is_starved = roots->is_too_large = false;
    turbohttp_status status = tbh_roots_scan(roots);
    if (roots->is_starved) {
        roots->count = 0;
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    if (status != TURBOHTTP_OK) return status;
    if (roots->is_too_large) return tbh_roots_refuse(roots, error);
    roots->is_loaded = roots->count > 0 || roots->options->ca_path;
    if (roots->is_loaded) return TURBOHTTP_OK;
    if (roots->options->ca_file)
        tbh_bear_say(error, TURBOHTTP_ERR_TLS_ROOTS, "no certificate could be read from ",
                     roots->options->ca_file, ": tls.ca_file must be PEM or DER");
    else
        tbh_bear_say(error, TURBOHTTP_ERR_TLS_ROOTS, "no trusted certificates were found: ",
                     "install the package ca-certificates, or set tls.ca_file", "");
    return TURBOHTTP_ERR_TLS_ROOTS;
}

TBH_BEAR_FN void tbh_roots_free(tbh_roots *roots) {
    tbh_bear_release(roots->host, roots->index, roots->capacity * sizeof *roots->index);
}

/* ------------------------------------------------------------ anchors */
static void tbh_anchors_add(tbh_anchors *anchors, const tbh_cert *cert) {
    br_x509_trust_anchor *anchor = &anchors->table[anchors->count];
    memset(anchor, 0, sizeof *anchor);
    if (!tbh_cert_key(cert, &anchor->pkey)) return;
    anchor->dn.data = (unsigned char *)(uintptr_t)cert->subject.data;
    anchor->dn.len = cert->subject.length;
    anchor->flags = cert->is_ca ? BR_X509_TA_CA : 0; /* else it is trusted as the server itself */
    anchors->count++;
}

/* Decodes the certificate that lies in a part of a source, and keeps it when it is the one. */
static void tbh_anchors_load(const tbh_roots *roots, const char *path, uint32_t offset,
                             uint32_t length, tbh_der subject, tbh_anchors *anchors) {
    tbh_pem pem;
    tbh_cert cert;
    size_t begin, bytes = sizeof(tbh_anchor) + 2 * (size_t)length;
    if (anchors->count >= TBH_ANCHORS_MAX) return;
    tbh_anchor *anchor = (tbh_anchor *)tbh_bear_allocate(roots->host, bytes);
    anchors->is_starved = anchors->is_starved || !anchor;
    if (!anchor) return;
    anchor->bytes = bytes;
    unsigned char *der_bytes = (unsigned char *)(anchor + 1);
    tbh_der in = {der_bytes + length, 0}, der = {der_bytes, 0};
    in.length = tbh_roots_get(roots, path, offset, der_bytes + length, length);
    if (tbh_pem_find(in, 0, &pem, &begin)) der.length = tbh_pem_decode(&pem, der_bytes);
    if (!tbh_cert_read(&cert, der) || !tbh_der_equal(cert.subject, subject)) {
        tbh_bear_release(roots->host, anchor, bytes);
        return;
    }
    tbh_anchors_add(anchors, &cert);
    anchor->next = anchors->first;
    anchors->first = anchor;
}

/* ------------------------------------------------------------ a folder, by OpenSSL's hash */
/* The hash is SHA-1 over the name with its strings in UTF-8, lower case, and without needless
 * blanks; the file is "<hash>.<number>". */
static size_t tbh_roots_canonical(tbh_der text, unsigned char canonical[128]) {
    size_t n = 2, from = 0, to = text.length;
    while (from < to && text.data[from] == ' ') from++;
    while (to > from && text.data[to - 1] == ' ') to--;
    for (; from < to && n < 128; from++) {
        unsigned char c = text.data[from];
        if (c == ' ' && text.data[from - 1] == ' ') continue;
        canonical[n++] = (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    canonical[0] = 0x0c; /* UTF8String */
    canonical[1] = (unsigned char)(n - 2);
    return n;
}

static void tbh_roots_hash_set(br_sha1_context *sha, tbh_der set) {
    tbh_der attribute, oid, value, whole_oid;
    unsigned tag;
    while (tbh_der_take(&set, TBH_DER_SEQUENCE, &attribute)) {
        if (!tbh_der_next(&attribute, &tag, &oid, &whole_oid)) return;
        if (!tbh_der_next(&attribute, &tag, &value, NULL) || value.length > 120) return;
        unsigned char canonical[128];
        size_t n = tbh_roots_canonical(value, canonical), inner = whole_oid.length + n;
        if (inner + 2 > 127) return;
        unsigned char head[4] = {TBH_DER_SET, (unsigned char)(inner + 2), TBH_DER_SEQUENCE,
                                 (unsigned char)inner};
        br_sha1_update(sha, head, 4);
        br_sha1_update(sha, whole_oid.data, whole_oid.length);
        br_sha1_update(sha, canonical, n);
    }
}

static uint32_t tbh_roots_folder_hash(tbh_der subject) {
    br_sha1_context sha;
    unsigned char out[br_sha1_SIZE];
    tbh_der names, set;
    br_sha1_init(&sha);
    if (!tbh_der_take(&subject, TBH_DER_SEQUENCE, &names)) return 0;
    while (tbh_der_take(&names, TBH_DER_SET, &set)) tbh_roots_hash_set(&sha, set);
    br_sha1_out(&sha, out);
    return (uint32_t)out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16 |
           (uint32_t)out[3] << 24;
}

static void tbh_roots_find_in_folder(const tbh_roots *roots, tbh_der subject,
                                     tbh_anchors *anchors) {
    char path[TBH_ROOTS_PATH_ROOM];
    size_t n = strlen(roots->options->ca_path);
    uint32_t hash = tbh_roots_folder_hash(subject);
    unsigned before;
    if (n + 12 > sizeof path) return;
    memcpy(path, roots->options->ca_path, n);
    path[n++] = '/';
    for (int i = 0; i < 8; i++) path[n++] = "0123456789abcdef"[hash >> (28 - 4 * i) & 15];
    path[n++] = '.';
    path[n + 1] = 0;
    for (char number = '0'; number <= '9'; number++) {
        path[n] = number;
        before = anchors->count;
        tbh_anchors_load(roots, path, 0, TBH_ROOTS_WINDOW, subject, anchors);
        if (anchors->count == before) return;
    }
}

TBH_BEAR_FN void tbh_roots_find(const tbh_roots *roots, tbh_der subject, tbh_anchors *anchors) {
    unsigned char hash[8];
    tbh_roots_hash(subject, hash);
    for (uint32_t i = 0; i < roots->count; i++) {
        const tbh_root *root = &roots->index[i];
        if (memcmp(root->subject_hash, hash, 8) == 0)
            tbh_anchors_load(roots, roots->path, root->offset, root->length, subject, anchors);
    }
    if (roots->options->ca_path) tbh_roots_find_in_folder(roots, subject, anchors);
}

TBH_BEAR_FN void tbh_anchors_free(const tbh_roots *roots, tbh_anchors *anchors) {
    while (anchors->first) {
        tbh_anchor *anchor = anchors->first;
        anchors->first = anchor->next;
        tbh_bear_release(roots->host, anchor, anchor->bytes);
    }
    anchors->count = 0;
}
