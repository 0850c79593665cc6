/* Bytes in and out of a connection: plain TCP. TLS will have its place behind the same functions.
 */
#include "http/loop.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

ssize_t http_transport_read(struct http_conn *conn, char *to, size_t size_bytes)
{
    return recv(conn->fd, to, size_bytes, 0);
}

ssize_t http_transport_write(struct http_conn *conn, const struct iovec *parts, int count)
{
    if (count == 1)
        return send(conn->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

void http_transport_finish(struct http_conn *conn)
{
    shutdown(conn->fd, SHUT_WR);
}

int http_transport_unsent(const struct http_conn *conn)
{
    int bytes = 0;
    return ioctl(conn->fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}
