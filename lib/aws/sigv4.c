/* SigV4 over HMAC-SHA256, written after AWS's description, stage by stage. */
#include "aws/sigv4.h"

#include "base/encode.h"
#include "base/time_text.h"
#include "crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 16 << 20, PARAMETERS_MAX = 64 };

void sigv4_time(int64_t now_s, char text[SIGV4_TIME_BYTES + 1])
{
    struct time_utc utc = time_utc_of(now_s);
    char room[96];
    snprintf(room, sizeof room, "%04d%02d%02dT%02d%02d%02dZ", utc.year, utc.month, utc.day,
             utc.hour, utc.minute, utc.second);
    memcpy(text, room, SIGV4_TIME_BYTES);
    text[SIGV4_TIME_BYTES] = '\0';
}

static void hex_of(const uint8_t digest[CRYPTO_SHA256_BYTES], char hex[SIGV4_HEX_BYTES + 1])
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < CRYPTO_SHA256_BYTES; i++) {
        hex[2 * i] = DIGITS[digest[i] >> 4];
        hex[2 * i + 1] = DIGITS[digest[i] & 15];
    }
    hex[SIGV4_HEX_BYTES] = '\0';
}

void sigv4_hash(struct str bytes, char hex[SIGV4_HEX_BYTES + 1])
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256(bytes, digest);
    hex_of(digest, hex);
}

void aws_encode_path(struct buf *out, struct str raw)
{
    struct str rest = raw, piece;
    bool first = true;
    while (str_next(&rest, '/', &piece)) {
        if (!first)
            buf_add_char(out, '/');
        first = false;
        encode_percent(out, piece);
    }
}

void aws_encode_query(struct buf *out, struct str name, struct str value)
{
    if (out->len)
        buf_add_char(out, '&');
    encode_percent(out, name);
    buf_add_char(out, '=');
    encode_percent(out, value);
}

/* --- stage 1 --- */

/* RFC 3986, section 5.2.4, and no empty segments: what all services but S3 sign. */
static struct str normalise(struct str path, struct arena *arena)
{
    struct str *kept = arena_alloc(arena, (path.len + 1) * sizeof *kept);
    struct str rest = path, piece;
    struct buf out;
    size_t count = 0;
    bool slash =
        str_ends(path, STR("/")) || str_ends(path, STR("/.")) || str_ends(path, STR("/.."));
    while (str_next(&rest, '/', &piece)) {
        bool dot = str_eq(piece, STR(".")), up = str_eq(piece, STR(".."));
        if (up)
            count -= count > 0;
        else if (piece.len && !dot)
            kept[count++] = piece;
    }
    buf_init_arena(&out, arena, TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&out, '/');
        buf_add(&out, kept[i]);
    }
    if (!count || slash)
        buf_add_char(&out, '/');
    return buf_str(&out);
}

static void add_path(struct buf *out, const struct sigv4_request *request,
                     const struct sigv4_scope *scope, struct arena *arena)
{
    if (scope->path_once)
        buf_add(out, request->path.len ? request->path : STR("/"));
    else
        aws_encode_path(out, normalise(request->path, arena));
}

struct parameter {
    struct str name, value;
};

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *one = a, *other = b;
    int by_name = str_cmp(one->name, other->name);
    return by_name ? by_name : str_cmp(one->value, other->value);
}

static void add_query(struct buf *out, struct str query, struct arena *arena)
{
    struct parameter *parameters = arena_alloc(arena, (query.len + 1) * sizeof *parameters);
    struct str rest = query, piece;
    size_t count = 0;
    if (!query.len)
        return;
    while (str_next(&rest, '&', &piece)) {
        ptrdiff_t equals = str_find(piece, '=');
        size_t length = equals < 0 ? piece.len : (size_t)equals;
        if (piece.len)
            parameters[count++] =
                (struct parameter){{piece.ptr, length}, str_from(piece, length + 1)};
    }
    qsort(parameters, count, sizeof *parameters, compare_parameters);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(out, '&');
        buf_add(out, parameters[i].name);
        buf_add_char(out, '=');
        buf_add(out, parameters[i].value);
    }
}

