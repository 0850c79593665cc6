/*
 * The index of terms as the writer changes it: all that a group puts and drops waits until its
 * operations have run, and is carried out in the order of the index. So each page of the index is
 * come by once, and need not leave the writer's cache and come back.
 */
#pragma once
#include "user/store_sqlite_internal.h"

/* A row that goes into the index, or leaves it. Texts are the operation's. */
struct term_edit {
    uint32_t tenant;
    bool drop;
    struct str term, name_key;
    struct id id;
    size_t number; /* in the order in which they were made */
};

/* Inside an operation: to be carried out later. */
void store_sqlite_edit(struct store_sqlite *store, const struct term_edit *edit);

/* Carries out all of them, those of one row in their own order. */
enum code store_sqlite_write_edits(struct store_sqlite *store, struct error *err);
