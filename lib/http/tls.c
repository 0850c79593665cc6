/* Certificates: read, watched, replaced. */
#include "http/tls_context.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    WATCH_MS = 1000,
    TICKET_KEY_BYTES_MAX = 256,
    TICKET_MS = 12 * 3600 * 1000,
    TICKET_RETRY_MS = 60 * 1000, /* after keys could not be renewed */
};

/* What tells one state of a file from another. */
struct file_state {
    struct timespec changed;
    off_t size;
    ino_t inode;
};

enum { FILES = 3 };

struct tls {
    char *files[FILES]; /* certificate, key, client CA; NULL: none */
    bool client_required, http2;
    int64_t ticket_ms;
    pthread_mutex_t lock; /* guards `context`, `keys_end_ms`, `stop` */
    pthread_cond_t wake;
    SSL_CTX *context;
    int64_t keys_end_ms; /* monotonic: from then on tickets are given out under other keys */
    struct file_state seen[FILES]; /* the watcher's, after the start */
    pthread_t watcher;
    bool watching, stop;
};

/* HTTP/2 forbids what is not in here (RFC 9113 section 9.2.2); TLS 1.3's own are all fine. */
static const char CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static enum code fail(struct error *err, const char *file, const char *what)
{
    unsigned long reason = ERR_peek_last_error();
    const char *text = reason ? ERR_reason_error_string(reason) : NULL;
    int system = reason && ERR_SYSTEM_ERROR(reason) ? ERR_GET_REASON(reason) : 0;
    if (system)
        text = strerror(system);
    error_set(err, CODE_FAILED_PRECONDITION, "TLS_FILE", "%s: %s%s%s", file, what, text ? ": " : "",
              text ? text : "");
    ERR_clear_error();
    return err->code;
}

/* The protocols we speak, best first, as ALPN writes them (RFC 7301). */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned offered_len, void *argument)
{
    static const unsigned char BOTH[] = "\x02h2\x08http/1.1";
    const struct tls *tls = argument;
    const unsigned char *ours = tls->http2 ? BOTH : BOTH + 3;
    unsigned ours_len = (unsigned)(sizeof BOTH - 1 - (size_t)(ours - BOTH));
    (void)ssl;
    if (SSL_select_next_proto((unsigned char **)chosen, chosen_len, ours, ours_len, offered,
                              offered_len) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static enum code ask_client(const struct tls *tls, SSL_CTX *context, struct error *err)
{
    static const unsigned char SESSIONS_OF[] = "omni-http";
    const char *ca = tls->files[2];
    if (!ca)
        return CODE_OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
    if (!names || SSL_CTX_load_verify_file(context, ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail(err, ca, "no certificates could be read");
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_session_id_context(context, SESSIONS_OF, sizeof SESSIONS_OF - 1);
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (tls->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        NULL);
    return CODE_OK;
}

static enum code load_files(const struct tls *tls, SSL_CTX *context, struct error *err)
{
    if (SSL_CTX_use_certificate_chain_file(context, tls->files[0]) != 1)
        return fail(err, tls->files[0], "no certificate could be read");
    if (SSL_CTX_use_PrivateKey_file(context, tls->files[1], SSL_FILETYPE_PEM) != 1)
        return fail(err, tls->files[1], "no key could be read that fits the certificate");
    if (SSL_CTX_check_private_key(context) != 1)
        return fail(err, tls->files[1], "the key is not the certificate's");
    return ask_client(tls, context, err);
}

static enum code make_context(struct tls *tls, SSL_CTX **made, struct error *err)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        alloc_failed("TLS");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, CIPHERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY); /* or a read ends when a client lets it */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, tls);
    if (load_files(tls, context, err) != CODE_OK) {
        SSL_CTX_free(context);
        return err->code;
    }
    *made = context;
    return CODE_OK;
}

/* Tickets that were given out under the old certificates are taken under the new ones. Not where
 * clients show certificates: who resumes shows none, and his authority may be trusted no more. */
static void keep_ticket_keys(SSL_CTX *from, SSL_CTX *to)
{
    unsigned char keys[TICKET_KEY_BYTES_MAX];
    long size = SSL_CTX_get_tlsext_ticket_keys(from, NULL, 0);
    if (size > 0 && size <= (long)sizeof keys &&
        SSL_CTX_get_tlsext_ticket_keys(from, keys, size) == 1)
        SSL_CTX_set_tlsext_ticket_keys(to, keys, size);
    OPENSSL_cleanse(keys, sizeof keys);
}

enum code tls_reload(struct tls *tls, struct error *err)
{
    SSL_CTX *context = NULL;
    if (make_context(tls, &context, err) != CODE_OK)
        return err->code;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *before = tls->context;
    int64_t now_ms = clock_mono_ms(clock_real());
    if (before && !tls->files[2] && now_ms < tls->keys_end_ms)
        keep_ticket_keys(before, context);
    else
        tls->keys_end_ms = now_ms + tls->ticket_ms;
    tls->context = context;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(before); /* sessions keep theirs */
    return CODE_OK;
}

SSL *tls_context_session(struct tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    if (!ssl)
        alloc_failed("TLS");
    return ssl;
}

/* --- watching --- */

static struct file_state look_at(const char *file)
{
    struct stat info;
    if (!file || stat(file, &info) != 0)
        return (struct file_state){0};
    return (struct file_state){info.st_mtim, info.st_size, info.st_ino};
}

static bool look_again(struct tls *tls)
{
    bool changed = false;
    for (int i = 0; i < FILES; i++) {
        struct file_state now = look_at(tls->files[i]);
        const struct file_state *seen = &tls->seen[i];
        changed |= now.inode != seen->inode || now.size != seen->size ||
                   now.changed.tv_sec != seen->changed.tv_sec ||
                   now.changed.tv_nsec != seen->changed.tv_nsec;
        tls->seen[i] = now;
    }
    return changed;
}

static void reload_changed(struct tls *tls)
{
    struct error err = {0};
    if (tls_reload(tls, &err) == CODE_OK)
        log_info("tls.reloaded", LOG_C("certificate", tls->files[0]));
    else /* perhaps one file is new and the other still old: the next change is looked at too */
        log_warn("tls.reload", LOG_ERR(&err));
}

/* A context's keys cannot be exchanged under those who use it: the files are read once more. Who
 * knows a key can read what TLS 1.2 sent under its tickets, so none is used for long. */
static void renew_keys(struct tls *tls)
{
    struct error err = {0};
    int64_t now_ms = clock_mono_ms(clock_real());
    pthread_mutex_lock(&tls->lock);
    bool due = now_ms >= tls->keys_end_ms;
    pthread_mutex_unlock(&tls->lock);
    if (!due || tls_reload(tls, &err) == CODE_OK)
        return;
    log_warn("tls.tickets", LOG_ERR(&err));
    pthread_mutex_lock(&tls->lock);
    tls->keys_end_ms = now_ms + TICKET_RETRY_MS;
    pthread_mutex_unlock(&tls->lock);
}

/* False when it is time to stop. */
static bool pause_watch(struct tls *tls)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WATCH_MS / 1000;
    pthread_mutex_lock(&tls->lock);
    while (!tls->stop && pthread_cond_timedwait(&tls->wake, &tls->lock, &until) != ETIMEDOUT)
        ;
    bool go_on = !tls->stop;
    pthread_mutex_unlock(&tls->lock);
    return go_on;
}

