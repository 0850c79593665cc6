/* The fake's table: items by partition and sort key, in order; conditions and updates on them. */
#pragma once
#include "base/arena.h"
#include "json/json_in.h"

#include <stdbool.h>

struct fake_item {
    struct arena arena;
    struct str pk, sk;
    const struct json_value *root; /* its tree, in the arena */
    size_t bytes;
};

struct fake_partition {
    struct str pk;
    struct fake_item **items; /* by sort key */
    size_t count, room;
    struct fake_partition *next;
};

enum { FAKE_BUCKETS = 4096 };
struct fake_table {
    struct fake_partition *buckets[FAKE_BUCKETS];
};

void fake_table_clear(struct fake_table *table);
/* `make`: it comes to be when there is none. */
struct fake_partition *fake_partition(struct fake_table *table, struct str pk, bool make);
/* The index of the first item that is not below. */
size_t fake_lower(const struct fake_partition *partition, struct str sk);
struct fake_item *fake_find(struct fake_table *table, struct str pk, struct str sk);
/* Replaces; `json` is the item's text. */
void fake_put(struct fake_table *table, struct str pk, struct str sk, struct str json);
void fake_remove(struct fake_table *table, struct str pk, struct str sk);

/* "S" of an attribute. */
struct str fake_text(const struct json_value *item, const char *name);

/* `expression` over `item` (NULL: none) with `values`. Aborts on one that it does not know. */
bool fake_condition(struct str expression, const struct json_value *item,
                    const struct json_value *values);
/* The item's text after the update. */
struct str fake_update(struct str expression, struct str pk, struct str sk,
                       const struct json_value *item, const struct json_value *values,
                       struct arena *arena);

/* Writes a tree as text. */
struct buf;
void fake_write(struct buf *out, const struct json_value *value);
