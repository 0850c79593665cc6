/*
 * What a user is to the domain, apart from how it travels and how it is stored: plain values whose
 * texts belong to somebody else (an arena). Labels are sorted by key, each key once.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum user_limits {
    USER_EMAIL_BYTES = 254,
    USER_DISPLAY_NAME_CHARS = 200,
    USER_NAME_CHARS = 100,
    USER_LABELS_MAX = 32,
    USER_LABEL_KEY_BYTES = 63,
    USER_LABEL_VALUE_BYTES = 256,
    USER_ETAG_BYTES = 40,
};

/* The numbers of omnidata.user.v1.UserStatus. */
enum user_status { USER_ACTIVE = 1, USER_INVITED = 2, USER_SUSPENDED = 3 };

struct user_label {
    struct str key, value;
};

struct user {
    struct id id;
    struct str email, display_name, given_name, family_name;
    int32_t status; /* enum user_status */
    struct user_label *labels;
    size_t label_count;
    int64_t create_us, update_us;
    uint64_t version;                       /* 1, then one more with each change */
    struct str owner_issuer, owner_subject; /* who created it; empty when not known */
};

/* Fields that a change can name. */
enum user_field {
    USER_FIELD_EMAIL = 1,
    USER_FIELD_DISPLAY_NAME = 2,
    USER_FIELD_GIVEN_NAME = 4,
    USER_FIELD_FAMILY_NAME = 8,
    USER_FIELD_STATUS = 16,
    USER_FIELD_LABELS = 32, /* all of them are replaced */
    USER_FIELDS_ALL = 63,
};

/* One label that is set or taken away. */
struct user_label_edit {
    struct str key, value;
    bool remove;
};

struct user_change {
    struct id id;
    struct str etag; /* the state it is based on; empty: any */
    int64_t now_us;
    unsigned fields;    /* of enum user_field, taken from `values` */
    struct user values; /* validated */
    struct user_label_edit *edits;
    size_t edit_count;
};

/* The etag of a state of a user: opaque text that differs from that of any other state. */
void user_etag(const struct user *user, char text[USER_ETAG_BYTES]);

/*
 * ABORTED (ETAG_MISMATCH) when `etag` is neither empty nor that of the user's state; `path` is the
 * field of the request that it came in.
 */
enum code user_check_etag(const struct user *user, struct str etag, const char *path,
                          struct error *err) MUST_CHECK;

/*
 * The state after the change, in `arena` as far as it is new; INVALID_ARGUMENT when it would have
 * too many labels. The version stays when nothing differs. Does not look at the etag.
 */
enum code user_apply(const struct user *before, const struct user_change *change,
                     struct arena *arena, struct user *after, struct error *err) MUST_CHECK;

/* A copy with all its texts in `arena`. */
struct user user_copy(struct arena *arena, const struct user *user);

/* The most bytes that the user takes in an encoded message. */
size_t user_bytes(const struct user *user);

/* Sorts by key; of equal keys the last one stays. Returns how many remain. As soon as these are
 * more than a user may have, the rest is not looked at: the time is that of `count`, not of its
 * square. */
size_t user_labels_normalise(struct user_label *labels, size_t count);
