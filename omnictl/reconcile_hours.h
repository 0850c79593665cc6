/* What both sides' books say of each hour, and how they are shown. */
#pragma once
#include "base/buf.h"
#include "base/json_out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hour_books {
    int64_t hour_s; /* where it begins */
    uint64_t emitted, pending, archived, quarantined;
};

struct hour_list {
    struct hour_books *hours; /* in order */
    size_t count, cap;
};

/* The hour's books, all zero when they are new. Good until the next call. */
struct hour_books *hour_list_at(struct hour_list *list, int64_t hour_s);
void hour_list_clear(struct hour_list *list);

/* emitted = archived + quarantined, for this hour; for each of them. */
bool hour_books_equal(const struct hour_books *books);
bool hour_list_equal(const struct hour_list *list);
struct hour_books hour_list_total(const struct hour_list *list);

/* One object; `with_hour` also says which. */
void hour_books_json(struct json_out *json, const struct hour_books *books, bool with_hour);

/* A table for people, a line per hour and one for the sum. */
void hour_list_table(const struct hour_list *list, struct buf *out);
