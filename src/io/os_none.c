/* No system at all: firmware with a transport, a clock and memory of its own. What needs a system
 * answers ERR_UNSUPPORTED; nothing here is reached when the client has a transport.
 * Owns nothing. */
#include "stream.h"

#if !TBH_SOCKETS
TBH_FN turbohttp_status tbh_os_file_open(const char *path, bool for_writing, tbh_file *out,
                                         uint64_t *length, int32_t *system_code) {
    (void)path, (void)for_writing;
    *out = TBH_NO_FILE;
    *length = 0;
    *system_code = 0;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_os_file_get(tbh_file f, void *data, size_t room, size_t *got,
                                        int32_t *system_code) {
    (void)f, (void)data, (void)room, (void)got, (void)system_code;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_os_file_put(tbh_file f, const void *data, size_t length,
                                        int32_t *system_code) {
    (void)f, (void)data, (void)length, (void)system_code;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_os_file_shut(tbh_file f, int32_t *system_code) {
    (void)f, (void)system_code;
    return TURBOHTTP_OK;
}

TBH_FN void tbh_os_describe(int32_t system_code, char *text, size_t room) {
    size_t n = room > 20 ? tbh_format_u64(text, (uint32_t)system_code) : 0;
    if (room) text[n] = 0;
}

TBH_FN turbohttp_status tbh_stream_socket_begin(tbh_stream *stream, const tbh_dial_target *target,
                                                turbohttp_error *error) {
    (void)stream, (void)target;
    return tbh_error_set(error, TURBOHTTP_ERR_UNSUPPORTED, TURBOHTTP_PHASE_CONNECT);
}

TBH_FN turbohttp_status tbh_stream_socket_step(tbh_stream *stream, turbohttp_error *error) {
    (void)stream, (void)error;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_stream_socket_send(tbh_stream *stream, const void *data, size_t length,
                                               size_t *sent) {
    (void)stream, (void)data, (void)length, (void)sent;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_stream_socket_receive(tbh_stream *stream, void *data, size_t room,
                                                  size_t *received) {
    (void)stream, (void)data, (void)room, (void)received;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_wire_receive_wait(tbh_stream *stream, void *data, size_t room,
                                              size_t *received) {
    return tbh_stream_socket_receive(stream, data, room, received);
}

TBH_FN uint64_t tbh_stream_socket_deadline(const tbh_stream *stream) {
    (void)stream;
    return UINT64_MAX;
}

TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants) {
    (void)stream, (void)wants;
}

TBH_FN void tbh_stream_socket_shut(tbh_stream *stream) {
    (void)stream;
}
#endif
