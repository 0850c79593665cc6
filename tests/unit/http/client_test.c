/* The HTTP client against this project's own server, and against servers that misbehave. */
#include "tests/support/unit.h"

#include "base/alloc.h"
#include "http/client.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG_MS = 20000 };

struct world {
    struct http_server *server;
    struct http_client *client;
    struct arena arena;
    char base[64];
    pthread_mutex_t lock; /* for the exchange that is kept */
    pthread_cond_t came;
    struct http_exchange *kept;
};

/* --- a server: what it does is in the path --- */

static void keep(struct world *world, struct http_exchange *exchange)
{
    pthread_mutex_lock(&world->lock);
    world->kept = exchange;
    pthread_cond_signal(&world->came);
    pthread_mutex_unlock(&world->lock);
}

static void on_request(void *context, struct http_exchange *exchange)
{
    static const char large[100000];
    const struct http_request *request = http_exchange_request(exchange);
    struct str path = request->path;
    if (str_eq(path, STR("/keep"))) {
        keep(context, exchange);
    } else if (str_eq(path, STR("/redirect"))) {
        const struct http_header to = {STR("Location"), STR("/echo")};
        http_answer(exchange, 302, &to, 1, STR("elsewhere"));
    } else if (str_eq(path, STR("/large"))) {
        http_answer(exchange, 200, NULL, 0, (struct str){large, sizeof large});
    } else {
        struct buf text;
        buf_init_arena(&text, http_exchange_arena(exchange), 1 << 20);
        buf_addf(&text, "%.*s %.*s\n", STR_ARG(request->method), STR_ARG(request->target));
        for (size_t i = 0; i < request->header_count; i++)
            buf_addf(&text, "%.*s=%.*s\n", STR_ARG(request->headers[i].name),
                     STR_ARG(request->headers[i].value));
        buf_add_char(&text, '\n');
        buf_add(&text, request->body);
        const struct http_header kind = {STR("X-Kind"), STR("echo")};
        http_answer(exchange, 203, &kind, 1, buf_str(&text));
    }
}

static void on_error(void *context, struct http_exchange *exchange, int status, const char *text,
                     struct buf *body, struct str *type)
{
    (void)context, (void)exchange, (void)status;
    buf_add_cstr(body, text);
    *type = STR("text/plain");
}

static void on_finished(void *context, struct http_exchange *exchange, int status, uint64_t bytes,
                        bool aborted)
{
    (void)context, (void)exchange, (void)status, (void)bytes, (void)aborted;
}

static int set_up(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    struct error err = {0};
    struct http_server_options options = {.address = "127.0.0.1:0",
                                          .threads = 1,
                                          .handler = {.context = world,
                                                      .request = on_request,
                                                      .error_body = on_error,
                                                      .finished = on_finished}};
    http_limits_default(&options.limits);
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->came, NULL);
    if (http_server_start(&options, &world->server, &err) != CODE_OK)
        return -1;
    snprintf(world->base, sizeof world->base, "http://127.0.0.1:%d",
             http_server_port(world->server));
    world->client = http_client_new(
        &(struct http_client_options){.user_agent = "test/1", .connections = 1, .requests = 3});
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    http_client_free(world->client);
    if (world->kept)
        http_answer(world->kept, 200, NULL, 0, STR(""));
    http_server_drain(world->server, 1000);
    arena_clear(&world->arena);
    pthread_mutex_destroy(&world->lock);
    pthread_cond_destroy(&world->came);
    xfree(world);
    return 0;
}

/* --- shorthands --- */

static struct http_client_request request_of(struct world *world, const char *method,
                                             const char *path)
{
    return (struct http_client_request){
        .method = str_of(method),
        .url = str_of(arena_printf(&world->arena, "%s%s", world->base, path)),
        .deadline_ms = LONG_MS,
        .response_bytes_max = 50000};
}

static struct http_client_response fetch(struct world *world,
                                         const struct http_client_request *request)
{
    struct error err = {0};
    struct http_client_response response = {0};
    enum code code = http_client_fetch(world->client, request, &world->arena, &response, &err);
    if (code != CODE_OK)
        fail_msg("%s: %s", code_name(code), err.text);
    return response;
}