static struct str lower(struct str text, struct arena *arena)
{
    char *copy = arena_alloc(arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] + 32 : text.ptr[i]);
    return (struct str){copy, text.len};
}

/* Spaces around are dropped and those within become one. */
static void add_value(struct buf *out, struct str value)
{
    bool space = false, any = false;
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.ptr[i];
        if (byte == ' ' || byte == '\t') {
            space = true;
            continue;
        }
        if (space && any)
            buf_add_char(out, ' ');
        buf_add_char(out, byte);
        space = false;
        any = true;
    }
}

struct signed_header {
    struct str name, value;
    size_t place;
};

static int compare_headers(const void *a, const void *b)
{
    const struct signed_header *one = a, *other = b;
    int by_name = str_cmp(one->name, other->name);
    return by_name ? by_name : one->place < other->place ? -1 : 1;
}

/* A line per name; the values of a name that comes more than once are joined by commas. */
static struct str add_headers(struct buf *out, const struct sigv4_request *request,
                              struct arena *arena)
{
    struct signed_header *sorted = arena_alloc(arena, (request->header_count + 1) * sizeof *sorted);
    struct buf names;
    for (size_t i = 0; i < request->header_count; i++)
        sorted[i] = (struct signed_header){lower(request->headers[i].name, arena),
                                           request->headers[i].value, i};
    qsort(sorted, request->header_count, sizeof *sorted, compare_headers);
    buf_init_arena(&names, arena, TEXT_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        bool again = i && str_eq(sorted[i].name, sorted[i - 1].name);
        if (again) {
            out->len--; /* the line goes on */
            buf_add_char(out, ',');
        } else {
            if (i)
                buf_add_char(&names, ';');
            buf_add(&names, sorted[i].name);
            buf_add(out, sorted[i].name);
            buf_add_char(out, ':');
        }
        add_value(out, sorted[i].value);
        buf_add_char(out, '\n');
    }
    return buf_str(&names);
}

struct str sigv4_canonical_request(const struct sigv4_request *request,
                                   const struct sigv4_scope *scope, struct arena *arena,
                                   struct str *signed_headers)
{
    struct buf out;
    buf_init_arena(&out, arena, TEXT_MAX);
    buf_add(&out, request->method);
    buf_add_char(&out, '\n');
    add_path(&out, request, scope, arena);
    buf_add_char(&out, '\n');
    add_query(&out, request->query, arena);
    buf_add_char(&out, '\n');
    *signed_headers = add_headers(&out, request, arena);
    buf_add_char(&out, '\n');
    buf_add(&out, *signed_headers);
    buf_add_char(&out, '\n');
    buf_add(&out, request->payload_hash);
    return buf_str(&out);
}

/* --- stage 2 --- */

static void add_scope(struct buf *out, const struct sigv4_scope *scope)
{
    char time[SIGV4_TIME_BYTES + 1];
    sigv4_time(scope->now_s, time);
    buf_addf(out, "%.8s/%.*s/%.*s/aws4_request", time, STR_ARG(scope->region),
             STR_ARG(scope->service));
}

struct str sigv4_string_to_sign(const struct sigv4_scope *scope, struct str canonical_request,
                                struct arena *arena)
{
    char time[SIGV4_TIME_BYTES + 1], hash[SIGV4_HEX_BYTES + 1];
    struct buf out;
    sigv4_time(scope->now_s, time);
    sigv4_hash(canonical_request, hash);
    buf_init_arena(&out, arena, TEXT_MAX);
    buf_addf(&out, "AWS4-HMAC-SHA256\n%s\n", time);
    add_scope(&out, scope);
    buf_addf(&out, "\n%s", hash);
    return buf_str(&out);
}

/* --- stage 3 --- */

