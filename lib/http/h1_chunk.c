/* Chunked bodies, as a machine of bytes for the little there is around the payload. */
#include "http/h1_parse.h"

#include "base/encode.h"

enum {
    SIZE_DIGITS_MAX = 16,
    EXTENSION_BYTES_MAX = 4096, /* of all chunks of a body together: nobody needs them */
    TRAILER_BYTES_MAX = 8192,
};

static enum h1_verdict bad(struct h1_chunk *chunk, int status, const char *text)
{
    chunk->status = status;
    chunk->text = text;
    return H1_BAD;
}

void h1_chunk_begin(struct h1_chunk *chunk, uint64_t body_bytes_max)
{
    *chunk = (struct h1_chunk){.room = body_bytes_max};
}

/* The size is complete: it is the next chunk's, or the end of the body when zero. */
static enum h1_verdict begin_data(struct h1_chunk *chunk)
{
    if (chunk->left > chunk->room)
        return bad(chunk, 413, "The body is too large");
    chunk->room -= chunk->left;
    chunk->digits = 0;
    chunk->state = chunk->left ? H1_CHUNK_DATA : H1_CHUNK_TRAILER;
    return H1_MORE;
}

static enum h1_verdict in_size(struct h1_chunk *chunk, char byte)
{
    int digit = decode_hex_digit(byte);
    if (digit >= 0) {
        if (++chunk->digits > SIZE_DIGITS_MAX)
            return bad(chunk, 400, "A chunk's size is too long");
        chunk->left = chunk->left << 4 | (uint64_t)digit;
        return H1_MORE;
    }
    if (chunk->digits == 0 || (byte != '\r' && byte != ';'))
        return bad(chunk, 400, "A chunk's size is not a hexadecimal number");
    chunk->state = byte == ';' ? H1_CHUNK_EXTENSION : H1_CHUNK_SIZE_LF;
    return H1_MORE;
}

static enum h1_verdict in_extension(struct h1_chunk *chunk, char byte)
{
    if (byte == '\r') {
        chunk->state = H1_CHUNK_SIZE_LF;
        return H1_MORE;
    }
    if (byte != '\t' && (byte < 0x20 || byte > 0x7e))
        return bad(chunk, 400, "A chunk's extension has a character that it must not have");
    if (++chunk->extension_bytes > EXTENSION_BYTES_MAX)
        return bad(chunk, 400, "The chunks' extensions are too long");
    return H1_MORE;
}

static enum h1_verdict in_trailer(struct h1_chunk *chunk, char byte)
{
    if (++chunk->trailer_bytes > TRAILER_BYTES_MAX)
        return bad(chunk, 431, "The trailers are too long");
    switch (chunk->state) {
    case H1_CHUNK_TRAILER:
        if (byte == '\r')
            chunk->state = H1_CHUNK_END_LF;
        else if (h1_is_token_char(byte))
            chunk->state = H1_CHUNK_TRAILER_NAME;
        else
            return bad(chunk, 400, "A trailer has no name");
        return H1_MORE;
    case H1_CHUNK_TRAILER_NAME:
        if (byte == ':')
            chunk->state = H1_CHUNK_TRAILER_VALUE;
        else if (!h1_is_token_char(byte))
            return bad(chunk, 400, "A trailer's name is not followed by a colon at once");
        return H1_MORE;
    default:
        if (byte == '\r')
            chunk->state = H1_CHUNK_TRAILER_LF;
        else if (!h1_is_field_value((struct str){&byte, 1}))
            return bad(chunk, 400, "A trailer's value has a control character");
        return H1_MORE;
    }
}

static enum h1_verdict expect(struct h1_chunk *chunk, char byte, char wanted,
                              enum h1_chunk_state next)
{
    if (byte != wanted)
        return bad(chunk, 400, "A line of a chunked body does not end in CR LF");
    chunk->state = next;
    return H1_MORE;
}

static enum h1_verdict take_byte(struct h1_chunk *chunk, char byte)
{
    switch (chunk->state) {
    case H1_CHUNK_SIZE:
        return in_size(chunk, byte);
    case H1_CHUNK_EXTENSION:
        return in_extension(chunk, byte);
    case H1_CHUNK_SIZE_LF:
        if (expect(chunk, byte, '\n', H1_CHUNK_DATA) == H1_BAD)
            return H1_BAD;
        return begin_data(chunk);
    case H1_CHUNK_DATA_CR:
        return expect(chunk, byte, '\r', H1_CHUNK_DATA_LF);
    case H1_CHUNK_DATA_LF:
        return expect(chunk, byte, '\n', H1_CHUNK_SIZE);
    case H1_CHUNK_TRAILER_LF:
        return expect(chunk, byte, '\n', H1_CHUNK_TRAILER);
    case H1_CHUNK_END_LF:
        if (expect(chunk, byte, '\n', H1_CHUNK_END) == H1_BAD)
            return H1_BAD;
        return H1_DONE;
    default:
        return in_trailer(chunk, byte);
    }
}

enum h1_verdict h1_chunk_next(struct h1_chunk *chunk, const char *data, size_t len, size_t *used,
                              struct str *piece)
{
    *piece = (struct str){data, 0};
    for (*used = 0; *used < len;) {
        if (chunk->state == H1_CHUNK_DATA) {
            size_t here = len - *used;
            piece->ptr = data + *used;
            piece->len = chunk->left < here ? (size_t)chunk->left : here;
            *used += piece->len;
            chunk->left -= piece->len;
            if (chunk->left == 0)
                chunk->state = H1_CHUNK_DATA_CR;
            return H1_MORE;
        }
        enum h1_verdict verdict = take_byte(chunk, data[(*used)++]);
        if (verdict != H1_MORE)
            return verdict;
    }
    return H1_MORE;
}