static bool holds(struct str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void assert_fails(struct world *world, const struct http_client_request *request,
                         enum code code, const char *reason)
{
    struct error err = {0};
    struct http_client_response response;
    assert_int_equal(http_client_fetch(world->client, request, &world->arena, &response, &err),
                     code);
    assert_string_equal(err.reason, reason);
}

/* --- answers --- */

static void a_request_goes_out_as_it_was_given(void **state)
{
    struct world *world = *state;
    const struct http_header headers[] = {{STR("X-One"), STR("1")}, {STR("X-None"), STR("")}};
    struct http_client_request request = request_of(world, "PUT", "/a/../%7Eb/c=d?x=%20&y");
    request.headers = headers;
    request.header_count = 2;
    request.body = STR("bytes\0 of it");
    struct http_client_response response = fetch(world, &request);
    assert_int_equal(response.status, 203);
    assert_true(str_eq(http_client_header(&response, STR("x-kind")), STR("echo")));
    assert_null(http_client_header(&response, STR("x-other")).ptr);
    assert_true(holds(response.body, "PUT /a/../%7Eb/c=d?x=%20&y\n"));
    assert_true(holds(response.body, "X-One=1\nX-None=\n"));
    assert_true(holds(response.body, "User-Agent=test/1\n"));
    assert_true(holds(response.body, "Content-Length=12\n"));
    assert_false(holds(response.body, "Content-Type="));
    assert_true(str_ends(response.body, STR("\n\nbytes\0 of it")));
}

static void methods_without_a_body(void **state)
{
    struct world *world = *state;
    struct http_client_request request = request_of(world, "GET", "/");
    struct str got = fetch(world, &request).body;
    assert_true(holds(got, "GET /\n") && !holds(got, "Content-Length"));
    request.method = STR("DELETE");
    got = fetch(world, &request).body;
    assert_true(holds(got, "DELETE /\n") && !holds(got, "Content-Length"));
    request.method = STR("POST");
    got = fetch(world, &request).body;
    assert_true(holds(got, "POST /\n") && holds(got, "Content-Length=0\n"));
    request.method = STR("HEAD");
    struct http_client_response response = fetch(world, &request);
    assert_int_equal(response.status, 203);
    assert_int_equal(response.body.len, 0);
}

/* Rule 36. */
static void connections_are_used_again_and_redirects_are_not_followed(void **state)
{
    struct world *world = *state;
    struct http_client_request request = request_of(world, "GET", "/redirect");
    for (int i = 0; i < 3; i++) {
        struct http_client_response response = fetch(world, &request);
        assert_int_equal(response.status, 302);
        assert_true(str_eq(http_client_header(&response, STR("location")), STR("/echo")));
    }
    assert_int_equal(http_server_stats(world->server).connections, 1);
}

static void proxies_of_the_environment_are_not_used(void **state)
{
    struct world *world = *state;
    struct http_client_request request = request_of(world, "GET", "/");
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(fetch(world, &request).status, 203);
    unsetenv("http_proxy");
}

/* --- bodies piece by piece --- */

struct pieces {
    struct str source;
    int64_t fail_at;
    struct buf got;
};

static ssize_t read_piece(void *context, int64_t offset, char *into, size_t room)
{
    struct pieces *pieces = context;
    size_t left = pieces->source.len - (size_t)offset, n = left < 1000 ? left : 1000;
    if (pieces->fail_at && offset >= pieces->fail_at)
        return -1;
    n = n < room ? n : room;
    memcpy(into, pieces->source.ptr + offset, n);
    return (ssize_t)n;
}

static bool take_piece(void *context, int status, struct str bytes)
{
    struct pieces *pieces = context;
    assert_int_equal(status, 203);
    buf_add(&pieces->got, bytes);
    return !pieces->got.overflow;
}

static void bodies_come_and_go_in_pieces(void **state)
{
    struct world *world = *state;
    struct pieces pieces = {0};
    char *source = arena_alloc0(&world->arena, 40000);
    memset(source, 'x', 40000);
    pieces.source = (struct str){source, 40000};
    buf_init(&pieces.got, 50000);
    struct http_client_request request = request_of(world, "PUT", "/");
    request.body_read = read_piece;
    request.body_bytes = 40000;
    request.piece = take_piece;
    request.context = &pieces;
    assert_int_equal(fetch(world, &request).body.len, 0);
    assert_true(holds(buf_str(&pieces.got), "Content-Length=40000\n"));
    assert_true(str_ends(buf_str(&pieces.got), pieces.source));

    pieces.fail_at = 3000;
    assert_fails(world, &request, CODE_ABORTED, "ABORTED");
    pieces.fail_at = 0;
    buf_clear(&pieces.got);
    buf_init(&pieces.got, 10);
    assert_fails(world, &request, CODE_ABORTED, "ABORTED");
    buf_clear(&pieces.got);
}

/* --- failures --- */

static void an_answer_has_a_bound(void **state)
{
    struct world *world = *state;
    struct http_client_request request = request_of(world, "GET", "/large");
    request.response_bytes_max = 99999;
    assert_fails(world, &request, CODE_RESOURCE_EXHAUSTED, "ANSWER_TOO_LARGE");
    request.response_bytes_max = 100000;
    assert_int_equal(fetch(world, &request).body.len, 100000);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    struct world *world = *state;
    static const struct http_header bad = {STR("X"), STR("a\r\nY: b")};
    static const char *const urls[] = {"ftp://127.0.0.1/",    "file:///etc/passwd", "",
                                       "http://127.0.0.1/ a", "http://a\n/",        "127.0.0.1"};
    struct http_client_request request = request_of(world, "GET", "/");
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        request.url = str_of(urls[i]);
        assert_fails(world, &request, CODE_INVALID_ARGUMENT, "INVALID_URL");
    }
    request.url = STR("http://user:secret@127.0.0.1/");
    assert_fails(world, &request, CODE_INVALID_ARGUMENT, "INVALID_URL");
    request = request_of(world, "GET", "/");
    request.headers = &bad;
    request.header_count = 1;
    assert_fails(world, &request, CODE_INVALID_ARGUMENT, "INVALID_HEADER");
    request = request_of(world, "GET /x HTTP/1.1\r\nA:", "/");
    assert_fails(world, &request, CODE_INVALID_ARGUMENT, "INVALID_METHOD");
}

