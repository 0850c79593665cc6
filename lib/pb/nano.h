/* nanopb with this project's buffers: messages are fixed-size structs, nothing is allocated. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <pb.h>
#include <stdbool.h>

/* Appends the encoding of the struct; false when it does not fit the buffer's maximum. */
bool nano_encode(struct buf *out, const pb_msgdesc_t *type, const void *message);

/*
 * Fills the struct (zeroed first). False when the bytes are no such message or a text is longer
 * than its field; *reason then says why, in static memory.
 */
bool nano_decode(struct str bytes, const pb_msgdesc_t *type, void *message, const char **reason);
