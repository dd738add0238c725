/* Responses in the user's hands: look-ups, the contiguous text, giving everything back.
 * Owns nothing itself; each response owns its segments, tables and one share of the heap.
 * Does not know: the client, which may be gone. */
#include "internal.h"

TURBOHTTP_API const char *turbohttp_response_header(const turbohttp_response *response,
                                                    const char *name) {
    size_t length = strlen(name);
    uint16_t id = tbh_header_id(name, length);
    for (uint32_t i = 0; i < response->header_count; i++) {
        const turbohttp_header *header = &response->headers[i];
        if (header->id != id || header->name_length != length) continue;
        if (id != TURBOHTTP_HEADER_OTHER || tbh_equal_nocase(header->name, name, length))
            return header->value;
    }
    return NULL;
}

TURBOHTTP_API const char *turbohttp_response_text(turbohttp_response *response) {
    tbh_heap *heap = (tbh_heap *)response->owned.heap;
    size_t n = response->body.length;
    if (response->owned.text) return (const char *)response->owned.text;
    if (!heap || n == 0 || n == SIZE_MAX) return "";
    char *text =
        (char *)turbohttp_byte_pool_rent(&heap->blocks, n + 1, &response->owned.text_bytes);
    if (!text) return "";
    turbohttp_sequence_copy_to(&response->body, text, n);
    text[n] = 0;
    response->owned.text = text;
    return text;
}

/* Values of a section lie one behind the other, with names between them. */
static void tbh_response_wipe_values(const turbohttp_header *rows, uint32_t count) {
    if (!count) return;
    const turbohttp_header *last = &rows[count - 1];
    char *first = (char *)(uintptr_t)rows[0].value;
    tbh_wipe(first, (size_t)(last->value + last->value_length - first));
}

/* The first segment holds the head, with whatever cookies it set. */
static void tbh_response_return_segments(tbh_heap *heap, turbohttp_response *response) {
    turbohttp_segment *segment = (turbohttp_segment *)response->owned.first;
    bool has_head = response->head_bytes && response->http_version < 20;
    if (segment && has_head && segment->data)
        tbh_wipe(tbh_segment_payload(segment),
                 (size_t)(segment->data - tbh_segment_payload(segment)));
    while (segment) {
        turbohttp_segment *next = segment->next;
        tbh_segment_return(&heap->blocks, segment);
        segment = next;
    }
}

TURBOHTTP_API void turbohttp_response_free(turbohttp_response *response) {
    tbh_heap *heap = response ? (tbh_heap *)response->owned.heap : NULL;
    if (!heap) return;
    if (response->http_version == 20)
        tbh_response_wipe_values(response->headers, response->header_count);
    tbh_response_wipe_values(response->trailers, response->trailer_count);
    tbh_response_return_segments(heap, response);
    turbohttp_byte_pool_return(&heap->blocks, response->owned.table, response->owned.table_bytes);
    turbohttp_byte_pool_return(&heap->blocks, response->owned.trailer_block,
                               response->owned.trailer_bytes);
    turbohttp_byte_pool_return(&heap->blocks, response->owned.text, response->owned.text_bytes);
    memset(&response->owned, 0, sizeof response->owned);
    memset(&response->body, 0, sizeof response->body);
    response->headers = response->trailers = NULL;
    response->header_count = response->trailer_count = 0;
    response->reason = tbh_span(NULL, 0);
    tbh_heap_drop(heap);
}

TURBOHTTP_API void turbohttp_response_detach(turbohttp_response *response,
                                             turbohttp_response *into) {
    *into = *response;
    memset(&response->owned, 0, sizeof response->owned);
    turbohttp_response_free(response);
}
