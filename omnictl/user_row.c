/* Rows to text. Lines end in LF; readers take CRLF as well. */
#include "omnictl/user_row.h"

#include "base/json_out.h"

bool user_format_parse(struct str text, enum user_format *format)
{
    bool csv = str_eq_case(text, STR("csv"));
    *format = csv ? USER_FORMAT_CSV : USER_FORMAT_NDJSON;
    return csv || str_eq_case(text, STR("ndjson"));
}

static void write_member(struct json_out *json, struct str key, struct str value)
{
    if (!value.len)
        return;
    json_key(json, key);
    json_string(json, value);
}

void user_row_write_ndjson(struct buf *out, const struct user_row *row)
{
    struct json_out json = json_out_to(out);
    json_object_begin(&json);
    write_member(&json, STR("id"), row->id);
    write_member(&json, STR("email"), row->email);
    write_member(&json, STR("displayName"), row->display_name);
    write_member(&json, STR("givenName"), row->given_name);
    write_member(&json, STR("familyName"), row->family_name);
    write_member(&json, STR("status"), row->status);
    if (row->label_count) {
        json_key(&json, STR("labels"));
        json_object_begin(&json);
        for (size_t i = 0; i < row->label_count; i++) {
            json_key(&json, row->labels[i].key);
            json_string(&json, row->labels[i].value);
        }
        json_object_end(&json);
    }
    write_member(&json, STR("createTime"), row->create_time);
    write_member(&json, STR("updateTime"), row->update_time);
    write_member(&json, STR("etag"), row->etag);
    json_object_end(&json);
    buf_add_char(out, '\n');
}

/* Fields that begin or end with a space are quoted too: spreadsheets trim them otherwise. */
static bool needs_quotes(struct str text)
{
    if (!text.len)
        return false;
    if (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ')
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '"' || text.ptr[i] == ',' || text.ptr[i] == '\n' || text.ptr[i] == '\r')
            return true;
    return false;
}

static void write_quoted(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, text.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void write_field(struct buf *out, struct str text)
{
    if (needs_quotes(text))
        write_quoted(out, text);
    else
        buf_add(out, text);
}

void user_row_write_csv_header(struct buf *out, const struct str *label_keys, size_t count,
                               bool output_only)
{
    buf_add_cstr(out, "email,display_name,given_name,family_name,status");
    if (output_only)
        buf_add_cstr(out, ",id,create_time,update_time,etag");
    for (size_t i = 0; i < count; i++) {
        buf_add_cstr(out, ",label.");
        write_field(out, label_keys[i]);
    }
    buf_add_char(out, '\n');
}

static const struct user_label *find_label(const struct user_row *row, struct str key)
{
    for (size_t i = 0; i < row->label_count; i++)
        if (str_eq(row->labels[i].key, key))
            return &row->labels[i];
    return NULL;
}

void user_row_write_csv(struct buf *out, const struct user_row *row, const struct str *label_keys,
                        size_t count, bool output_only)
{
    const struct str fixed[] = {row->email,       row->display_name, row->given_name,
                                row->family_name, row->status,       row->id,
                                row->create_time, row->update_time,  row->etag};
    size_t columns = output_only ? sizeof fixed / sizeof *fixed : 5;
    for (size_t i = 0; i < columns; i++) {
        if (i)
            buf_add_char(out, ',');
        write_field(out, fixed[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const struct user_label *label = find_label(row, label_keys[i]);
        buf_add_char(out, ',');
        if (label && !label->value.len)
            buf_add_cstr(out, "\"\"");
        else if (label)
            write_field(out, label->value);
    }
    buf_add_char(out, '\n');
}
