/* The echo services on a server of lib/rpc, for clients in other languages. usage: rpc_peer */
#include "base/log.h"
#include "tests/unit/rpc/echo_service.h"

#include <signal.h>

enum { WORKERS = 4, QUEUE_MAX = 8, STREAMS_MAX = 8, MESSAGE_MAX = 4 << 20, GRACE_MS = 5000 };

int main(void)
{
    struct echo_state state = {0};
    struct rpc_service services[ECHO_SERVICES];
    struct rpc_server *server;
    struct error err;
    sigset_t stop;
    int signal_number;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    log_init("rpc_peer", LOG_DEBUG);
    echo_services(&state, services);
    const struct rpc_server_options options = {
        .address = "127.0.0.1:0",
        .services = services,
        .service_count = ECHO_SERVICES,
        .descriptor_set = proto_builtin_set(),
        .workers = WORKERS,
        .queue_max = QUEUE_MAX,
        .streams_max = STREAMS_MAX,
        .message_bytes_max = MESSAGE_MAX,
    };
    if (rpc_server_start(&options, &server, &err) != CODE_OK) {
        log_error("start", LOG_ERR(&err));
        return 2;
    }
    state.server = server;
    log_info("listening", LOG_C("address", options.address),
             LOG_I("port", rpc_server_port(server)));
    sigwait(&stop, &signal_number);
    bool clean = rpc_server_drain(server, GRACE_MS);
    log_info("stopped", LOG_B("clean", clean), LOG_I("cancelled", atomic_load(&state.cancelled)));
    return 0;
}
