/* A recursive reader; depth is bounded, and so is everything else by the length of the text. */
#include "aws/xml.h"

#include "base/buf.h"

#include <string.h>

enum { DEPTH_MAX = 32, REFERENCE_DIGITS_MAX = 7 };

struct reader {
    struct str text;
    size_t at;
    struct arena *arena;
};

static bool looking_at(const struct reader *reader, struct str what)
{
    return str_starts(str_from(reader->text, reader->at), what);
}

static bool take(struct reader *reader, struct str what)
{
    if (!looking_at(reader, what))
        return false;
    reader->at += what.len;
    return true;
}

static int peek(const struct reader *reader)
{
    return reader->at < reader->text.len ? (unsigned char)reader->text.ptr[reader->at] : -1;
}

static bool is_space(int byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool skip_space(struct reader *reader)
{
    size_t from = reader->at;
    while (is_space(peek(reader)))
        reader->at++;
    return reader->at > from;
}

static bool is_name_byte(int byte, bool first)
{
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
                  byte == ':' || byte >= 0x80;
    return letter || (!first && ((byte >= '0' && byte <= '9') || byte == '-' || byte == '.'));
}

static struct str take_name(struct reader *reader)
{
    size_t from = reader->at;
    while (is_name_byte(peek(reader), reader->at == from))
        reader->at++;
    return (struct str){reader->text.ptr + from, reader->at - from};
}

static bool add_character(struct buf *out, uint32_t code)
{
    bool allowed = code == 9 || code == 10 || code == 13 || (code >= 0x20 && code < 0xD800) ||
                   (code >= 0xE000 && code <= 0x10FFFF && code != 0xFFFE && code != 0xFFFF);
    if (!allowed)
        return false;
    if (code < 0x80) {
        buf_add_char(out, (char)code);
        return true;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    buf_add_char(out, (char)(lead[more] | code >> (6 * more)));
    while (more--)
        buf_add_char(out, (char)(0x80 | ((code >> (6 * more)) & 0x3F)));
    return true;
}

static int digit_of(int byte, int base)
{
    int value = byte >= '0' && byte <= '9'   ? byte - '0'
                : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                             : base;
    return value < base ? value : -1;
}

/* Behind '&'. */
static bool take_reference(struct reader *reader, struct buf *out)
{
    static const struct {
        struct str name;
        char byte;
    } named[] = {{{"amp;", 4}, '&'},
                 {{"lt;", 3}, '<'},
                 {{"gt;", 3}, '>'},
                 {{"quot;", 5}, '"'},
                 {{"apos;", 5}, '\''}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (take(reader, named[i].name)) {
            buf_add_char(out, named[i].byte);
            return true;
        }
    if (!take(reader, STR("#")))
        return false;
    int base = take(reader, STR("x")) ? 16 : 10, digits = 0, digit;
    uint32_t code = 0;
    while ((digit = digit_of(peek(reader), base)) >= 0 && digits < REFERENCE_DIGITS_MAX) {
        code = code * (uint32_t)base + (uint32_t)digit;
        digits++;
        reader->at++;
    }
    return digits && take(reader, STR(";")) && add_character(out, code);
}

/* Characters up to `end` ('<' or a quote), which is not taken. */
static bool take_characters(struct reader *reader, int end, struct buf *out)
{
    int byte;
    while ((byte = peek(reader)) >= 0 && byte != end) {
        reader->at++;
        if (byte == '&') {
            if (!take_reference(reader, out))
                return false;
        } else if (byte == '<' || (byte < 0x20 && !is_space(byte))) {
            return false;
        } else {
            buf_add_char(out, (char)byte);
        }
    }
    return byte == end;
}

static bool skip_attributes(struct reader *reader)
{
    struct buf value;
    while (skip_space(reader) && is_name_byte(peek(reader), true)) {
        take_name(reader);
        skip_space(reader);
        if (!take(reader, STR("=")))
            return false;
        skip_space(reader);
        int quote = peek(reader);
        if (quote != '"' && quote != '\'')
            return false;
        reader->at++;
        buf_init_arena(&value, reader->arena, reader->text.len);
        if (!take_characters(reader, quote, &value))
            return false;
        reader->at++;
    }
    return true;
}

static bool is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_space(text.ptr[i]))
            return false;
    return true;
}

static struct xml_node *take_element(struct reader *reader, int depth);

/* Behind <name>: what is within, up to and with </name>. */
static bool take_content(struct reader *reader, struct xml_node *node, int depth)
{
    const struct xml_node **end = &node->first;
    struct buf text;
    buf_init_arena(&text, reader->arena, reader->text.len);
    for (;;) {
        if (!take_characters(reader, '<', &text))
            return false;
        if (take(reader, STR("</")))
            break;
        struct xml_node *child = take_element(reader, depth + 1);
        if (!child)
            return false;
        *end = child;
        end = &child->next;
    }
    if (!str_eq(take_name(reader), node->name))
        return false;
    skip_space(reader);
    if (node->first && !is_blank(buf_str(&text)))
        return false;
    node->text = node->first ? STR("") : buf_str(&text);
    if (!node->text.ptr)
        node->text = STR("");
    return take(reader, STR(">"));
}

/* NULL when it is not well-formed. */
static struct xml_node *take_element(struct reader *reader, int depth)
{
    struct xml_node *node = arena_alloc0(reader->arena, sizeof *node);
    if (depth >= DEPTH_MAX || !take(reader, STR("<")))
        return NULL;
    node->name = take_name(reader);
    if (!node->name.len || !skip_attributes(reader))
        return NULL;
    if (take(reader, STR("/>"))) {
        node->text = STR("");
        return node;
    }
    return take(reader, STR(">")) && take_content(reader, node, depth) ? node : NULL;
}

static bool take_declaration(struct reader *reader)
{
    if (!looking_at(reader, STR("<?xml")))
        return true;
    reader->at += 5;
    return skip_attributes(reader) && take(reader, STR("?>"));
}

enum code xml_read(struct arena *arena, struct str text, const struct xml_node **root,
                   struct error *err)
{
    struct reader reader = {text, 0, arena};
    struct xml_node *node = NULL;
    take(&reader, STR("\xEF\xBB\xBF"));
    if (str_is_utf8(text) && take_declaration(&reader)) {
        skip_space(&reader);
        node = take_element(&reader, 0);
        skip_space(&reader);
    }
    if (!node || reader.at != text.len)
        return error_set(err, CODE_INTERNAL, "INVALID_XML", "not the XML that AWS sends: byte %zu",
                         reader.at);
    *root = node;
    return CODE_OK;
}

const struct xml_node *xml_get(const struct xml_node *node, struct str name)
{
    for (const struct xml_node *child = node ? node->first : NULL; child; child = child->next)
        if (str_eq(child->name, name))
            return child;
    return NULL;
}

struct str xml_text(const struct xml_node *node, const char *path)
{
    struct str rest = str_of(path), piece;
    while (node && str_next(&rest, '/', &piece))
        node = xml_get(node, piece);
    return node ? node->text : (struct str){0};
}
