/*
 * Feeds a byte stream to the parser in pieces, as a connection would, and writes down as text what
 * it saw: requests with their parts and bodies, then why it stopped. Two ways of cutting the same
 * bytes must give the same text. Each piece ends where its memory ends, so that a sanitizer sees
 * a read beyond.
 */
#pragma once
#include "base/alloc.h"
#include "base/buf.h"
#include "http/h1_parse.h"

#include <string.h>

struct feed {
    const char *bytes;
    size_t len;
    struct h1_limits limits;
    uint64_t body_bytes_max;
    struct buf *out;

    size_t from; /* where the current element begins: a head, or what is left of a body */
    enum { FEED_HEAD, FEED_LENGTH, FEED_CHUNKS, FEED_BAD } at;
    struct h1_head *head;
    uint64_t left;
    struct h1_chunk chunk;
};

static inline void feed_span(struct feed *feed, const char *name, const char *data,
                             struct h1_span span)
{
    buf_addf(feed->out, " %s=", name);
    buf_add_mem(feed->out, data + span.at, span.len);
}

static inline void feed_head_done(struct feed *feed, const char *data)
{
    const struct h1_head *head = feed->head;
    feed_span(feed, "method", data, head->method);
    feed_span(feed, "path", data, head->path);
    feed_span(feed, "query", data, head->query);
    feed_span(feed, "host", data, head->host);
    buf_addf(feed->out, " minor=%d fields=%u close=%d keep=%d expect=%d", head->minor_version,
             head->field_count, head->close, head->keep_alive, head->expect_continue);
    for (uint32_t i = 0; i < head->field_count; i++) {
        feed_span(feed, "name", data, head->fields[i].name);
        feed_span(feed, "value", data, head->fields[i].value);
    }
    buf_add_cstr(feed->out, " body=");
    feed->at = head->framing == H1_CHUNKED  ? FEED_CHUNKS
               : head->framing == H1_LENGTH ? FEED_LENGTH
                                            : FEED_HEAD;
    feed->left = head->content_length;
    h1_chunk_begin(&feed->chunk, feed->body_bytes_max);
    feed->from += head->size;
    h1_head_begin(feed->head);
    if (feed->at == FEED_HEAD)
        buf_add_char(feed->out, '\n');
}

static inline bool feed_bad(struct feed *feed, int status, const char *text)
{
    feed->at = FEED_BAD;
    buf_addf(feed->out, " bad=%d %s\n", status, text);
    return false;
}

/* True when there may be more to see in the same bytes. */
static inline bool feed_step(struct feed *feed, const char *data, size_t len)
{
    size_t used = 0;
    struct str piece;
    if (feed->at == FEED_HEAD) {
        switch (h1_head_parse(feed->head, data, len, &feed->limits)) {
        case H1_DONE:
            feed_head_done(feed, data);
            return true;
        case H1_BAD:
            return feed_bad(feed, feed->head->status, feed->head->text);
        default:
            return false;
        }
    }
    if (feed->at == FEED_LENGTH) {
        used = feed->left < len ? (size_t)feed->left : len;
        buf_add_mem(feed->out, data, used);
        feed->left -= used;
        feed->from += used;
        if (feed->left)
            return false;
    } else {
        enum h1_verdict verdict = h1_chunk_next(&feed->chunk, data, len, &used, &piece);
        buf_add(feed->out, piece);
        feed->from += used;
        if (verdict == H1_BAD)
            return feed_bad(feed, feed->chunk.status, feed->chunk.text);
        if (verdict == H1_MORE)
            return used < len;
    }
    feed->at = FEED_HEAD;
    buf_add_char(feed->out, '\n');
    return true;
}

/* The first `upto` bytes are there now. */
static inline void feed_upto(struct feed *feed, size_t upto)
{
    bool more = true;
    while (more && feed->at != FEED_BAD && feed->from < upto) {
        size_t len = upto - feed->from;
        char *copy = xmalloc(len);
        memcpy(copy, feed->bytes + feed->from, len);
        more = feed_step(feed, copy, len);
        xfree(copy);
    }
}

/* Cuts at each of `cuts`, which grow; the rest comes last. */
static inline void feed_all(struct feed *feed, const size_t *cuts, size_t cut_count)
{
    struct h1_head head;
    feed->head = &head;
    feed->from = 0;
    feed->at = FEED_HEAD;
    h1_head_begin(&head);
    for (size_t i = 0; i < cut_count; i++)
        feed_upto(feed, cuts[i]);
    feed_upto(feed, feed->len);
    if (feed->at != FEED_BAD && (feed->at != FEED_HEAD || feed->from < feed->len))
        buf_add_cstr(feed->out, " incomplete\n");
}
