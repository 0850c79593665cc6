/* Values only: no storage, no protocol, no time of its own. */
#include "user/user.h"

#include "user/reasons.h"

#include <stdio.h>
#include <string.h>

/* printf's %llx, for every user that is shown. */
static char *put_hex(char *to, uint64_t value)
{
    int digits = 1;
    while (digits < 16 && value >> (4 * digits))
        digits++;
    for (int i = digits - 1; i >= 0; i--)
        *to++ = "0123456789abcdef"[value >> (4 * i) & 15];
    return to;
}

void user_etag(const struct user *user, char text[USER_ETAG_BYTES])
{
    /* The time beside the version, so that a state of a restored older copy differs as well. */
    char *end = put_hex(text, (uint64_t)user->version);
    *end++ = '-';
    *put_hex(end, (uint64_t)user->update_us) = '\0';
}

enum code user_check_etag(const struct user *user, struct str etag, const char *path,
                          struct error *err)
{
    char now[USER_ETAG_BYTES];
    if (!etag.len)
        return CODE_OK;
    user_etag(user, now);
    if (str_eq(etag, str_of(now)))
        return CODE_OK;
    error_set(err, CODE_ABORTED, REASON_ETAG_MISMATCH,
              "the user has changed since it was read: read it again");
    return error_add_field(err, path, "is not that of the user's present state");
}

size_t user_labels_normalise(struct user_label *labels, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept <= USER_LABELS_MAX; i++) {
        struct user_label label = labels[i];
        size_t at = kept;
        while (at && str_cmp(labels[at - 1].key, label.key) > 0)
            at--;
        if (at && str_eq(labels[at - 1].key, label.key)) {
            labels[at - 1] = label;
            continue;
        }
        memmove(labels + at + 1, labels + at, (kept - at) * sizeof *labels);
        labels[at] = label;
        kept++;
    }
    return kept;
}

size_t user_bytes(const struct user *user)
{
    /* Tags and lengths of a label; all that is not a text of the user's or of a label. */
    enum { LABEL_BYTES = 12, OTHER_BYTES = 192 };
    size_t bytes = OTHER_BYTES + user->email.len + user->display_name.len + user->given_name.len +
                   user->family_name.len + user->owner_issuer.len + user->owner_subject.len;
    for (size_t i = 0; i < user->label_count; i++)
        bytes += LABEL_BYTES + user->labels[i].key.len + user->labels[i].value.len;
    return bytes;
}

static struct user_label *find_label(struct user *user, struct str key)
{
    for (size_t i = 0; i < user->label_count; i++)
        if (str_eq(user->labels[i].key, key))
            return &user->labels[i];
    return NULL;
}

static void edit_labels(struct user *user, const struct user_change *change, struct arena *arena)
{
    struct user_label *labels =
        arena_alloc(arena, (user->label_count + change->edit_count) * sizeof *labels);
    if (user->label_count)
        memcpy(labels, user->labels, user->label_count * sizeof *labels);
    user->labels = labels;
    for (size_t i = 0; i < change->edit_count; i++) {
        const struct user_label_edit *edit = &change->edits[i];
        struct user_label *found = find_label(user, edit->key);
        if (edit->remove && found) {
            size_t after = (size_t)(labels + user->label_count - found - 1);
            memmove(found, found + 1, after * sizeof *found);
            user->label_count--;
        } else if (!edit->remove && found) {
            found->value = edit->value;
        } else if (!edit->remove) {
            labels[user->label_count++] = (struct user_label){edit->key, edit->value};
        }
    }
    user->label_count = user_labels_normalise(labels, user->label_count);
}

static bool same_labels(const struct user *one, const struct user *other)
{
    if (one->label_count != other->label_count)
        return false;
    for (size_t i = 0; i < one->label_count; i++)
        if (!str_eq(one->labels[i].key, other->labels[i].key) ||
            !str_eq(one->labels[i].value, other->labels[i].value))
            return false;
    return true;
}

/* In all that a change can name. */
static bool same_fields(const struct user *one, const struct user *other)
{
    return str_eq(one->email, other->email) && str_eq(one->display_name, other->display_name) &&
           str_eq(one->given_name, other->given_name) &&
           str_eq(one->family_name, other->family_name) && one->status == other->status &&
           same_labels(one, other);
}

enum code user_apply(const struct user *before, const struct user_change *change,
                     struct arena *arena, struct user *after, struct error *err)
{
    const struct user *values = &change->values;
    *after = *before;
    if (change->fields & USER_FIELD_EMAIL)
        after->email = values->email;
    if (change->fields & USER_FIELD_DISPLAY_NAME)
        after->display_name = values->display_name;
    if (change->fields & USER_FIELD_GIVEN_NAME)
        after->given_name = values->given_name;
    if (change->fields & USER_FIELD_FAMILY_NAME)
        after->family_name = values->family_name;
    if (change->fields & USER_FIELD_STATUS)
        after->status = values->status;
    if (change->fields & USER_FIELD_LABELS) {
        after->labels = values->labels;
        after->label_count = values->label_count;
    }
    if (change->edit_count)
        edit_labels(after, change, arena);
    if (after->label_count > USER_LABELS_MAX)
        return error_field(err, "user.labels", "there are more than %d labels", USER_LABELS_MAX);
    if (same_fields(before, after))
        return CODE_OK;
    after->version++;
    /* A clock that went back must not make a change older than the one before. */
    after->update_us = change->now_us > before->update_us ? change->now_us : before->update_us + 1;
    return CODE_OK;
}

struct user user_copy(struct arena *arena, const struct user *user)
{
    struct user copy = *user;
    copy.email = arena_str(arena, user->email);
    copy.display_name = arena_str(arena, user->display_name);
    copy.given_name = arena_str(arena, user->given_name);
    copy.family_name = arena_str(arena, user->family_name);
    copy.owner_issuer = arena_str(arena, user->owner_issuer);
    copy.owner_subject = arena_str(arena, user->owner_subject);
    copy.labels = NULL;
    if (user->label_count)
        copy.labels = arena_alloc(arena, user->label_count * sizeof *copy.labels);
    for (size_t i = 0; i < user->label_count; i++) {
        copy.labels[i].key = arena_str(arena, user->labels[i].key);
        copy.labels[i].value = arena_str(arena, user->labels[i].value);
    }
    return copy;
}
