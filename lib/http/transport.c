/* Bytes in and out of a connection: plain TCP, or TLS. */
#include "http/loop.h"

#include "http/tls.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

ssize_t http_transport_read(struct http_conn *conn, char *to, size_t size_bytes)
{
    return conn->tls ? tls_read(conn->tls, to, size_bytes) : recv(conn->fd, to, size_bytes, 0);
}

ssize_t http_transport_write(struct http_conn *conn, const struct iovec *parts, int count)
{
    if (conn->tls)
        return tls_write(conn->tls, parts, count);
    if (count == 1)
        return send(conn->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

bool http_transport_flush(struct http_conn *conn)
{
    return !conn->tls || tls_flush(conn->tls);
}

bool http_transport_is_flushed(const struct http_conn *conn)
{
    return !conn->tls || tls_unsent(conn->tls) == 0;
}

bool http_transport_may_read(const struct http_conn *conn)
{
    return !conn->tls || tls_unsent(conn->tls) <= TLS_UNSENT_MAX;
}

void http_transport_rest(struct http_conn *conn)
{
    if (conn->tls)
        tls_rest(conn->tls);
}

void http_transport_finish(struct http_conn *conn)
{
    if (conn->tls)
        tls_finish(conn->tls);
    shutdown(conn->fd, SHUT_WR);
}

int http_transport_unsent(const struct http_conn *conn)
{
    int bytes = 0;
    if (ioctl(conn->fd, SIOCOUTQ, &bytes) != 0)
        bytes = 0;
    return conn->tls ? bytes + (int)tls_unsent(conn->tls) : bytes;
}
