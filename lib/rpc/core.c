/*
 * The process's one gRPC core. Its log goes to ours; its mutexes lose their debugging aid.
 *
 * Debian builds abseil without NDEBUG, and then every absl::Mutex keeps a global graph of lock
 * orders under a global lock: 8 % of the CPU time of a unary call. abseil has a switch for it
 * (SetMutexDeadlockDetectionMode), but only for C++; hence the look-up by its mangled name. Where
 * the name is not there, nothing happens.
 */
#include "rpc/core.h"

#include "base/log.h"

#include <dlfcn.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void turn_lock_graph_off(void)
{
    void (*set_mode)(int);
    void *symbol = dlsym(RTLD_DEFAULT,
                         "_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE");
    if (!symbol)
        return;
    memcpy(&set_mode, &symbol, sizeof set_mode);
    set_mode(0); /* OnDeadlockCycle::kIgnore */
}

/* Whatever the core finds severe also comes back as the status of a call or of a start, and is
 * told where that is handled; this is for those who look for more. */
static void log_of_core(gpr_log_func_args *args)
{
    log_debug("rpc.core", LOG_C("message", args->message));
}

static void prepare(void)
{
    turn_lock_graph_off();
    gpr_set_log_function(log_of_core);
}

void rpc_core_acquire(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    grpc_init();
}

void rpc_core_release(void)
{
    grpc_shutdown_blocking();
}

/* Ticks when it is time, and says when to come back. */
static gpr_timespec tick(struct rpc_queue *queue, gpr_timespec next)
{
    gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (!atomic_load_explicit(&queue->ticking, memory_order_acquire))
        return forever;
    gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    bool first = gpr_time_cmp(next, forever) == 0;
    if (!first && gpr_time_cmp(now, next) < 0)
        return next;
    if (!first)
        queue->tick(queue->tick_argument);
    return gpr_time_add(now, gpr_time_from_millis(RPC_TICK_MS, GPR_TIMESPAN));
}

static void *move_events(void *argument)
{
    struct rpc_queue *queue = argument;
    gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    for (;;) {
        next = tick(queue, next);
        grpc_event event = grpc_completion_queue_next(queue->cq, next, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        struct rpc_tag *tag = event.tag;
        (void)atomic_load_explicit(&tag->armed, memory_order_acquire);
        tag->run(tag, event.success != 0);
    }
}

void rpc_queue_init(struct rpc_queue *queue)
{
    queue->cq = grpc_completion_queue_create_for_next(NULL);
}

void rpc_queue_start(struct rpc_queue *queue, const char *name)
{
    char shown[16];
    if (pthread_create(&queue->thread, NULL, move_events, queue) != 0) {
        perror("pthread_create");
        abort();
    }
    snprintf(shown, sizeof shown, "%s", name);
    pthread_setname_np(queue->thread, shown);
}

void rpc_queue_stop(struct rpc_queue *queue)
{
    grpc_completion_queue_shutdown(queue->cq);
    pthread_join(queue->thread, NULL);
    grpc_completion_queue_destroy(queue->cq);
}

void rpc_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    grpc_call_error error = grpc_call_start_batch(call, ops, count, rpc_tag_arm(tag), NULL);
    if (error != GRPC_CALL_OK) {
        log_error("rpc.bug", LOG_C("message", grpc_call_error_to_string(error)));
        abort();
    }
}
