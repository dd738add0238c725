/* HTTP/2 header blocks that come in: fields become a table of C strings (RFC 9113 §8, RFC 7541).
 *
 * Owns the block's section until a stream gets it, and the decoder's scratch while it is lent.
 * Invariants: every block is decoded to its end, also one that nobody wants, for the peer's table
 * goes on with it (§4.3); what breaks a rule never reaches the user (S-48); texts grow with what was
 * decoded, up to limits.head_bytes.
 * Does not know: frames, states. */
#include "conn_h2.h"

enum { TBH_MUX_TEXT_GUESS = 1000 };

/* ------------------------------------------------------------ the section */
static size_t tbh_mux_table_bytes(const tbh_mux *h) {
    return h->limits->header_count * sizeof(turbohttp_header);
}

static const char *tbh_mux_texts(const tbh_mux *h, const tbh_mux_section *section) {
    return (const char *)section->table + tbh_mux_table_bytes(h);
}

/* Moves the texts to a block with room for `wanted` of them; the rows follow. */
static bool tbh_mux_section_grow(tbh_mux *h, tbh_mux_section *section, size_t wanted) {
    tbh_mux_section old = *section;
    size_t table = tbh_mux_table_bytes(h), used = 0;
    section->table =
        (turbohttp_header *)turbohttp_byte_pool_rent(h->pool, table + wanted, &section->bytes);
    if (!section->table) {
        *section = old;
        return false;
    }
    section->text = (char *)section->table + table;
    if (old.table) {
        const char *from = tbh_mux_texts(h, &old);
        used = (size_t)(old.text - from);
        memcpy(section->text, from, used);
        for (uint32_t i = 0; i < section->count; i++) {
            turbohttp_header *row = &section->table[i];
            *row = old.table[i];
            bool is_ours = (uintptr_t)row->name - (uintptr_t)from < used; /* or static */
            if (is_ours) row->name = section->text + (row->name - from);
            row->value = section->text + (row->value - from);
        }
        tbh_wipe(old.table, old.bytes); /* it may hold cookies (RELIABILITY 3.6) */
        turbohttp_byte_pool_return(h->pool, old.table, old.bytes);
    }
    section->text += used;
    section->room = section->bytes - table - used;
    return true;
}

static TBH_NOINLINE bool tbh_mux_section_widen(tbh_mux *h, tbh_mux_section *section, size_t n) {
    size_t used = section->table ? (size_t)(section->text - tbh_mux_texts(h, section)) : 0;
    size_t wanted = section->table ? (used + n) * 2 : tbh_max_size(n, TBH_MUX_TEXT_GUESS);
    return tbh_mux_section_grow(h, section, wanted);
}

static char *tbh_mux_put_text(char *to, turbohttp_span text) {
    if (text.length) memcpy(to, text.data, text.length);
    to[text.length] = 0;
    return to + text.length + 1;
}

/* Adds a row; there is room for it and its texts. Names of the static table need none. */
static turbohttp_header *tbh_mux_section_add(tbh_mux_section *section,
                                             const turbohttp_hpack_field *field, uint32_t note) {
    uint32_t index = TBH_H2_NOTE_NAME(note);
    turbohttp_header *row = &section->table[section->count++];
    char *text = section->text;
    row->name = index ? tbh_hpack_static_row_at(index).name : text;
    row->name_length = (uint16_t)field->name.length;
    row->value_length = (uint32_t)field->value.length;
    row->id = TBH_H2_NOTE_ID(note);
    if (!index) text = tbh_mux_put_text(text, field->name);
    row->value = text;
    text = tbh_mux_put_text(text, field->value);
    section->room -= (size_t)(text - section->text);
    section->text = text;
    return row;
}

