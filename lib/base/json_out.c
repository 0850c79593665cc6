/* The emitter. Runs of plain bytes are copied at once; only what JSON must escape is (RFC 8259). */
#include "base/json_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void before_value(struct json_out *json)
{
    if (json->comma)
        buf_add_char(json->out, ',');
    json->comma = true;
}

void json_object_begin(struct json_out *json)
{
    before_value(json);
    buf_add_char(json->out, '{');
    json->comma = false;
}

void json_object_end(struct json_out *json)
{
    buf_add_char(json->out, '}');
    json->comma = true;
}

void json_array_begin(struct json_out *json)
{
    before_value(json);
    buf_add_char(json->out, '[');
    json->comma = false;
}

void json_array_end(struct json_out *json)
{
    buf_add_char(json->out, ']');
    json->comma = true;
}

void json_key(struct json_out *json, struct str key)
{
    before_value(json);
    buf_add_char(json->out, '"');
    json_escape(json->out, key);
    buf_add(json->out, STR("\":"));
    json->comma = false;
}

static void escape_byte(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        buf_add(out, STR("\\\""));
        break;
    case '\\':
        buf_add(out, STR("\\\\"));
        break;
    case '\n':
        buf_add(out, STR("\\n"));
        break;
    case '\r':
        buf_add(out, STR("\\r"));
        break;
    case '\t':
        buf_add(out, STR("\\t"));
        break;
    default:
        buf_addf(out, "\\u%04x", c);
    }
}

/* 0x80 in some byte of the word when one of its bytes is not plain: below a space, a quote, a
 * backslash, DEL or not ASCII. Zero only when all eight are plain. */
static uint64_t not_plain(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\', del = word ^ ones * 0x7F;
    uint64_t found = word | (word - ones * ' ');
    found |= ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
    found |= (del - ones) & ~del;
    return found & tops;
}

/* Nearly all texts: nothing to escape and nothing to validate. */
static bool is_plain(struct str text)
{
    uint64_t word, found = 0;
    size_t i = 0;
    for (; i + sizeof word <= text.len; i += sizeof word) {
        memcpy(&word, text.ptr + i, sizeof word);
        found |= not_plain(word);
    }
    if (i < text.len) {
        memset(&word, ' ', sizeof word);
        memcpy(&word, text.ptr + i, text.len - i);
        found |= not_plain(word);
    }
    return !found;
}

void json_escape(struct buf *out, struct str text)
{
    if (is_plain(text)) {
        buf_add(out, text);
        return;
    }
    bool valid = str_is_utf8(text);
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool special = c < 0x20 || c == '"' || c == '\\' || c == 0x7F;
        size_t sequence = c < 0x80 || valid ? 1 : str_utf8_sequence(str_from(text, i));
        if (!special && sequence) {
            i += sequence - 1;
            continue;
        }
        buf_add(out, (struct str){text.ptr + start, i - start});
        if (special)
            escape_byte(out, c);
        else
            buf_add(out, STR("\xEF\xBF\xBD"));
        start = i + 1;
    }
    buf_add(out, str_from(text, start));
}

void json_string(struct json_out *json, struct str text)
{
    before_value(json);
    buf_add_char(json->out, '"');
    json_escape(json->out, text);
    buf_add_char(json->out, '"');
}

void json_i64(struct json_out *json, int64_t value)
{
    before_value(json);
    buf_add_i64(json->out, value);
}

void json_u64(struct json_out *json, uint64_t value)
{
    before_value(json);
    buf_add_u64(json->out, value);
}

void json_bool(struct json_out *json, bool value)
{
    before_value(json);
    buf_add_cstr(json->out, value ? "true" : "false");
}

void json_null(struct json_out *json)
{
    before_value(json);
    buf_add(json->out, STR("null"));
}

void json_double(struct json_out *json, double value)
{
    char text[32];
    if (!isfinite(value)) {
        json_null(json);
        return;
    }
    before_value(json);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_add_cstr(json->out, text);
}

void json_raw(struct json_out *json, struct str text)
{
    before_value(json);
    buf_add(json->out, text);
}
