/* The rules, one function a field. */
#include "user/validate.h"

#include "user/fold.h"

#include <stdio.h>
#include <string.h>

enum { LOCAL_PART_BYTES = 64, DOMAIN_LABEL_BYTES = 63, SHOWN_KEY_BYTES = 80 };

/* Letters, digits and hyphens, or a letter beyond ASCII; not at the ends a hyphen. */
static bool is_domain_label(struct str label)
{
    if (!label.len || label.len > DOMAIN_LABEL_BYTES || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t at = 0; at < label.len;) {
        int32_t point = fold_next(label, &at);
        if (point != '-' && !fold_is_word(point))
            return false;
    }
    return true;
}

static bool is_domain(struct str domain)
{
    struct str rest = domain, label;
    while (str_next(&rest, '.', &label))
        if (!is_domain_label(label))
            return false;
    return true;
}

/* RFC 5321's dot-string, with RFC 6531's letters; quoted local parts are not taken. */
static bool is_local_part(struct str local)
{
    if (!local.len || local.len > LOCAL_PART_BYTES || local.ptr[0] == '.' ||
        local.ptr[local.len - 1] == '.')
        return false;
    for (size_t at = 0, dots = 0; at < local.len;) {
        int32_t point = fold_next(local, &at);
        dots = point == '.' ? dots + 1 : 0;
        bool atext = fold_is_word(point) || (point < 0x80 && point > 0 &&
                                             strchr(".!#$%&'*+-/=?^_`{|}~", (char)point) != NULL);
        if (!atext || dots > 1)
            return false;
    }
    return true;
}

void validate_email(struct str email, const char *path, struct error *err)
{
    ptrdiff_t at = str_find(email, '@');
    if (!email.len) {
        error_field(err, path, "is required");
    } else if (email.len > USER_EMAIL_BYTES) {
        error_field(err, path, "is longer than %d bytes", USER_EMAIL_BYTES);
    } else if (at < 0 || !is_local_part((struct str){email.ptr, (size_t)at}) ||
               !is_domain(str_from(email, (size_t)at + 1))) {
        error_field(err, path, "is not an email address");
    }
}

void validate_name(struct str name, const char *path, size_t least, size_t most, struct error *err)
{
    size_t length = 0, spaces = 0;
    for (size_t at = 0; at < name.len; length++) {
        int32_t point = fold_next(name, &at);
        if (fold_is_control(point)) {
            error_field(err, path, "holds a control character at position %zu", length + 1);
            return;
        }
        spaces += fold_is_space(point);
    }
    if (length > most)
        error_field(err, path, "is longer than %zu characters", most);
    else if (length < least)
        error_field(err, path, "is required");
    else if (length && spaces == length)
        error_field(err, path, "is nothing but white space");
}

void validate_status(int32_t status, const char *path, struct error *err)
{
    if (status < 0 || status > USER_SUSPENDED)
        error_field(err, path, "%d is not a known status", (int)status);
}

void validate_label_key(struct str key, const char *path, struct error *err)
{
    if (!key.len || key.len > USER_LABEL_KEY_BYTES) {
        error_field(err, path, "the key must be of 1 to %d characters", USER_LABEL_KEY_BYTES);
        return;
    }
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == '-')) {
            error_field(err, path, "the key may hold a-z, 0-9, `_`, `.` and `-` only");
            return;
        }
    }
}

void validate_label_value(struct str value, const char *path, struct error *err)
{
    if (value.len > USER_LABEL_VALUE_BYTES)
        error_field(err, path, "the value is longer than %d bytes", USER_LABEL_VALUE_BYTES);
}

void validate_labels(const struct user_label *labels, size_t count, const char *path,
                     struct error *err)
{
    char at[ERROR_FIELD_BYTES];
    if (count > USER_LABELS_MAX)
        error_field(err, path, "there are more than %d labels", USER_LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct str shown = str_utf8_cut(labels[i].key, SHOWN_KEY_BYTES);
        snprintf(at, sizeof at, "%s[%.*s]", path, STR_ARG(shown));
        validate_label_key(labels[i].key, at, err);
        validate_label_value(labels[i].value, at, err);
    }
}
