/*
 * The reader: recursive descent over the bytes, one pass. It is our own because the tree of a
 * library (jansson) keeps numbers as int64 or double: it refuses uint64 above 2^63, forgets -0 and
 * rounds what ProtoJSON wants exact; a tree in the request's arena is also several times cheaper.
 */
#include "json/json_in.h"

#include "base/siphash.h"

#include <string.h>

enum { DEPTH_MAX = 1000, KEYS_COMPARED = 16, NODES_AT_ONCE = 16 };

struct reader {
    struct arena *arena;
    const char *start, *at, *end;
    int depth_left;
    struct json_value *nodes; /* taken from the arena a few at once */
    size_t nodes_left;
    struct error *err;
};

struct json_limits json_limits_default(void)
{
    return (struct json_limits){4 << 20, 100};
}

static bool fail_as(struct reader *r, const char *reason, const char *at, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *p = r->start; p < at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    error_set(r->err, CODE_INVALID_ARGUMENT, reason, "JSON, line %zu, column %zu: %s", line, column,
              what);
    return false;
}

static bool fail(struct reader *r, const char *what)
{
    return fail_as(r, "INVALID_JSON", r->at, what);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static struct json_value *new_node(struct reader *r)
{
    if (!r->nodes_left) {
        r->nodes = arena_alloc(r->arena, NODES_AT_ONCE * sizeof *r->nodes);
        r->nodes_left = NODES_AT_ONCE;
    }
    r->nodes_left--;
    struct json_value *node = r->nodes++;
    *node = (struct json_value){0};
    return node;
}

/* --- strings --- */

static int hex4(const char *p, const char *end)
{
    int value = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xC0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xE0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xF0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* r->at stands behind the `u`; the character it means, or -1 after an error. */
static int64_t read_unicode(struct reader *r)
{
    int high = hex4(r->at, r->end);
    if (high < 0) {
        fail(r, "\\u wants four hex digits");
        return -1;
    }
    r->at += 4;
    if (high < 0xD800 || high > 0xDFFF)
        return high;
    int low =
        r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u' ? hex4(r->at + 2, r->end) : -1;
    if (high > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
        fail(r, "half of a surrogate pair stands alone");
        return -1;
    }
    r->at += 6;
    return 0x10000 + ((int64_t)(high - 0xD800) << 10) + (low - 0xDC00);
}

/* r->at stands on a backslash; writes what it means to *to. */
static bool read_escape(struct reader *r, char **to)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char *name = r->end - r->at > 1 ? memchr(names, r->at[1], sizeof names - 1) : NULL;
    if (name) {
        *(*to)++ = means[name - names];
        r->at += 2;
        return true;
    }
    if (r->end - r->at < 2 || r->at[1] != 'u')
        return fail(r, "no such escape");
    r->at += 2;
    int64_t character = read_unicode(r);
    if (character < 0)
        return false;
    *to += put_utf8(*to, (uint32_t)character);
    return true;
}

/* Stops at the quote, a backslash, a control character or the end. */
static const char *plain_run(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        uint64_t quote = eight ^ (ones * '"'), slash = eight ^ (ones * '\\');
        uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                       ((eight - ones * 0x20) & ~eight);
        if (hit & highs)
            break;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

static bool read_string(struct reader *r, struct str *text)
{
    if (r->at == r->end || *r->at != '"')
        return fail(r, "a string was expected");
    const char *begin = ++r->at;
    r->at = plain_run(r->at, r->end);
    *text = (struct str){begin, (size_t)(r->at - begin)};
    if (r->at < r->end && *r->at == '\\') {
        const char *quote = r->at; /* an upper bound for the room: escapes only shrink */
        while (quote < r->end && *quote != '"')
            quote += *quote == '\\' && r->end - quote > 1 ? 2 : 1;
        char *copy = arena_alloc(r->arena, (size_t)(quote - begin) + 1), *to = copy;
        const char *from = begin;
        for (;;) {
            memcpy(to, from, (size_t)(r->at - from));
            to += r->at - from;
            if (r->at == r->end || *r->at != '\\')
                break;
            if (!read_escape(r, &to))
                return false;
            from = r->at;
            r->at = plain_run(r->at, r->end);
        }
        *to = '\0';
        *text = (struct str){copy, (size_t)(to - copy)};
    }
    if (r->at == r->end)
        return fail(r, "the string does not end");
    if (*r->at != '"')
        return fail(r, "a control character must be escaped");
    r->at++;
    return true;
}

/* --- numbers --- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Behind the number that begins at p, or NULL when none does. */
static const char *number_end(const char *p, const char *end)
{
    if (p < end && *p == '-')
        p++;
    const char *digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1))
        return NULL;
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            return NULL;
    }
    return p;
}

bool json_is_number(struct str text)
{
    return text.len && number_end(text.ptr, text.ptr + text.len) == text.ptr + text.len;
}

static bool read_number(struct reader *r, struct json_value *value)
{
    const char *end = number_end(r->at, r->end);
    if (!end)
        return fail(r, "a value was expected");
    value->kind = JSON_NUMBER;
    value->text = (struct str){r->at, (size_t)(end - r->at)};
    r->at = end;
    return true;
}

/* --- values --- */