void sigv4_cache_init(struct sigv4_cache *cache)
{
    *cache = (struct sigv4_cache){0};
    pthread_mutex_init(&cache->lock, NULL);
}

void sigv4_cache_clear(struct sigv4_cache *cache)
{
    pthread_mutex_destroy(&cache->lock);
    explicit_bzero(cache->key, sizeof cache->key);
}

static void derive(const struct sigv4_scope *scope, struct str secret, uint8_t key[32])
{
    struct arena arena = {0};
    char time[SIGV4_TIME_BYTES + 1];
    const struct str link = {(const char *)key, CRYPTO_SHA256_BYTES};
    struct buf first;
    sigv4_time(scope->now_s, time);
    buf_init_arena(&first, &arena, TEXT_MAX);
    buf_add(&first, STR("AWS4"));
    buf_add(&first, secret);
    crypto_hmac_sha256(buf_str(&first), (struct str){time, 8}, key);
    crypto_hmac_sha256(link, scope->region, key);
    crypto_hmac_sha256(link, scope->service, key);
    crypto_hmac_sha256(link, STR("aws4_request"), key);
    explicit_bzero(first.ptr, first.len);
    arena_clear(&arena);
}

/* What a key depends on, as one text that can be compared without keeping the secret. */
static void name_key(const struct sigv4_scope *scope, const struct sigv4_key *key,
                     char hex[SIGV4_HEX_BYTES + 1])
{
    struct arena arena = {0};
    struct buf text;
    buf_init_arena(&text, &arena, TEXT_MAX);
    add_scope(&text, scope);
    buf_add_char(&text, '\n');
    buf_add(&text, key->id);
    buf_add_char(&text, '\n');
    buf_add(&text, key->secret);
    sigv4_hash(buf_str(&text), hex);
    explicit_bzero(text.ptr, text.len);
    arena_clear(&arena);
}

void sigv4_signature(const struct sigv4_scope *scope, const struct sigv4_key *key,
                     struct str string_to_sign, struct sigv4_cache *cache,
                     char hex[SIGV4_HEX_BYTES + 1])
{
    uint8_t derived[CRYPTO_SHA256_BYTES], mac[CRYPTO_SHA256_BYTES];
    char name[SIGV4_HEX_BYTES + 1];
    bool have = false;
    if (cache) {
        name_key(scope, key, name);
        pthread_mutex_lock(&cache->lock);
        have = strcmp(cache->of, name) == 0;
        if (have)
            memcpy(derived, cache->key, sizeof derived);
        pthread_mutex_unlock(&cache->lock);
    }
    if (!have)
        derive(scope, key->secret, derived);
    if (cache && !have) {
        pthread_mutex_lock(&cache->lock);
        memcpy(cache->of, name, sizeof name);
        memcpy(cache->key, derived, sizeof derived);
        pthread_mutex_unlock(&cache->lock);
    }
    crypto_hmac_sha256((struct str){(const char *)derived, sizeof derived}, string_to_sign, mac);
    hex_of(mac, hex);
    explicit_bzero(derived, sizeof derived);
}

struct str sigv4_authorization(const struct sigv4_request *request, const struct sigv4_scope *scope,
                               const struct sigv4_key *key, struct sigv4_cache *cache,
                               struct arena *arena)
{
    struct str names;
    char signature[SIGV4_HEX_BYTES + 1];
    struct str canonical = sigv4_canonical_request(request, scope, arena, &names);
    sigv4_signature(scope, key, sigv4_string_to_sign(scope, canonical, arena), cache, signature);
    struct buf out;
    buf_init_arena(&out, arena, TEXT_MAX);
    buf_addf(&out, "AWS4-HMAC-SHA256 Credential=%.*s/", STR_ARG(key->id));
    add_scope(&out, scope);
    buf_addf(&out, ", SignedHeaders=%.*s, Signature=%s", STR_ARG(names), signature);
    return buf_str(&out);
}
