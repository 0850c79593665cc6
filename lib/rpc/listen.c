/* The core answers "no" without errno; binding once more ourselves finds the reason. */
#include "rpc/listen.h"

#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADDRESS_BYTES = 256 };

#define REASON "ADDRESS_UNAVAILABLE"

/* The address without its scheme; true when it names a unix socket's path. */
static bool unix_path(const char *address, struct sockaddr_un *to)
{
    struct str text = str_of(address);
    if (!str_starts(text, STR("unix:")))
        return false;
    text = str_from(text, str_starts(text, STR("unix://")) ? 7 : 5);
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(to->sun_path, sizeof to->sun_path, "%.*s", STR_ARG(text));
    return true;
}

/* Where the port begins, or -1. */
static ptrdiff_t port_at(struct str text)
{
    for (size_t i = text.len; i > 0 && text.ptr[i - 1] != ']'; i--)
        if (text.ptr[i - 1] == ':')
            return i < text.len ? (ptrdiff_t)i : -1;
    return -1;
}

enum code listen_check(const char *address, struct error *err)
{
    struct sockaddr_un path;
    if (!unix_path(address, &path)) {
        ptrdiff_t at = port_at(str_of(address));
        uint64_t port;
        if (at >= 0 && str_to_u64(str_from(str_of(address), (size_t)at), &port) && port <= 65535)
            return CODE_OK;
        return error_set(err, CODE_FAILED_PRECONDITION, REASON, "cannot listen on %s: %s", address,
                         at < 0 ? "the address has no port"
                                : "the port is not a number from 0 to 65535");
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered = fd >= 0 && connect(fd, (struct sockaddr *)&path, sizeof path) == 0;
    if (fd >= 0)
        close(fd);
    if (!answered)
        return CODE_OK;
    return error_set(err, CODE_FAILED_PRECONDITION, REASON,
                     "cannot listen on %s: another server is listening there", address);
}

static int bind_error(const struct sockaddr *address, socklen_t length)
{
    int one = 1, error = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address, length) != 0 || listen(fd, 1) != 0)
        error = errno;
    close(fd);
    return error;
}

/* The text of why host:port cannot be bound, or NULL when it could be. */
static const char *explain_host(struct str text)
{
    char host[ADDRESS_BYTES], port[ADDRESS_BYTES];
    size_t port_begin = (size_t)port_at(text); /* listen_check saw to it that there is one */
    struct str name = {text.ptr, port_begin - 1};
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = (struct str){name.ptr + 1, name.len - 2};
    snprintf(host, sizeof host, "%.*s", STR_ARG(name));
    snprintf(port, sizeof port, "%.*s", STR_ARG(str_from(text, port_begin)));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int failed = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (failed)
        return gai_strerror(failed);
    int error = 0;
    for (struct addrinfo *one = found; one && !error; one = one->ai_next)
        error = bind_error(one->ai_addr, one->ai_addrlen);
    freeaddrinfo(found);
    return error ? strerrordesc_np(error) : NULL;
}

enum code listen_explain(const char *address, struct error *err)
{
    struct sockaddr_un path;
    const char *why;
    if (unix_path(address, &path)) {
        int error = bind_error((struct sockaddr *)&path, sizeof path);
        if (!error)
            unlink(path.sun_path);
        why = error ? strerrordesc_np(error) : NULL;
    } else {
        why = explain_host(str_of(address));
    }
    return error_set(err, CODE_FAILED_PRECONDITION, REASON, "cannot listen on %s: %s", address,
                     why ? why : "the address is not one that can be used");
}
