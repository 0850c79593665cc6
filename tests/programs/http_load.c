/*
 * A load for the tests of lib/http: C connections that are kept or dropped as real clients do, for
 * a number of requests or a time. Every request must be answered whole, with the status and the
 * bytes it asked for, within the limit; the last line on standard output says how it went:
 *
 *   {"requests":…,"answered":…,"wrong":…,"late":…,"lost":…,"left":…}
 *
 * `lost`: the server closed without an answer. `left`: the client went away on purpose. Exit code 0
 * when nothing was wrong, late or lost.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 256 * 1024, REQUEST_BYTES_MAX = 16 * 1024 };

struct settings {
    int64_t port, connections, requests, duration_ms, late_ms, seed;
    const char *mix; /* "hello": one kind; "all": every kind */
};

static const struct config_item ITEMS[] = {
    {"port", CONFIG_INT, offsetof(struct settings, port), "0", "1", "65535", NULL, "server's port"},
    {"connections", CONFIG_INT, offsetof(struct settings, connections), "64", "1", "100000", NULL,
     "open at once"},
    {"requests", CONFIG_INT, offsetof(struct settings, requests), "0", NULL, NULL, NULL,
     "in all; 0: until the time is over"},
    {"duration", CONFIG_DURATION, offsetof(struct settings, duration_ms), "10s", NULL, NULL, NULL,
     "time to send requests"},
    {"late", CONFIG_DURATION, offsetof(struct settings, late_ms), "10s", NULL, NULL, NULL,
     "an answer beyond is late"},
    {"seed", CONFIG_INT, offsetof(struct settings, seed), "1", NULL, NULL, NULL, "of the choices"},
    {"mix", CONFIG_CHOICE, offsetof(struct settings, mix), "hello", NULL, NULL, "hello|all",
     "kinds of requests"},
};

enum kind { HELLO, DELAY, STREAM, BIG, POST, CHUNKED, REJECTED, LEAVE, SLOW_POST, KINDS };

struct client {
    int fd;
    enum kind kind;
    bool waiting;     /* for an answer */
    int64_t begun_ms; /* when the request was sent */
    size_t out_len, out_at, in_len;
    uint32_t expected; /* bytes of body */
    int expected_status;
    char out[REQUEST_BYTES_MAX];
    char *in;
};

static struct settings settings;
static struct client *clients;
static int epoll_fd;
static uint64_t requests, answered, wrong, late, lost, left;
static int64_t end_ms;

static int64_t now_ms(void)
{
    return clock_mono_ms(clock_real());
}

/* xorshift: the same seed makes the same choices. */
static uint32_t choose(uint32_t below)
{
    static uint64_t state;
    if (!state)
        state = (uint64_t)settings.seed * 0x9e3779b97f4a7c15u + 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static void connect_client(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)settings.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        perror("http_load: connect");
        exit(2);
    }
    client->in_len = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) {
        perror("http_load: epoll_ctl");
        exit(2);
    }
}

static void add_text(struct client *client, const char *text)
{
    size_t len = strlen(text);
    memcpy(client->out + client->out_len, text, len);
    client->out_len += len;
}

static void add_head(struct client *client, const char *method, const char *target,
                     const char *header)
{
    char head[512];
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target, header);
    add_text(client, head);
}

static void add_body(struct client *client, size_t size)
{
    memset(client->out + client->out_len, 'b', size);
    client->out_len += size;
}

static void make_request(struct client *client)
{
    char target[128], header[128];
    uint32_t size = choose(8000) + 1;
    client->out_len = client->out_at = 0;
    client->expected_status = 200;
    client->expected = UINT32_MAX; /* any */
    client->kind = strcmp(settings.mix, "all") == 0 ? (enum kind)choose(KINDS) : HELLO;
    snprintf(header, sizeof header, "Content-Length: %u\r\n", size);
    switch (client->kind) {
    case DELAY:
    case LEAVE:
        snprintf(target, sizeof target, "/delay?ms=%u", choose(30));
        client->expected = (uint32_t)strlen(target) - 7;
        add_head(client, "GET", target, "");
        break;
    case STREAM:
        snprintf(target, sizeof target, "/stream?n=%u&size=%u", 1 + choose(5), size);
        add_head(client, "GET", target, "");
        break;
    case BIG:
        snprintf(target, sizeof target, "/big?size=%u", size * 16);
        client->expected = size * 16;
        add_head(client, "GET", target, "");
        break;
    case POST:
    case SLOW_POST:
        add_head(client, "POST", "/echo", header);
        add_body(client, size);
        break;
    case CHUNKED:
        add_head(client, "POST", "/echo", "Transfer-Encoding: chunked\r\n");
        snprintf(header, sizeof header, "%x\r\n", size);
        add_text(client, header);
        add_body(client, size);
        add_text(client, "\r\n0\r\n\r\n");
        break;
    case REJECTED:
        client->expected_status = 401;
        add_head(client, "POST", "/headers-reject", header);
        add_body(client, size);
        break;
    default:
        client->expected = 13;
        add_head(client, "GET", "/hello", "");
        break;
    }
}

