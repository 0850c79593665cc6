/* libcrypto reads, we say in words what it did not like. */
#include "crypto/pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

#define REASON "CERTIFICATE"

static enum code open_file(const char *path, FILE **file, struct error *err)
{
    *file = fopen(path, "re");
    if (*file)
        return CODE_OK;
    return error_errno(err, CODE_FAILED_PRECONDITION, errno, "%s", path);
}

static enum code read_certificate(const char *path, X509 **certificate, struct error *err)
{
    FILE *file;
    if (open_file(path, &file, err) != CODE_OK)
        return err->code;
    *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ERR_clear_error();
    if (*certificate)
        return CODE_OK;
    return error_set(err, CODE_FAILED_PRECONDITION, REASON, "%s: no certificate (PEM) in it", path);
}

enum code pem_check_certificates(const char *path, struct error *err)
{
    X509 *certificate = NULL;
    enum code code = read_certificate(path, &certificate, err);
    X509_free(certificate);
    return code;
}

static int no_password(char *buffer, int size, int writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)user;
    return -1; /* instead of asking at a terminal */
}

static enum code read_key(const char *path, EVP_PKEY **key, struct error *err)
{
    struct stat about;
    FILE *file;
    if (open_file(path, &file, err) != CODE_OK)
        return err->code;
    if (fstat(fileno(file), &about) == 0 && about.st_mode & (S_IWGRP | S_IRWXO))
        error_set(err, CODE_FAILED_PRECONDITION, REASON,
                  "%s: others may read it or change it (mode %04o): chmod 600 it", path,
                  (unsigned)about.st_mode & 07777);
    else if (!(*key = PEM_read_PrivateKey(file, NULL, no_password, NULL)))
        error_set(err, CODE_FAILED_PRECONDITION, REASON,
                  "%s: no private key (PEM, without a password) in it", path);
    fclose(file);
    ERR_clear_error();
    return *key ? CODE_OK : err->code;
}

enum code pem_check_pair(const char *cert_path, const char *key_path, struct error *err)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    enum code code = read_certificate(cert_path, &certificate, err);
    if (code == CODE_OK)
        code = read_key(key_path, &key, err);
    if (code == CODE_OK && X509_check_private_key(certificate, key) != 1)
        code = error_set(err, CODE_FAILED_PRECONDITION, REASON,
                         "%s is not the key of the certificate %s", key_path, cert_path);
    ERR_clear_error();
    X509_free(certificate);
    EVP_PKEY_free(key);
    return code;
}
