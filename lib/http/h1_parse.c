/*
 * The head of a request, line by line: a line is looked at when all of it is there, or refused
 * when it can no longer fit. So each byte is searched once for the line's end and read once by the
 * line's own parser, and the verdict cannot depend on where reads happened to end.
 */
#include "http/h1_parse.h"

#include <string.h>

enum {
    METHOD_BYTES_MAX = 32,
    LINE_ROOM_BYTES = 64, /* of a request line beside its target: method, version, spaces */
    LENGTH_DIGITS_MAX = 18,
};

enum { TOKEN = 1, TARGET = 2 };

/* RFC 9110 tchar; and what may stand in a target: RFC 3986 and what browsers leave as it is
 * (WHATWG URL): ^ ` { | }. */
static const uint8_t KINDS[256] = {
    ['!'] = 3,      ['"'] = 0, ['#'] = TOKEN,  ['$'] = 3,         ['%'] = 3, ['&'] = 3,
    ['\''] = 3,     ['('] = 2, [')'] = 2,      ['*'] = 3,         ['+'] = 3, [','] = 2,
    ['-'] = 3,      ['.'] = 3, ['/'] = TARGET, ['0' ... '9'] = 3, [':'] = 2, [';'] = 2,
    ['='] = 2,      ['?'] = 2, ['@'] = 2,      ['A' ... 'Z'] = 3, ['['] = 2, [']'] = 2,
    ['^'] = 3,      ['_'] = 3, ['`'] = 3,      ['a' ... 'z'] = 3, ['{'] = 2, ['|'] = 3,
    ['}'] = TARGET, ['~'] = 3,
};

static enum h1_verdict bad(struct h1_head *head, int status, const char *text)
{
    head->status = status;
    head->text = text;
    return H1_BAD;
}

bool h1_is_token_char(char byte)
{
    return KINDS[(uint8_t)byte] & TOKEN;
}

bool h1_is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!h1_is_token_char(text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

bool h1_is_target(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!(KINDS[(uint8_t)text.ptr[i]] & TARGET))
            return false;
    }
    return text.len > 0;
}

/* Eight bytes at a time: none below 0x20 and none 0x7f; a tab is sorted out byte by byte. */
bool h1_is_field_value(struct str text)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    size_t i = 0;
    while (i < text.len) {
        if (text.len - i >= 8) {
            uint64_t word;
            memcpy(&word, text.ptr + i, 8);
            uint64_t low = (word - ones * 0x20) & ~word & highs;
            uint64_t flipped = word ^ (ones * 0x7f);
            uint64_t del = (flipped - ones) & ~flipped & highs;
            if (!(low | del)) {
                i += 8;
                continue;
            }
        }
        size_t end = text.len - i < 8 ? text.len : i + 8;
        for (; i < end; i++) {
            uint8_t byte = (uint8_t)text.ptr[i];
            if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
                return false;
        }
    }
    return true;
}

void h1_head_begin(struct h1_head *head)
{
    memset(head, 0, offsetof(struct h1_head, fields));
}

bool h1_head_is_blank(const struct h1_head *head, size_t len)
{
    return !head->fields_begun && head->line_at == len;
}

static struct h1_span span(size_t from, size_t to)
{
    return (struct h1_span){(uint32_t)from, (uint32_t)(to - from)};
}

