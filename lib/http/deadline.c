/* A doubly linked ring per kind of deadline. */
#include "http/deadline.h"

#include <stddef.h>

void deadline_list_init(struct deadline_list *list, int64_t after_ms)
{
    list->ends.prev = list->ends.next = &list->ends;
    list->after_ms = after_ms;
}

void deadline_clear(struct deadline *deadline)
{
    if (!deadline->next)
        return;
    deadline->prev->next = deadline->next;
    deadline->next->prev = deadline->prev;
    deadline->prev = deadline->next = NULL;
}

void deadline_set(struct deadline_list *list, struct deadline *deadline, int64_t now_ms)
{
    deadline_clear(deadline);
    deadline->at_ms = now_ms + list->after_ms;
    deadline->prev = list->ends.prev;
    deadline->next = &list->ends;
    deadline->prev->next = deadline;
    list->ends.prev = deadline;
}

struct deadline *deadline_expired(const struct deadline_list *list, int64_t now_ms)
{
    struct deadline *first = list->ends.next;
    return first != &list->ends && first->at_ms <= now_ms ? first : NULL;
}

int64_t deadline_next_ms(const struct deadline_list *list)
{
    return list->ends.next != &list->ends ? list->ends.next->at_ms : INT64_MAX;
}
