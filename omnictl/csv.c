/*
 * A state machine over bytes:
 *
 *   RECORD --"--> QUOTED --"--> QUOTE --"--> QUOTED
 *     |  \--other--> PLAIN       |  \--comma--> FIELD
 *     |                          \--line end--> record
 *   FIELD is RECORD within a line; WRONG skips to the end of the line.
 *
 * CR ends a line at once; an LF right behind it belongs to it.
 */
#include "omnictl/csv.h"

#include "base/alloc.h"

enum state { STATE_RECORD, STATE_FIELD, STATE_PLAIN, STATE_QUOTED, STATE_QUOTE, STATE_WRONG };

struct field {
    size_t end;
    bool quoted;
};

struct csv {
    enum state state;
    bool clear;      /* the fields have been handed out: begin anew */
    bool after_cr;   /* an LF now belongs to the line end before */
    size_t mark;     /* bytes of a byte order mark seen; 3: it can come no more */
    uint64_t line;   /* of the byte that comes next */
    uint64_t begins; /* of the record */
    struct buf text;
    struct field *fields;
    size_t count, fields_max;
    bool quoted; /* the field that is being read */
    const char *problem;
};

static const char BYTE_ORDER_MARK[] = "\xEF\xBB\xBF";

struct csv *csv_new(size_t record_bytes_max, size_t fields_max)
{
    struct csv *csv = xcalloc(1, sizeof *csv);
    buf_init(&csv->text, record_bytes_max);
    buf_reserve(&csv->text, 0); /* so that empty fields point somewhere */
    csv->fields = xcalloc(fields_max + 1, sizeof *csv->fields);
    csv->fields_max = fields_max;
    csv->line = csv->begins = 1;
    return csv;
}

void csv_free(struct csv *csv)
{
    if (!csv)
        return;
    buf_clear(&csv->text);
    xfree(csv->fields);
    xfree(csv);
}

static void go_wrong(struct csv *csv, const char *problem)
{
    csv->state = STATE_WRONG;
    csv->problem = problem;
}

static void end_field(struct csv *csv)
{
    if (csv->count == csv->fields_max) {
        go_wrong(csv, "the record has too many fields");
        return;
    }
    csv->fields[csv->count++] = (struct field){csv->text.len, csv->quoted};
    csv->quoted = false;
    csv->state = STATE_FIELD;
}

static void add_byte(struct csv *csv, char byte)
{
    buf_add_char(&csv->text, byte);
    if (csv->text.overflow)
        go_wrong(csv, "the record is too long");
}

/* A line end outside of quotes. CSV_MORE for an empty line. */
static enum csv_result end_record(struct csv *csv)
{
    if (csv->state == STATE_RECORD)
        return CSV_MORE;
    if (csv->state != STATE_WRONG)
        end_field(csv);
    enum csv_result result = csv->state == STATE_WRONG ? CSV_WRONG : CSV_RECORD;
    csv->clear = true;
    csv->state = STATE_RECORD;
    return result;
}

static void take_byte(struct csv *csv, char byte)
{
    switch (csv->state) {
    case STATE_RECORD:
    case STATE_FIELD:
        csv->quoted = byte == '"';
        csv->state = csv->quoted ? STATE_QUOTED : STATE_PLAIN;
        if (byte == ',')
            end_field(csv);
        else if (byte != '"')
            add_byte(csv, byte);
        break;
    case STATE_PLAIN:
        if (byte == ',')
            end_field(csv);
        else if (byte == '"')
            go_wrong(csv, "a quote in a field that does not begin with one");
        else
            add_byte(csv, byte);
        break;
    case STATE_QUOTED:
        if (byte == '"')
            csv->state = STATE_QUOTE;
        else
            add_byte(csv, byte);
        break;
    case STATE_QUOTE:
        csv->state = STATE_QUOTED;
        if (byte == ',')
            end_field(csv);
        else if (byte == '"')
            add_byte(csv, byte);
        else
            go_wrong(csv, "text behind a closing quote");
        break;
    case STATE_WRONG:
        break;
    }
}

static void begin_anew(struct csv *csv)
{
    buf_reset(&csv->text);
    csv->count = 0;
    csv->clear = csv->quoted = false;
    csv->problem = NULL;
}

/* True while `byte` may still belong to a byte order mark at the very beginning. */
static bool in_byte_order_mark(struct csv *csv, char byte)
{
    if (csv->mark >= 3)
        return false;
    if (byte == BYTE_ORDER_MARK[csv->mark]) {
        csv->mark++;
        return true;
    }
    size_t seen = csv->mark;
    csv->mark = 3;
    for (size_t i = 0; i < seen; i++) /* it was none: the bytes are text */
        take_byte(csv, BYTE_ORDER_MARK[i]);
    return false;
}

enum csv_result csv_feed(struct csv *csv, struct str *rest)
{
    if (csv->clear)
        begin_anew(csv);
    while (rest->len) {
        char byte = *rest->ptr;
        *rest = str_from(*rest, 1);
        if (in_byte_order_mark(csv, byte))
            continue;
        bool line_end = byte == '\n' || byte == '\r', second = byte == '\n' && csv->after_cr;
        csv->after_cr = byte == '\r';
        if (csv->state == STATE_RECORD)
            csv->begins = csv->line;
        if (line_end && !second)
            csv->line++;
        if (!line_end || csv->state == STATE_QUOTED) {
            take_byte(csv, byte);
            continue;
        }
        if (second) {
            csv->begins = csv->line;
            continue;
        }
        enum csv_result result = end_record(csv);
        if (result != CSV_MORE)
            return result;
    }
    return CSV_MORE;
}

enum csv_result csv_end(struct csv *csv)
{
    if (csv->clear)
        begin_anew(csv);
    if (csv->mark < 3 && csv->mark > 0)
        for (size_t i = 0; i < csv->mark; i++)
            take_byte(csv, BYTE_ORDER_MARK[i]);
    csv->mark = 3;
    if (csv->state == STATE_QUOTED)
        go_wrong(csv, "the quote that begins a field is never closed");
    return end_record(csv);
}

size_t csv_count(const struct csv *csv)
{
    return csv->count;
}

struct str csv_field(const struct csv *csv, size_t index)
{
    size_t begin = index ? csv->fields[index - 1].end : 0;
    return (struct str){csv->text.ptr + begin, csv->fields[index].end - begin};
}

bool csv_quoted(const struct csv *csv, size_t index)
{
    return csv->fields[index].quoted;
}

uint64_t csv_line(const struct csv *csv)
{
    return csv->begins;
}

const char *csv_problem(const struct csv *csv)
{
    return csv->problem ? csv->problem : "";
}
