/*
 * What `omnictl top` shows: a picture of the pipeline at one moment, as lines for a terminal of
 * some size or as JSON. Pure: no calls, no terminal.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VIEW_KINDS_MAX = 16, VIEW_POINTS_MAX = 60, VIEW_SEARCHES_MAX = 10, VIEW_TEXT_BYTES = 256 };

struct view_service {
    const char *name, *address;
    bool asked;       /* an answer, or none, is known */
    struct error err; /* CODE_OK: it answers */
};

struct view_kind {
    char name[64]; /* "USER_CREATED" */
    uint64_t last_minute, day, failures;
};

struct view_search {
    char query[VIEW_TEXT_BYTES];
    uint64_t count, max_error;
};

struct pipeline_view {
    int64_t now_s;
    struct view_service users, analytics;
    uint64_t outbox_pending, outbox_oldest_ms, dropped_reads;
    uint64_t queued_batches, queued_events, queued_oldest_ms, open_events;
    uint64_t archived_events, archived_objects, quarantined_events, duplicate_batches;
    double archived_per_s;
    struct view_kind kinds[VIEW_KINDS_MAX];
    size_t kind_count;
    uint64_t points[VIEW_POINTS_MAX]; /* events a minute, the last one is not over */
    size_t point_count;
    struct view_search searches[VIEW_SEARCHES_MAX];
    size_t search_count;
};

/* Lines of at most `columns`, ending in LF; colours and weights only when `ansi`. */
void pipeline_view_text(struct buf *out, const struct pipeline_view *view, size_t columns,
                        bool ansi);

/* One line of JSON. */
void pipeline_view_json(struct buf *out, const struct pipeline_view *view);

/*
 * Appends as much of a text as fits into `columns`, wide characters counting two, and control
 * characters replaced: a text of somebody's choice must not steer the terminal. Returns the
 * columns.
 */
size_t view_add_clean(struct buf *out, struct str text, size_t columns);
