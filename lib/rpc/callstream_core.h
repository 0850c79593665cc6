/*
 * The insides of call streams on the server, shared by their rooms:
 *   callstream_server.c    a stream: its beginning, reading, writing, its end
 *   callstream_element.c   its elements: how they come in, and how they are answered
 *   callstream_list.c      all streams of a server: the tick, the drain
 *
 * Three kinds of threads meet under a stream's lock: the completion thread reads, ends what is late
 * and writes what waited for a write; workers answer elements; the drain says goodbye. One read and
 * one write are under way at most, each holds a reference to the call.
 *
 *   element:  in a bucket ──worker answers──▶ out of it, freed by the worker
 *                  └─deadline, cancelled, stream lost──▶ out of it, the worker finds it answered
 *
 * The stream ends when its client has closed its side and all is answered, or when it was cut off,
 * or when the client broke the rules. What workers still answer afterwards is dropped; they hold a
 * reference to the call as well.
 */
#pragma once
#include "rpc/callstream_out.h"
#include "rpc/callstream_server.h"

enum { CALLSTREAM_BUCKETS = 256 }; /* elements are found by their id, which most clients count up */

struct element {
    struct rpc_call call;
    uint64_t id;
    struct call_stream *stream;
    struct element *next, **link; /* in its bucket; or among the spare ones */
    bool answered;                /* under the stream's lock: then it is in no bucket */
};

struct call_stream {
    struct rpc_call *call;
    struct call_stream *next, **link; /* in the server's list, under its lock; link NULL: not */
    struct rpc_tag read_tag, write_tag;
    grpc_byte_buffer *incoming;
    pthread_mutex_t lock; /* for all below */
    struct callstream_out out;
    size_t answer_bytes_max;
    struct element *buckets[CALLSTREAM_BUCKETS];
    size_t unanswered;
    struct element *spare;
    int spare_count;
    bool reading, read_over; /* a read is under way; there is nothing more to read */
    bool writing;
    bool lost;    /* nobody is there any more */
    bool closing; /* the client has been told to close */
    int64_t closing_ms;
    bool malformed, finished;
};

/* --- callstream_server.c; without the lock --- */

/* Writes what waits, unless a write is under way: then its end will. */
void callstream_flush(struct call_stream *stream);

/* Finishes the stream when there is nothing left to do for it. */
void callstream_settle(struct call_stream *stream);

/* Both, now or when this thread stops gathering. */
void callstream_see_to(struct call_stream *stream);

/* --- callstream_element.c --- */

/* The call that these bytes are, which waits for its answer from now on. NULL when they are none,
 * or the id is that of one that waits already. */
struct rpc_call *element_new(struct call_stream *stream, struct str bytes, int64_t now_us);

/* Answers early the one with the id, if it waits; those whose deadline is not after `now_ms`. */
void element_cancel(struct call_stream *stream, uint64_t id);
void element_end_late(struct call_stream *stream, int64_t now_ms);

/* Nobody waits for any of them. The lock is held. */
void element_drop_all(struct call_stream *stream);

/* Those that are kept for later; with the stream. */
void element_free_spare(struct call_stream *stream);

/* --- callstream_list.c --- */
void callstream_enter_list(struct call_stream *stream);
void callstream_leave_list(struct call_stream *stream);
