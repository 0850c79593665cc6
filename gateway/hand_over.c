/* omnidata.api.v1.Caller, written as wire records: proto/omnidata/api/v1/caller.proto. */
#include "gateway/hand_over.h"

#include "gateway/wire.h"

enum { ISSUER = 1, SUBJECT = 2, SCOPES = 3, KEY_ID = 4, ADDRESS = 5, REQUEST_ID = 6 };

/* The services refuse more metadata than this anyway. */
enum { CALLER_BYTES_MAX = 12 * 1024 };

static void add_text(struct buf *out, uint32_t number, struct str text)
{
    if (text.len)
        wire_put_bytes(out, number, text);
}

static struct str encode_caller(const struct request *request)
{
    const struct caller *caller = &request->caller;
    struct buf out;
    buf_init_arena(&out, request->arena, CALLER_BYTES_MAX);
    add_text(&out, ISSUER, caller->issuer);
    add_text(&out, SUBJECT, caller->subject);
    add_text(&out, KEY_ID, caller->key_id);
    add_text(&out, ADDRESS, caller->address);
    add_text(&out, REQUEST_ID, str_of(request->id));
    /* Last: a token with more scopes than there is room for means less is allowed, never more. */
    for (size_t i = 0; i < caller->scope_count; i++)
        add_text(&out, SCOPES, caller->scopes[i]);
    return buf_str(&out);
}

size_t hand_over(struct request *request, struct rpc_metadata metadata[REQUEST_METADATA_MAX])
{
    size_t count = 0;
    metadata[count++] = (struct rpc_metadata){STR("traceparent"), str_of(request->traceparent)};
    metadata[count++] = (struct rpc_metadata){STR("x-request-id"), str_of(request->id)};
    metadata[count++] = (struct rpc_metadata){STR("omni-caller-bin"), encode_caller(request)};
    return count;
}
