/* Field by field; masks as AIP-134 and AIP-161 have them. */
#include "user/request.h"

#include "base/buf.h"
#include "crypto/crypto.h"
#include "user/record.h"
#include "user/search_terms.h"
#include "user/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 80 };

typedef Omnidata__User__V1__User user_message;

enum code request_id(const char *text, const char *path, struct id *id, struct error *err)
{
    if (!*text)
        return error_field(err, path, "is required");
    if (!id_parse(str_of(text), id))
        return error_field(err, path, "is not a UUID");
    return CODE_OK;
}

/* Fills the fields that `fields` names and checks them. */
static void read_fields(const user_message *message, unsigned fields, struct arena *arena,
                        struct user *user, struct error *err)
{
    if (fields & USER_FIELD_EMAIL) {
        user->email = str_of(message->email);
        validate_email(user->email, "user.email", err);
    }
    if (fields & USER_FIELD_DISPLAY_NAME) {
        user->display_name = str_of(message->display_name);
        validate_name(user->display_name, "user.display_name", 1, USER_DISPLAY_NAME_CHARS, err);
    }
    if (fields & USER_FIELD_GIVEN_NAME) {
        user->given_name = str_of(message->given_name);
        validate_name(user->given_name, "user.given_name", 0, USER_NAME_CHARS, err);
    }
    if (fields & USER_FIELD_FAMILY_NAME) {
        user->family_name = str_of(message->family_name);
        validate_name(user->family_name, "user.family_name", 0, USER_NAME_CHARS, err);
    }
    if (fields & USER_FIELD_STATUS) {
        validate_status((int32_t)message->status, "user.status", err);
        user->status = message->status ? (int32_t)message->status : USER_ACTIVE;
    }
    if (!(fields & USER_FIELD_LABELS))
        return;
    user->labels = arena_alloc(arena, (message->n_labels + 1) * sizeof *user->labels);
    for (size_t i = 0; i < message->n_labels; i++) {
        user->labels[i].key = str_of(message->labels[i]->key);
        user->labels[i].value = str_of(message->labels[i]->value);
    }
    user->label_count = user_labels_normalise(user->labels, message->n_labels);
    validate_labels(user->labels, user->label_count, "user.labels", err);
}

enum code request_create(const Omnidata__User__V1__CreateUserRequest *request, struct arena *arena,
                         struct user *user, struct error *err)
{
    memset(user, 0, sizeof *user);
    if (!request->user)
        return error_field(err, "user", "is required");
    read_fields(request->user, USER_FIELDS_ALL, arena, user, err);
    return err->code;
}

/* --- masks --- */

struct mask_name {
    const char *path;
    unsigned field; /* 0: output only, ignored (AIP-203) */
};

static const struct mask_name MASK_NAMES[] = {
    {"email", USER_FIELD_EMAIL},
    {"display_name", USER_FIELD_DISPLAY_NAME},
    {"given_name", USER_FIELD_GIVEN_NAME},
    {"family_name", USER_FIELD_FAMILY_NAME},
    {"status", USER_FIELD_STATUS},
    {"labels", USER_FIELD_LABELS},
    {"id", 0},
    {"create_time", 0},
    {"update_time", 0},
    {"etag", 0},
    {"owner", 0},
    {"owner.issuer", 0},
    {"owner.subject", 0},
};

static const struct mask_name *find_mask_name(struct str path)
{
    for (size_t i = 0; i < sizeof MASK_NAMES / sizeof *MASK_NAMES; i++)
        if (str_eq(path, str_of(MASK_NAMES[i].path)))
            return &MASK_NAMES[i];
    return NULL;
}

static unsigned populated_fields(const user_message *message)
{
    unsigned fields = 0;
    fields |= *message->email ? USER_FIELD_EMAIL : 0;
    fields |= *message->display_name ? USER_FIELD_DISPLAY_NAME : 0;
    fields |= *message->given_name ? USER_FIELD_GIVEN_NAME : 0;
    fields |= *message->family_name ? USER_FIELD_FAMILY_NAME : 0;
    fields |= message->status ? USER_FIELD_STATUS : 0;
    fields |= message->n_labels ? USER_FIELD_LABELS : 0;
    return fields;
}

