/* Text forms of bytes. */
#include "base/encode.h"

static const char HEX[] = "0123456789abcdef";
static const char HEX_CAPITAL[] = "0123456789ABCDEF";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void encode_hex(struct buf *out, struct str bytes)
{
    char *to = buf_reserve(out, bytes.len * 2);
    if (!to)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        *to++ = HEX[byte >> 4];
        *to++ = HEX[byte & 15];
    }
    out->len += bytes.len * 2;
}

int decode_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool decode_hex(struct str text, uint8_t *to)
{
    if (text.len % 2)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = decode_hex_digit(text.ptr[i]);
        int low = decode_hex_digit(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i / 2] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static void encode_base64_with(struct buf *out, struct str bytes, const char *alphabet, bool padded)
{
    char *to = buf_reserve(out, (bytes.len + 2) / 3 * 4);
    if (!to)
        return;
    char *start = to;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(uint8_t)bytes.ptr[i] << 16;
        if (left > 1)
            group |= (uint32_t)(uint8_t)bytes.ptr[i + 1] << 8;
        if (left > 2)
            group |= (uint8_t)bytes.ptr[i + 2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        if (left > 1)
            *to++ = alphabet[group >> 6 & 63];
        else if (padded)
            *to++ = '=';
        if (left > 2)
            *to++ = alphabet[group & 63];
        else if (padded)
            *to++ = '=';
    }
    out->len += (size_t)(to - start);
}

void encode_base64(struct buf *out, struct str bytes)
{
    encode_base64_with(out, bytes, BASE64, true);
}

void encode_base64url(struct buf *out, struct str bytes)
{
    encode_base64_with(out, bytes, BASE64URL, false);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

bool decode_base64(struct buf *out, struct str text, bool strict)
{
    size_t padding = 0;
    while (text.len && padding < 2 && text.ptr[text.len - 1] == '=') {
        text.len--;
        padding++;
    }
    if (text.len % 4 == 1 || (padding && (text.len + padding) % 4))
        return false;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_add_char(out, (char)(uint8_t)(bits >> count));
            bits &= (1u << count) - 1;
        }
    }
    return !(strict && bits) && !out->overflow;
}

bool decode_base64url(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '+' || text.ptr[i] == '/' || text.ptr[i] == '=')
            return false;
    return decode_base64(out, text, true);
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void encode_percent(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        if (unreserved(bytes.ptr[i])) {
            buf_add_char(out, bytes.ptr[i]);
        } else {
            char escape[3] = {'%', HEX_CAPITAL[byte >> 4], HEX_CAPITAL[byte & 15]};
            buf_add_mem(out, escape, sizeof escape);
        }
    }
}

bool decode_percent(struct buf *out, struct str text, bool plus_is_space)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? decode_hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? decode_hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            buf_add_char(out, (char)(uint8_t)(high * 16 + low));
            i += 2;
        } else {
            buf_add_char(out, c == '+' && plus_is_space ? ' ' : c);
        }
    }
    return !out->overflow;
}
