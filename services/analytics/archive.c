/* What holds for the keys of every archive. */
#include "analytics/archive.h"

enum { KEY_BYTES_MAX = 511 };

/* Keys are ours; what could leave a directory is refused all the same, and in S3 as well. */
enum code archive_check_key(struct str key, struct error *err)
{
    bool good = key.len > 0 && key.len <= KEY_BYTES_MAX;
    for (size_t i = 0; good && i < key.len; i++) {
        char c = key.ptr[i];
        bool starts = i == 0 || key.ptr[i - 1] == '/';
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '=' || (c == '.' && !starts) || (c == '/' && !starts);
    }
    if (!good)
        return error_set(err, CODE_INVALID_ARGUMENT, "ARCHIVE_KEY", "no key of an archive: %.*s",
                         STR_ARG(key));
    return CODE_OK;
}
