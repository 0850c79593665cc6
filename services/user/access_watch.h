/*
 * What gateways follow: an immutable snapshot of keys and plans, made once per change and shared by
 * all who watch. A thread asks the store for its version a few times a second, since other replicas
 * change it too, and at once when this process has made a change.
 */
#pragma once
#include "base/clock.h"
#include "user/access_store.h"

#include "omnidata/access/v1/access.pb-c.h"

enum { ACCESS_WATCH_POLL_MS = 400 };

struct access_watch;

/* Filled messages for a repeated field. */
Omnidata__Access__V1__Plan **access_plan_messages(const struct access_plan *plans, size_t count,
                                                  struct arena *arena);

/* Never changes; lives until it is released. */
struct access_view {
    Omnidata__Access__V1__Snapshot message;
    struct arena arena;
    size_t references; /* the watch's */
};

enum access_watch_result { ACCESS_WATCH_NEW, ACCESS_WATCH_NOTHING, ACCESS_WATCH_CLOSED };

/* Reads the first snapshot and starts the thread; fails as the store does. */
enum code access_watch_new(struct access_store *store, const struct clock *clock,
                           struct access_watch **watch, struct error *err) MUST_CHECK;

/* Looks now: what was changed before is in the snapshot when this returns. (If the store fails,
 * that is logged, and the thread goes on trying.) */
void access_watch_refresh(struct access_watch *watch);

/*
 * Waits up to `wait_ms` for a snapshot of another version than `held`; *view is for
 * access_view_release. ACCESS_WATCH_CLOSED after access_watch_close.
 */
enum access_watch_result access_watch_next(struct access_watch *watch, uint64_t held,
                                           int64_t wait_ms, struct access_view **view);
void access_view_release(struct access_watch *watch, struct access_view *view);

/* Sends all who wait away. */
void access_watch_close(struct access_watch *watch);

/* All views must be released. NULL is allowed. */
void access_watch_free(struct access_watch *watch);
