/* The XML of AWS's answers, and what is no XML of AWS's. */
#include "tests/support/unit.h"

#include "aws/xml.h"
#include "base/buf.h"

static void reads_elements_and_text(void **state)
{
    struct arena arena = {0};
    const struct xml_node *root;
    struct error err = {0};
    (void)state;
    assert_int_equal(
        xml_read(&arena,
                 STR("\xEF\xBB\xBF<?xml version=\"1.0\" encoding='UTF-8'?>\n"
                     "<List xmlns=\"http://x/\">\n <Empty/><Item a='&amp;' ><Key>a&amp;b&#x41;"
                     "&#228;&lt;</Key></Item>\n <Item><Key></Key ></Item></List>\n"),
                 &root, &err),
        CODE_OK);
    assert_true(str_eq(root->name, STR("List")));
    assert_true(str_eq(xml_text(root, "Item/Key"), STR("a&bA\xC3\xA4<")));
    assert_true(str_eq(xml_text(root->first->next->next, "Key"), STR("")));
    assert_non_null(xml_text(root, "Empty").ptr);
    assert_null(xml_text(root, "Item/Nothing").ptr);
    assert_null(xml_text(NULL, "Item").ptr);
    arena_clear(&arena);
}

static void refuses_the_rest(void **state)
{
    static const char *const wrong[] = {
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a b></a>",
        "<a b=c></a>",
        "<a b='<'/>",
        "<a>&nbsp;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#;</a>",
        "<a>&#x110000;</a>",
        "<!DOCTYPE a><a/>",
        "<a><!-- --></a>",
        "<a><![CDATA[x]]></a>",
        "<a><?x?></a>",
        "<a>x<b/></a>",
        "<1/>",
        "<a>\x01</a>",
        "<a>\xFF</a>",
        "<a",
        "<a/",
        "< a/>",
        "<a></a",
        "<a>&amp</a>",
        "<a b='1\"/>",
        "<?xml ?><?xml ?><a/>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct arena arena = {0};
        const struct xml_node *root;
        struct error err = {0};
        if (xml_read(&arena, str_of(wrong[i]), &root, &err) != CODE_INTERNAL)
            fail_msg("%s", wrong[i]);
        assert_string_equal(err.reason, "INVALID_XML");
        arena_clear(&arena);
    }
}

static enum code read_nested(int depth)
{
    struct arena arena = {0};
    const struct xml_node *root;
    struct error err = {0};
    struct buf text;
    buf_init_arena(&text, &arena, 1 << 20);
    for (int i = 0; i < depth; i++)
        buf_add(&text, STR("<a>"));
    for (int i = 0; i < depth; i++)
        buf_add(&text, STR("</a>"));
    enum code code = xml_read(&arena, buf_str(&text), &root, &err);
    arena_clear(&arena);
    return code;
}

static void depth_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(read_nested(32), CODE_OK);
    assert_int_equal(read_nested(33), CODE_INTERNAL);
    assert_int_equal(read_nested(20000), CODE_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_elements_and_text),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
