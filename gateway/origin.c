/* What may stand in an origin is what may stand in a content security policy without ending it. */
#include "gateway/origin.h"

#include <ctype.h>
#include <string.h>

static bool consists_of(struct str text, const char *beside_alnum)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum((unsigned char)text.ptr[i]) &&
            (!text.ptr[i] || !strchr(beside_alnum, text.ptr[i])))
            return false;
    return text.len > 0;
}

/* What a browser sends as Origin: a scheme and an authority, nothing behind it. */
static bool is_origin(struct str text)
{
    const char *scheme_end = text.len ? memmem(text.ptr, text.len, "://", 3) : NULL;
    if (!scheme_end)
        return false;
    size_t scheme = (size_t)(scheme_end - text.ptr);
    return consists_of((struct str){text.ptr, scheme}, "+-.") &&
           consists_of(str_from(text, scheme + 3), ".-_:[]");
}

enum code origins_check(const char *setting, struct str origins, bool any, struct error *err)
{
    struct str piece;
    while (origins.len && str_next(&origins, ',', &piece)) {
        piece = str_trim(piece);
        if ((!any || !str_eq(piece, STR("*"))) && !is_origin(piece))
            return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_SETTING",
                             "--%s: \"%.*s\" is not %sscheme://host[:port]", setting,
                             STR_ARG(piece), any ? "* or " : "");
    }
    return CODE_OK;
}
