/*
 * Bytes somebody else owns: a pointer and a length, no NUL needed.
 * All functions are pure; "case" means ASCII case.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

/* A string literal as a struct str. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).len, (s).ptr

/* A C string; NULL gives the empty string. */
struct str str_of(const char *text);

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_case(struct str a, struct str b);
bool str_starts(struct str text, struct str prefix);
bool str_ends(struct str text, struct str suffix);

/* <0, 0, >0 by unsigned bytes, the shorter first. */
int str_cmp(struct str a, struct str b);

/* Index of the first `byte`, or -1. */
ptrdiff_t str_find(struct str text, char byte);

/* The part from `start` (clamped) to the end. */
static inline struct str str_from(struct str text, size_t start)
{
    if (start > text.len)
        start = text.len;
    return (struct str){text.ptr + start, text.len - start};
}

/* Without spaces and tabs at both ends. */
struct str str_trim(struct str text);

/*
 * Takes the piece before the next `separator` off *rest. False when *rest was used up; a text
 * without separator is one piece, the empty text is one empty piece. Start with
 * `struct str rest = text;`, and do not touch it in between.
 */
bool str_next(struct str *rest, char separator, struct str *piece);

/* Decimal integers, the whole text, no sign for u64, no spaces; false on overflow as well. */
bool str_to_u64(struct str text, uint64_t *value);
bool str_to_i64(struct str text, int64_t *value);

/* Well-formed UTF-8 (Unicode 15, table 3-7): no surrogates, nothing over-long or above U+10FFFF. */
bool str_is_utf8(struct str text);

/* Bytes of the well-formed UTF-8 sequence that the text begins with; 0 when there is none. */
size_t str_utf8_sequence(struct str text);

/* The longest prefix of at most `max_bytes` that does not cut a UTF-8 sequence. */
struct str str_utf8_cut(struct str text, size_t max_bytes);
