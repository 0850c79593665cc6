/*
 * TLS 1.2 and 1.3 by OpenSSL, for servers. Certificates come from files and are read again when the
 * files change, without a restart: connections that are open keep what they began with, and session
 * tickets stay good until their keys are renewed, unless clients are asked for certificates.
 *
 * A session reads from its socket and writes to memory: what OpenSSL has made of our bytes is sent
 * by tls_flush, so that a full socket never leaves a half-written record inside OpenSSL.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Output beyond this is nothing that tls_write has made: replies to a client that takes none. */
enum { TLS_UNSENT_MAX = 128 * 1024 };

struct tls;         /* certificates and settings; any thread */
struct tls_session; /* of one connection; one thread */

struct tls_options {
    const char *cert_file;      /* PEM: the server's certificate, then its chain */
    const char *key_file;       /* PEM */
    const char *client_ca_file; /* PEM: who signs client certificates; NULL or "": none is asked */
    bool client_required;       /* a client without a certificate is refused */
    bool http2;                 /* offer h2 by ALPN before http/1.1 */
    int64_t ticket_ms;          /* for how long tickets are made with the same keys; 0: 12 hours */
};

/*
 * Reads the files and starts the thread that watches them (every second). FAILED_PRECONDITION
 * naming the file that is missing, unreadable or does not fit the others. The texts are copied.
 */
enum code tls_new(const struct tls_options *options, struct tls **tls,
                  struct error *err) MUST_CHECK;

/* After the last session. NULL is allowed. */
void tls_free(struct tls *tls);

/* Reads the files now, whatever their times say; on an error what was there stays in use. */
enum code tls_reload(struct tls *tls, struct error *err) MUST_CHECK;

/* For an accepted socket, which stays the caller's. Never NULL. */
struct tls_session *tls_session_new(struct tls *tls, int fd);
void tls_session_free(struct tls_session *session);

enum tls_step {
    TLS_DONE,
    TLS_AGAIN,  /* when the socket can be read (or, with output waiting, written) */
    TLS_FAILED, /* no TLS, no common version, a certificate that is not trusted …; close */
};

/* Goes on with the handshake. */
enum tls_step tls_handshake(struct tls_session *session);

/* After the handshake: HTTP/2 was agreed on. */
bool tls_chose_http2(const struct tls_session *session);

/* The client's certificate's subject (RFC 2253), or an empty str; as long as the session. */
struct str tls_client_subject(const struct tls_session *session);

/*
 * As read(2): 0 at the client's end (with or without close_notify), -1 and errno EAGAIN; EINTR when
 * what came was TLS's own and there may be more. Reading may make output (a key is renewed).
 */
ssize_t tls_read(struct tls_session *session, char *to, size_t size_bytes);

/*
 * Takes as many of the bytes as go into a few records and sends what the socket takes. Returns how
 * many of the plain bytes were taken: all that, be it sent or not, is the session's. -1 and EAGAIN
 * when earlier output still waits.
 */
ssize_t tls_write(struct tls_session *session, const struct iovec *parts, int count);

/* Sends what waits: true when nothing is left. False with errno EAGAIN, or an error. */
bool tls_flush(struct tls_session *session);

/* Nothing waits to be sent, and perhaps nothing will for long: gives back what a large answer has
 * needed. */
void tls_rest(struct tls_session *session);

/* Bytes that wait to be sent. */
size_t tls_unsent(const struct tls_session *session);

/* Adds close_notify to the output and sends what the socket takes. */
void tls_finish(struct tls_session *session);
