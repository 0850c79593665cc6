/* How API keys are shown on standard output. */
#pragma once
#include "base/arena.h"
#include "base/json_out.h"

#include "omnidata/access/v1/access.pb-c.h"

#include <stdbool.h>

/* "good", "public", "expired" or "disabled". */
const char *key_state(const Omnidata__Access__V1__ApiKey *key);

/* A table of keys: its head, and a line. */
void key_print_head(void);
void key_print_row(const Omnidata__Access__V1__ApiKey *key, struct arena *arena);

/* An object of the key's fields, appended. */
void key_json(struct json_out *json, const Omnidata__Access__V1__ApiKey *key);

/* One key, with what it has used if `usage` is not NULL. */
void key_print(const Omnidata__Access__V1__ApiKey *key, const Omnidata__Access__V1__Usage *usage,
               bool as_json, struct arena *arena);

/* A new secret: alone on standard output, with a word to people on standard error; or as JSON. */
void key_print_secret(const Omnidata__Access__V1__CreateApiKeyResponse *response, bool as_json,
                      struct arena *arena);
