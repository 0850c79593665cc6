/* What h2.c (requests) and h2_write.c (answers) share. */
#pragma once
#include "http/h2.h"
#include "http/loop.h"

#include <nghttp2/nghttp2.h>

struct h2 {
    nghttp2_session *session;
    struct http_exchange *streams; /* all that are open, by `next` */
    uint32_t stream_count;
    int32_t last_stream;       /* the highest that the client has begun */
    int32_t begun;             /* how many it has */
    int64_t budget, budget_ms; /* for frames that do no work, as of then */
    uint64_t updates_owed;     /* by the client, for what it has been sent */
    bool heading;              /* a header block has begun and is not complete */
    bool flooded;
    bool goaway, last_goaway; /* said that the end is near, which request is the last */
    struct buf out;           /* frames on their way to the socket */
    size_t out_at;
};

static inline struct http_exchange *h2_exchange(struct h2 *h2, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(h2->session, stream_id);
}
