/* A list: a few thousand batches at the most, looked for a few times a second. */
#include "user/direct.h"

#include "base/alloc.h"

#include <pthread.h>
#include <string.h>

/* What even the smallest batch takes: its row in the outbox is to be bounded as well. */
enum { LEAST_BYTES = 4096 };

struct kept {
    struct kept *next;
    struct id id;
    uint32_t count;
    uint64_t number; /* the how manieth that was announced; 0: not yet */
    size_t size_bytes;
    char body[];
};

struct direct {
    size_t bytes_max;
    pthread_mutex_t lock; /* guards what follows */
    struct kept *first;
    size_t bytes;
    uint64_t announced;
};

struct direct *direct_new(size_t bytes_max)
{
    struct direct *direct = xcalloc(1, sizeof *direct);
    direct->bytes_max = bytes_max;
    pthread_mutex_init(&direct->lock, NULL);
    return direct;
}

static size_t cost_of(size_t size_bytes)
{
    return size_bytes > LEAST_BYTES ? size_bytes : LEAST_BYTES;
}

/* Takes it out of the list. */
static void drop(struct direct *direct, struct kept **link)
{
    struct kept *kept = *link;
    *link = kept->next;
    direct->bytes -= cost_of(kept->size_bytes);
    xfree(kept);
}

void direct_free(struct direct *direct)
{
    if (!direct)
        return;
    while (direct->first)
        drop(direct, &direct->first);
    pthread_mutex_destroy(&direct->lock);
    xfree(direct);
}

/* The link to it; to NULL when it is not here. */
static struct kept **find(struct direct *direct, struct id id)
{
    struct kept **link = &direct->first;
    while (*link && memcmp(&(*link)->id, &id, sizeof id) != 0)
        link = &(*link)->next;
    return link;
}

bool direct_keep(struct direct *direct, const struct store_batch *batch)
{
    bool room;
    pthread_mutex_lock(&direct->lock);
    room = direct->bytes + cost_of(batch->body.len) <= direct->bytes_max;
    if (room) {
        struct kept *kept = xmalloc(sizeof *kept + batch->body.len);
        *kept = (struct kept){.next = direct->first,
                              .id = batch->id,
                              .count = batch->count,
                              .size_bytes = batch->body.len};
        memcpy(kept->body, batch->body.ptr, batch->body.len);
        direct->first = kept;
        direct->bytes += cost_of(batch->body.len);
    }
    pthread_mutex_unlock(&direct->lock);
    return room;
}

void direct_announced(struct direct *direct, struct id id)
{
    pthread_mutex_lock(&direct->lock);
    struct kept *kept = *find(direct, id);
    if (kept)
        kept->number = ++direct->announced;
    pthread_mutex_unlock(&direct->lock);
}

bool direct_drop(struct direct *direct, struct id id)
{
    pthread_mutex_lock(&direct->lock);
    struct kept **link = find(direct, id);
    bool here = *link != NULL;
    if (here)
        drop(direct, link);
    pthread_mutex_unlock(&direct->lock);
    return here;
}

void direct_fill(struct direct *direct, struct store_batch *batches, size_t count,
                 struct arena *arena)
{
    pthread_mutex_lock(&direct->lock);
    for (size_t i = 0; i < count; i++) {
        const struct kept *kept = *find(direct, batches[i].id);
        if (kept)
            batches[i].body = arena_str(arena, (struct str){kept->body, kept->size_bytes});
    }
    pthread_mutex_unlock(&direct->lock);
}

uint64_t direct_mark(struct direct *direct)
{
    pthread_mutex_lock(&direct->lock);
    uint64_t mark = direct->announced;
    pthread_mutex_unlock(&direct->lock);
    return mark;
}

uint64_t direct_drop_orphans(struct direct *direct, uint64_t mark)
{
    uint64_t events = 0;
    pthread_mutex_lock(&direct->lock);
    for (struct kept **link = &direct->first; *link;) {
        if (!(*link)->number || (*link)->number > mark) {
            link = &(*link)->next;
            continue;
        }
        events += (*link)->count;
        drop(direct, link);
    }
    pthread_mutex_unlock(&direct->lock);
    return events;
}
