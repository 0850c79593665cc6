/*
 * A user as bytes, for stores: labels in a column, a whole user as the answer that an idempotency
 * record keeps. A length stands before each text; a version byte stands first.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "user/user.h"

#include <stdbool.h>

void record_add_labels(struct buf *out, const struct user *user);

/* Fills labels and label_count; texts point into `bytes`, the array is in `arena`. */
bool record_read_labels(struct str bytes, struct arena *arena, struct user *user);

void record_add_user(struct buf *out, const struct user *user);

/* Texts point into `bytes`. False when it is no record. */
bool record_read_user(struct str bytes, struct arena *arena, struct user *user);
