/* omnictl/csv: a table of texts, each fed whole, cut in two at every place, and byte by byte. */
#include "tests/support/unit.h"

#include "base/buf.h"
#include "omnictl/csv.h"

#include <string.h>

/* Records as they come out: fields in <>, quoted ones in «», `line:` in front, `!problem`. */
static const struct {
    const char *text, *wanted;
} CASES[] = {
    {"", ""},
    {"a", "1:<a>"},
    {"a,b\nc,d\n", "1:<a><b> 2:<c><d>"},
    {"a,b\r\nc,d", "1:<a><b> 2:<c><d>"},
    {"a\rb\r", "1:<a> 2:<b>"},
    {"a\r\rb", "1:<a> 3:<b>"},
    {"\n\n\r\n a \n\n", "4:< a >"},
    {",", "1:<><>"},
    {",,\n,", "1:<><><> 2:<><>"},
    {"\"\"", "1:«»"},
    {"\"\",\"\"\n", "1:«»«»"},
    {"\"a,b\",c", "1:«a,b»<c>"},
    {"\"a\"\"b\"", "1:«a\"b»"},
    {"\"\"\"\"", "1:«\"»"},
    {"\"a\nb\r\nc\",d\ne", "1:«a\nb\r\nc»<d> 4:<e>"},
    {"\"a\r\",b\nc", "1:«a\r»<b> 3:<c>"},
    {"\xEF\xBB\xBF"
     "a,b",
     "1:<a><b>"},
    {"\xEF\xBB\xBF\"a\",b", "1:«a»<b>"},
    {"\xEF\xBB\xBF", ""},
    {"\xEF\xBB", "1:<\xEF\xBB>"},
    {"\xEF\xBB,x", "1:<\xEF\xBB><x>"},
    {"a\xEF\xBB\xBF", "1:<a\xEF\xBB\xBF>"},
    {"a\"b,c\nd", "1:!a quote in a field that does not begin with one 2:<d>"},
    {"\"a\"b,\"c\nd\"\ne", "1:!text behind a closing quote 2:!a quote in a field that does not "
                           "begin with one 3:<e>"},
    {"\"a\" ,b\nc", "1:!text behind a closing quote 2:<c>"},
    {"a\n\"b", "1:<a> 2:!the quote that begins a field is never closed"},
    {"a\n\"b\n\n", "1:<a> 2:!the quote that begins a field is never closed"},
    {"1,2,3,4,5\nx", "1:!the record has too many fields 2:<x>"},
    {"1,2,3,4,\nx", "1:!the record has too many fields 2:<x>"},
    {"0123456789012345678901234567890123456789X\nx", "1:!the record is too long 2:<x>"},
    {"0123456789012345678901234567890123456789\n", "1:<0123456789012345678901234567890123456789>"},
    {"ä,日本\n", "1:<ä><日本>"},
};

static void add_record(struct buf *out, const struct csv *csv, enum csv_result result)
{
    buf_addf(out, "%s%llu:", out->len ? " " : "", (unsigned long long)csv_line(csv));
    if (result == CSV_WRONG)
        buf_addf(out, "!%s", csv_problem(csv));
    for (size_t i = 0; result == CSV_RECORD && i < csv_count(csv); i++) {
        buf_add_cstr(out, csv_quoted(csv, i) ? "«" : "<");
        buf_add(out, csv_field(csv, i));
        buf_add_cstr(out, csv_quoted(csv, i) ? "»" : ">");
    }
}

/* Cut at `first` and `second`. */
static void check(size_t number, size_t first, size_t second)
{
    struct str text = str_of(CASES[number].text);
    struct str pieces[] = {{text.ptr, first},
                           {text.ptr + first, second - first},
                           {text.ptr + second, text.len - second}};
    struct csv *csv = csv_new(40, 4);
    struct buf out;
    enum csv_result result;
    buf_init(&out, 4096);
    for (size_t i = 0; i < 3; i++)
        while ((result = csv_feed(csv, &pieces[i])) != CSV_MORE)
            add_record(&out, csv, result);
    while ((result = csv_end(csv)) != CSV_MORE)
        add_record(&out, csv, result);
    if (strcmp(buf_cstr(&out), CASES[number].wanted) != 0)
        fail_msg("case %zu cut at %zu and %zu: %s, wanted %s", number, first, second,
                 buf_cstr(&out), CASES[number].wanted);
    buf_clear(&out);
    csv_free(csv);
}

static void test_every_text_cut_at_all_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t first = 0; first <= strlen(CASES[i].text); first++)
            for (size_t second = first; second <= strlen(CASES[i].text); second++)
                check(i, first, second);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct csv *csv = csv_new(40, 4);
        struct buf out;
        enum csv_result result;
        buf_init(&out, 4096);
        for (size_t at = 0; at < strlen(CASES[i].text); at++) {
            struct str piece = {CASES[i].text + at, 1};
            while ((result = csv_feed(csv, &piece)) != CSV_MORE)
                add_record(&out, csv, result);
        }
        while ((result = csv_end(csv)) != CSV_MORE)
            add_record(&out, csv, result);
        assert_string_equal(buf_cstr(&out), CASES[i].wanted);
        buf_clear(&out);
        csv_free(csv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_cut_at_all_places),
        cmocka_unit_test(test_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