/* What stands behind `labels.`: a key, or `key`. */
static struct str label_key(struct str written)
{
    if (written.len >= 2 && written.ptr[0] == '`' && written.ptr[written.len - 1] == '`')
        return (struct str){written.ptr + 1, written.len - 2};
    return written;
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct user_label_edit *)a)->key,
                   ((const struct user_label_edit *)b)->key);
}

/* By key, each once: a mask means the same in whatever order it is written. */
static void sort_edits(struct user_change *change)
{
    struct user_label_edit *edits = change->edits;
    size_t kept = 0;
    qsort(edits, change->edit_count, sizeof *edits, by_key);
    for (size_t i = 0; i < change->edit_count; i++)
        if (!kept || !str_eq(edits[kept - 1].key, edits[i].key))
            edits[kept++] = edits[i];
    change->edit_count = kept;
}

/* Sets each label that the mask names, or takes it away when the message has it not. Every label of
 * the message is looked at once, however many the mask names. */
static void read_label_edits(const user_message *message, struct user_change *change,
                             struct error *err)
{
    struct user_label_edit *edits = change->edits;
    char path[ERROR_FIELD_BYTES];
    sort_edits(change);
    for (size_t i = 0; i < message->n_labels; i++) {
        struct user_label_edit label = {.key = str_of(message->labels[i]->key),
                                        .value = str_of(message->labels[i]->value)};
        struct user_label_edit *edit =
            bsearch(&label, edits, change->edit_count, sizeof *edits, by_key);
        if (edit)
            *edit = label;
    }
    for (size_t i = 0; i < change->edit_count; i++) {
        struct str shown = str_utf8_cut(edits[i].key, SHOWN_BYTES);
        snprintf(path, sizeof path, "user.labels[%.*s]", STR_ARG(shown));
        validate_label_key(edits[i].key, path, err);
        validate_label_value(edits[i].value, path, err);
    }
}

static void read_mask(const Google__Protobuf__FieldMask *mask, const user_message *message,
                      struct arena *arena, struct user_change *change, struct error *err)
{
    if (mask->n_paths > REQUEST_PATHS_MAX) {
        error_field(err, "update_mask", "has more than %d paths", REQUEST_PATHS_MAX);
        return;
    }
    change->edits = arena_alloc(arena, (mask->n_paths + 1) * sizeof *change->edits);
    for (size_t i = 0; i < mask->n_paths; i++) {
        struct str path = str_of(mask->paths[i]);
        const struct mask_name *name = find_mask_name(path);
        if (name)
            change->fields |= name->field;
        else if (str_starts(path, STR("labels.")))
            change->edits[change->edit_count++] =
                (struct user_label_edit){.key = label_key(str_from(path, 7)), .remove = true};
        else if (str_eq(path, STR("*")) && mask->n_paths == 1)
            change->fields = USER_FIELDS_ALL;
        else if (str_eq(path, STR("*")))
            error_field(err, "update_mask", "`*` must stand alone");
        else
            error_field(err, "update_mask", "a user has no field `%.*s`",
                        STR_ARG(str_utf8_cut(path, SHOWN_BYTES)));
    }
    read_label_edits(message, change, err);
}

enum code request_change(const Omnidata__User__V1__UpdateUserRequest *request, struct arena *arena,
                         struct user_change *change, struct error *err)
{
    const user_message *message = request->user;
    memset(change, 0, sizeof *change);
    if (!message)
        return error_field(err, "user", "is required");
    enum code code = request_id(message->id, "user.id", &change->id, err);
    change->etag = str_of(message->etag);
    if (request->update_mask && request->update_mask->n_paths)
        read_mask(request->update_mask, message, arena, change, err);
    else
        change->fields = populated_fields(message);
    if (change->fields & USER_FIELD_LABELS)
        change->edit_count = 0; /* all of them are replaced anyway */
    read_fields(message, change->fields, arena, &change->values, err);
    return code == CODE_OK ? err->code : code; /* with all the violations beside that of the id */
}