/* A member whose key has come before, or NULL. Few are compared, many are hashed. */
static const struct json_value *duplicate_key(struct arena *arena, const struct json_value *object)
{
    if (object->count <= KEYS_COMPARED) {
        for (const struct json_value *a = object->first; a; a = a->next)
            for (const struct json_value *b = object->first; b != a; b = b->next)
                if (str_eq(a->key, b->key))
                    return a;
        return NULL;
    }
    size_t slots = 64;
    while (slots < (size_t)object->count * 2)
        slots *= 2;
    const struct json_value **table = arena_alloc0(arena, slots * sizeof *table);
    for (const struct json_value *member = object->first; member; member = member->next) {
        size_t slot = siphash_own(member->key) & (slots - 1), step = 1;
        for (; table[slot]; slot = (slot + step++) & (slots - 1))
            if (str_eq(table[slot]->key, member->key))
                return member;
        table[slot] = member;
    }
    return NULL;
}

static bool read_value(struct reader *r, struct json_value *value);

static bool read_key(struct reader *r, struct json_value *member)
{
    if (!read_string(r, &member->key))
        return false;
    skip_space(r);
    if (r->at == r->end || *r->at != ':')
        return fail(r, "':' was expected");
    r->at++;
    skip_space(r);
    return true;
}

/* r->at stands on the bracket that opens. */
static bool read_list(struct reader *r, struct json_value *list, char close)
{
    const char *begin = r->at++;
    const struct json_value **link = &list->first;
    if (--r->depth_left < 0)
        return fail_as(r, "JSON_TOO_DEEP", begin, "nested too deep");
    skip_space(r);
    if (r->at < r->end && *r->at == close) {
        r->at++;
        r->depth_left++;
        return true;
    }
    for (;;) {
        struct json_value *value = new_node(r);
        if ((close == '}' && !read_key(r, value)) || !read_value(r, value))
            return false;
        *link = value;
        link = &value->next;
        list->count++;
        skip_space(r);
        if (r->at < r->end && *r->at == close)
            break;
        if (r->at == r->end || *r->at != ',')
            return fail(r, close == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
        r->at++;
        skip_space(r);
    }
    r->at++;
    r->depth_left++;
    if (close == '}' && duplicate_key(r->arena, list))
        return fail_as(r, "INVALID_JSON", begin, "the object has the same key twice");
    return true;
}

static bool read_word(struct reader *r, struct json_value *value, enum json_kind kind,
                      struct str word)
{
    if (!str_starts((struct str){r->at, (size_t)(r->end - r->at)}, word))
        return fail(r, "a value was expected");
    r->at += word.len;
    value->kind = kind;
    return true;
}

static bool read_value(struct reader *r, struct json_value *value)
{
    switch (r->at < r->end ? *r->at : '\0') {
    case '{':
        value->kind = JSON_OBJECT;
        return read_list(r, value, '}');
    case '[':
        value->kind = JSON_ARRAY;
        return read_list(r, value, ']');
    case '"':
        value->kind = JSON_STRING;
        return read_string(r, &value->text);
    case 't':
        return read_word(r, value, JSON_TRUE, STR("true"));
    case 'f':
        return read_word(r, value, JSON_FALSE, STR("false"));
    case 'n':
        return read_word(r, value, JSON_NULL, STR("null"));
    default:
        return read_number(r, value);
    }
}

/* Where the bytes stop being UTF-8: characters are taken off the front as long as there are any. */
static const char *first_bad_byte(struct str text)
{
    size_t at = 0, n = 1;
    while (n <= 4 && at + n <= text.len) {
        if (str_is_utf8((struct str){text.ptr + at, n})) {
            at += n;
            n = 1;
        } else {
            n++;
        }
    }
    return text.ptr + at;
}

enum code json_read(struct arena *arena, struct str text, struct json_limits limits,
                    const struct json_value **value, struct error *err)
{
    struct reader r = {.arena = arena,
                       .start = text.ptr,
                       .at = text.ptr,
                       .end = text.ptr + text.len,
                       .depth_left = limits.depth < DEPTH_MAX ? limits.depth : DEPTH_MAX,
                       .err = err};
    *value = NULL;
    if (text.len > limits.bytes)
        return error_set(err, CODE_INVALID_ARGUMENT, "JSON_TOO_LONG",
                         "JSON of %zu bytes; at most %zu are taken", text.len, limits.bytes);
    if (!str_is_utf8(text)) {
        fail_as(&r, "INVALID_JSON", first_bad_byte(text), "not UTF-8");
        return err->code;
    }
    skip_space(&r);
    if (r.at == r.end) {
        fail(&r, "the text is empty");
        return err->code;
    }
    struct json_value *root = new_node(&r);
    if (!read_value(&r, root))
        return err->code;
    skip_space(&r);
    if (r.at != r.end) {
        fail(&r, "something follows the value");
        return err->code;
    }
    *value = root;
    return CODE_OK;
}

const struct json_value *json_get(const struct json_value *object, struct str key)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    for (const struct json_value *member = object->first; member; member = member->next)
        if (str_eq(member->key, key))
            return member;
    return NULL;
}

struct str json_get_text(const struct json_value *object, struct str key)
{
    const struct json_value *value = json_get(object, key);
    return value && value->kind == JSON_STRING ? value->text : (struct str){0};
}

const char *json_kind_name(const struct json_value *value)
{
    static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                        "string", "array",   "object"};
    return names[value->kind];
}
