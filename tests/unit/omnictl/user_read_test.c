/* omnictl/user_read: rows to users, and what is refused with which words. */
#include "tests/support/unit.h"

#include "omnictl/gen.h"
#include "omnictl/user_read.h"
#include "omnictl/user_row.h"

#include <string.h>

enum { LINE_BYTES_MAX = 1 << 20 };

/* A user as `email|display|given|family|status|key=value;`. */
static void describe(struct buf *out, const Omnidata__User__V1__User *user)
{
    buf_addf(out, "%s|%s|%s|%s|%d|", user->email, user->display_name, user->given_name,
             user->family_name, (int)user->status);
    for (size_t i = 0; i < user->n_labels; i++)
        buf_addf(out, "%s=%s;", user->labels[i]->key, user->labels[i]->value);
}

static void describe_result(struct buf *out, enum code code, const Omnidata__User__V1__User *user,
                            const struct error *err)
{
    if (code == CODE_OK)
        describe(out, user);
    else if (err->field_count)
        buf_addf(out, "! %s: %s", err->fields[0].path, err->fields[0].text);
    else
        buf_addf(out, "! %s: %s", err->reason, err->text);
}

static void test_json(void **state)
{
    static const struct {
        const char *line, *wanted;
    } CASES[] = {
        {"{}", "||||0|"},
        {"{\"email\":\"a@b\",\"displayName\":\"A B\",\"givenName\":\"A\",\"familyName\":\"B\","
         "\"status\":\"USER_STATUS_SUSPENDED\",\"labels\":{\"x\":\"1\",\"y\":\"\"}}",
         "a@b|A B|A|B|3|x=1;y=;"},
        {"{\"display_name\":\"A\",\"given_name\":\"B\",\"family_name\":\"C\"}", "|A|B|C|0|"},
        {" { \"email\" : \"\\u00e4\\ud83e\\udd84\" } ", "ä🦄||||0|"},
        {"{\"email\":null,\"labels\":null,\"status\":null}", "||||0|"},
        {"{\"status\":2}", "||||2|"},
        {"{\"status\":\"invited\"}", "||||2|"},
        {"{\"id\":\"x\",\"createTime\":\"t\",\"update_time\":\"t\",\"etag\":\"e\",\"owner\":{}}",
         "||||0|"},
        {"{\"status\":\"X\"}", "! user.status: \"X\" is none of ACTIVE, INVITED, SUSPENDED"},
        {"{\"status\":1.5}", "! user.status: is no value of the enum"},
        {"{\"status\":[]}", "! user.status: must be a string, not array"},
        {"{\"email\":1}", "! user.email: must be a string, not number"},
        {"{\"displayName\":{}}", "! user.display_name: must be a string, not object"},
        {"{\"labels\":[]}", "! user.labels: must be a object, not array"},
        {"{\"labels\":{\"k\":1}}", "! user.labels.k: must be a string, not number"},
        {"{\"labels\":{\"k\":null}}", "! user.labels.k: must be a string, not null"},
        {"{\"displayName\":\"a\",\"display_name\":\"a\"}", "! user.display_name: is there twice"},
        {"{\"nick\":\"a\"}", "! UNKNOWN_FIELD: user.nick: there is no such field"},
        {"{\"email\":\"a\\u0000b\"}", "! user.email: must not contain the character U+0000"},
        {"{\"labels\":{\"k\":\"\\u0000\"}}",
         "! user.labels.k: must not contain the character U+0000"},
        {"7", "! INVALID_JSON: a user is a JSON object, not number"},
    };
    struct arena arena = {0};
    struct buf out;
    (void)state;
    buf_init(&out, LINE_BYTES_MAX);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Omnidata__User__V1__User *user = NULL;
        struct error err;
        error_clear(&err);
        buf_reset(&out);
        enum code code = user_read_json(&arena, str_of(CASES[i].line), &user, &err);
        describe_result(&out, code, user, &err);
        assert_string_equal(buf_cstr(&out), CASES[i].wanted);
    }
    buf_clear(&out);
    arena_clear(&arena);
}

static void test_json_that_is_none(void **state)
{
    static const char *const LINES[] = {"",
                                        "{",
                                        "{\"email\":\"a\"} x",
                                        "{'a':1}",
                                        "{\"a\":\"\xFF\"}",
                                        "{\"email\":\"\\ud800\"}",
                                        "{\"email\":\"a\",\"email\":\"b\"}"};
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        Omnidata__User__V1__User *user;
        struct error err;
        assert_int_equal(user_read_json(&arena, str_of(LINES[i]), &user, &err),
                         CODE_INVALID_ARGUMENT);
        assert_true(err.text[0]);
    }
    arena_clear(&arena);
}

static enum csv_result feed(struct csv *csv, struct str *text)
{
    enum csv_result result = csv_feed(csv, text);
    return result == CSV_MORE ? csv_end(csv) : result;
}

