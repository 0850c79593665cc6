/*
 * A terminal that is drawn on: its other screen, keys one by one, no cursor. Whatever ends the
 * process in an orderly way, the terminal is afterwards as it was.
 */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Takes standard input and output over; false, and nothing done, unless both are a terminal. */
bool terminal_open(void);

/* Gives it back; harmless when it was not taken. Also done at exit. */
void terminal_close(void);

/* Its size now; 80 x 24 when it does not say. */
void terminal_size(size_t *columns, size_t *rows);

/* Draws the lines of `text` from the top, and clears the rest. Lines must fit. */
void terminal_draw(struct str text);

/* A key that was pressed, or -1. Does not wait. */
int terminal_key(void);
