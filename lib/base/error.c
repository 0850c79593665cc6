/* Fixed buffers, so that failing needs no memory. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const NAMES[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *code_name(enum code code)
{
    size_t count = sizeof NAMES / sizeof *NAMES;
    return (size_t)code < count ? NAMES[code] : "UNKNOWN";
}

void error_clear(struct error *err)
{
    err->code = CODE_OK;
    err->text[0] = err->reason[0] = '\0';
    err->retry_after_ms = err->field_count = 0;
    err->unsure = false;
}

/* After a snprintf that wanted `length` bytes: takes half a UTF-8 sequence off the cut. */
static void mend_cut(char *text, size_t size, int length)
{
    if (length < (int)size)
        return;
    size_t cut = size - 1;
    while (cut && ((unsigned char)text[cut - 1] & 0xC0) == 0x80)
        cut--;
    if (cut && (unsigned char)text[cut - 1] >= 0xC0)
        cut--;
    text[cut] = '\0';
}

static void format_text(char *to, size_t size, const char *format, va_list args)
{
    mend_cut(to, size, vsnprintf(to, size, format, args));
}

enum code error_set(struct error *err, enum code code, const char *reason, const char *format, ...)
{
    va_list args;
    error_clear(err);
    err->code = code;
    snprintf(err->reason, sizeof err->reason, "%s", reason ? reason : "");
    va_start(args, format);
    format_text(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

enum code error_field(struct error *err, const char *path, const char *format, ...)
{
    va_list args;
    if (err->code != CODE_INVALID_ARGUMENT || !err->field_count) {
        error_clear(err);
        err->code = CODE_INVALID_ARGUMENT;
        snprintf(err->reason, sizeof err->reason, "%s", "INVALID_FIELD");
    }
    if (err->field_count < ERROR_FIELDS_MAX) {
        struct error_field *field = &err->fields[err->field_count++];
        mend_cut(field->path, sizeof field->path,
                 snprintf(field->path, sizeof field->path, "%s", path));
        va_start(args, format);
        format_text(field->text, sizeof field->text, format, args);
        va_end(args);
        if (err->field_count == 1)
            mend_cut(err->text, sizeof err->text,
                     snprintf(err->text, sizeof err->text, "%s: %s", field->path, field->text));
    }
    return CODE_INVALID_ARGUMENT;
}

enum code error_add_field(struct error *err, const char *path, const char *text)
{
    if (err->field_count < ERROR_FIELDS_MAX) {
        struct error_field *field = &err->fields[err->field_count++];
        mend_cut(field->path, sizeof field->path,
                 snprintf(field->path, sizeof field->path, "%s", path));
        mend_cut(field->text, sizeof field->text,
                 snprintf(field->text, sizeof field->text, "%s", text));
    }
    return err->code;
}

enum code error_prefix(struct error *err, const char *what)
{
    char old[ERROR_TEXT_BYTES];
    memcpy(old, err->text, sizeof old);
    int length = snprintf(err->text, sizeof err->text, "%s: ", what);
    if (length > 0 && (size_t)length < sizeof err->text) {
        struct str kept = str_utf8_cut(str_of(old), sizeof err->text - 1 - (size_t)length);
        memcpy(err->text + length, kept.ptr, kept.len);
        err->text[(size_t)length + kept.len] = '\0';
    } else {
        mend_cut(err->text, sizeof err->text, length);
    }
    return err->code;
}

enum code error_errno(struct error *err, enum code code, int error_number, const char *format, ...)
{
    va_list args;
    char reason[128];
    error_clear(err);
    err->code = code;
    va_start(args, format);
    format_text(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s",
             strerror_r(error_number, reason, sizeof reason));
    return code;
}
