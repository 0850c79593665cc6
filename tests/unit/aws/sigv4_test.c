/* SigV4 against the signatures that AWS publishes with its signing test suite, and what S3 signs.
 * botocore is the second witness: tests/aws/test_sigv4.py. */
#include "tests/support/unit.h"

#include "aws/sigv4.h"

#include <string.h>

#define HEADERS_MAX 6

/* Every case: AKIDEXAMPLE, us-east-1, "service", 2015-08-30T12:36:00Z; host and date are added. */
static const struct vector {
    const char *name, *method, *path, *query, *signature;
    const char *headers[HEADERS_MAX][2];
    const char *body;
} VECTORS[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     {{0}},
     ""},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
     {{0}},
     ""},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     "Param1=value1",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
     {{0}},
     ""},
    {"get-utf8",
     "GET",
     "/\xE1\x88\xB4",
     "",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
     {{0}},
     ""},
    {"get-slashes-normalized",
     "GET",
     "//example//",
     "",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
     {{0}},
     ""},
    {"get-space-normalized",
     "GET",
     "/example space/",
     "",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
     {{0}},
     ""},
    {"get-relative-relative-normalized",
     "GET",
     "/example1/example2/../..",
     "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     {{0}},
     ""},
    {"get-header-key-duplicate",
     "GET",
     "/",
     "",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
     {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     ""},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
     {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     ""},
    {"get-vanilla-with-session-token",
     "GET",
     "/",
     "",
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
     {{"X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
     ""},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
     {{"Content-Type", "application/x-www-form-urlencoded"},
      {"Content-Length", "13"},
      {"x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"}},
     "Param1=value1"},
};

static const struct sigv4_scope SCOPE = {{"us-east-1", 9}, {"service", 7}, 1440938160, false};
static const struct sigv4_key KEY = {{"AKIDEXAMPLE", 11},
                                     {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40}};

static struct sigv4_request request_of(const struct vector *vector, struct http_header *headers,
                                       char hash[SIGV4_HEX_BYTES + 1])
{
    size_t count = 0;
    headers[count++] = (struct http_header){STR("Host"), STR("example.amazonaws.com")};
    headers[count++] = (struct http_header){STR("X-Amz-Date"), STR("20150830T123600Z")};
    for (size_t i = 0; i < HEADERS_MAX && vector->headers[i][0]; i++)
        headers[count++] =
            (struct http_header){str_of(vector->headers[i][0]), str_of(vector->headers[i][1])};
    sigv4_hash(str_of(vector->body), hash);
    return (struct sigv4_request){
        str_of(vector->method), str_of(vector->path), str_of(vector->query), headers, count,
        {hash, SIGV4_HEX_BYTES}};
}

/* Rule 36. */
static void signs_as_aws_publishes(void **state)
{
    struct sigv4_cache cache;
    (void)state;
    sigv4_cache_init(&cache);
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        struct arena arena = {0};
        struct http_header headers[HEADERS_MAX + 2];
        char hash[SIGV4_HEX_BYTES + 1];
        const struct sigv4_request request = request_of(&VECTORS[i], headers, hash);
        struct str value = sigv4_authorization(&request, &SCOPE, &KEY, &cache, &arena);
        assert_true(str_starts(value, STR("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/"
                                          "us-east-1/service/aws4_request, SignedHeaders=")));
        assert_true(value.len > SIGV4_HEX_BYTES);
        struct str signature = str_from(value, value.len - SIGV4_HEX_BYTES);
        if (!str_eq(signature, str_of(VECTORS[i].signature)))
            fail_msg("%s: %.*s", VECTORS[i].name, STR_ARG(value));
        arena_clear(&arena);
    }
    sigv4_cache_clear(&cache);
}

