/* Counting users and bytes. */
#include "user/store_page.h"

bool store_page_add(struct store_page *page, size_t limit, const struct user *user)
{
    size_t bytes = page->bytes + user_bytes(user);
    if (page->count == limit || (page->count && bytes > STORE_PAGE_BYTES_MAX))
        return false;
    page->users[page->count++] = *user;
    page->bytes = bytes;
    return true;
}
