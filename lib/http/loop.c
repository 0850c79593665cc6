/*
 * The loop: wait, read what came, take the answers, write them, close what is late. Sockets are
 * watched edge-triggered from accept to close, so that no request costs an epoll_ctl; what could
 * not be finished in a round (a socket not emptied, requests held back) waits in loop->work.
 */
#include "http/loop.h"

#include "base/alloc.h"
#include "base/log.h"
#include "http/h2.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    ACCEPTS_PER_ROUND = 64,
    ACCEPT_PAUSE_MS = 100,
    REFUSED_MAX = 64, /* connections beyond the limit that get a 503 */
};

_Thread_local struct http_loop *http_loop_here;

static void read_clock(struct http_loop *loop)
{
    loop->now_ms = clock_mono_ms(clock_real());
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    if (wall.tv_sec == loop->date_s)
        return;
    loop->date_s = wall.tv_sec;
    struct tm utc;
    gmtime_r(&wall.tv_sec, &utc);
    /* The process keeps the C locale: the names are the English ones of RFC 9110. */
    strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

/* --- accepting --- */

static void peer_text(const struct sockaddr_storage *address, char text[HTTP_PEER_BYTES])
{
    text[0] = '\0';
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, text, HTTP_PEER_BYTES);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, HTTP_PEER_BYTES);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, text, HTTP_PEER_BYTES);
    }
}

static void admit(struct http_loop *loop, int fd, const struct sockaddr_storage *address)
{
    struct http_server *server = loop->server;
    char peer[HTTP_PEER_BYTES];
    peer_text(address, peer);
    atomic_fetch_add_explicit(&loop->stat_connections, 1, memory_order_relaxed);
    bool refused = atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed) >=
                   server->options.limits.connections;
    if (refused) {
        atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&loop->stat_refused, 1, memory_order_relaxed);
        if (loop->refused_count >= REFUSED_MAX) {
            close(fd);
            return;
        }
    }
    http_conn_open(loop, fd, peer, refused);
}

/* False when nobody waits any more. */
static bool accept_one(struct http_loop *loop)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd =
        accept4(loop->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        admit(loop, fd, &address);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        struct error err = {0};
        error_errno(&err, CODE_RESOURCE_EXHAUSTED, errno, "accept");
        log_warn("accept-paused", LOG_ERR(&err));
        loop->accept_again_ms = loop->now_ms + ACCEPT_PAUSE_MS;
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->listen_fd, NULL);
        return false;
    }
    return errno != EAGAIN;
}

static void accept_some(struct http_loop *loop)
{
    for (int i = 0; i < ACCEPTS_PER_ROUND && accept_one(loop); i++)
        ;
}

static void resume_accept(struct http_loop *loop)
{
    if (!loop->accept_again_ms || loop->accept_again_ms > loop->now_ms || loop->listen_fd < 0)
        return;
    loop->accept_again_ms = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &loop->listen_fd};
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->listen_fd, &event);
}

/* --- a round --- */

static void note_event(struct http_loop *loop, const struct epoll_event *event)
{
    if (event->data.ptr == &loop->listen_fd) {
        accept_some(loop);
        return;
    }
    if (event->data.ptr == &loop->event_fd)
        return;
    struct http_conn *conn = event->data.ptr;
    if (conn->closed)
        return;
    if (event->events & (EPOLLERR | EPOLLHUP)) {
        http_conn_close(conn, false);
        return;
    }
    if (event->events & EPOLLRDHUP)
        conn->half_closed = true;
    if (event->events & (EPOLLIN | EPOLLRDHUP)) {
        conn->readable = true;
        http_conn_work(conn);
    }
    if ((event->events & EPOLLOUT) && conn->blocked) {
        conn->blocked = false;
        http_conn_flush_later(conn);
    }
}

static void run_work(struct http_loop *loop)
{
    struct http_conn *conn = loop->work;
    loop->work = NULL;
    while (conn) {
        struct http_conn *next = conn->next_work;
        conn->in_work = false;
        http_conn_read(conn);
        conn = next;
    }
}

static void take_answers(struct http_loop *loop)
{
    struct http_exchange *list = http_inbox_take(loop);
    while (list || loop->local) {
        if (!list) {
            list = loop->local;
            loop->local = NULL;
            loop->local_end = &loop->local;
        }
        struct http_exchange *next = list->next_inbox;
        http_conn_take(list);
        list = next;
    }
}

static void run_flush(struct http_loop *loop)
{
    struct http_conn *conn = loop->flush;
    loop->flush = NULL;
    while (conn) {
        struct http_conn *next = conn->next_flush;
        conn->in_flush = false;
        http_conn_write(conn);
        conn = next;
    }
}

static struct http_conn *reader_of(struct deadline *deadline)
{
    return (struct http_conn *)((char *)deadline - offsetof(struct http_conn, read_deadline));
}

static struct http_conn *writer_of(struct deadline *deadline)
{
    return (struct http_conn *)((char *)deadline - offsetof(struct http_conn, write_deadline));
}

static struct http_exchange *exchange_of(struct deadline *deadline)
{
    return (struct http_exchange *)((char *)deadline - offsetof(struct http_exchange, deadline));
}

