/* Numbers from their text. Integers by decimal arithmetic, never through a double. */
#include "base/alloc.h"
#include "json/json_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_BYTES = 128, DIGITS_MAX = 20 };

/* A number as its significant digits (at most DIGITS_MAX of them) times ten to the `scale`. */
struct decimal {
    bool negative;
    char digits[DIGITS_MAX];
    size_t count;
    int64_t scale;
};

/* The exponent behind `e`, held within what no text of 64-bit length can bring back. */
static int64_t read_exponent(struct str text)
{
    bool negative = text.len && text.ptr[0] == '-';
    int64_t value = 0;
    for (size_t i = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'); i < text.len; i++)
        if (value < INT64_MAX / 100)
            value = value * 10 + (text.ptr[i] - '0');
    return negative ? -value : value;
}

/* False when there are more significant digits than an integer of 64 bits can have. */
static bool decimal_of(struct str text, struct decimal *decimal)
{
    *decimal = (struct decimal){0};
    size_t zeros = 0; /* held back: trailing zeros are scale, not digits */
    bool fraction = false;
    size_t i = decimal->negative = text.ptr[0] == '-';
    for (; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            fraction = true;
            continue;
        }
        decimal->scale -= fraction;
        if (c == '0') {
            zeros += decimal->count > 0;
            continue;
        }
        if (decimal->count + zeros >= DIGITS_MAX)
            return false;
        while (zeros) {
            decimal->digits[decimal->count++] = '0';
            zeros--;
        }
        decimal->digits[decimal->count++] = c;
    }
    decimal->scale += (int64_t)zeros;
    if (i < text.len)
        decimal->scale += read_exponent(str_from(text, i + 1));
    return true;
}

static bool magnitude_of(const struct decimal *decimal, uint64_t *magnitude)
{
    *magnitude = 0;
    if (!decimal->count)
        return true;
    if (decimal->scale < 0 || decimal->scale > DIGITS_MAX)
        return false;
    for (int64_t i = 0; i < (int64_t)decimal->count + decimal->scale; i++) {
        uint64_t digit =
            i < (int64_t)decimal->count ? (uint64_t)(decimal->digits[i] - '0') : (uint64_t)0;
        if (__builtin_mul_overflow(*magnitude, (uint64_t)10, magnitude) ||
            __builtin_add_overflow(*magnitude, digit, magnitude))
            return false;
    }
    return true;
}

bool json_number_i64(struct str number, int64_t *value)
{
    struct decimal decimal;
    uint64_t magnitude;
    if (!decimal_of(number, &decimal) || !magnitude_of(&decimal, &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + decimal.negative)
        return false;
    *value = decimal.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool json_number_u64(struct str number, uint64_t *value)
{
    struct decimal decimal;
    return decimal_of(number, &decimal) && magnitude_of(&decimal, value) &&
           (!decimal.negative || *value == 0);
}

/* The text with a NUL, in `room` when it fits. */
static char *terminated(struct str text, char room[COPY_BYTES])
{
    char *copy = text.len < COPY_BYTES ? room : xmalloc(text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

bool json_number_double(struct str number, double *value)
{
    char room[COPY_BYTES], *copy = terminated(number, room);
    *value = strtod(copy, NULL);
    if (copy != room)
        xfree(copy);
    return isfinite(*value);
}

bool json_number_float(struct str number, float *value)
{
    char room[COPY_BYTES], *copy = terminated(number, room);
    *value = strtof(copy, NULL);
    if (copy != room)
        xfree(copy);
    return isfinite(*value);
}
