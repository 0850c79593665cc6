/*
 * Items as DynamoDB's JSON has them ({"name": {"S": "text"}}): texts, numbers and bytes, written
 * and read.
 */
#pragma once
#include "base/arena.h"
#include "base/id.h"
#include "base/json_out.h"
#include "json/json_in.h"

/* Of a table of ours: see dynamodb_table.h. */
struct dynamodb_key {
    struct str pk, sk;
};

/* Parts of keys, in `arena`: an id; and a short text for bytes that may be anything. */
struct str dynamodb_id_text(struct arena *arena, struct id id);
struct str dynamodb_hash_text(struct arena *arena, struct str bytes);

bool dynamodb_same_key(const struct dynamodb_key *a, const struct dynamodb_key *b);

/* --- writing: members of the object that is open --- */

void dynamodb_put_s(struct json_out *json, const char *name, struct str text);
void dynamodb_put_n(struct json_out *json, const char *name, int64_t number);
void dynamodb_put_b(struct json_out *json, const char *name, struct str bytes);
void dynamodb_put_key(struct json_out *json, struct dynamodb_key key); /* "pk": …, "sk": … */

enum dynamodb_kind { DYNAMODB_TEXT, DYNAMODB_NUMBER, DYNAMODB_BYTES };

/* An attribute, or a value of an expression when its name begins with ':'. */
struct dynamodb_value {
    const char *name;
    enum dynamodb_kind kind;
    struct str text; /* TEXT, BYTES */
    int64_t number;
};

static inline struct dynamodb_value dynamodb_s(const char *name, struct str text)
{
    return (struct dynamodb_value){name, DYNAMODB_TEXT, text, 0};
}
static inline struct dynamodb_value dynamodb_n(const char *name, int64_t number)
{
    return (struct dynamodb_value){name, DYNAMODB_NUMBER, {0}, number};
}
static inline struct dynamodb_value dynamodb_b(const char *name, struct str bytes)
{
    return (struct dynamodb_value){name, DYNAMODB_BYTES, bytes, 0};
}

void dynamodb_put_value(struct json_out *json, const struct dynamodb_value *value);

/* --- reading: what is not there is empty or 0; texts point into the tree --- */

struct str dynamodb_text(const struct json_value *item, const char *name);
int64_t dynamodb_number(const struct json_value *item, const char *name);
/* Decoded into `arena`. */
struct str dynamodb_bytes(const struct json_value *item, const char *name, struct arena *arena);