static bool over(void)
{
    return (settings.requests && requests >= (uint64_t)settings.requests) || now_ms() >= end_ms;
}

static void drop(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    client->waiting = false;
}

/* Slow posts go in pieces, one per look at the client; others at once. */
static void send_some(struct client *client)
{
    size_t size = client->out_len - client->out_at;
    if (client->kind == SLOW_POST && size > 700)
        size = 700;
    ssize_t sent = send(client->fd, client->out + client->out_at, size, MSG_NOSIGNAL);
    if (sent > 0)
        client->out_at += (size_t)sent;
}

static void begin(struct client *client)
{
    if (over())
        return;
    if (client->fd < 0)
        connect_client(client);
    make_request(client);
    client->begun_ms = now_ms();
    client->waiting = true;
    requests++;
    send_some(client);
    if (client->kind == LEAVE && choose(2)) {
        left++;
        drop(client);
        begin(client);
    }
}

/* The length of the chunked body's end, or -1 while it is incomplete. */
static bool chunks_are_whole(const char *body, size_t len)
{
    size_t at = 0;
    while (at < len) {
        char *end;
        unsigned long size = strtoul(body + at, &end, 16);
        at = (size_t)(end - body) + 2 + size + 2;
        if (size == 0)
            return at <= len;
    }
    return false;
}

/* 1: whole and right, 0: not whole yet, -1: wrong. */
static int judge(struct client *client)
{
    client->in[client->in_len] = '\0';
    char *end = strstr(client->in, "\r\n\r\n");
    if (!end)
        return 0;
    const char *body = end + 4, *length = strstr(client->in, "Content-Length: ");
    size_t have = client->in_len - (size_t)(body - client->in);
    int status = 0;
    if (sscanf(client->in, "HTTP/1.1 %d", &status) != 1 || status != client->expected_status)
        return -1;
    if (!length || length > end)
        return chunks_are_whole(body, have) ? 1 : 0;
    size_t wanted = strtoul(length + 16, NULL, 10);
    if (have > wanted || (client->expected != UINT32_MAX && wanted != client->expected))
        return -1;
    return have == wanted ? 1 : 0;
}

static void receive(struct client *client)
{
    ssize_t got = recv(client->fd, client->in + client->in_len,
                       ANSWER_BYTES_MAX - 1 - client->in_len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lost += client->waiting;
        drop(client);
        begin(client);
        return;
    }
    client->in_len += (size_t)got;
    int verdict = judge(client);
    if (verdict == 0)
        return;
    if (verdict < 0) {
        wrong++;
        fprintf(stderr, "wrong answer to %.60s: %.200s\n", client->out, client->in);
        drop(client);
    } else {
        answered++;
        late += now_ms() - client->begun_ms > settings.late_ms;
        client->in_len = 0;
        client->waiting = false;
    }
    begin(client);
}

static bool look_at_all(void)
{
    bool busy = false;
    for (int64_t i = 0; i < settings.connections; i++) {
        struct client *client = &clients[i];
        if (!client->waiting)
            continue;
        if (client->out_at < client->out_len)
            send_some(client);
        if (now_ms() - client->begun_ms > settings.late_ms + 5000) {
            late++;
            fprintf(stderr, "no answer to %.60s\n", client->out);
            drop(client);
            continue;
        }
        busy = true;
    }
    return busy;
}

static void run(void)
{
    struct epoll_event events[256];
    int64_t look_ms = 0;
    bool busy = true;
    while (busy) {
        int count = epoll_wait(epoll_fd, events, 256, 5);
        for (int i = 0; i < count; i++)
            receive(events[i].data.ptr);
        if (now_ms() >= look_ms) {
            busy = look_at_all();
            look_ms = now_ms() + 5;
        }
    }
}

int main(int argc, char **argv)
{
    const struct config_program program = {"http-load", "a load for tests", ITEMS,
                                           sizeof ITEMS / sizeof *ITEMS};
    config_read_or_exit(&program, argc, argv, &settings);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    clients = xcalloc((size_t)settings.connections, sizeof *clients);
    end_ms = now_ms() + settings.duration_ms;
    for (int64_t i = 0; i < settings.connections; i++) {
        clients[i].in = xmalloc(ANSWER_BYTES_MAX);
        clients[i].fd = -1;
        connect_client(&clients[i]);
    }
    for (int64_t i = 0; i < settings.connections; i++)
        begin(&clients[i]);
    run();
    printf("{\"requests\":%lu,\"answered\":%lu,\"wrong\":%lu,\"late\":%lu,\"lost\":%lu,"
           "\"left\":%lu}\n",
           requests, answered, wrong, late, lost, left);
    for (int64_t i = 0; i < settings.connections; i++) {
        if (clients[i].fd >= 0)
            close(clients[i].fd);
        xfree(clients[i].in);
    }
    xfree(clients);
    close(epoll_fd);
    return wrong || late || lost ? 1 : 0;
}
