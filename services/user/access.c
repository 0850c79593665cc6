/* Secrets: made, replaced, ended. */
#include "user/access.h"

#include "base/buf.h"
#include "base/encode.h"
#include "crypto/crypto.h"

#include <string.h>

enum { SECRET_RANDOM_BYTES = 32 };

static void new_secret(struct access_key *key, char text[ACCESS_SECRET_CHARS + 1])
{
    uint8_t random[SECRET_RANDOM_BYTES];
    struct buf out;
    id_random_bytes(random, sizeof random);
    buf_init(&out, ACCESS_SECRET_CHARS + 1);
    buf_add_cstr(&out, "omni_");
    encode_base64url(&out, (struct str){(const char *)random, sizeof random});
    memcpy(text, out.ptr, ACCESS_SECRET_CHARS);
    text[ACCESS_SECRET_CHARS] = '\0';
    explicit_bzero(random, sizeof random);
    explicit_bzero(out.ptr, out.len);
    buf_clear(&out);
    memcpy(key->prefix, text, ACCESS_PREFIX_CHARS);
    key->prefix[ACCESS_PREFIX_CHARS] = '\0';
    crypto_sha256((struct str){text, ACCESS_SECRET_CHARS}, key->secrets[0].hash);
    key->secrets[0].expire_us = 0;
}

void access_key_make_secret(struct access_key *key, char secret[ACCESS_SECRET_CHARS + 1])
{
    new_secret(key, secret);
    key->secret_count = 1;
}

size_t access_key_secrets(const struct access_key *key, int64_t now_us)
{
    size_t count = 1;
    while (count < key->secret_count && key->secrets[count].expire_us > now_us)
        count++;
    return count;
}

void access_key_rotate(struct access_key *key, int64_t now_us, int64_t overlap_us,
                       char secret[ACCESS_SECRET_CHARS + 1])
{
    size_t good = access_key_secrets(key, now_us);
    key->secrets[0].expire_us = now_us + overlap_us;
    /* In the order of their ends, which is what access_key_secrets goes by. */
    for (size_t i = 1; i < good; i++) {
        struct access_secret older = key->secrets[i];
        if (older.expire_us <= key->secrets[i - 1].expire_us)
            continue;
        key->secrets[i] = key->secrets[i - 1];
        key->secrets[i - 1] = older;
    }
    key->secret_count = overlap_us ? good + 1 : 1;
    if (key->secret_count > ACCESS_SECRETS_MAX)
        key->secret_count = ACCESS_SECRETS_MAX;
    memmove(&key->secrets[1], &key->secrets[0], (key->secret_count - 1) * sizeof key->secrets[0]);
    new_secret(key, secret);
    key->rotate_us = now_us;
}

void access_key_etag(const struct access_key *key, char etag[ACCESS_ETAG_CHARS + 1])
{
    const int64_t times[] = {key->expire_us, key->disable_us, key->rotate_us};
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf text;
    buf_init(&text, 4096);
    buf_add(&text, key->name);
    buf_add_char(&text, '\0');
    buf_add(&text, key->plan_id);
    buf_add_char(&text, '\0');
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        buf_add_i64(&text, times[i]);
        buf_add_char(&text, ' ');
    }
    crypto_sha256(buf_str(&text), digest);
    buf_reset(&text);
    encode_hex(&text, (struct str){(const char *)digest, ACCESS_ETAG_CHARS / 2});
    memcpy(etag, buf_cstr(&text), ACCESS_ETAG_CHARS + 1);
    buf_clear(&text);
}

/* --- as stores keep them --- */

enum { SECRET_BYTES = ACCESS_HASH_BYTES + 8 };

static void put_end(int64_t end_us, uint8_t to[8])
{
    for (size_t i = 0; i < 8; i++)
        to[i] = (uint8_t)((uint64_t)end_us >> 8 * i);
}

static int64_t take_end(const uint8_t from[8])
{
    uint64_t end_us = 0;
    for (size_t i = 0; i < 8; i++)
        end_us |= (uint64_t)from[i] << 8 * i;
    return (int64_t)end_us;
}

struct str access_key_pack_secrets(const struct access_key *key,
                                   uint8_t bytes[ACCESS_SECRETS_BYTES])
{
    for (size_t i = 0; i < key->secret_count; i++) {
        memcpy(bytes + i * SECRET_BYTES, key->secrets[i].hash, ACCESS_HASH_BYTES);
        put_end(key->secrets[i].expire_us, bytes + i * SECRET_BYTES + ACCESS_HASH_BYTES);
    }
    return (struct str){(const char *)bytes, key->secret_count * SECRET_BYTES};
}

bool access_key_unpack_secrets(struct str bytes, struct access_key *key)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    key->secret_count = bytes.len / SECRET_BYTES;
    if (!bytes.len || bytes.len % SECRET_BYTES || key->secret_count > ACCESS_SECRETS_MAX)
        return false;
    for (size_t i = 0; i < key->secret_count; i++, at += SECRET_BYTES) {
        memcpy(key->secrets[i].hash, at, ACCESS_HASH_BYTES);
        key->secrets[i].expire_us = take_end(at + ACCESS_HASH_BYTES);
    }
    return true;
}
