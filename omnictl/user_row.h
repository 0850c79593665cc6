/*
 * A user as a row of a file: what import reads, and what gen and export write, as NDJSON (a
 * ProtoJSON user object per line) or CSV (RFC 4180). Texts belong to whoever filled the row.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { USER_ROW_LABELS_MAX = 64 };

enum user_format { USER_FORMAT_NDJSON, USER_FORMAT_CSV };

struct user_label {
    struct str key, value;
};

struct user_row {
    struct str email, display_name, given_name, family_name;
    struct str status;                             /* "USER_STATUS_ACTIVE", or empty */
    struct str id, create_time, update_time, etag; /* output only: empty from gen */
    struct user_label
        labels[USER_ROW_LABELS_MAX]; /* more than a user may have: the server says so */
    size_t label_count;
};

/* "ndjson" or "csv"; false for anything else. */
bool user_format_parse(struct str text, enum user_format *format);

/* One line; empty members are left out. */
void user_row_write_ndjson(struct buf *out, const struct user_row *row);

/*
 * The header line: the members, then a column `label.KEY` for each key. `output_only` adds id,
 * create_time, update_time and etag.
 */
void user_row_write_csv_header(struct buf *out, const struct str *label_keys, size_t count,
                               bool output_only);

/*
 * One record, for the header of the same arguments. A label that is not there is an empty field, a
 * label with an empty value is a quoted empty field, so that reading gives back the same.
 */
void user_row_write_csv(struct buf *out, const struct user_row *row, const struct str *label_keys,
                        size_t count, bool output_only);
