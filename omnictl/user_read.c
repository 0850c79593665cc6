/* One table says what the members are called and where they go. */
#include "omnictl/user_read.h"

#include "base/alloc.h"
#include "json/json_in.h"

#include <string.h>

enum member_kind { MEMBER_TEXT, MEMBER_STATUS, MEMBER_LABELS, MEMBER_IGNORED };

enum { LINE_BYTES_MAX = 1024 * 1024, LINE_DEPTH_MAX = 16 };

struct member {
    const char *proto, *camel;
    enum member_kind kind;
    size_t offset;
};

static const struct member MEMBERS[] = {
    {"email", "email", MEMBER_TEXT, offsetof(Omnidata__User__V1__User, email)},
    {"display_name", "displayName", MEMBER_TEXT, offsetof(Omnidata__User__V1__User, display_name)},
    {"given_name", "givenName", MEMBER_TEXT, offsetof(Omnidata__User__V1__User, given_name)},
    {"family_name", "familyName", MEMBER_TEXT, offsetof(Omnidata__User__V1__User, family_name)},
    {"status", "status", MEMBER_STATUS, 0},
    {"labels", "labels", MEMBER_LABELS, 0},
    {"id", "id", MEMBER_IGNORED, 0},
    {"create_time", "createTime", MEMBER_IGNORED, 0},
    {"update_time", "updateTime", MEMBER_IGNORED, 0},
    {"etag", "etag", MEMBER_IGNORED, 0},
    {"owner", "owner", MEMBER_IGNORED, 0},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof *MEMBERS, EMAIL_MEMBER = 0 };

static const struct member *find_member(struct str name)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (str_eq(name, str_of(MEMBERS[i].proto)) || str_eq(name, str_of(MEMBERS[i].camel)))
            return &MEMBERS[i];
    return NULL;
}

static enum code fail_at(struct error *err, const char *member, struct str key, const char *text)
{
    char path[ERROR_FIELD_BYTES];
    struct buf buf;
    buf_init(&buf, sizeof path - 1);
    buf_addf(&buf, "user.%s%s", member, key.len ? "." : "");
    buf_add(&buf, str_utf8_cut(key, 64));
    memcpy(path, buf_cstr(&buf), buf.len + 1);
    buf_clear(&buf);
    return error_field(err, path, "%s", text);
}

/* A text as protobuf-c wants it: ending in NUL, none within. */
static enum code keep_text(struct arena *arena, struct str text, const char *member, struct str key,
                           char **into, struct error *err)
{
    if (text.len && memchr(text.ptr, 0, text.len))
        return fail_at(err, member, key, "must not contain the character U+0000");
    if (!str_is_utf8(text))
        return fail_at(err, member, key, "is not UTF-8");
    *into = arena_cstr(arena, text);
    return CODE_OK;
}

static char **text_of(Omnidata__User__V1__User *user, const struct member *member)
{
    return (char **)(void *)((char *)user + member->offset);
}

static Omnidata__User__V1__User *new_user(struct arena *arena, size_t labels)
{
    Omnidata__User__V1__User *user = arena_alloc(arena, sizeof *user);
    omnidata__user__v1__user__init(user);
    user->labels = arena_alloc(arena, (labels + 1) * sizeof *user->labels);
    return user;
}

static enum code add_label(struct arena *arena, Omnidata__User__V1__User *user, struct str key,
                           struct str value, struct error *err)
{
    Omnidata__User__V1__User__LabelsEntry *entry = arena_alloc(arena, sizeof *entry);
    omnidata__user__v1__user__labels_entry__init(entry);
    if (keep_text(arena, key, "labels", key, &entry->key, err) != CODE_OK ||
        keep_text(arena, value, "labels", key, &entry->value, err) != CODE_OK)
        return err->code;
    user->labels[user->n_labels++] = entry;
    return CODE_OK;
}

