/* A parser by hand: the grammar is a line. */
#include "gateway/route_template.h"

#include "base/encode.h"

static enum code wrong(struct str text, const char *what, struct error *err)
{
    return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_TEMPLATE", "template '%.*s': %s",
                     STR_ARG(text), what);
}

static bool decode_literal(struct arena *arena, struct str text, struct str *literal)
{
    static const char forbidden[] = "{}*?#= ";
    struct buf decoded;
    for (size_t i = 0; i < text.len; i++)
        for (const char *c = forbidden; *c; c++)
            if (text.ptr[i] == *c)
                return false;
    buf_init_arena(&decoded, arena, text.len);
    if (!text.len || !decode_percent(&decoded, text, false))
        return false;
    *literal = buf_str(&decoded);
    return true;
}

/* One of "*", "**" or a literal, outside or inside of a variable. */
static bool add_segment(struct arena *arena, struct str text, struct template *t)
{
    if (t->segment_count == ROUTE_SEGMENTS_MAX ||
        (t->segment_count && t->segments[t->segment_count - 1].kind == TEMPLATE_REST))
        return false;
    struct template_segment *segment = &t->segments[t->segment_count++];
    segment->literal = (struct str){"", 0};
    if (str_eq(text, STR("*")))
        segment->kind = TEMPLATE_STAR;
    else if (str_eq(text, STR("**")))
        segment->kind = TEMPLATE_REST;
    else
        segment->kind = TEMPLATE_LITERAL;
    return segment->kind != TEMPLATE_LITERAL || decode_literal(arena, text, &segment->literal);
}

static bool is_field_path(struct str text)
{
    struct str rest = text, name;
    while (str_next(&rest, '.', &name)) {
        for (size_t i = 0; i < name.len; i++) {
            char c = name.ptr[i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
            if (!letter && !(i && c >= '0' && c <= '9'))
                return false;
        }
        if (!name.len)
            return false;
    }
    return true;
}

/* `text` is what stands between the braces. */
static bool add_variable(struct arena *arena, struct str text, struct template *t)
{
    if (t->variable_count == ROUTE_VARIABLES_MAX)
        return false;
    struct route_variable *variable = &t->variables[t->variable_count++];
    ptrdiff_t equals = str_find(text, '=');
    struct str pattern = equals < 0 ? STR("*") : str_from(text, (size_t)equals + 1), piece;
    *variable = (struct route_variable){.first = (uint16_t)t->segment_count};
    variable->dotted = equals < 0 ? text : (struct str){text.ptr, (size_t)equals};
    if (!is_field_path(variable->dotted))
        return false;
    while (str_next(&pattern, '/', &piece)) {
        if (!add_segment(arena, piece, t))
            return false;
        if (t->segments[t->segment_count - 1].kind == TEMPLATE_REST)
            variable->rest = true;
        else
            variable->segments++;
    }
    return true;
}

/* Takes the verb off the end: the last ':' behind the last '/' and the last '}'. */
static bool take_verb(struct arena *arena, struct str *text, struct str *verb)
{
    *verb = (struct str){"", 0};
    for (size_t i = text->len; i-- > 0;) {
        char c = text->ptr[i];
        if (c == '/' || c == '}')
            return true;
        if (c == ':') {
            struct str raw = str_from(*text, i + 1);
            text->len = i;
            return decode_literal(arena, raw, verb);
        }
    }
    return true;
}

enum code template_parse(struct arena *arena, struct str text, struct template *parsed,
                         struct error *err)
{
    struct str rest = text, piece;
    parsed->segment_count = parsed->variable_count = 0;
    if (!text.len || text.ptr[0] != '/')
        return wrong(text, "must begin with '/'", err);
    if (!take_verb(arena, &rest, &parsed->verb))
        return wrong(text, "the verb is no literal", err);
    rest = str_from(rest, 1);
    while (rest.ptr) {
        if (rest.len && rest.ptr[0] == '{') {
            ptrdiff_t close = str_find(rest, '}');
            if (close < 0)
                return wrong(text, "a variable is not closed", err);
            if (!add_variable(arena, (struct str){rest.ptr + 1, (size_t)close - 1}, parsed))
                return wrong(text, "a variable is malformed, or one too many", err);
            rest = str_from(rest, (size_t)close + 1);
            if (!rest.len)
                break;
            if (rest.ptr[0] != '/')
                return wrong(text, "a variable must be a whole segment", err);
            rest = str_from(rest, 1);
        } else if (!str_next(&rest, '/', &piece) || !add_segment(arena, piece, parsed)) {
            return wrong(text, "a segment is malformed, behind '**', or one too many", err);
        }
    }
    return CODE_OK;
}
