/* Reading a key set. A key is looked at once, here; finding one later compares a few short texts.
 */
#include "jose/jwk.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "crypto/crypto.h"
#include "json/json_in.h"

#include <stdatomic.h>
#include <string.h>

enum { MEMBER_BYTES_MAX = 1024, JSON_DEPTH = 10 };

struct jwk {
    struct str kid; /* ptr NULL: it has none */
    struct crypto_public_key *key;
    uint8_t digest[CRYPTO_SHA256_BYTES]; /* of id, kind and key */
};

struct jwk_set {
    atomic_int references;
    struct arena arena;
    size_t count, left_out;
    struct str reason; /* of the first that was left out */
    struct jwk keys[JWK_SET_KEYS_MAX];
};

/* --- one key --- */

struct reading {
    struct jwk_set *set;
    struct arena scratch;
    struct error err; /* why a key is left out */
};

static enum code leave_out(struct reading *reading, const char *text)
{
    return error_set(&reading->err, CODE_INVALID_ARGUMENT, "UNUSABLE_KEY", "%s", text);
}

/* A string member; ptr NULL when there is none, or it is no string. */
static struct str text_of(const struct json_value *object, struct str name)
{
    const struct json_value *value = json_get(object, name);
    return value && value->kind == JSON_STRING ? value->text : (struct str){0};
}

static bool bytes_of(struct reading *reading, const struct json_value *object, struct str name,
                     struct str *bytes)
{
    struct buf out;
    struct str text = text_of(object, name);
    buf_init_arena(&out, &reading->scratch, MEMBER_BYTES_MAX);
    bool good = text.len && decode_base64url(&out, text);
    *bytes = buf_str(&out);
    return good;
}

/* False when the member is there and is something else. */
static bool absent_or(const struct json_value *object, struct str name, struct str wanted)
{
    const struct json_value *value = json_get(object, name);
    return !value || (value->kind == JSON_STRING && str_eq(value->text, wanted));
}

static bool may_verify(const struct json_value *object)
{
    const struct json_value *operations = json_get(object, STR("key_ops"));
    if (!absent_or(object, STR("use"), STR("sig")))
        return false;
    if (!operations)
        return true;
    if (operations->kind == JSON_ARRAY)
        for (const struct json_value *v = operations->first; v; v = v->next)
            if (v->kind == JSON_STRING && str_eq(v->text, STR("verify")))
                return true;
    return false;
}

static enum code read_rsa(struct reading *reading, const struct json_value *object,
                          struct crypto_public_key **key)
{
    struct str n, e;
    if (!absent_or(object, STR("alg"), STR("RS256")))
        return leave_out(reading, "RSA keys are used with RS256 only");
    if (!bytes_of(reading, object, STR("n"), &n) || !bytes_of(reading, object, STR("e"), &e))
        return leave_out(reading, "n or e is missing or not base64url");
    return crypto_public_key_rsa(n, e, key, &reading->err);
}

static enum code read_ec(struct reading *reading, const struct json_value *object,
                         struct crypto_public_key **key)
{
    struct str x, y;
    if (!str_eq(text_of(object, STR("crv")), STR("P-256")) ||
        !absent_or(object, STR("alg"), STR("ES256")))
        return leave_out(reading, "EC keys are used with P-256 and ES256 only");
    if (!bytes_of(reading, object, STR("x"), &x) || !bytes_of(reading, object, STR("y"), &y))
        return leave_out(reading, "x or y is missing or not base64url");
    return crypto_public_key_p256(x, y, key, &reading->err);
}

static enum code read_okp(struct reading *reading, const struct json_value *object,
                          struct crypto_public_key **key)
{
    struct str x;
    /* RFC 9864 calls the same algorithm Ed25519. */
    if (!str_eq(text_of(object, STR("crv")), STR("Ed25519")) ||
        (!absent_or(object, STR("alg"), STR("EdDSA")) &&
         !absent_or(object, STR("alg"), STR("Ed25519"))))
        return leave_out(reading, "OKP keys are used with Ed25519 only");
    if (!bytes_of(reading, object, STR("x"), &x))
        return leave_out(reading, "x is missing or not base64url");
    return crypto_public_key_ed25519(x, key, &reading->err);
}

static enum code read_key(struct reading *reading, const struct json_value *object,
                          struct crypto_public_key **key)
{
    struct str kind = text_of(object, STR("kty"));
    const struct json_value *kid = json_get(object, STR("kid"));
    if (object->kind != JSON_OBJECT)
        return leave_out(reading, "a key is no object");
    if (kid && (kid->kind != JSON_STRING || !kid->text.len || kid->text.len > JWK_KID_BYTES_MAX))
        return leave_out(reading, "the key's id is no text of 1 to 256 bytes");
    if (json_get(object, STR("d")))
        return leave_out(reading, "the private key is shown: it is nobody's any more");
    if (!may_verify(object))
        return leave_out(reading, "the key is not for verifying signatures");
    if (str_eq(kind, STR("RSA")))
        return read_rsa(reading, object, key);
    if (str_eq(kind, STR("EC")))
        return read_ec(reading, object, key);
    if (str_eq(kind, STR("OKP")))
        return read_okp(reading, object, key);
    return leave_out(reading, "the kind of key is not RSA, EC or OKP");
}