/* USER_STATUS_ACTIVE, or ACTIVE in any case. */
static enum code read_status(struct str text, Omnidata__User__V1__User *user, struct error *err)
{
    struct str prefix = STR("USER_STATUS_");
    const ProtobufCEnumDescriptor *type = &omnidata__user__v1__user_status__descriptor;
    for (unsigned i = 0; i < type->n_values; i++) {
        struct str name = str_of(type->values[i].name);
        if (str_eq(text, name) || str_eq_case(text, str_from(name, prefix.len))) {
            user->status = (Omnidata__User__V1__UserStatus)type->values[i].value;
            return CODE_OK;
        }
    }
    return error_field(err, "user.status", "\"%.*s\" is none of ACTIVE, INVITED, SUSPENDED",
                       STR_ARG(str_utf8_cut(text, 64)));
}

/* --- JSON --- */

static enum code wrong_kind(struct error *err, const char *member, struct str key,
                            const char *wanted, const struct json_value *value)
{
    char text[64];
    struct buf buf;
    buf_init(&buf, sizeof text - 1);
    buf_addf(&buf, "must be a %s, not %s", wanted, json_kind_name(value));
    memcpy(text, buf_cstr(&buf), buf.len + 1);
    buf_clear(&buf);
    return fail_at(err, member, key, text);
}

static enum code read_json_status(const struct json_value *value, Omnidata__User__V1__User *user,
                                  struct error *err)
{
    int64_t number;
    if (value->kind == JSON_STRING)
        return read_status(value->text, user, err);
    if (value->kind != JSON_NUMBER)
        return wrong_kind(err, "status", (struct str){0}, "string", value);
    if (!json_number_i64(value->text, &number) || number < INT32_MIN || number > INT32_MAX)
        return error_field(err, "user.status", "is no value of the enum");
    user->status = (Omnidata__User__V1__UserStatus)number;
    return CODE_OK;
}

