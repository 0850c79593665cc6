/* One connection's TLS: handshake, bytes in, bytes out. */
#include "http/tls_context.h"

#include "base/alloc.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

enum {
    RECORD_BYTES = 16 * 1024, /* the most that a record holds */
    WRITE_BYTES = 4 * RECORD_BYTES,
    SUBJECT_BYTES = 256,
    KEPT_BYTES = 1024, /* of the output's memory while a connection is idle */
};

struct tls_session {
    SSL *ssl;
    BIO *out; /* what OpenSSL wants sent; the SSL's */
    int fd;
    bool failed;
    char subject[SUBJECT_BYTES];
};

struct tls_session *tls_session_new(struct tls *tls, int fd)
{
    struct tls_session *session = xcalloc(1, sizeof *session);
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE);
    session->fd = fd;
    session->ssl = tls_context_session(tls);
    session->out = BIO_new(BIO_s_mem());
    if (!in || !session->out)
        alloc_failed("TLS");
    SSL_set_bio(session->ssl, in, session->out);
    SSL_set_accept_state(session->ssl);
    return session;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    xfree(session);
}

size_t tls_unsent(const struct tls_session *session)
{
    return BIO_ctrl_pending(session->out);
}

bool tls_flush(struct tls_session *session)
{
    char *bytes;
    long waiting;
    while ((waiting = BIO_get_mem_data(session->out, &bytes)) > 0) {
        ssize_t sent = send(session->fd, bytes, (size_t)waiting, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        if (sent == waiting) {
            (void)BIO_reset(session->out);
            return true;
        }
        /* A memory BIO has no "skip": reading is how bytes leave it. */
        char gone[4096];
        while (sent > 0) {
            int size = sent < (ssize_t)sizeof gone ? (int)sent : (int)sizeof gone;
            sent -= BIO_read(session->out, gone, size);
        }
    }
    return true;
}

void tls_rest(struct tls_session *session)
{
    BUF_MEM *memory = NULL, *fresh;
    BIO_get_mem_ptr(session->out, &memory);
    if (memory->length || memory->max <= KEPT_BYTES)
        return;
    fresh = BUF_MEM_new();
    if (!fresh)
        alloc_failed("TLS");
    BIO_set_mem_buf(session->out, fresh, BIO_CLOSE);
}

static void note_subject(struct tls_session *session)
{
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    BIO *text = certificate ? BIO_new(BIO_s_mem()) : NULL;
    if (!text)
        return;
    if (X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        int size = BIO_read(text, session->subject, SUBJECT_BYTES - 1);
        session->subject[size > 0 ? size : 0] = '\0';
    }
    BIO_free(text);
}

enum tls_step tls_handshake(struct tls_session *session)
{
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    int why = result == 1 ? SSL_ERROR_NONE : SSL_get_error(session->ssl, result);
    bool sent = tls_flush(session) || errno == EAGAIN; /* an alert too, when there is one */
    ERR_clear_error();
    if (result == 1 && sent) {
        note_subject(session);
        return TLS_DONE;
    }
    return sent && why == SSL_ERROR_WANT_READ ? TLS_AGAIN : TLS_FAILED;
}

bool tls_chose_http2(const struct tls_session *session)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

struct str tls_client_subject(const struct tls_session *session)
{
    return str_of(session->subject);
}

ssize_t tls_read(struct tls_session *session, char *to, size_t size_bytes)
{
    size_t got = 0;
    if (session->failed)
        return 0;
    ERR_clear_error();
    errno = 0;
    if (SSL_read_ex(session->ssl, to, size_bytes, &got) == 1)
        return (ssize_t)got;
    int system = errno;
    switch (SSL_get_error(session->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = system == EAGAIN ? EAGAIN : EINTR;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        session->failed = true; /* nothing may be written any more either */
        errno = system && system != EAGAIN ? system : ECONNRESET;
        return -1;
    }
}

ssize_t tls_write(struct tls_session *session, const struct iovec *parts, int count)
{
    char gathered[RECORD_BYTES];
    size_t taken = 0, at = 0, written;
    int part = 0;
    if (session->failed) {
        errno = EPIPE;
        return -1;
    }
    if (!tls_flush(session))
        return -1;
    while (taken < WRITE_BYTES && part < count) {
        size_t size = 0;
        while (size < sizeof gathered && part < count) { /* one record, however many parts */
            size_t room = sizeof gathered - size, left = parts[part].iov_len - at;
            size_t piece = left < room ? left : room;
            memcpy(gathered + size, (const char *)parts[part].iov_base + at, piece);
            size += piece;
            at += piece;
            if (at == parts[part].iov_len) {
                at = 0;
                part++;
            }
        }
        if (size == 0)
            break;
        ERR_clear_error();
        if (SSL_write_ex(session->ssl, gathered, size, &written) != 1) {
            ERR_clear_error();
            session->failed = true;
            errno = EPIPE;
            return -1;
        }
        taken += size;
    }
    if (!tls_flush(session) && errno != EAGAIN)
        return -1;
    return (ssize_t)taken;
}

void tls_finish(struct tls_session *session)
{
    ERR_clear_error();
    if (!session->failed && SSL_is_init_finished(session->ssl))
        (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
    (void)tls_flush(session);
}