static int listener(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = ntohs(address.sin_port);
    return fd;
}

static void *close_two_connections(void *argument)
{
    for (int i = 0; i < 2; i++) {
        char bytes[1000];
        int fd = accept(*(int *)argument, NULL, NULL);
        if (read(fd, bytes, sizeof bytes) > 0 && i == 1)
            (void)!write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 40);
        close(fd);
    }
    return NULL;
}

static void a_connection_that_fails_or_is_lost(void **state)
{
    struct world *world = *state;
    int port, fd = listener(&port);
    pthread_t thread;
    struct http_client_request request = request_of(world, "POST", "/");
    request.url = str_of(arena_printf(&world->arena, "http://127.0.0.1:%d/", port));
    pthread_create(&thread, NULL, close_two_connections, &fd);
    assert_fails(world, &request, CODE_UNAVAILABLE, "CONNECTION_LOST");
    assert_fails(world, &request, CODE_UNAVAILABLE, "CONNECTION_LOST");
    pthread_join(thread, NULL);
    close(fd);
    assert_fails(world, &request, CODE_UNAVAILABLE, "NO_CONNECTION");
}

/* --- names --- */

/* In libc's place: the address of slow.example comes when the test says so. */
static pthread_mutex_t name_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t name_wake = PTHREAD_COND_INITIALIZER;
static bool name_asked, name_may_come, name_came;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    pthread_mutex_lock(&name_lock);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    bool slow = host && strcmp(host, "slow.example") == 0;
    name_asked = name_asked || slow;
    pthread_cond_broadcast(&name_wake);
    while (slow && !name_may_come)
        pthread_cond_wait(&name_wake, &name_lock);
    name_came = name_came || slow;
    pthread_cond_broadcast(&name_wake);
    pthread_mutex_unlock(&name_lock);
    return slow ? EAI_AGAIN : real(host, service, hints, found);
}

