/*
 * Deadlines without a search: every kind of deadline has one duration, so that a list in the order
 * of setting is a list in the order of expiry. Setting and clearing are a few stores.
 * Of one thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct deadline {
    struct deadline *prev, *next; /* NULL: not set */
    int64_t at_ms;
};

struct deadline_list {
    struct deadline ends; /* before the first and behind the last */
    int64_t after_ms;     /* the duration of this kind */
};

void deadline_list_init(struct deadline_list *list, int64_t after_ms);

/* (Re)sets: it expires list->after_ms after now_ms. May have been set in another list. */
void deadline_set(struct deadline_list *list, struct deadline *deadline, int64_t now_ms);

/* Not set is fine. */
void deadline_clear(struct deadline *deadline);

static inline bool deadline_is_set(const struct deadline *deadline)
{
    return deadline->next;
}

/* The first one that has expired, still set; NULL when none has. */
struct deadline *deadline_expired(const struct deadline_list *list, int64_t now_ms);

/* When the first one expires; INT64_MAX when none is set. */
int64_t deadline_next_ms(const struct deadline_list *list);
