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

/* Values of both alphabets' characters, one more than they are: 0 is none. */
static const uint8_t BASE64_DIGITS[256] = {
    ['+'] = 63, ['-'] = 63, ['/'] = 64, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,
    ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['A'] = 1,  ['B'] = 2,  ['C'] = 3,
    ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11,
    ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['_'] = 64,
    ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34,
    ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,
    ['y'] = 51, ['z'] = 52,
};

static bool decode_four(const char *text, uint8_t *to)
{
    uint32_t a = BASE64_DIGITS[(uint8_t)text[0]], b = BASE64_DIGITS[(uint8_t)text[1]];
    uint32_t c = BASE64_DIGITS[(uint8_t)text[2]], d = BASE64_DIGITS[(uint8_t)text[3]];
    if (!a || !b || !c || !d)
        return false;
    uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    to[0] = (uint8_t)(bits >> 16);
    to[1] = (uint8_t)(bits >> 8);
    to[2] = (uint8_t)bits;
    return true;
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
    size_t size = text.len * 6 / 8;
    uint8_t *to = (uint8_t *)buf_reserve(out, size);
    uint32_t bits = 0;
    int count = 0;
    size_t i = 0;
    if (!to)
        return false;
    for (; i + 4 <= text.len; i += 4, to += 3)
        if (!decode_four(text.ptr + i, to))
            return false;
    for (; i < text.len; i++) {
        uint8_t digit = BASE64_DIGITS[(uint8_t)text.ptr[i]];
        if (!digit)
            return false;
        bits = bits << 6 | (digit - 1u);
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    out->len += size;
    return !(strict && bits);
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
