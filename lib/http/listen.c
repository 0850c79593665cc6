/*
 * Listening sockets, one per loop on one address. SO_REUSEPORT alone would also let another server
 * of the same user share the port in silence. So the first socket binds without it, which fails
 * when anybody has the port, and gets the option before the others join and all of them listen.
 */
#include "http/loop.h"

#include "base/alloc.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, HOST_BYTES_MAX = 256 };

static enum code refuse(struct error *err, const char *address, const char *what)
{
    return error_set(err, CODE_FAILED_PRECONDITION, "ADDRESS_UNUSABLE", "%s: %s", address, what);
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost:0" */
static enum code resolve(const char *address, struct addrinfo **found, struct error *err)
{
    char host[HOST_BYTES_MAX];
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (!colon || !str_to_u64(str_of(colon + 1), &port) || port > 65535)
        return refuse(err, address, "it must be HOST:PORT");
    struct str name = {address, (size_t)(colon - address)};
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = (struct str){name.ptr + 1, name.len - 2};
    else if (str_find(name, ':') >= 0)
        return refuse(err, address, "an IPv6 address is written [ADDRESS]:PORT");
    if (name.len == 0 || name.len >= sizeof host)
        return refuse(err, address, "it must be HOST:PORT");
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    int result = getaddrinfo(host, colon + 1, &hints, found);
    return result == 0 ? CODE_OK : refuse(err, address, gai_strerror(result));
}

static void set_port(struct sockaddr *address, int port)
{
    uint16_t wire = htons((uint16_t)port);
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = wire;
    else
        ((struct sockaddr_in6 *)address)->sin6_port = wire;
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* A bound socket, or -1 and errno. Accepted sockets inherit TCP_NODELAY. */
static int bind_one(const struct addrinfo *address, bool shared)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) && set_on(fd, IPPROTO_TCP, TCP_NODELAY) &&
        (!shared || set_on(fd, SOL_SOCKET, SO_REUSEPORT)) &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        (shared || set_on(fd, SOL_SOCKET, SO_REUSEPORT)))
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool bind_all(struct addrinfo *address, int *fds, int count, int *port)
{
    for (int i = 0; i < count; i++) {
        fds[i] = bind_one(address, i > 0);
        if (fds[i] < 0)
            return false;
        if (i == 0) {
            *port = port_of(fds[0]);
            set_port(address->ai_addr, *port);
        }
    }
    for (int i = 0; i < count; i++) {
        if (listen(fds[i], BACKLOG) != 0)
            return false;
    }
    return true;
}

enum code http_listen(const char *address, int *fds, int count, int *port, struct error *err)
{
    struct addrinfo *found = NULL;
    enum code code = resolve(address, &found, err);
    if (code != CODE_OK)
        return code;
    for (int i = 0; i < count; i++)
        fds[i] = -1;
    if (!bind_all(found, fds, count, port)) {
        code = refuse(err, address, strerror(errno));
        for (int i = 0; i < count; i++) {
            if (fds[i] >= 0)
                close(fds[i]);
        }
    }
    freeaddrinfo(found);
    return code;
}