static void test_csv(void **state)
{
    static const struct {
        const char *text, *wanted; /* a header and one record; what comes of the record */
    } CASES[] = {
        {"email\na@b", "a@b||||0|"},
        {"email,display_name,given_name,family_name,status\na@b,A,B,C,ACTIVE", "a@b|A|B|C|1|"},
        {"displayName, email ,label.a-b,labels.c\nA,a@b,1,2", "a@b|A|||0|a-b=1;c=2;"},
        {"email,label.a,label.b\nx,,\"\"", "x||||0|b=;"},
        {"email,id,create_time,updateTime,etag\nx,1,2,3,4", "x||||0|"},
        {"email,status\nx,USER_STATUS_INVITED", "x||||2|"},
        {"email,status\nx,gone", "! user.status: \"gone\" is none of ACTIVE, INVITED, SUSPENDED"},
        {"email,label.a\nx", "! WRONG_FIELD_COUNT: 1 fields where the first line has 2"},
        {"email\nx,y", "! WRONG_FIELD_COUNT: 2 fields where the first line has 1"},
        {"email\n\xFF", "! user.email: is not UTF-8"},
        {"email,label.k\nx,\xFF", "! user.labels.k: is not UTF-8"},
        {"email,status\nx,\xFF", "! user.status: is not UTF-8"},
        {"email,nick\nx,y", "! UNKNOWN_COLUMN: column 2, \"nick\", is none of email, display_name, "
                            "given_name, family_name, status, label.KEY"},
        {"email,labels\nx,y", "! UNKNOWN_COLUMN: column 2, \"labels\", is none of email, "
                              "display_name, given_name, family_name, status, label.KEY"},
        {"email,label.\nx,y", "! UNKNOWN_COLUMN: column 2, \"label.\", is none of email, "
                              "display_name, given_name, family_name, status, label.KEY"},
        {"email,givenName,given_name\nx,y,z", "! DOUBLED_COLUMN: column \"given_name\" is there "
                                              "twice"},
        {"email,label.a,labels.a\nx,y,z", "! DOUBLED_COLUMN: column \"labels.a\" is there twice"},
        {"display_name\nx", "! MISSING_COLUMN: the first line must name the columns, and one of "
                            "them must be email"},
    };
    struct arena arena = {0};
    struct buf out;
    (void)state;
    buf_init(&out, LINE_BYTES_MAX);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct csv *csv = csv_new(4096, 16);
        struct str text = str_of(CASES[i].text);
        struct user_columns *columns = NULL;
        Omnidata__User__V1__User *user = NULL;
        struct error err;
        error_clear(&err);
        buf_reset(&out);
        assert_int_equal(feed(csv, &text), CSV_RECORD);
        enum code code = user_columns_new(csv, &columns, &err);
        if (code == CODE_OK) {
            assert_int_equal(feed(csv, &text), CSV_RECORD);
            code = user_read_csv(&arena, columns, csv, &user, &err);
        }
        describe_result(&out, code, user, &err);
        assert_string_equal(buf_cstr(&out), CASES[i].wanted);
        user_columns_free(columns);
        csv_free(csv);
    }
    buf_clear(&out);
    arena_clear(&arena);
}

/* What gen writes, in both formats, reads as the same user. */
static void test_written_rows_read_back(void **state)
{
    struct gen *gen = gen_new(4);
    struct arena arena = {0};
    struct user_row row = {0};
    struct user_columns *columns;
    struct csv *csv = csv_new(LINE_BYTES_MAX, 64);
    struct buf line, a, b;
    struct error err;
    size_t key_count;
    const struct str *keys = gen_label_keys(&key_count);
    (void)state;
    buf_init(&line, LINE_BYTES_MAX);
    buf_init(&a, LINE_BYTES_MAX);
    buf_init(&b, LINE_BYTES_MAX);
    user_row_write_csv_header(&line, keys, key_count, true);
    struct str text = buf_str(&line);
    assert_int_equal(csv_feed(csv, &text), CSV_RECORD);
    assert_int_equal(user_columns_new(csv, &columns, &err), CODE_OK);
    for (size_t i = 0; i < 20000; i++) {
        Omnidata__User__V1__User *user;
        gen_next(gen, &row);
        row.id = row.etag = STR("x");
        arena_reset(&arena);
        buf_reset(&line);
        user_row_write_ndjson(&line, &row);
        text = (struct str){line.ptr, line.len - 1};
        assert_int_equal(user_read_json(&arena, text, &user, &err), CODE_OK);
        assert_true(str_eq(str_of(user->display_name), row.display_name));
        assert_int_equal(user->n_labels, row.label_count);
        buf_reset(&a);
        describe(&a, user);
        buf_reset(&line);
        user_row_write_csv(&line, &row, keys, key_count, true);
        text = buf_str(&line);
        assert_int_equal(csv_feed(csv, &text), CSV_RECORD);
        assert_int_equal(user_read_csv(&arena, columns, csv, &user, &err), CODE_OK);
        buf_reset(&b);
        describe(&b, user);
        assert_int_equal(a.len, b.len); /* the labels' order differs */
        assert_int_equal(user->n_labels, row.label_count);
    }
    user_columns_free(columns);
    csv_free(csv);
    buf_clear(&line);
    buf_clear(&a);
    buf_clear(&b);
    arena_clear(&arena);
    gen_free(gen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_that_is_none),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_written_rows_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
