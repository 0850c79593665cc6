/*
 * Tables of the user store. A step, once released, never changes: the next one is added behind it.
 * Every key begins with the tenant; ids are the 16 bytes of the UUID.
 */
#include "user/store_sqlite_internal.h"

static const char STEP_1[] =
    "CREATE TABLE users("
    " row INTEGER PRIMARY KEY,"
    " tenant INTEGER NOT NULL,"
    " id BLOB NOT NULL,"
    " email_key BLOB NOT NULL," /* folded: what is unique */
    " email TEXT NOT NULL,"
    " display_name TEXT NOT NULL,"
    " given_name TEXT NOT NULL,"
    " family_name TEXT NOT NULL,"
    " status INTEGER NOT NULL,"
    " labels BLOB NOT NULL," /* record_add_labels */
    " create_us INTEGER NOT NULL,"
    " update_us INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " owner_issuer TEXT NOT NULL,"
    " owner_subject TEXT NOT NULL,"
    /* As they were when the terms were written, so that exactly these can be taken away. */
    " name_key BLOB NOT NULL,"
    " tokens BLOB NOT NULL);"
    "CREATE UNIQUE INDEX users_id ON users(tenant, id);"
    "CREATE UNIQUE INDEX users_email ON users(tenant, email_key);"
    /* search_terms.h says what the terms are. */
    "CREATE TABLE terms("
    " tenant INTEGER NOT NULL,"
    " term BLOB NOT NULL,"
    " name_key BLOB NOT NULL,"
    " id BLOB NOT NULL,"
    " PRIMARY KEY(tenant, term, name_key, id)) WITHOUT ROWID;"
    "CREATE TABLE idempotency("
    " tenant INTEGER NOT NULL,"
    " request_id BLOB NOT NULL,"
    " hash BLOB NOT NULL,"
    " answer BLOB NOT NULL," /* record_add_user; empty for a deletion */
    " expires_ms INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, request_id)) WITHOUT ROWID;"
    "CREATE INDEX idempotency_expiry ON idempotency(expires_ms);"
    /* Events that committed with their write and are in no batch yet. */
    "CREATE TABLE outbox_events("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " tenant INTEGER NOT NULL,"
    " hour INTEGER NOT NULL,"
    " event BLOB NOT NULL);" OUTBOX_TABLES;

/* Pseudonyms of those who act. Whose one is cannot be told once its row is gone. */
static const char STEP_2[] = "CREATE TABLE actors("
                             " tenant INTEGER NOT NULL,"
                             " actor BLOB NOT NULL," /* store_actor */
                             " pseudonym BLOB NOT NULL,"
                             " PRIMARY KEY(tenant, actor)) WITHOUT ROWID;";

static const char *const STEPS[] = {STEP_1, STEP_2};

const struct db_schema store_sqlite_schema = {
    .name = "user store",
    .steps = STEPS,
    .step_count = sizeof STEPS / sizeof *STEPS,
    .application_id = 0x4F4D5531, /* "OMU1" */
};
