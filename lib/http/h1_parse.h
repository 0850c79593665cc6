/*
 * The HTTP/1.x request parser (RFC 9112): pure functions over bytes that are in memory. It
 * allocates nothing, knows no socket and no clock, and what it says depends on the bytes alone,
 * never on how they were cut into pieces.
 *
 * It is strict on purpose: a request that another reader could take apart differently (smuggling)
 * is refused, even where the RFC would let a server guess.
 */
#pragma once
#include "base/str.h"
#include "http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h1_verdict {
    H1_MORE, /* the bytes end before the element does */
    H1_DONE,
    H1_BAD, /* `status` and `text` say why; nothing more is to be read from this connection */
};

struct h1_limits {
    size_t target_bytes; /* beyond, 414 */
    size_t header_bytes; /* request line and headers: beyond, 431 */
};

/* A place in the bytes of the head, which may move in memory while it is incomplete. */
struct h1_span {
    uint32_t at, len;
};

struct h1_field {
    struct h1_span name, value;
};

enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED };

struct h1_head {
    /* How far it has been read; h1_head_begin sets them. */
    uint32_t line_at, scan_at;
    bool blank;        /* the one empty line that may come first was there */
    bool fields_begun; /* the request line is complete */

    /* Known when H1_DONE. */
    uint32_t size; /* bytes of the head; the body begins behind them */
    struct h1_span method, target, path, query, host;
    bool path_is_root; /* an absolute-form target without a path: take "/" ("*" for OPTIONS) */
    int minor_version; /* 0 or 1 */
    enum h1_framing framing;
    uint64_t content_length;
    bool close;           /* the connection ends with this request */
    bool keep_alive;      /* HTTP/1.0 with `Connection: keep-alive` */
    bool expect_continue; /* the client waits for `100 Continue` */
    uint32_t field_count;

    /* Set when H1_BAD. */
    int status;
    const char *text;

    /* What the fields have said so far. */
    uint32_t hosts, lengths, encodings;
    bool expects, length_bad, length_huge, encoding_other, connection_keep_alive, connection_close;
    bool expect_other;
    struct h1_span host_field;

    struct h1_field fields[HTTP_HEADERS_MAX];
};

/* Makes ready for a new head; `fields` beyond field_count stay as they are. */
void h1_head_begin(struct h1_head *head);

/*
 * Reads on. `data` is the whole head so far, from its first byte, each time with the same bytes as
 * before and perhaps more behind them. No byte is looked at more than a few times, however small
 * the steps.
 */
enum h1_verdict h1_head_parse(struct h1_head *head, const char *data, size_t len,
                              const struct h1_limits *limits);

/* True when nothing has come yet but perhaps the empty line that may come first. */
bool h1_head_is_blank(const struct h1_head *head, size_t len);

/* Splits the target into path, query and host (RFC 9112 section 3.2). False sets status, text. */
bool h1_target_split(struct h1_head *head, const char *data);

/* True for `uri-host [":" port]` (RFC 9110 section 7.2), the empty one too. */
bool h1_host_is_valid(struct str host);

/* True for a name of token characters (RFC 9110 section 5.6.2), at least one. */
bool h1_is_token(struct str text);
bool h1_is_token_char(char byte);

/* True for characters that a request target may have, at least one. */
bool h1_is_target(struct str text);

/* True without control characters but tab (RFC 9110 section 5.5). */
bool h1_is_field_value(struct str text);

/* --- chunked bodies (RFC 9112 section 7.1) --- */

enum h1_chunk_state {
    H1_CHUNK_SIZE,
    H1_CHUNK_EXTENSION,
    H1_CHUNK_SIZE_LF,
    H1_CHUNK_DATA,
    H1_CHUNK_DATA_CR,
    H1_CHUNK_DATA_LF,
    H1_CHUNK_TRAILER, /* at the beginning of a line */
    H1_CHUNK_TRAILER_NAME,
    H1_CHUNK_TRAILER_VALUE,
    H1_CHUNK_TRAILER_LF,
    H1_CHUNK_END_LF,
    H1_CHUNK_END,
};

struct h1_chunk {
    enum h1_chunk_state state;
    uint64_t left;                           /* of the current chunk */
    uint64_t room;                           /* payload that may still come; beyond, 413 */
    uint32_t digits;                         /* of the current size */
    uint32_t extension_bytes, trailer_bytes; /* so far, of the whole body */
    int status;
    const char *text;
};

void h1_chunk_begin(struct h1_chunk *chunk, uint64_t body_bytes_max);

/*
 * Reads on from `data`: *used says how much of it was taken, *piece is payload (a part of `data`)
 * or empty. Call again with what is left while H1_MORE and *used was less than `len`. Extensions
 * and trailers are read, checked, bounded and dropped.
 */
enum h1_verdict h1_chunk_next(struct h1_chunk *chunk, const char *data, size_t len, size_t *used,
                              struct str *piece);
