/* Files of certificates and keys, looked at before a server starts with them. */
#pragma once
#include "base/error.h"

/* FAILED_PRECONDITION with the path and why: not to be read, no certificate in it. */
enum code pem_check_certificates(const char *path, struct error *err) MUST_CHECK;

/* The same for a certificate (chain) and its private key: they belong together, and nobody but the
 * key's owner (and, reading, its group) may touch the key. */
enum code pem_check_pair(const char *cert_path, const char *key_path, struct error *err) MUST_CHECK;