/* --- the rest --- */

enum code request_page_size(int32_t wanted, int32_t usual, int32_t most, size_t *limit,
                            struct error *err)
{
    if (wanted < 0)
        return error_field(err, "page_size", "must not be negative");
    if (wanted == 0)
        wanted = usual;
    *limit = (size_t)(wanted < most ? wanted : most);
    return CODE_OK;
}

enum code request_words(const char *query, struct arena *arena,
                        struct str words[STORE_SEARCH_WORDS_MAX], size_t *count, struct error *err)
{
    struct str text = str_of(query);
    *count = 0;
    if (!text.len)
        return error_field(err, "query", "is required");
    if (text.len > REQUEST_QUERY_BYTES)
        return error_field(err, "query", "is longer than %d bytes", REQUEST_QUERY_BYTES);
    *count = search_terms_query(arena, text, words, STORE_SEARCH_WORDS_MAX);
    if (*count > STORE_SEARCH_WORDS_MAX)
        return error_field(err, "query", "has more than %d words", STORE_SEARCH_WORDS_MAX);
    return CODE_OK;
}

enum { MEANING_BYTES_MAX = 256 * 1024 };

static void add_text(struct buf *out, struct str text)
{
    buf_addf(out, "%zu:", text.len);
    buf_add(out, text);
}

/* Key and peer count only where nobody is signed in, so that a user's retry through another page is
 * the same request. */
struct str request_own_id(const struct rpc_caller *caller, struct str id, struct arena *arena)
{
    enum { WHO_BYTES_MAX = 64 * 1024 };
    uint8_t hash[CRYPTO_SHA256_BYTES];
    struct buf who, own;
    bool user = rpc_caller_signed_in(caller);
    buf_init_arena(&who, arena, WHO_BYTES_MAX);
    add_text(&who, user ? STR("user") : STR("peer"));
    add_text(&who, user ? caller->issuer : caller->peer);
    add_text(&who, user ? caller->subject : caller->key_id);
    crypto_sha256(buf_str(&who), hash);
    buf_init_arena(&own, arena, sizeof hash + REQUEST_ID_BYTES);
    buf_add_mem(&own, hash, sizeof hash);
    buf_add(&own, id);
    return buf_str(&own);
}

enum code request_once(const struct rpc_caller *caller, const char *request_id_text,
                       struct str method, const struct user_change *meaning, struct arena *arena,
                       const struct store_once **once, struct error *err)
{
    struct str id = str_of(request_id_text);
    struct buf bytes;
    *once = NULL;
    if (!id.len)
        return CODE_OK;
    if (id.len > REQUEST_ID_BYTES)
        return error_field(err, "request_id", "is longer than %d bytes", REQUEST_ID_BYTES);
    buf_init_arena(&bytes, arena, MEANING_BYTES_MAX);
    add_text(&bytes, method);
    buf_add_mem(&bytes, meaning->id.bytes, sizeof meaning->id.bytes);
    add_text(&bytes, meaning->etag);
    buf_addf(&bytes, "%u:", meaning->fields);
    record_add_user(&bytes, &meaning->values);
    for (size_t i = 0; i < meaning->edit_count; i++) {
        add_text(&bytes, meaning->edits[i].key);
        add_text(&bytes, meaning->edits[i].value);
        buf_add_char(&bytes, meaning->edits[i].remove ? '-' : '+');
    }
    if (bytes.overflow)
        return error_field(err, "request_id", "the request is too large to be carried out once");
    struct store_once *made = arena_alloc(arena, sizeof *made);
    made->request_id = request_own_id(caller, id, arena);
    crypto_sha256(buf_str(&bytes), made->hash);
    *once = made;
    return CODE_OK;
}
