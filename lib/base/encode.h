/* Bytes as text and back: hex, base64 (RFC 4648), percent-encoding (RFC 3986). */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hex. */
void encode_hex(struct buf *out, struct str bytes);

/* Either case; false when not an even number of hex digits. Writes text.len / 2 bytes to `to`. */
bool decode_hex(struct str text, uint8_t *to);

/* Value of one hex digit, or -1. */
int decode_hex_digit(char digit);

/* With padding, alphabet of RFC 4648 section 4. */
void encode_base64(struct buf *out, struct str bytes);

/* Without padding, URL-safe alphabet of section 5. */
void encode_base64url(struct buf *out, struct str bytes);

/*
 * Accepts both alphabets, with or without padding. False on any other byte, on a length that
 * cannot be, or on bits left over that are not zero when `strict`.
 */
bool decode_base64(struct buf *out, struct str text, bool strict);

/*
 * Only the URL-safe alphabet without padding, and only the one spelling that the bytes have: what
 * is signed or compared must not be writable in two ways.
 */
bool decode_base64url(struct buf *out, struct str text);

/* Everything but RFC 3986's unreserved characters becomes %XX. */
void encode_percent(struct buf *out, struct str bytes);

/* %XX to bytes; `plus_is_space` for query strings. False on a malformed escape. */
bool decode_percent(struct buf *out, struct str text, bool plus_is_space);