static void expire(struct http_loop *loop)
{
    struct deadline *late;
    while ((late = deadline_expired(&loop->idle, loop->now_ms)))
        http_conn_close(reader_of(late), false);
    while ((late = deadline_expired(&loop->linger, loop->now_ms)))
        http_conn_close(reader_of(late), false);
    while ((late = deadline_expired(&loop->header, loop->now_ms)))
        http_conn_fail(reader_of(late), 408, "The headers took too long");
    while ((late = deadline_expired(&loop->body, loop->now_ms)))
        http_conn_fail(reader_of(late), 408, "The body took too long");
    while ((late = deadline_expired(&loop->write, loop->now_ms)))
        http_conn_write_late(writer_of(late));
    while ((late = deadline_expired(&loop->stream_body, loop->now_ms)))
        h2_body_late(exchange_of(late));
    while ((late = deadline_expired(&loop->stream_write, loop->now_ms)))
        h2_write_late(exchange_of(late));
    while ((late = deadline_expired(&loop->stream_linger, loop->now_ms)))
        h2_linger_late(exchange_of(late));
}

/* One that waits for the next round stays until then: a connection that is to be read from may be
 * closed later in the same round, by a write or a deadline. */
static void free_dead(struct http_loop *loop)
{
    struct http_conn **at = &loop->dead;
    while (*at) {
        struct http_conn *conn = *at;
        if (conn->in_work || conn->in_flush) {
            at = &conn->next;
            continue;
        }
        *at = conn->next;
        xfree(conn);
    }
}

/* There is no next round. */
static void drop_work(struct http_loop *loop)
{
    for (struct http_conn *conn = loop->work; conn; conn = conn->next_work)
        conn->in_work = false;
    for (struct http_conn *conn = loop->flush; conn; conn = conn->next_flush)
        conn->in_flush = false;
    loop->work = loop->flush = NULL;
}

static void min_into(int64_t *least, int64_t value)
{
    if (value < *least)
        *least = value;
}

static int wait_ms(const struct http_loop *loop)
{
    if (loop->work || loop->local || loop->flush || atomic_load(&((struct http_loop *)loop)->inbox))
        return 0;
    int64_t next = INT64_MAX;
    min_into(&next, deadline_next_ms(&loop->idle));
    min_into(&next, deadline_next_ms(&loop->linger));
    min_into(&next, deadline_next_ms(&loop->header));
    min_into(&next, deadline_next_ms(&loop->body));
    min_into(&next, deadline_next_ms(&loop->write));
    min_into(&next, deadline_next_ms(&loop->stream_body));
    min_into(&next, deadline_next_ms(&loop->stream_write));
    min_into(&next, deadline_next_ms(&loop->stream_linger));
    if (loop->accept_again_ms)
        min_into(&next, loop->accept_again_ms);
    if (loop->draining)
        min_into(&next, loop->drain_end_ms);
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - loop->now_ms;
    return left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* --- the end --- */

static void begin_drain(struct http_loop *loop)
{
    loop->drain_end_ms = atomic_load(&loop->server->drain_end_ms);
    if (!loop->drain_end_ms || loop->draining)
        return;
    /* Who is in the queue already has been promised a connection by the kernel. */
    while (accept_one(loop))
        ;
    close(loop->listen_fd);
    loop->listen_fd = -1;
    loop->accept_again_ms = 0;
    loop->draining = true;
    for (struct http_conn *conn = loop->conns; conn; conn = conn->next) {
        conn->readable = true; /* a request may just have come: look before closing */
        http_conn_work(conn);
    }
}

static void end_drain(struct http_loop *loop)
{
    bool late = loop->now_ms >= loop->drain_end_ms;
    loop->over = late || (loop->conn_count == 0 && loop->exchanges_out == 0);
    if (!loop->over)
        return;
    while (loop->conns) {
        loop->cut |= !loop->conns->lingering;
        http_conn_close(loop->conns, !loop->conns->lingering);
    }
    take_answers(loop);
    drop_work(loop);
    free_dead(loop);
    loop->cut |= loop->exchanges_out > 0;
}

static void round_once(struct http_loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    const struct http_handler *handler = &loop->server->options.handler;
    atomic_store(&loop->asleep, true);
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms(loop));
    atomic_store(&loop->asleep, false);
    read_clock(loop);
    for (int i = 0; i < count; i++)
        note_event(loop, &events[i]);
    run_work(loop);
    if (handler->gathered)
        handler->gathered(handler->context);
    take_answers(loop);
    run_flush(loop);
    resume_accept(loop);
    expire(loop);
    begin_drain(loop);
    free_dead(loop);
    if (loop->draining)
        end_drain(loop);
}

/* Exchanges that are still out keep the loop's memory until they are answered. */
static void leave(struct http_loop *loop)
{
    atomic_fetch_add(&loop->refs, loop->exchanges_out);
    struct http_exchange *late = http_inbox_close(loop);
    while (late) {
        struct http_exchange *next = late->next_inbox;
        pthread_mutex_lock(&late->lock);
        late->queued = false;
        bool complete = !late->streaming || late->ended;
        pthread_mutex_unlock(&late->lock);
        if (complete) {
            http_exchange_free(late);
            http_loop_unref(loop);
        }
        late = next;
    }
    while (loop->spare) {
        struct http_exchange *next = loop->spare->next;
        http_exchange_free(loop->spare);
        loop->spare = next;
    }
    xfree(loop->scratch);
    close(loop->epoll_fd);
}

void *http_loop_run(void *argument)
{
    struct http_loop *loop = argument;
    http_loop_here = loop;
    loop->scratch = xmalloc(HTTP_SCRATCH_BYTES);
    while (!loop->over)
        round_once(loop);
    leave(loop);
    http_loop_here = NULL;
    return NULL;
}
