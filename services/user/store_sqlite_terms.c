/* A list that grows and is sorted; nobody but the writer's thread comes here. */
#include "user/store_sqlite_terms.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 1024 };

static const char PUT[] = "INSERT INTO terms(tenant, term, name_key, id) VALUES(?1, ?2, ?3, ?4)";
static const char DROP[] =
    "DELETE FROM terms WHERE tenant = ?1 AND term = ?2 AND name_key = ?3 AND id = ?4";

void store_sqlite_edit(struct store_sqlite *store, const struct term_edit *edit)
{
    if (store->edit_count == store->edit_room) {
        store->edit_room = store->edit_room ? 2 * store->edit_room : ROOM_FIRST;
        store->edits = xrealloc(store->edits, store->edit_room * sizeof *store->edits);
    }
    store->edits[store->edit_count] = *edit;
    store->edits[store->edit_count].number = store->edit_count;
    store->edit_count++;
}

/* By key; of one key as they were made. */
static int compare(const void *a, const void *b)
{
    const struct term_edit *x = a, *y = b;
    int order = x->tenant < y->tenant ? -1 : x->tenant > y->tenant;
    if (!order)
        order = str_cmp(x->term, y->term);
    if (!order)
        order = str_cmp(x->name_key, y->name_key);
    if (!order)
        order = memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
    return order ? order : x->number < y->number ? -1 : 1;
}

static enum code carry_out(struct db *db, const struct term_edit *edit, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, edit->drop ? DROP : PUT, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, edit->tenant);
    db_bind_blob(stmt, 2, edit->term);
    db_bind_blob(stmt, 3, edit->name_key);
    db_bind_blob(stmt, 4, (struct str){(const char *)edit->id.bytes, sizeof edit->id.bytes});
    return db_run(stmt, err);
}

enum code store_sqlite_write_edits(struct store_sqlite *store, struct error *err)
{
    enum code code = CODE_OK;
    if (store->edit_count)
        qsort(store->edits, store->edit_count, sizeof *store->edits, compare);
    for (size_t i = 0; code == CODE_OK && i < store->edit_count; i++)
        code = carry_out(store->db, &store->edits[i], err);
    return code;
}
