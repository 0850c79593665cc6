/*
 * CSV as RFC 4180 has it, fed in pieces of any size: quoted fields with commas, doubled quotes and
 * line ends in them, lines that end in LF, CRLF or CR, a byte order mark, a last line without an
 * end. Nothing is guessed: a quote in the middle of an unquoted field, or text behind a closing
 * quote, makes the record a wrong one, and reading goes on behind the line.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum csv_result {
    CSV_MORE,   /* the piece is used up: feed the next */
    CSV_RECORD, /* a record is there: csv_count, csv_field */
    CSV_WRONG,  /* a record that is none: csv_line, csv_problem */
};

struct csv;

/* Records longer than `record_bytes_max`, or of more than `fields_max` fields, are wrong ones. */
struct csv *csv_new(size_t record_bytes_max, size_t fields_max);
void csv_free(struct csv *csv);

/*
 * Takes from *rest until a record is complete. Empty lines are skipped. A record's fields are good
 * until the next call.
 */
enum csv_result csv_feed(struct csv *csv, struct str *rest);

/* There is no more: the last record, if its line had no end; CSV_MORE when there is none. */
enum csv_result csv_end(struct csv *csv);

size_t csv_count(const struct csv *csv);
struct str csv_field(const struct csv *csv, size_t index);

/* The field stood in quotes: `""` is an empty text, nothing between two commas may be no text. */
bool csv_quoted(const struct csv *csv, size_t index);

/* Where the record began, from 1: line ends within quotes count too. */
uint64_t csv_line(const struct csv *csv);

/* What is wrong with a CSV_WRONG, in static memory. */
const char *csv_problem(const struct csv *csv);
