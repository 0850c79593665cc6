/* Numbers as LEB128, texts behind their length. */
#include "user/record.h"

#include <string.h>

enum { RECORD_VERSION = 1 };

static void add_number(struct buf *out, uint64_t value)
{
    while (value >= 0x80) {
        buf_add_char(out, (char)(value | 0x80));
        value >>= 7;
    }
    buf_add_char(out, (char)value);
}

static void add_text(struct buf *out, struct str text)
{
    add_number(out, text.len);
    buf_add(out, text);
}

static bool read_number(struct str *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; rest->len && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)rest->ptr[0];
        *rest = str_from(*rest, 1);
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool read_text(struct str *rest, struct str *text)
{
    uint64_t length;
    if (!read_number(rest, &length) || length > rest->len)
        return false;
    *text = (struct str){rest->ptr, (size_t)length};
    *rest = str_from(*rest, (size_t)length);
    return true;
}

void record_add_labels(struct buf *out, const struct user *user)
{
    for (size_t i = 0; i < user->label_count; i++) {
        add_text(out, user->labels[i].key);
        add_text(out, user->labels[i].value);
    }
}

bool record_read_labels(struct str bytes, struct arena *arena, struct user *user)
{
    struct user_label labels[USER_LABELS_MAX];
    size_t count = 0;
    while (bytes.len) {
        if (count == USER_LABELS_MAX || !read_text(&bytes, &labels[count].key) ||
            !read_text(&bytes, &labels[count].value))
            return false;
        count++;
    }
    user->labels = NULL;
    user->label_count = count;
    if (count) {
        user->labels = arena_alloc(arena, count * sizeof *labels);
        memcpy(user->labels, labels, count * sizeof *labels);
    }
    return true;
}

void record_add_user(struct buf *out, const struct user *user)
{
    add_number(out, RECORD_VERSION);
    buf_add_mem(out, user->id.bytes, sizeof user->id.bytes);
    add_text(out, user->email);
    add_text(out, user->display_name);
    add_text(out, user->given_name);
    add_text(out, user->family_name);
    add_number(out, (uint64_t)user->status);
    add_number(out, (uint64_t)user->create_us);
    add_number(out, (uint64_t)user->update_us);
    add_number(out, user->version);
    add_text(out, user->owner_issuer);
    add_text(out, user->owner_subject);
    record_add_labels(out, user);
}

bool record_read_user(struct str bytes, struct arena *arena, struct user *user)
{
    uint64_t version, status, create_us, update_us;
    memset(user, 0, sizeof *user);
    if (!read_number(&bytes, &version) || version != RECORD_VERSION ||
        bytes.len < sizeof user->id.bytes)
        return false;
    memcpy(user->id.bytes, bytes.ptr, sizeof user->id.bytes);
    bytes = str_from(bytes, sizeof user->id.bytes);
    if (!read_text(&bytes, &user->email) || !read_text(&bytes, &user->display_name) ||
        !read_text(&bytes, &user->given_name) || !read_text(&bytes, &user->family_name) ||
        !read_number(&bytes, &status) || !read_number(&bytes, &create_us) ||
        !read_number(&bytes, &update_us) || !read_number(&bytes, &user->version) ||
        !read_text(&bytes, &user->owner_issuer) || !read_text(&bytes, &user->owner_subject))
        return false;
    user->status = (int32_t)status;
    user->create_us = (int64_t)create_us;
    user->update_us = (int64_t)update_us;
    return record_read_labels(bytes, arena, user);
}
