/* Elements of a call stream are their stream's peer's, and each is let in or refused by itself. */
#include "rpc/identity.h"
#include "tests/unit/rpc/async.h"

#include <sys/stat.h>
#include <unistd.h>

#define SHOP "shop aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
#define USER_SERVICE "user bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"

static const struct rpc_grant GRANTS[] = {
    {"shop", "/omnidata.user.v1.UserService/GetUserQuickly", NULL},
};

static struct rpc_identity *open_identity(const char *name)
{
    char path[64];
    struct rpc_identity *identity;
    struct error err;
    snprintf(path, sizeof path, "/tmp/callstream_identity_test.%d", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(SHOP USER_SERVICE, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    const struct rpc_identity_options options = {
        .name = name, .token_file = path, .plaintext = "loopback"};
    assert_int_equal(rpc_identity_open(&options, &identity, &err), CODE_OK);
    unlink(path);
    return identity;
}

static enum code call(struct pair *pair, struct rpc_client *client, struct str method)
{
    struct rpc_call_options options = pair_call(method);
    struct async async;
    async_init(&async);
    rpc_client_start(client, &options, pair_request(pair, "u1"), async_done, &async, NULL);
    async_wait(&async, &async.done, 1);
    async_clear(&async);
    return async.err.code;
}

static void each_element_is_let_in_or_refused(void **state)
{
    struct pair pair;
    struct error err;
    struct rpc_identity *server_identity = open_identity("user"), *shop = open_identity("shop");
    (void)state;
    pair_open_streams(&pair, 2, 8, 1);
    assert_true(rpc_server_drain(pair.server, PAIR_DEADLINE_MS));
    pair.options.identity = server_identity;
    pair.options.guard =
        (struct rpc_guard){.gateway = "gateway", .grants = GRANTS, .grant_count = 1};
    assert_int_equal(rpc_server_start(&pair.options, &pair.server, &err), CODE_OK);
    snprintf(pair.target, sizeof pair.target, "127.0.0.1:%d", rpc_server_port(pair.server));
    struct rpc_client_options options = {.target = pair.target,
                                         .message_bytes_max = PAIR_MESSAGE_MAX,
                                         .identity = shop,
                                         .call_streams = 1};
    struct rpc_client *client = rpc_client_new(&options);
    for (int i = 0; i < PAIR_DEADLINE_MS && !rpc_client_streams_open(client); i++) {
        assert_int_equal(call(&pair, client, GET_QUICKLY), CODE_OK);
        echo_nap();
    }
    assert_int_equal(rpc_client_streams_open(client), 1);
    assert_int_equal(call(&pair, client, GET_QUICKLY), CODE_OK);
    assert_int_equal(call(&pair, client, GET_USER), CODE_PERMISSION_DENIED);
    rpc_client_free(client);
    options.identity = NULL; /* who proves nothing gets no stream */
    client = rpc_client_new(&options);
    for (int i = 0; i < 20; i++)
        assert_int_equal(call(&pair, client, GET_QUICKLY), CODE_UNAUTHENTICATED);
    assert_int_equal(rpc_client_streams_open(client), 0);
    rpc_client_free(client);
    pair_close(&pair);
    rpc_identity_free(shop);
    rpc_identity_free(server_identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_element_is_let_in_or_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
