/*
 * Users out of nothing: the same seed gives the same users, in the same order, on every machine,
 * and the first N are the same however many follow. No two have the same email address.
 */
#pragma once
#include "omnictl/user_row.h"

#include <stdint.h>

struct gen;

struct gen *gen_new(uint64_t seed);
void gen_free(struct gen *gen);

/* The next user; its texts are good until the next call. */
void gen_next(struct gen *gen, struct user_row *row);

/* The keys of all labels that a user may have, in the order of the CSV columns. */
const struct str *gen_label_keys(size_t *count);