static void *watch(void *argument)
{
    struct tls *tls = argument;
    while (pause_watch(tls)) {
        if (look_again(tls))
            reload_changed(tls);
        renew_keys(tls);
    }
    return NULL;
}

/* --- life --- */

static char *copy(const char *text)
{
    return text && text[0] ? xstrdup(text) : NULL;
}

enum code tls_new(const struct tls_options *options, struct tls **made, struct error *err)
{
    struct tls *tls = xcalloc(1, sizeof *tls);
    pthread_condattr_t monotonic;
    tls->files[0] = copy(options->cert_file);
    tls->files[1] = copy(options->key_file);
    tls->files[2] = copy(options->client_ca_file);
    tls->client_required = options->client_required;
    tls->http2 = options->http2;
    tls->ticket_ms = options->ticket_ms ? options->ticket_ms : TICKET_MS;
    pthread_mutex_init(&tls->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&tls->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *made = NULL;
    if (!tls->files[0] || !tls->files[1]) {
        error_set(err, CODE_FAILED_PRECONDITION, "TLS_FILE",
                  "TLS needs a certificate file and a key file");
        tls_free(tls);
        return err->code;
    }
    look_again(tls);
    if (tls_reload(tls, err) != CODE_OK) {
        tls_free(tls);
        return err->code;
    }
    tls->watching = pthread_create(&tls->watcher, NULL, watch, tls) == 0;
    if (!tls->watching)
        log_warn("tls.watch", LOG_C("error", "no thread: certificates are read at start only"));
    *made = tls;
    return CODE_OK;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    pthread_mutex_lock(&tls->lock);
    tls->stop = true;
    pthread_cond_signal(&tls->wake);
    pthread_mutex_unlock(&tls->lock);
    if (tls->watching)
        pthread_join(tls->watcher, NULL);
    SSL_CTX_free(tls->context);
    for (int i = 0; i < FILES; i++)
        xfree(tls->files[i]);
    pthread_cond_destroy(&tls->wake);
    pthread_mutex_destroy(&tls->lock);
    xfree(tls);
}
