/* Addresses, networks, and whom to believe in X-Forwarded-For. */
#include "gateway/address.h"
#include "tests/support/unit.h"

#include <string.h>

static void parses(void **state)
{
    static const struct {
        const char *text;
        bool with_port;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"192.0.2.7", false, "192.0.2.7"},
        {"::ffff:192.0.2.7", false, "192.0.2.7"},
        {"2001:DB8::0:1", false, "2001:db8::1"},
        {"", false, NULL},
        {"192.0.2", false, NULL},
        {"192.0.2.7 ", false, NULL},
        {"192.0.2.07", false, NULL},
        {"unknown", true, NULL},
        {"fe80::1%eth0", false, NULL},
        {"192.0.2.7:80", false, NULL},
        {"192.0.2.7:80", true, "192.0.2.7"},
        {"192.0.2.7:", true, NULL},
        {"192.0.2.7:99999", true, NULL},
        {"192.0.2.7:8x", true, NULL},
        {"[2001:db8::1]", true, "2001:db8::1"},
        {"[2001:db8::1]:443", true, "2001:db8::1"},
        {"[2001:db8::1]443", true, NULL},
        {"[2001:db8::1", true, NULL},
        {"[192.0.2.7]", true, NULL},
        {"[]", true, NULL},
        {"2001:db8::1:443", true, "2001:db8::1:443"},
        {":80", true, NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", true, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address;
        char text[ADDRESS_TEXT_BYTES];
        bool good = address_parse(str_of(cases[i].text), cases[i].with_port, &address);
        if (good != (cases[i].want != NULL))
            fail_msg("\"%s\": %d", cases[i].text, good);
        if (!good)
            continue;
        address_format(&address, text);
        assert_string_equal(text, cases[i].want);
    }
    struct address address;
    assert_false(address_parse((struct str){"1.2.3.4\0", 8}, true, &address));
}

static void networks(void **state)
{
    static const char *const cases[][2] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"::1", "::"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address, network;
        char text[ADDRESS_TEXT_BYTES];
        assert_true(address_parse(str_of(cases[i][0]), false, &address));
        network = address_network(&address);
        address_format(&network, text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void lists(void **state)
{
    static const struct {
        const char *list, *address;
        bool has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {" 10.0.0.0/8 , 192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.8", false},
        {"192.0.2.0/31", "192.0.2.1", true},
        {"192.0.2.0/31", "192.0.2.2", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "203.0.113.9", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"", "10.0.0.1", false},
    };
    static const char *const wrong[] = {
        "10.0.0.0/33",  "2001:db8::/129", "10.0.0.0/", "10.0.0.0/x",
        "10.0.0.0/8/8", "host.example",   ",",         ",10.0.0.1",
        "10.0.0.0/-1",  "10.0.0.0/0008",
    };
    struct address_list *list;
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address;
        assert_int_equal(address_list_new(str_of(cases[i].list), &list, &err), CODE_OK);
        assert_true(address_parse(str_of(cases[i].address), false, &address));
        if (address_list_has(list, &address) != cases[i].has)
            fail_msg("%s in %s", cases[i].address, cases[i].list);
        address_list_free(list);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (address_list_new(str_of(wrong[i]), &list, &err) != CODE_INVALID_ARGUMENT)
            fail_msg("\"%s\" is taken", wrong[i]);
        assert_non_null(strstr(err.text, "--trusted-proxies"));
    }
}

static void clients(void **state)
{
    static const struct {
        const char *trusted, *peer, *first, *second, *want;
    } cases[] = {
        {"", "192.0.2.1", "198.51.100.9", NULL, "192.0.2.1"},
        {"10.0.0.0/8", "192.0.2.1", "198.51.100.9", NULL, "192.0.2.1"},
        {"10.0.0.0/8", "10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "198.51.100.9", NULL, "198.51.100.9"},
        /* What the client wrote itself stands on the left. */
        {"10.0.0.0/8", "10.0.0.1", "1.1.1.1, 198.51.100.9", NULL, "198.51.100.9"},
        {"10.0.0.0/8", "10.0.0.1", "1.1.1.1, 198.51.100.9,10.0.0.2", NULL, "198.51.100.9"},
        {"10.0.0.0/8", "10.0.0.1", "1.1.1.1", "198.51.100.9, 10.0.0.2", "198.51.100.9"},
        {"10.0.0.0/8", "10.0.0.1", "198.51.100.9", "10.0.0.2", "198.51.100.9"},
        {"10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"},
        {"10.0.0.0/8", "10.0.0.1", "198.51.100.9, nonsense, 10.0.0.2", NULL, "10.0.0.2"},
        {"10.0.0.0/8", "10.0.0.1", "nonsense", NULL, "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "198.51.100.9,", NULL, "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "", NULL, "10.0.0.1"},
        {"10.0.0.0/8", "10.0.0.1", "198.51.100.9:4711", NULL, "198.51.100.9"},
        {"10.0.0.0/8", "10.0.0.1", "[2001:db8::7]:4711", NULL, "2001:db8::7"},
        {"::1,127.0.0.1", "::1", "198.51.100.9", NULL, "198.51.100.9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_header headers[] = {
            {STR("X-Forwarded-For"), str_of(cases[i].first)},
            {STR("Accept"), STR("8.8.8.8")},
            {STR("x-forwarded-for"), str_of(cases[i].second)},
        };
        struct http_request request = {.peer = str_of(cases[i].peer), .headers = headers};
        struct address_list *list;
        struct address address;
        struct error err = {0};
        char text[ADDRESS_TEXT_BYTES];
        request.header_count = cases[i].second ? 3 : cases[i].first ? 2 : 0;
        assert_int_equal(address_list_new(str_of(cases[i].trusted), &list, &err), CODE_OK);
        assert_true(address_of_client(&request, list, &address));
        address_format(&address, text);
        if (strcmp(text, cases[i].want) != 0)
            fail_msg("case %zu: %s, not %s", i, text, cases[i].want);
        address_list_free(list);
    }
}

/* A chain of our own proxies without end is not followed without end. */
static void long_chains(void **state)
{
    struct buf value;
    struct address_list *list;
    struct address address;
    struct error err = {0};
    char text[ADDRESS_TEXT_BYTES];
    (void)state;
    buf_init(&value, 4096);
    buf_add_cstr(&value, "192.0.2.9,");
    for (int i = 0; i < 60; i++)
        buf_add_cstr(&value, i < 59 ? "10.0.0.7," : "10.0.0.8");
    struct http_header header = {STR("X-Forwarded-For"), buf_str(&value)};
    struct http_request request = {.peer = STR("10.0.0.1"), .headers = &header, .header_count = 1};
    assert_int_equal(address_list_new(STR("10.0.0.0/8"), &list, &err), CODE_OK);
    assert_true(address_of_client(&request, list, &address));
    address_format(&address, text);
    assert_string_equal(text, "10.0.0.7");
    request.peer = STR("");
    assert_false(address_of_client(&request, list, &address));
    buf_clear(&value);
    address_list_free(list);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),  cmocka_unit_test(networks),    cmocka_unit_test(lists),
        cmocka_unit_test(clients), cmocka_unit_test(long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