static struct str text_of(const char *data, struct h1_span part)
{
    return (struct str){data + part.at, part.len};
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static enum h1_verdict read_version(struct h1_head *head, const char *at, size_t len)
{
    if (len != 8 || memcmp(at, "HTTP/", 5) != 0 || !is_digit(at[5]) || at[6] != '.' ||
        !is_digit(at[7]))
        return bad(head, 400, "The request line does not end in an HTTP version");
    if (at[5] != '1')
        return bad(head, 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here");
    /* A higher minor version is to be read as the highest one known (RFC 9110 section 2.5). */
    head->minor_version = at[7] == '0' ? 0 : 1;
    return H1_DONE;
}

/* `end` is behind the last byte of the line, without CRLF. */
static enum h1_verdict read_request_line(struct h1_head *head, const char *data, size_t end,
                                         const struct h1_limits *limits)
{
    size_t at = head->line_at, from = at;
    while (at < end && h1_is_token_char(data[at]))
        at++;
    if (at == from || at == end || data[at] != ' ')
        return bad(head, 400, "The request line does not begin with a method");
    if (at - from > METHOD_BYTES_MAX)
        return bad(head, 501, "No method has such a long name");
    head->method = span(from, at);
    from = ++at;
    while (at < end && (KINDS[(uint8_t)data[at]] & TARGET))
        at++;
    if (at - from > limits->target_bytes)
        return bad(head, 414, "The request target is too long");
    if (at == from || at == end || data[at] != ' ')
        return bad(head, 400, "The request target has a character that it must not have");
    head->target = span(from, at);
    at++;
    return read_version(head, data + at, end - at);
}

static void note_length(struct h1_head *head, struct str value)
{
    uint64_t length = 0;
    head->lengths += head->lengths < 2;
    head->length_bad |= value.len == 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i]))
            head->length_bad = true;
        else if (i < LENGTH_DIGITS_MAX)
            length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    head->length_huge |= value.len > LENGTH_DIGITS_MAX;
    head->content_length = length;
}

static void note_connection(struct h1_head *head, struct str value)
{
    head->connection_close |= http_token_in_list(value, STR("close"));
    head->connection_keep_alive |= http_token_in_list(value, STR("keep-alive"));
}

/* The fields that say how the message is framed; names are told apart by length first. */
static void note_field(struct h1_head *head, const char *data, const struct h1_field *field)
{
    struct str name = text_of(data, field->name), value = text_of(data, field->value);
    switch (name.len) {
    case 4:
        if (str_eq_case(name, STR("host"))) {
            head->hosts += head->hosts < 2;
            head->host_field = field->value;
        }
        break;
    case 6:
        if (str_eq_case(name, STR("expect"))) {
            head->expects = true;
            head->expect_other |= !str_eq_case(value, STR("100-continue"));
        }
        break;
    case 10:
        if (str_eq_case(name, STR("connection")))
            note_connection(head, value);
        break;
    case 14:
        if (str_eq_case(name, STR("content-length")))
            note_length(head, value);
        break;
    case 17:
        if (str_eq_case(name, STR("transfer-encoding"))) {
            head->encodings += head->encodings < 2;
            head->encoding_other |= !str_eq_case(value, STR("chunked"));
        }
        break;
    default:
        break;
    }
}

static enum h1_verdict read_field(struct h1_head *head, const char *data, size_t end)
{
    size_t at = head->line_at, from = at;
    if (data[at] == ' ' || data[at] == '\t')
        return bad(head, 400, "A header is folded over lines");
    while (at < end && h1_is_token_char(data[at]))
        at++;
    if (at == from)
        return bad(head, 400, "A header has no name, or a name with an impossible character");
    if (at == end || data[at] != ':')
        return bad(head, 400, "A header's name is not followed by a colon at once");
    if (head->field_count == HTTP_HEADERS_MAX)
        return bad(head, 431, "There are too many headers");
    struct h1_field *field = &head->fields[head->field_count++];
    field->name = span(from, at);
    struct str value = str_trim((struct str){data + at + 1, end - at - 1});
    if (!h1_is_field_value(value))
        return bad(head, 400, "A header's value has a control character");
    field->value = (struct h1_span){(uint32_t)(value.ptr - data), (uint32_t)value.len};
    note_field(head, data, field);
    return H1_DONE;
}

