/*
 * What fits on a page of users, the same on every store: as many as were asked for, as far as
 * STORE_PAGE_BYTES_MAX lasts.
 */
#pragma once
#include "user/store_values.h"

#include <stdbool.h>

/*
 * Adds the user; false when the page is full: it has `limit` users, or with this one more bytes
 * than a page may. The first one always fits. `page->users` has room for `limit`.
 */
bool store_page_add(struct store_page *page, size_t limit, const struct user *user);
