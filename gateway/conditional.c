/* Lists are read piece by piece; a tag may hold commas, so quotes are followed. */
#include "gateway/conditional.h"

/* Elements of a list may be empty (RFC 9110 section 5.6.1.2). */
static struct str past_commas(struct str rest)
{
    rest = str_trim(rest);
    while (rest.len && rest.ptr[0] == ',')
        rest = str_trim(str_from(rest, 1));
    return rest;
}

/* Takes one entity tag off *rest, with the commas around it; false when none can be read. */
static bool take_tag(struct str *rest, struct str *opaque, bool *weak)
{
    struct str text = past_commas(*rest);
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
    *rest = past_commas(text);
    return true;
}

static bool matches(struct str header, struct str etag, bool strongly)
{
    struct str rest = str_trim(header), opaque, ours;
    bool weak;
    if (str_eq(rest, STR("*")))
        return true;
    if (!take_tag(&etag, &ours, &weak))
        return false;
    while (rest.len && take_tag(&rest, &opaque, &weak))
        if (str_eq(opaque, ours) && !(strongly && weak))
            return true;
    return false;
}

bool conditional_matches(struct str header, struct str etag)
{
    return matches(header, etag, false);
}

bool conditional_matches_strongly(struct str header, struct str etag)
{
    return matches(header, etag, true);
}

enum conditional_tag conditional_if_match(struct str header, struct str *opaque)
{
    struct str rest = str_trim(header), tag;
    enum conditional_tag kind = CONDITIONAL_NEVER;
    bool weak;
    if (str_eq(rest, STR("*")))
        return CONDITIONAL_ANY;
    do {
        if (!take_tag(&rest, &tag, &weak))
            return CONDITIONAL_MALFORMED;
        if (weak || !tag.len)
            continue;
        if (kind == CONDITIONAL_NEVER) {
            *opaque = tag;
            kind = CONDITIONAL_ONE;
        } else if (!str_eq(*opaque, tag)) {
            kind = CONDITIONAL_MANY;
        }
    } while (rest.len);
    return kind;
}

/* --- what is accepted --- */

enum { NOT_NAMED = -1, WHOLE = 1000 };

/* The quality among a name's parameters, in thousandths; what is no quality is none said. */
static int quality_of(struct str parameters)
{
    struct str rest = parameters, piece;
    while (str_next(&rest, ';', &piece)) {
        piece = str_trim(piece);
        if (piece.len < 3 || (piece.ptr[0] | 32) != 'q' || piece.ptr[1] != '=')
            continue;
        int quality = 0, worth = WHOLE;
        for (size_t i = 2; i < piece.len && worth; i++) {
            if (piece.ptr[i] == '.')
                continue;
            if (piece.ptr[i] < '0' || piece.ptr[i] > '9')
                return WHOLE;
            quality += (piece.ptr[i] - '0') * worth;
            worth /= 10;
        }
        return quality > WHOLE ? WHOLE : quality;
    }
    return WHOLE;
}

static int quality(struct str header, struct str wanted)
{
    struct str rest = header, piece;
    while (str_next(&rest, ',', &piece)) {
        struct str name = piece;
        ptrdiff_t semicolon = str_find(piece, ';');
        if (semicolon >= 0)
            name.len = (size_t)semicolon;
        if (str_eq_case(str_trim(name), wanted))
            return semicolon >= 0 ? quality_of(str_from(piece, (size_t)semicolon + 1)) : WHOLE;
    }
    return NOT_NAMED;
}

bool conditional_prefers(struct str header, struct str wanted, struct str usual)
{
    int wish = quality(header, wanted);
    return wish > 0 && wish >= quality(header, usual);
}

bool conditional_accepts(struct str header, struct str coding)
{
    int wish = quality(header, coding);
    return (wish == NOT_NAMED ? quality(header, STR("*")) : wish) > 0;
}
