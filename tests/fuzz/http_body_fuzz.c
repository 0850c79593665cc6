/* Any bytes as an answer that is no JSON: refused, or with a content type that may be a header. */
#include "gateway/http_body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool taken_as(const struct schema_field *field, struct str wire, struct str *content_type,
                     struct str *bytes)
{
    if (!http_body_take(field, wire, content_type, bytes))
        return false;
    for (size_t i = 0; i < content_type->len; i++)
        if (content_type->ptr[i] < ' ' || content_type->ptr[i] > '~')
            abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct schema_field FIELD = {.number = 7, .type = SCHEMA_MESSAGE};
    struct str wire = {(const char *)data, size}, type, bytes, type_again, bytes_again;
    struct buf again;
    (void)taken_as(&FIELD, wire, &type, &bytes);
    if (!taken_as(NULL, wire, &type, &bytes))
        return 0;
    buf_init(&again, SIZE_MAX / 2);
    http_body_put(&again, type, bytes);
    if (!taken_as(NULL, buf_str(&again), &type_again, &bytes_again) || !str_eq(type, type_again) ||
        !str_eq(bytes, bytes_again))
        abort();
    buf_clear(&again);
    return 0;
}