/* ------------------------------------------------------------ fields that frame the message */
/* Equal values count as one (RFC 9110 §8.6). */
static turbohttp_status tbh_mux_content_length(tbh_mux_block *block, turbohttp_span value) {
    uint64_t n;
    if (!tbh_parse_u64(value.data, value.length, INT64_MAX, &n))
        return TURBOHTTP_ERR_CONTENT_LENGTH;
    if (block->has_content_length && n != block->content_length)
        return TURBOHTTP_ERR_CONTENT_LENGTH;
    block->has_content_length = true;
    block->content_length = n;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_mux_note(tbh_mux_block *block, const turbohttp_header *row) {
    bool is_length = row->id == TURBOHTTP_HEADER_CONTENT_LENGTH;
    if (!is_length && row->id != TURBOHTTP_HEADER_CONTENT_ENCODING) return TURBOHTTP_OK;
    if (block->fields.section != TURBOHTTP_H2_RESPONSE) return TURBOHTTP_OK;
    turbohttp_span value = tbh_span(row->value, row->value_length);
    if (is_length) return tbh_mux_content_length(block, value);
    block->coding = tbh_content_coding(block->coding, value);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_mux_keep_field(tbh_mux *h, const turbohttp_hpack_field *field) {
    tbh_mux_block *block = &h->head;
    tbh_mux_section *section = &block->section;
    size_t n = field->name.length + field->value.length + 2;
    uint32_t note;
    turbohttp_status status = tbh_h2_fields_check_row(&block->fields, field, h->decoder.row, &note);
    if (status != TURBOHTTP_OK || !note) return status;
    if (section->count == h->limits->header_count) return TURBOHTTP_ERR_TOO_MANY_HEADERS;
    if (field->name.length > UINT16_MAX || n > h->limits->line_bytes)
        return TURBOHTTP_ERR_LINE_TOO_LONG;
    if (n > section->room && !tbh_mux_section_widen(h, section, n))
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    block->text_bytes += (uint32_t)n;
    return tbh_mux_note(block, tbh_mux_section_add(section, field, note));
}

/* ------------------------------------------------------------ the block */
/* Scratch is lent while there is something to read: an idle connection needs none. */
static void tbh_mux_lend_scratch(tbh_mux *h) {
    turbohttp_hpack_decoder *decoder = &h->decoder;
    if (decoder->scratch) return;
    decoder->scratch = (uint8_t *)turbohttp_byte_pool_rent(
        h->pool, tbh_max_size(h->limits->line_bytes, decoder->table.capacity), &h->scratch_bytes);
    decoder->scratch_bytes = decoder->scratch ? h->scratch_bytes : 0;
    if (!decoder->scratch)
        tbh_mux_fail(h, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_H2_INTERNAL_ERROR);
}

TBH_FN void tbh_mux_return_scratch(tbh_mux *h) {
    turbohttp_hpack_decoder *decoder = &h->decoder;
    if (!decoder->scratch || h->is_in_block) return;
    tbh_wipe(decoder->scratch, tbh_max_size(decoder->scratch_most, decoder->scratch_used));
    turbohttp_byte_pool_return(h->pool, decoder->scratch, h->scratch_bytes);
    decoder->scratch = NULL;
    decoder->scratch_bytes = decoder->scratch_most = decoder->scratch_used = 0;
}

TBH_FN void tbh_mux_block_begin(tbh_mux *h, bool ends) {
    tbh_mux_block *block = &h->head;
    bool has_head = h->reading && h->reading->has_head;
    block->ends = ends;
    block->status = h->reading ? TURBOHTTP_OK : TURBOHTTP_DONE; /* nobody wants it */
    block->coding = TURBOHTTP_CODING_IDENTITY;
    block->has_content_length = false;
    block->text_bytes = 0;
    turbohttp_h2_fields_init(&block->fields,
                             has_head ? TURBOHTTP_H2_TRAILERS : TURBOHTTP_H2_RESPONSE);
    tbh_mux_lend_scratch(h);
    h->is_in_block = true;
}

TBH_FN void tbh_mux_block_bytes(tbh_mux *h, turbohttp_span bytes) {
    const uint8_t *in = (const uint8_t *)bytes.data;
    size_t n = bytes.length;
    turbohttp_hpack_field field;
    turbohttp_status status;
    while ((status = turbohttp_hpack_decode(&h->decoder, &in, &n, &field)) == TURBOHTTP_OK)
        if (h->head.status == TURBOHTTP_OK) h->head.status = tbh_mux_keep_field(h, &field);
    if (status == TURBOHTTP_ERR_HPACK) tbh_mux_fail(h, status, TURBOHTTP_H2_COMPRESSION_ERROR);
    else if (status < 0 && h->head.status == TURBOHTTP_OK) h->head.status = status;
}

/* §8.3.2, §8.6: interim heads are told and forgotten; their number is limited. */
static void tbh_mux_on_interim(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    if (++stream->interims > h->limits->interim_count) {
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_TOO_MANY_INTERIM,
                             TURBOHTTP_H2_ENHANCE_YOUR_CALM);
        return;
    }
    if (h->head.fields.status == 100) tbh_mux_continue(stream);
    stream->status = h->head.fields.status;
    event->kind = TBH_MUX_INTERIM;
    event->stream = stream;
}

static void tbh_mux_on_final(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    const tbh_mux_block *block = &h->head;
    uint16_t status = block->fields.status;
    bool is_bodiless = stream->is_head || status == 204 || status == 304; /* RFC 9110 §6.4.1 */
    stream->has_head = true;
    stream->status = status;
    stream->coding = block->coding;
    stream->has_expected = is_bodiless || block->has_content_length;
    stream->expected = is_bodiless ? 0 : block->content_length;
    stream->head = block->section;
    stream->head_bytes = block->text_bytes;
    memset(&h->head.section, 0, sizeof h->head.section);
    event->kind = TBH_MUX_HEAD;
    event->stream = stream;
}

static void tbh_mux_on_trailers(tbh_mux *h) {
    h->reading->trailer = h->head.section;
    memset(&h->head.section, 0, sizeof h->head.section);
}

static tbh_mux_input tbh_mux_classify(const tbh_mux_block *block) {
    bool is_interim = block->fields.status >= 100 && block->fields.status < 200;
    if (is_interim) return block->ends ? TBH_MUX_IN_INTERIM_END : TBH_MUX_IN_INTERIM;
    return block->ends ? TBH_MUX_IN_HEAD_END : TBH_MUX_IN_HEAD;
}

/* Which code a fault is told with: sizes are ours to limit, the rest is against the rules. */
static uint32_t tbh_mux_code_of(turbohttp_status status) {
    bool is_limit = status == TURBOHTTP_ERR_HEAD_TOO_LARGE ||
                    status == TURBOHTTP_ERR_TOO_MANY_HEADERS ||
                    status == TURBOHTTP_ERR_LINE_TOO_LONG;
    if (status == TURBOHTTP_ERR_OUT_OF_MEMORY) return TURBOHTTP_H2_INTERNAL_ERROR;
    return is_limit ? TURBOHTTP_H2_CANCEL : TURBOHTTP_H2_PROTOCOL_ERROR;
}

static void tbh_mux_take_block(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    tbh_mux_block *block = &h->head;
    bool had_head = stream->has_head;
    stream->field_bytes += block->text_bytes;
    if (stream->field_bytes > h->limits->head_bytes) block->status = TURBOHTTP_ERR_HEAD_TOO_LARGE;
    if (block->status == TURBOHTTP_OK) block->status = turbohttp_h2_fields_end(&block->fields);
    if (block->status != TURBOHTTP_OK) {
        tbh_mux_reset_stream(stream, block->status, tbh_mux_code_of(block->status));
        return;
    }
    tbh_mux_input input = tbh_mux_classify(block);
    uint32_t code = tbh_mux_step(stream, input);
    if (code) {
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, code);
        return;
    }
    if (input == TBH_MUX_IN_INTERIM) tbh_mux_on_interim(h, event);
    else if (had_head) tbh_mux_on_trailers(h);
    else tbh_mux_on_final(h, event);
    if (input == TBH_MUX_IN_HEAD_END) tbh_mux_end_received(stream);
}

TBH_FN void tbh_mux_block_end(tbh_mux *h, tbh_mux_event *event) {
    turbohttp_status status = turbohttp_hpack_decode_end(&h->decoder);
    h->is_in_block = false;
    if (status == TURBOHTTP_ERR_HPACK) {
        tbh_mux_fail(h, status, TURBOHTTP_H2_COMPRESSION_ERROR);
        return;
    }
    if (status < 0 && h->head.status == TURBOHTTP_OK) h->head.status = status;
    if (h->reading && h->reading->state != TBH_MUX_CLOSED) tbh_mux_take_block(h, event);
    h->reading = NULL;
    if (h->head.section.table) tbh_mux_section_drop(h->pool, &h->head.section);
}
