/*
 * Texts made equal when people would call them the same: the only file that sees utf8proc.h.
 * Input must be UTF-8; bytes that are not fold to the empty text.
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NFKC_Casefold (Unicode, section 3.13): what makes two email addresses the same. */
struct str fold_case(struct arena *arena, struct str text);

/*
 * NFKC_Casefold without accents: `José` is `jose`, `Łódź` is `lodz`, `Straße` is `strasse`. Marks
 * that are letters to their readers (Indic vowels, Thai tones, kana's voicing) stay.
 */
struct str fold_search(struct arena *arena, struct str text);

/* The code point at *at, which moves on; 0xFFFD and one byte further when it is none. */
int32_t fold_next(struct str text, size_t *at);

/* A letter, digit or mark: what words are made of. */
bool fold_is_word(int32_t code_point);

/* An apostrophe in any of its forms: inside a word it does not end it. */
bool fold_is_apostrophe(int32_t code_point);

/* A control character, line or paragraph separator, or unassigned. */
bool fold_is_control(int32_t code_point);

/* White space. */
bool fold_is_space(int32_t code_point);

/* How many code points there are. */
size_t fold_length(struct str text);