static void set_name(bool *flag)
{
    pthread_mutex_lock(&name_lock);
    *flag = true;
    pthread_cond_broadcast(&name_wake);
    pthread_mutex_unlock(&name_lock);
}

static void wait_for_name(const bool *flag)
{
    pthread_mutex_lock(&name_lock);
    while (!*flag)
        pthread_cond_wait(&name_wake, &name_lock);
    pthread_mutex_unlock(&name_lock);
}

static void a_name_that_does_not_come_holds_up_nobody(void **state)
{
    struct world *world = *state;
    struct http_client_request request = request_of(world, "GET", "/");
    request.url = STR("http://slow.example/");
    request.deadline_ms = 50;
    alarm(60); /* where the client waits for the name, this would never end */
    assert_fails(world, &request, CODE_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED");
    request = request_of(world, "GET", "/");
    assert_int_equal(fetch(world, &request).status, 203);
    wait_for_name(&name_asked);
    assert_false(name_came);
    alarm(0);
    set_name(&name_may_come); /* its thread ends by itself */
    wait_for_name(&name_came);
}

struct outcome {
    struct world *world;
    int times;
    enum code code;
};

static void note(void *argument, const struct http_client_response *response,
                 const struct error *err)
{
    struct outcome *outcome = argument;
    pthread_mutex_lock(&outcome->world->lock);
    outcome->times++;
    outcome->code = response ? CODE_OK : err->code;
    pthread_cond_signal(&outcome->world->came);
    pthread_mutex_unlock(&outcome->world->lock);
}

static void wait_until_kept(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    while (!world->kept)
        pthread_cond_wait(&world->came, &world->lock);
    pthread_mutex_unlock(&world->lock);
}

static void deadlines_hold_while_waiting_for_a_connection_too(void **state)
{
    struct world *world = *state;
    struct outcome first = {.world = world}, second = {.world = world};
    struct http_client_request request = request_of(world, "GET", "/keep");
    struct error err;
    assert_int_equal(http_client_start(world->client, &request, note, &first, &err), CODE_OK);
    wait_until_kept(world); /* it has the only connection */
    request.deadline_ms = 50;
    assert_int_equal(http_client_start(world->client, &request, note, &second, &err), CODE_OK);
    pthread_mutex_lock(&world->lock);
    while (!second.times)
        pthread_cond_wait(&world->came, &world->lock);
    pthread_mutex_unlock(&world->lock);
    assert_int_equal(second.code, CODE_DEADLINE_EXCEEDED);
    assert_int_equal(first.times, 0);

    request.deadline_ms = LONG_MS;
    struct outcome more[2] = {{.world = world}, {.world = world}}, beyond = {.world = world};
    for (int i = 0; i < 2; i++)
        assert_int_equal(http_client_start(world->client, &request, note, &more[i], &err), CODE_OK);
    assert_int_equal(http_client_start(world->client, &request, note, &beyond, &err),
                     CODE_RESOURCE_EXHAUSTED);
    http_client_stop(world->client);
    assert_int_equal(http_client_start(world->client, &request, note, &beyond, &err),
                     CODE_CANCELLED);
    assert_int_equal(first.times, 1);
    assert_int_equal(first.code, CODE_CANCELLED);
    for (int i = 0; i < 2; i++)
        assert_true(more[i].times == 1 && more[i].code == CODE_CANCELLED);
    assert_int_equal(beyond.times, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_goes_out_as_it_was_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(methods_without_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_are_used_again_and_redirects_are_not_followed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(proxies_of_the_environment_are_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_come_and_go_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_has_a_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_fails_or_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_does_not_come_holds_up_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(deadlines_hold_while_waiting_for_a_connection_too, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
