/*
 * Rows of a file to users of the API: a ProtoJSON user object, or a CSV record under its header.
 * What the shape of the file decides is refused here, with the field's path; whether a value may be
 * (an address, a length) is the user service's to say.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "omnictl/csv.h"

#include "omnidata/user/v1/user.pb-c.h"

enum { USER_READ_COLUMNS_MAX = 1100 };

/*
 * One JSON object; members in lowerCamelCase or under their proto names. Output-only members (id,
 * createTime, updateTime, owner, and etag) are taken and left out, so that an export can be
 * imported. The user is in `arena`.
 */
enum code user_read_json(struct arena *arena, struct str line, Omnidata__User__V1__User **user,
                         struct error *err) MUST_CHECK;

struct user_columns;

/*
 * The meaning of a header record: the same names, and `label.KEY` (or `labels.KEY`). An unknown or
 * doubled column, or none for the address, is refused: then no line of the file can be right.
 */
enum code user_columns_new(const struct csv *header, struct user_columns **columns,
                           struct error *err) MUST_CHECK;
void user_columns_free(struct user_columns *columns);

/* One record. Empty fields are not set; `""` under a label is an empty label. */
enum code user_read_csv(struct arena *arena, const struct user_columns *columns,
                        const struct csv *record, Omnidata__User__V1__User **user,
                        struct error *err) MUST_CHECK;
