/*
 * A batch's bytes as events: the header, then one event at a time, each decoded alone so that one
 * that cannot be is quarantined alone. Contract: proto/omnidata/event/v1/event.proto.
 */
#pragma once
#include "base/error.h"
#include "base/id.h"
#include "base/str.h"
#include "omnidata/event/v1/event.pb.h"

#include <stdbool.h>
#include <stdint.h>

enum { EVENT_BATCH_EVENTS_MAX = 1000, EVENT_BATCH_BYTES_MAX = 180 * 1024 };

struct event_header {
    struct id id;
    bool has_id, has_hour;
    int64_t hour_s;
    uint64_t count;    /* as the producer says */
    uint64_t present;  /* as they are there */
    bool lost;         /* there are none because they were lost where they were made */
    const char *wrong; /* NULL, or why the batch as a whole cannot be used */
};

/*
 * Reads the batch's header and counts its events. With `wrong` set the other fields hold what could
 * be read.
 */
void event_read_header(struct str batch, struct event_header *header);

/* The next event's bytes; false at the end. Start with `struct str rest = batch;`. */
bool event_next(struct str *rest, struct str *event);

/* Decodes; false with *reason in static memory. *unknown: it has fields that this version does not
 * know. */
bool event_decode(struct str bytes, omnidata_event_v1_Event *event, bool *unknown,
                  const char **reason);

/* "USER_CREATED"; NULL for a number without name. */
const char *event_kind_name(int32_t kind);
