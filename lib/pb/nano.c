/* nanopb's streams over memory. */
#include "pb/nano.h"

#include <pb_decode.h>
#include <pb_encode.h>

bool nano_encode(struct buf *out, const pb_msgdesc_t *type, const void *message)
{
    size_t size;
    if (!pb_get_encoded_size(&size, type, message))
        return false;
    char *to = buf_reserve(out, size);
    if (!to)
        return false;
    pb_ostream_t stream = pb_ostream_from_buffer((pb_byte_t *)to, size);
    if (!pb_encode(&stream, type, message))
        return false;
    out->len += size;
    return true;
}

bool nano_decode(struct str bytes, const pb_msgdesc_t *type, void *message, const char **reason)
{
    pb_istream_t stream = pb_istream_from_buffer((const pb_byte_t *)bytes.ptr, bytes.len);
    bool ok = pb_decode(&stream, type, message);
    *reason = ok ? "" : PB_GET_ERROR(&stream);
    return ok;
}