/* RFC 9112 section 6: how long the body is, or that nobody can say for sure. */
static enum h1_verdict judge_framing(struct h1_head *head)
{
    if (head->lengths > 1)
        return bad(head, 400, "There is more than one Content-Length");
    if (head->length_bad)
        return bad(head, 400, "Content-Length is not a decimal number");
    if (head->lengths && head->encodings)
        return bad(head, 400, "Content-Length and Transfer-Encoding exclude each other");
    if (head->encodings && head->minor_version == 0)
        return bad(head, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (head->encodings > 1 || head->encoding_other)
        return bad(head, 501, "The only Transfer-Encoding understood is chunked");
    if (head->length_huge)
        return bad(head, 413, "The announced body is too large");
    head->framing = head->encodings                             ? H1_CHUNKED
                    : head->lengths && head->content_length > 0 ? H1_LENGTH
                                                                : H1_NO_BODY;
    return H1_DONE;
}

static enum h1_verdict judge(struct h1_head *head, const char *data)
{
    if (head->hosts > 1)
        return bad(head, 400, "There is more than one Host");
    if (head->hosts == 0 && head->minor_version == 1)
        return bad(head, 400, "There is no Host");
    head->host = head->host_field;
    if (!h1_host_is_valid(text_of(data, head->host)))
        return bad(head, 400, "Host is not a host name with an optional port");
    if (!h1_target_split(head, data))
        return H1_BAD;
    if (judge_framing(head) == H1_BAD)
        return H1_BAD;
    if (head->minor_version == 1) {
        if (head->expect_other)
            return bad(head, 417, "The only Expect understood is 100-continue");
        head->expect_continue = head->expects && head->framing != H1_NO_BODY;
    }
    head->keep_alive =
        head->minor_version == 0 && head->connection_keep_alive && !head->connection_close;
    head->close = head->connection_close || (head->minor_version == 0 && !head->keep_alive);
    return H1_DONE;
}

/* The one empty line before a request that old clients send behind a body. */
static enum h1_verdict skip_blank(struct h1_head *head, const char *data, size_t len)
{
    if (head->blank || head->fields_begun || len == 0 || data[0] != '\r')
        return H1_DONE;
    if (len < 2)
        return H1_MORE;
    if (data[1] != '\n')
        return bad(head, 400, "The request begins with a lone carriage return");
    head->blank = true;
    head->line_at = head->scan_at = 2;
    return H1_DONE;
}

/* Too long already? The request line is 414's matter, the rest 431's. `end`: of what is known. */
static enum h1_verdict check_room(struct h1_head *head, size_t end, size_t size,
                                  const struct h1_limits *limits)
{
    if (!head->fields_begun) {
        if (end - head->line_at > limits->target_bytes + LINE_ROOM_BYTES ||
            size > limits->header_bytes)
            return bad(head, 414, "The request line is too long");
    } else if (size > limits->header_bytes) {
        return bad(head, 431, "The headers are too long");
    }
    return H1_DONE;
}

static enum h1_verdict read_line(struct h1_head *head, const char *data, size_t end,
                                 const struct h1_limits *limits)
{
    if (!head->fields_begun) {
        head->fields_begun = true;
        return read_request_line(head, data, end, limits);
    }
    return read_field(head, data, end);
}

enum h1_verdict h1_head_parse(struct h1_head *head, const char *data, size_t len,
                              const struct h1_limits *limits)
{
    enum h1_verdict verdict = skip_blank(head, data, len);
    if (verdict != H1_DONE)
        return verdict;
    while (head->line_at < len) {
        if (!head->fields_begun && !h1_is_token_char(data[head->line_at]))
            return bad(head, 400, "The request does not begin with a method");
        const char *found = memchr(data + head->scan_at, '\n', len - head->scan_at);
        head->scan_at = (uint32_t)len;
        size_t end = found ? (size_t)(found - data) : len;
        if (check_room(head, end, found ? end + 1 : len, limits) == H1_BAD)
            return H1_BAD;
        if (!found)
            return H1_MORE;
        if (end == head->line_at || data[end - 1] != '\r')
            return bad(head, 400, "A line does not end in CR LF");
        bool last = head->fields_begun && end - 1 == head->line_at;
        if (!last && read_line(head, data, end - 1, limits) == H1_BAD)
            return H1_BAD;
        head->line_at = head->scan_at = (uint32_t)end + 1;
        if (last) {
            head->size = head->line_at;
            return judge(head, data);
        }
    }
    return H1_MORE;
}