/* Rule 36. The three stages as texts, for the first vector. */
static void shows_its_stages(void **state)
{
    struct arena arena = {0};
    struct http_header headers[HEADERS_MAX + 2];
    char hash[SIGV4_HEX_BYTES + 1], signature[SIGV4_HEX_BYTES + 1];
    struct str names;
    (void)state;
    const struct sigv4_request request = request_of(&VECTORS[0], headers, hash);
    struct str canonical = sigv4_canonical_request(&request, &SCOPE, &arena, &names);
    assert_true(str_eq(canonical,
                       STR("GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
                           "host;x-amz-date\n"
                           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    assert_true(str_eq(names, STR("host;x-amz-date")));
    struct str text = sigv4_string_to_sign(&SCOPE, canonical, &arena);
    assert_true(
        str_eq(text, STR("AWS4-HMAC-SHA256\n20150830T123600Z\n"
                         "20150830/us-east-1/service/aws4_request\n"
                         "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63")));
    sigv4_signature(&SCOPE, &KEY, text, NULL, signature);
    assert_string_equal(signature, VECTORS[0].signature);
    arena_clear(&arena);
}

static struct str canonical_path(const char *path, bool once, struct arena *arena)
{
    struct sigv4_scope scope = SCOPE;
    const struct sigv4_request request = {.method = STR("GET"), .path = str_of(path)};
    struct str names;
    scope.path_once = once;
    struct str rest = sigv4_canonical_request(&request, &scope, arena, &names), line;
    str_next(&rest, '\n', &line);
    str_next(&rest, '\n', &line);
    return line;
}

/* Rule 36. */
static void s3_signs_the_path_as_it_is_sent(void **state)
{
    static const struct {
        const char *raw, *sent, *once, *twice;
    } cases[] = {
        {"/events/v1/dt=2026-11-26/hour=07/a b.zst",
         "/events/v1/dt%3D2026-11-26/hour%3D07/a%20b.zst",
         "/events/v1/dt%3D2026-11-26/hour%3D07/a%20b.zst",
         "/events/v1/dt%253D2026-11-26/hour%253D07/a%2520b.zst"},
        {"/a//b/../c", "/a//b/../c", "/a//b/../c", "/a/c"},
        {"/~._-", "/~._-", "/~._-", "/~._-"},
        {"/\xC3\xA4+&?", "/%C3%A4%2B%26%3F", "/%C3%A4%2B%26%3F", "/%25C3%25A4%252B%2526%253F"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct buf sent;
        buf_init_arena(&sent, &arena, 1000);
        aws_encode_path(&sent, str_of(cases[i].raw));
        assert_string_equal(buf_cstr(&sent), cases[i].sent);
        const char *path = arena_cstr(&arena, buf_str(&sent));
        assert_true(str_eq(canonical_path(path, true, &arena), str_of(cases[i].once)));
        assert_true(str_eq(canonical_path(path, false, &arena), str_of(cases[i].twice)));
        arena_clear(&arena);
    }
}

/* Rule 36. */
static void a_query_is_sorted_by_its_encoded_names(void **state)
{
    struct arena arena = {0};
    struct buf query;
    struct str names;
    (void)state;
    buf_init_arena(&query, &arena, 1000);
    aws_encode_query(&query, STR("prefix"), STR("dt=2026/"));
    aws_encode_query(&query, STR("list-type"), STR("2"));
    aws_encode_query(&query, STR("a"), STR("2"));
    aws_encode_query(&query, STR("a"), STR("1"));
    aws_encode_query(&query, STR("uploads"), STR(""));
    const struct sigv4_request request = {
        .method = STR("GET"), .path = STR("/"), .query = buf_str(&query)};
    struct str text = sigv4_canonical_request(&request, &SCOPE, &arena, &names);
    assert_true(
        str_starts(text, STR("GET\n/\na=1&a=2&list-type=2&prefix=dt%3D2026%2F&uploads=\n")));
    arena_clear(&arena);
}

/* Rule 36. A key that is kept must not sign for another day, region, service or secret. */
static void a_kept_key_is_for_one_day_and_place(void **state)
{
    struct sigv4_cache cache;
    struct sigv4_scope scopes[5];
    struct sigv4_key keys[5];
    (void)state;
    sigv4_cache_init(&cache);
    for (size_t i = 0; i < 5; i++) {
        scopes[i] = SCOPE;
        keys[i] = KEY;
    }
    scopes[1].now_s += 86400;
    scopes[2].region = STR("eu-central-1");
    scopes[3].service = STR("s3");
    keys[4].secret = STR("another");
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 5; i++) {
            char with[SIGV4_HEX_BYTES + 1], without[SIGV4_HEX_BYTES + 1];
            sigv4_signature(&scopes[i], &keys[i], STR("text"), &cache, with);
            sigv4_signature(&scopes[i], &keys[i], STR("text"), &cache, with);
            sigv4_signature(&scopes[i], &keys[i], STR("text"), NULL, without);
            assert_string_equal(with, without);
        }
    sigv4_cache_clear(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_aws_publishes),
        cmocka_unit_test(shows_its_stages),
        cmocka_unit_test(s3_signs_the_path_as_it_is_sent),
        cmocka_unit_test(a_query_is_sorted_by_its_encoded_names),
        cmocka_unit_test(a_kept_key_is_for_one_day_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
