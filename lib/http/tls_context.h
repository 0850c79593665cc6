/* What tls.c (certificates) and tls_session.c (connections) share: the only files with OpenSSL. */
#pragma once
#include "http/tls.h"

#include <openssl/ssl.h>
#include <pthread.h>

/* A new SSL under the certificates of this moment. */
SSL *tls_context_session(struct tls *tls);
