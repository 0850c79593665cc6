/* Lists are read piece by piece; a tag may hold commas, so quotes are followed. */
#include "gateway/conditional.h"

/* Takes one entity tag off *rest, with the comma behind it; false when none can be read. */
static bool take_tag(struct str *rest, struct str *opaque, bool *weak)
{
    struct str text = str_trim(*rest);
    *weak = str_starts(text, STR("W/"));
    if (*weak)
        text = str_from(text, 2);
    if (!text.len || text.ptr[0] != '"')
        return false;
    ptrdiff_t end = str_find(str_from(text, 1), '"');
    if (end < 0)
        return false;
    *opaque = (struct str){text.ptr + 1, (size_t)end};
    text = str_trim(str_from(text, (size_t)end + 2));
    if (text.len && text.ptr[0] != ',')
        return false;
    *rest = str_trim(str_from(text, 1));
    return true;
}

bool conditional_matches(struct str header, struct str etag)
{
    struct str rest = str_trim(header), opaque, ours;
    bool weak;
    if (str_eq(rest, STR("*")))
        return true;
    if (!take_tag(&etag, &ours, &weak))
        return false;
    while (rest.len && take_tag(&rest, &opaque, &weak))
        if (str_eq(opaque, ours))
            return true;
    return false;
}

enum conditional_tag conditional_if_match(struct str header, struct str *opaque)
{
    struct str rest = str_trim(header);
    bool weak;
    if (str_eq(rest, STR("*")))
        return CONDITIONAL_ANY;
    if (!take_tag(&rest, opaque, &weak))
        return CONDITIONAL_MALFORMED;
    if (rest.len)
        return CONDITIONAL_MANY;
    return weak ? CONDITIONAL_WEAK : CONDITIONAL_STRONG;
}

/* `;q=0`, `; q=0.0`: refused. */
static bool refused(struct str parameters)
{
    struct str rest = parameters, piece;
    while (str_next(&rest, ';', &piece)) {
        piece = str_trim(piece);
        if (piece.len < 3 || (piece.ptr[0] | 32) != 'q' || piece.ptr[1] != '=')
            continue;
        for (size_t i = 2; i < piece.len; i++)
            if (piece.ptr[i] != '0' && piece.ptr[i] != '.')
                return false;
        return true;
    }
    return false;
}

enum choice { NOT_NAMED, REFUSED, TAKEN };

static enum choice choice_of(struct str header, struct str wanted)
{
    struct str rest = header, piece;
    while (str_next(&rest, ',', &piece)) {
        struct str name = piece;
        ptrdiff_t semicolon = str_find(piece, ';');
        if (semicolon >= 0)
            name.len = (size_t)semicolon;
        if (str_eq_case(str_trim(name), wanted))
            return semicolon >= 0 && refused(str_from(piece, (size_t)semicolon + 1)) ? REFUSED
                                                                                     : TAKEN;
    }
    return NOT_NAMED;
}

bool conditional_names(struct str header, struct str wanted)
{
    return choice_of(header, wanted) == TAKEN;
}

bool conditional_accepts(struct str header, struct str coding)
{
    enum choice choice = choice_of(header, coding);
    return choice == NOT_NAMED ? conditional_names(header, STR("*")) : choice == TAKEN;
}
