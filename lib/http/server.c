/* The server: starts the loops, tells them to drain, adds up what they counted. */
#include "http/loop.h"

#include "base/alloc.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void http_limits_default(struct http_limits *limits)
{
    *limits = (struct http_limits){
        .header_bytes = 32 * 1024,
        .target_bytes = 8 * 1024,
        .body_bytes = 1024 * 1024,
        .connections = 10000,
        .in_flight = 10000,
        .pipeline = 32,
        .streams = 128,
        .header_ms = 10000,
        .body_ms = 30000,
        .idle_ms = 75000,
        .write_ms = 30000,
        .stream_buffer_bytes = 1024 * 1024,
    };
}

enum { LINGER_MS = 2000 }; /* for the client to read the last answer before the close */

static bool watch(struct http_loop *loop, int *fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = fd};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static struct http_loop *loop_new(struct http_server *server, int listen_fd)
{
    const struct http_limits *limits = &server->options.limits;
    struct http_loop *loop = xcalloc(1, sizeof *loop);
    loop->server = server;
    atomic_fetch_add(&server->refs, 1);
    atomic_store(&loop->refs, 1);
    loop->listen_fd = listen_fd;
    loop->local_end = &loop->local;
    loop->now_ms = clock_mono_ms(clock_real());
    loop->date_s = -1;
    deadline_list_init(&loop->header, limits->header_ms);
    deadline_list_init(&loop->body, limits->body_ms);
    deadline_list_init(&loop->idle, limits->idle_ms);
    deadline_list_init(&loop->write, limits->write_ms);
    deadline_list_init(&loop->linger, LINGER_MS);
    deadline_list_init(&loop->stream_body, limits->body_ms);
    deadline_list_init(&loop->stream_linger, LINGER_MS);
    deadline_list_init(&loop->stream_write, limits->write_ms);
    loop->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop;
}

/* Signals are the program's matter: they go to a thread that wants them. */
static int start_thread(struct http_loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&loop->thread, NULL, http_loop_run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_setname_np(loop->thread, "http");
    return result;
}

static int start_loop(struct http_loop *loop)
{
    if (loop->event_fd < 0 || loop->epoll_fd < 0 || !watch(loop, &loop->listen_fd, EPOLLIN) ||
        !watch(loop, &loop->event_fd, EPOLLIN | EPOLLET))
        return errno;
    return start_thread(loop);
}

static void drop_unstarted(struct http_loop *loop)
{
    if (loop->listen_fd >= 0)
        close(loop->listen_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    http_loop_unref(loop);
}

/* Loops from `started` on have no thread. */
static void give_up(struct http_server *server, int started)
{
    for (int i = started; i < server->options.threads; i++)
        drop_unstarted(server->loops[i]);
    server->options.threads = started;
    http_server_drain(server, 0);
}

enum code http_server_start(const struct http_server_options *options, struct http_server **result,
                            struct error *err)
{
    if (options->threads < 1 || options->threads > HTTP_THREADS_MAX)
        return error_set(err, CODE_INVALID_ARGUMENT, "THREADS", "threads must be from 1 to %d",
                         HTTP_THREADS_MAX);
    int fds[HTTP_THREADS_MAX], port = 0;
    enum code code = http_listen(options->address, fds, options->threads, &port, err);
    if (code != CODE_OK)
        return code;
    struct http_server *server = xcalloc(1, sizeof *server);
    server->options = *options;
    server->options.address = NULL; /* the caller's memory */
    server->port = port;
    atomic_store(&server->refs, 1);
    server->loops = xcalloc((size_t)options->threads, sizeof *server->loops);
    for (int i = 0; i < options->threads; i++)
        server->loops[i] = loop_new(server, fds[i]);
    *result = server; /* before a handler can run, which may want to see it */
    for (int i = 0; i < options->threads; i++) {
        int failed = start_loop(server->loops[i]);
        if (failed) {
            *result = NULL;
            give_up(server, i);
            return error_errno(err, CODE_RESOURCE_EXHAUSTED, failed, "start a loop for %s",
                               options->address);
        }
    }
    return CODE_OK;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

bool http_server_drain(struct http_server *server, int64_t grace_ms)
{
    bool clean = true;
    atomic_store(&server->drain_end_ms, clock_mono_ms(clock_real()) + grace_ms);
    for (int i = 0; i < server->options.threads; i++)
        http_loop_wake(server->loops[i]);
    for (int i = 0; i < server->options.threads; i++) {
        pthread_join(server->loops[i]->thread, NULL);
        clean = clean && !server->loops[i]->cut;
    }
    /* Only now: a handler of one loop may have asked for http_server_stats of all. */
    for (int i = 0; i < server->options.threads; i++)
        http_loop_unref(server->loops[i]);
    http_server_unref(server);
    return clean;
}

struct http_server_stats http_server_stats(struct http_server *server)
{
    struct http_server_stats stats = {
        .connections_open = (uint64_t)atomic_load(&server->connections),
        .in_flight = (uint64_t)atomic_load(&server->in_flight),
    };
    for (int i = 0; i < server->options.threads; i++) {
        struct http_loop *loop = server->loops[i];
        stats.connections += atomic_load(&loop->stat_connections);
        stats.requests += atomic_load(&loop->stat_requests);
        stats.refused += atomic_load(&loop->stat_refused);
        stats.timeouts += atomic_load(&loop->stat_timeouts);
        stats.streams_dropped += atomic_load(&loop->stat_dropped);
        stats.floods += atomic_load(&loop->stat_floods);
    }
    return stats;
}