static enum code read_json_labels(struct arena *arena, const struct json_value *value,
                                  Omnidata__User__V1__User *user, struct error *err)
{
    if (value->kind != JSON_OBJECT)
        return wrong_kind(err, "labels", (struct str){0}, "object", value);
    user->labels = arena_alloc(arena, (value->count + 1) * sizeof *user->labels);
    for (const struct json_value *label = value->first; label; label = label->next) {
        if (label->kind != JSON_STRING)
            return wrong_kind(err, "labels", label->key, "string", label);
        if (add_label(arena, user, label->key, label->text, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static enum code read_json_member(struct arena *arena, const struct member *member,
                                  const struct json_value *value, Omnidata__User__V1__User *user,
                                  struct error *err)
{
    switch (member->kind) {
    case MEMBER_TEXT:
        if (value->kind != JSON_STRING)
            return wrong_kind(err, member->proto, (struct str){0}, "string", value);
        return keep_text(arena, value->text, member->proto, (struct str){0}, text_of(user, member),
                         err);
    case MEMBER_STATUS:
        return read_json_status(value, user, err);
    case MEMBER_LABELS:
        return read_json_labels(arena, value, user, err);
    case MEMBER_IGNORED:
        break;
    }
    return CODE_OK;
}

enum code user_read_json(struct arena *arena, struct str line, Omnidata__User__V1__User **user,
                         struct error *err)
{
    const struct json_limits limits = {LINE_BYTES_MAX, LINE_DEPTH_MAX};
    const struct json_value *object;
    bool seen[MEMBER_COUNT] = {false};
    enum code code = json_read(arena, line, limits, &object, err);
    if (code != CODE_OK)
        return code;
    if (object->kind != JSON_OBJECT)
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_JSON",
                         "a user is a JSON object, not %s", json_kind_name(object));
    *user = new_user(arena, 0);
    for (const struct json_value *value = object->first; value; value = value->next) {
        const struct member *member = find_member(value->key);
        struct str key = str_utf8_cut(value->key, 64);
        if (!member)
            return error_set(err, CODE_INVALID_ARGUMENT, "UNKNOWN_FIELD",
                             "user.%.*s: there is no such field", STR_ARG(key));
        if (seen[member - MEMBERS])
            return fail_at(err, member->proto, (struct str){0}, "is there twice");
        seen[member - MEMBERS] = true;
        if (value->kind == JSON_NULL)
            continue;
        code = read_json_member(arena, member, value, *user, err);
        if (code != CODE_OK)
            return code;
    }
    return CODE_OK;
}

/* --- CSV --- */

struct column {
    const struct member *member; /* MEMBER_LABELS: the label `key` */
    struct str key;
};

struct user_columns {
    struct arena arena;
    size_t count;
    struct column columns[];
};

static bool find_column(struct str name, struct column *column)
{
    struct str prefixes[] = {STR("label."), STR("labels.")};
    for (size_t i = 0; i < 2; i++)
        if (str_starts(name, prefixes[i]) && name.len > prefixes[i].len) {
            *column = (struct column){find_member(STR("labels")), str_from(name, prefixes[i].len)};
            return true;
        }
    *column = (struct column){find_member(name), {0}};
    return column->member && column->member->kind != MEMBER_LABELS;
}

enum code user_columns_new(const struct csv *header, struct user_columns **columns,
                           struct error *err)
{
    size_t count = csv_count(header);
    struct user_columns *made = xcalloc(1, sizeof *made + count * sizeof *made->columns);
    bool has_email = false;
    for (size_t i = 0; i < count; i++) {
        struct column *column = &made->columns[i];
        struct str name = arena_str(&made->arena, str_trim(csv_field(header, i)));
        if (!str_is_utf8(name) || !find_column(name, column)) {
            error_set(err, CODE_INVALID_ARGUMENT, "UNKNOWN_COLUMN",
                      "column %zu, \"%.*s\", is none of email, display_name, given_name, "
                      "family_name, status, label.KEY",
                      i + 1, STR_ARG(str_is_utf8(name) ? str_utf8_cut(name, 64) : STR("?")));
            goto refused;
        }
        for (size_t j = 0; j < i; j++)
            if (made->columns[j].member == column->member &&
                str_eq(made->columns[j].key, column->key)) {
                error_set(err, CODE_INVALID_ARGUMENT, "DOUBLED_COLUMN",
                          "column \"%.*s\" is there twice", STR_ARG(str_utf8_cut(name, 64)));
                goto refused;
            }
        has_email = has_email || column->member == &MEMBERS[EMAIL_MEMBER];
        made->count++;
    }
    if (!has_email) {
        error_set(err, CODE_INVALID_ARGUMENT, "MISSING_COLUMN",
                  "the first line must name the columns, and one of them must be email");
        goto refused;
    }
    *columns = made;
    return CODE_OK;
refused:
    user_columns_free(made);
    return err->code;
}

void user_columns_free(struct user_columns *columns)
{
    if (!columns)
        return;
    arena_clear(&columns->arena);
    xfree(columns);
}

enum code user_read_csv(struct arena *arena, const struct user_columns *columns,
                        const struct csv *record, Omnidata__User__V1__User **user,
                        struct error *err)
{
    if (csv_count(record) != columns->count)
        return error_set(err, CODE_INVALID_ARGUMENT, "WRONG_FIELD_COUNT",
                         "%zu fields where the first line has %zu", csv_count(record),
                         columns->count);
    *user = new_user(arena, columns->count);
    for (size_t i = 0; i < columns->count; i++) {
        const struct column *column = &columns->columns[i];
        struct str text = csv_field(record, i);
        bool empty_label = column->member->kind == MEMBER_LABELS && csv_quoted(record, i);
        if (column->member->kind == MEMBER_IGNORED || (!text.len && !empty_label))
            continue;
        enum code code =
            column->member->kind == MEMBER_LABELS ? add_label(arena, *user, column->key, text, err)
            : column->member->kind == MEMBER_STATUS
                ? str_is_utf8(text) ? read_status(text, *user, err)
                                    : fail_at(err, "status", (struct str){0}, "is not UTF-8")
                : keep_text(arena, text, column->member->proto, (struct str){0},
                            text_of(*user, column->member), err);
        if (code != CODE_OK)
            return code;
    }
    return CODE_OK;
}