/* --- the set --- */

/* By the texts as they came: base64url without slack has one spelling for the same bytes. */
static void digest_of(struct reading *reading, const struct json_value *object, struct jwk *jwk)
{
    static const char *const members[] = {"kid", "kty", "n", "e", "x", "y"};
    struct buf all;
    buf_init_arena(&all, &reading->scratch, JWK_SET_BYTES_MAX);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        buf_add(&all, text_of(object, str_of(members[i])));
        buf_add_char(&all, '\0');
    }
    crypto_sha256(buf_str(&all), jwk->digest);
}

static void add_key(struct reading *reading, const struct json_value *object)
{
    struct jwk_set *set = reading->set;
    struct crypto_public_key *key = NULL;
    error_clear(&reading->err);
    enum code code = set->count == JWK_SET_KEYS_MAX
                         ? leave_out(reading, "the set has more than 64 keys")
                         : read_key(reading, object, &key);
    struct str kid = text_of(object, STR("kid"));
    for (size_t i = 0; i < set->count && code == CODE_OK; i++)
        if (kid.ptr && str_eq(set->keys[i].kid, kid) &&
            crypto_public_key_kind(set->keys[i].key) == crypto_public_key_kind(key))
            code = leave_out(reading, "two keys of one kind have the same id");
    if (code != CODE_OK) {
        crypto_public_key_free(key);
        if (!set->left_out++)
            set->reason = arena_str(&set->arena, str_of(reading->err.text));
        return;
    }
    struct jwk *jwk = &set->keys[set->count++];
    jwk->kid = kid.ptr ? arena_str(&set->arena, kid) : kid;
    jwk->key = key;
    digest_of(reading, object, jwk);
}

enum code jwk_set_read(struct str json, struct jwk_set **set, struct error *err)
{
    struct reading reading = {.set = xcalloc(1, sizeof *reading.set)};
    const struct json_limits limits = {JWK_SET_BYTES_MAX, JSON_DEPTH};
    const struct json_value *value;
    atomic_store(&reading.set->references, 1);
    enum code code = json_read(&reading.scratch, json, limits, &value, err);
    const struct json_value *keys = code == CODE_OK ? json_get(value, STR("keys")) : NULL;
    if (code == CODE_OK && (!keys || keys->kind != JSON_ARRAY))
        code = error_set(err, CODE_INVALID_ARGUMENT, "INVALID_KEY_SET",
                         "the key set has no array \"keys\"");
    for (const struct json_value *v = code == CODE_OK ? keys->first : NULL; v; v = v->next)
        add_key(&reading, v);
    arena_clear(&reading.scratch);
    if (code != CODE_OK) {
        jwk_set_release(reading.set);
        reading.set = NULL;
    }
    *set = reading.set;
    return code;
}

struct jwk_set *jwk_set_hold(struct jwk_set *set)
{
    if (set)
        atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void jwk_set_release(struct jwk_set *set)
{
    if (!set || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        crypto_public_key_free(set->keys[i].key);
    arena_clear(&set->arena);
    xfree(set);
}

size_t jwk_set_count(const struct jwk_set *set)
{
    return set->count;
}

size_t jwk_set_left_out(const struct jwk_set *set, struct str *reason)
{
    *reason = set->reason;
    return set->left_out;
}

static bool has_key(const struct jwk_set *set, const struct jwk *wanted)
{
    for (size_t i = 0; i < set->count; i++)
        if (memcmp(set->keys[i].digest, wanted->digest, sizeof wanted->digest) == 0)
            return true;
    return false;
}

bool jwk_set_includes(const struct jwk_set *set, const struct jwk_set *part)
{
    for (size_t i = 0; i < part->count; i++)
        if (!has_key(set, &part->keys[i]))
            return false;
    return true;
}

const struct crypto_public_key *jwk_set_find(const struct jwk_set *set, struct str kid,
                                             enum crypto_key_kind kind)
{
    const struct crypto_public_key *found = NULL;
    for (size_t i = 0; i < set->count; i++) {
        const struct jwk *jwk = &set->keys[i];
        if (crypto_public_key_kind(jwk->key) != kind)
            continue;
        if (kid.ptr && jwk->kid.ptr && str_eq(jwk->kid, kid))
            return jwk->key;
        if (!kid.ptr && found)
            return NULL;
        if (!kid.ptr)
            found = jwk->key;
    }
    return found;
}
