/*
 * What the fields of a user may hold (user.proto says so to callers). Each function adds its
 * violations, with the path as the caller wrote it, and goes on, so that all are reported at once.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include "user/user.h"

void validate_email(struct str email, const char *path, struct error *err);

/* `least` and `most` in characters; no control characters, not only white space. */
void validate_name(struct str name, const char *path, size_t least, size_t most, struct error *err);

/* A known status; 0 is for the caller to replace. */
void validate_status(int32_t status, const char *path, struct error *err);

void validate_label_key(struct str key, const char *path, struct error *err);
void validate_label_value(struct str value, const char *path, struct error *err);

/* All of them; the path of one is `<path>[<key>]`. */
void validate_labels(const struct user_label *labels, size_t count, const char *path,
                     struct error *err);
