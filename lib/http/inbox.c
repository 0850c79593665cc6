/*
 * How exchanges come back from other threads: a lock-free stack that the loop takes as a whole.
 * Only the push onto the empty stack wakes the loop, and only one that sleeps, so a burst costs at
 * most one write.
 *
 * When a loop is over its inbox is closed: an exchange that is answered later is freed by whoever
 * answers it, and the last of them frees loop and server.
 */
#include "http/loop.h"

#include "base/alloc.h"

#include <unistd.h>

static struct http_exchange closed_mark;

void http_server_unref(struct http_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) != 1)
        return;
    xfree(server->loops);
    xfree(server);
}

void http_loop_unref(struct http_loop *loop)
{
    if (atomic_fetch_sub(&loop->refs, 1) != 1)
        return;
    struct http_server *server = loop->server;
    close(loop->event_fd);
    xfree(loop);
    http_server_unref(server);
}

/* The loop has ended before this exchange came back. */
static void come_too_late(struct http_exchange *exchange, bool complete)
{
    struct http_loop *loop = exchange->loop;
    if (complete) {
        http_exchange_free(exchange);
        http_loop_unref(loop);
        return;
    }
    pthread_mutex_lock(&exchange->lock);
    exchange->queued = false;
    pthread_mutex_unlock(&exchange->lock);
}

void http_loop_wake(struct http_loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->event_fd, &one, sizeof one);
    (void)written; /* full means that the loop is being woken already */
}

void http_inbox_push(struct http_exchange *exchange, bool complete)
{
    struct http_loop *loop = exchange->loop;
    if (http_loop_here == loop) {
        exchange->next_inbox = NULL;
        *loop->local_end = exchange;
        loop->local_end = &exchange->next_inbox;
        return;
    }
    /* Once it is in the stack the exchange no longer keeps the loop alive: this does. */
    atomic_fetch_add(&loop->refs, 1);
    struct http_exchange *head = atomic_load(&loop->inbox);
    do {
        if (head == &closed_mark)
            break;
        exchange->next_inbox = head;
    } while (!atomic_compare_exchange_weak(&loop->inbox, &head, exchange));
    if (head == &closed_mark) {
        come_too_late(exchange, complete);
    } else if (!head && atomic_load(&loop->asleep)) {
        http_loop_wake(loop);
    }
    http_loop_unref(loop);
}

static struct http_exchange *in_order(struct http_exchange *stack)
{
    struct http_exchange *list = NULL;
    while (stack) {
        struct http_exchange *next = stack->next_inbox;
        stack->next_inbox = list;
        list = stack;
        stack = next;
    }
    return list;
}

struct http_exchange *http_inbox_take(struct http_loop *loop)
{
    if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
        return NULL;
    return in_order(atomic_exchange(&loop->inbox, NULL));
}

struct http_exchange *http_inbox_close(struct http_loop *loop)
{
    return in_order(atomic_exchange(&loop->inbox, &closed_mark));
}
