/*
 * What client and server share of the gRPC C core: its life in this process, and completion queues
 * with a thread that hands every event to the tag it belongs to.
 */
#pragma once
#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The core is up between the two; they nest. Release returns when the core's last thread is gone
 * and must not be called from a completion thread. */
void rpc_core_acquire(void);
void rpc_core_release(void);

/* Who is told that an operation is through: a member of what the operation belongs to. */
struct rpc_tag {
    void (*run)(struct rpc_tag *tag, bool ok);
    /* Written before an operation starts and read before `run`: it makes what the starting thread
     * wrote visible to the completion thread whatever the core does in between. */
    atomic_bool armed;
};

/* The tag to start an operation with. */
static inline void *rpc_tag_arm(struct rpc_tag *tag)
{
    atomic_store_explicit(&tag->armed, true, memory_order_release);
    return tag;
}

/* The struct that `tag` is the member `member` of. */
#define RPC_TAG_OWNER(tag, type, member) ((type *)((char *)(tag)-offsetof(type, member)))

enum { RPC_TICK_MS = 5 };

struct rpc_queue {
    grpc_completion_queue *cq;
    pthread_t thread;
    /* Called in the thread about every RPC_TICK_MS while `ticking`, which belongs to the queue's
     * owner. A thread that waits for its next event notices a change with that event. */
    void (*tick)(void *argument);
    void *tick_argument;
    atomic_bool ticking;
};

void rpc_queue_init(struct rpc_queue *queue);

/* Starts the thread; it is called `name` (15 bytes shown). */
void rpc_queue_start(struct rpc_queue *queue, const char *name);

/* Waits for the events of all operations that are under way, joins, frees. */
void rpc_queue_stop(struct rpc_queue *queue);

/* A batch that cannot fail unless this room has a bug: then it aborts. */
void rpc_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag);
