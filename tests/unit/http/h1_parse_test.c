/*
 * The parser's verdicts as a table, each case at once, byte by byte and cut at every place: the
 * verdict must be the same.
 */
#include "tests/support/unit.h"

#include "tests/unit/http/feed.h"

#include <stdio.h>

enum { OK = 0, MORE = 1, TARGET_BYTES = 64, HEADER_BYTES = 512, BODY_BYTES = 64 };

struct parse_case {
    const char *name;
    struct str bytes;
    int status;       /* OK, MORE or the status of the refusal */
    const char *seen; /* a part of what is written down, or NULL */
};

#define HOST "Host: a\r\n"
#define GET(line_end_and_headers) STR("GET / HTTP/1.1" line_end_and_headers)
#define POST(headers_and_body) STR("POST / HTTP/1.1\r\n" HOST headers_and_body)
#define CHUNKED(body) POST("Transfer-Encoding: chunked\r\n\r\n" body)
#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static const struct parse_case CASES[] = {
    /* what is right */
    {"plain", GET("\r\n" HOST "\r\n"), OK, "method=GET path=/ query= host=a minor=1 fields=1"},
    {"query", STR("GET /a/b?c=d&e?f HTTP/1.1\r\n" HOST "\r\n"), OK, "path=/a/b query=c=d&e?f"},
    {"empty query", STR("GET /a? HTTP/1.1\r\n" HOST "\r\n"), OK, "path=/a query= host"},
    {"one empty line first", STR("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), OK, "path=/"},
    {"two requests", GET("\r\n" HOST "\r\nHEAD /2 HTTP/1.1\r\n" HOST "\r\n"), OK, "path=/2"},
    {"empty line between", POST("Content-Length: 1\r\n\r\nx\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"),
     OK, "path=/2"},
    {"lower minor", STR("GET / HTTP/1.0\r\n\r\n"), OK, "minor=0 fields=0 close=1"},
    {"higher minor", STR("GET / HTTP/1.7\r\n" HOST "\r\n"), OK, "minor=1"},
    {"1.0 keep-alive", STR("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n"), OK,
     "close=0 keep=1"},
    {"close", GET("\r\n" HOST "Connection: keep-alive, Close\r\n\r\n"), OK, "close=1 keep=0"},
    {"value spaces", GET("\r\n" HOST "A: \t b c\t \r\nB:\r\nC:d\r\n\r\n"), OK,
     "name=A value=b c name=B value= name=C value=d"},
    {"obs-text value", GET("\r\n" HOST "A: \x80\xff\r\n\r\n"), OK, "name=A value=\x80\xff"},
    {"any token method", STR("M-SEARCH!#$%&'*+.^_`|~9 / HTTP/1.1\r\n" HOST "\r\n"), OK, "M-SEARCH"},
    {"raw query of browsers", STR("GET /?a={b|c}^` HTTP/1.1\r\n" HOST "\r\n"), OK, "query=a={b|c}"},
    {"asterisk", STR("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), OK, "path=* "},
    {"absolute", STR("GET http://a/b?c HTTP/1.1\r\n" HOST "\r\n"), OK, "path=/b query=c host=a"},
    {"absolute, other case", STR("GET HTTPS://A HTTP/1.1\r\n" HOST "\r\n"), OK,
     "path= query= host=A"},
    {"absolute, query only", STR("GET http://a?b HTTP/1.1\r\n" HOST "\r\n"), OK, "query=b host=a"},
    {"host forms", GET("\r\nHost: [::1]:80\r\n\r\n"), OK, "host=[::1]:80"},
    {"host with port", GET("\r\nhOST: a-b.example:65535\r\n\r\n"), OK, "host=a-b.example:65535"},
    {"empty host", GET("\r\nHost:\r\n\r\n"), OK, "host= minor"},
    {"body", POST("Content-Length: 5\r\n\r\nhello"), OK, "body=hello"},
    {"length zero", POST("Content-Length: 0\r\n\r\n"), OK, "body=\n"},
    {"leading zeros", POST("Content-Length: 0005\r\n\r\nhello"), OK, "body=hello"},
    {"expect", POST("Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx"), OK, "expect=1"},
    {"expect, no body", GET("\r\n" HOST "Expect: 100-continue\r\n\r\n"), OK, "expect=0"},
    {"expect in 1.0", STR("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\nx"), OK,
     "expect=0"},
    {"chunks", CHUNKED("5\r\nhello\r\n1\r\n \r\n00003\r\nyou\r\n0\r\n\r\n"), OK, "body=hello you"},
    {"chunk case",
     POST("Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), OK,
     "body=01234567890123456789"},
    {"chunk extension", CHUNKED("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"), OK, "body=hello"},
    {"trailers", CHUNKED("1\r\nx\r\n0\r\nA: b\r\nContent-Length: 7\r\n\r\n"), OK, "body=x"},
    {"pipelined behind chunks", CHUNKED("0\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"), OK, "path=/2"},

    /* what is not there yet */
    {"nothing but an empty line", STR("\r\n"), MORE, NULL},
    {"no end of line", STR("GET / HTTP/1.1"), MORE, NULL},
    {"no end of headers", GET("\r\n" HOST), MORE, NULL},
    {"short body", POST("Content-Length: 5\r\n\r\nhell"), MORE, "body=hell"},
    {"no last chunk", CHUNKED("5\r\nhello\r\n"), MORE, "body=hello"},
    {"no end of trailers", CHUNKED("0\r\n"), MORE, NULL},

    /* the request line */
    {"two empty lines", STR("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"lone CR first", STR("\rGET / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"lone LF first", STR("\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"bare LF", STR("GET / HTTP/1.1\n" HOST "\r\n"), 400, NULL},
    {"space first", STR(" GET / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"TLS hello", STR("\x16\x03\x01\x02"), 400, NULL},
    {"HTTP/0.9", STR("GET /\r\n\r\n"), 400, NULL},
    {"no target", STR("GET  HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"two spaces", STR("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"two spaces behind", STR("GET /  HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"tab", STR("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"space behind version", STR("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400, NULL},
    {"method with colon", STR("G:T / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"method with NUL", STR("G\0T / HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"long method", STR(A16 A16 "a / HTTP/1.1\r\n" HOST "\r\n"), 501, NULL},
    {"target with NUL", STR("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target with CR", STR("GET /\r HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target with DEL", STR("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target not ASCII", STR("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target with fragment", STR("GET /#a HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target with backslash", STR("GET /\\a HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target with quote", STR("GET /\"a HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target with <>", STR("GET /<a> HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"target too long", STR("GET /" A64 " HTTP/1.1\r\n" HOST "\r\n"), 414, NULL},
    {"target without end", STR("GET /" A64 A64), 414, NULL},
    {"relative target", STR("GET a HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"authority target", STR("GET a:80 HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"CONNECT", STR("CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n"), 501, NULL},
    {"GET *", STR("GET * HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"other scheme", STR("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"absolute without host", STR("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"absolute, only port", STR("GET http://:80/ HTTP/1.1\r\nHost: :80\r\n\r\n"), 400, NULL},
    {"absolute, user", STR("GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"absolute, other host", STR("GET http://b/ HTTP/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"HTTP/2.0", STR("GET / HTTP/2.0\r\n" HOST "\r\n"), 505, NULL},
    {"HTTP/2 preface", STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, NULL},
    {"HTTP/0.9 by number", STR("GET / HTTP/0.9\r\n" HOST "\r\n"), 505, NULL},
    {"version in small letters", STR("GET / http/1.1\r\n" HOST "\r\n"), 400, NULL},
    {"version too long", STR("GET / HTTP/1.10\r\n" HOST "\r\n"), 400, NULL},
    {"version not a number", STR("GET / HTTP/1.x\r\n" HOST "\r\n"), 400, NULL},

    /* headers */
    {"space before colon", GET("\r\n" HOST "A : b\r\n\r\n"), 400, "not followed by a colon"},
    {"tab before colon", GET("\r\n" HOST "A\t: b\r\n\r\n"), 400, NULL},
    {"no colon", GET("\r\n" HOST "A\r\n\r\n"), 400, NULL},
    {"empty name", GET("\r\n" HOST ": b\r\n\r\n"), 400, "no name"},
    {"NUL name", GET("\r\n" HOST "\0: b\r\n\r\n"), 400, NULL},
    {"NUL in name", GET("\r\n" HOST "A\0: b\r\n\r\n"), 400, NULL},
    {"name not ASCII", GET("\r\n" HOST "\xc3: b\r\n\r\n"), 400, NULL},
    {"name with bracket", GET("\r\n" HOST "A(b): c\r\n\r\n"), 400, NULL},
    {"obs-fold", GET("\r\n" HOST "A: b\r\n c\r\n\r\n"), 400, "folded"},
    {"obs-fold first", GET("\r\n A: b\r\n" HOST "\r\n"), 400, "folded"},
    {"obs-fold with tab", GET("\r\n" HOST "A: b\r\n\tc\r\n\r\n"), 400, "folded"},
    {"value with NUL", GET("\r\n" HOST "A: b\0c\r\n\r\n"), 400, NULL},
    {"value with CR", GET("\r\n" HOST "A: b\rc\r\n\r\n"), 400, NULL},
    {"value with control", GET("\r\n" HOST "A: 0123456789\x01xyz\r\n\r\n"), 400, NULL},
    {"value with DEL", GET("\r\n" HOST "A: 01234567\x7f\r\n\r\n"), 400, NULL},
    {"header with bare LF", GET("\r\n" HOST "A: b\n\r\n"), 400, NULL},
    {"end with bare LF", GET("\r\n" HOST "\n"), 400, NULL},
    {"CR CR LF", GET("\r\n" HOST "A: b\r\r\n\r\n"), 400, NULL},
    {"headers too long", GET("\r\n" HOST "A: " A64 A64 A64 A64 A64 A64 A64 A64 "\r\n\r\n"), 431,
     NULL},
    {"headers without end", GET("\r\n" HOST "A: " A64 A64 A64 A64 A64 A64 A64 A64), 431, NULL},

    /* host */
    {"no Host", GET("\r\n\r\n"), 400, "no Host"},
    {"two Hosts", GET("\r\n" HOST "host: b\r\n\r\n"), 400, "more than one Host"},
    {"same Host twice", GET("\r\n" HOST HOST "\r\n"), 400, NULL},
    {"two Hosts in 1.0", STR("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400, NULL},
    {"Host with path", GET("\r\nHost: a/b\r\n\r\n"), 400, NULL},
    {"Host with user", GET("\r\nHost: u@a\r\n\r\n"), 400, NULL},
    {"Host with space", GET("\r\nHost: a b\r\n\r\n"), 400, NULL},
    {"Host list", GET("\r\nHost: a,b\r\n\r\n"), 400, NULL},
    {"Host with wrong port", GET("\r\nHost: a:8x\r\n\r\n"), 400, NULL},
    {"Host with huge port", GET("\r\nHost: a:123456\r\n\r\n"), 400, NULL},
    {"Host with open bracket", GET("\r\nHost: [::1\r\n\r\n"), 400, NULL},

    /* framing */
    {"two lengths", POST("Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"), 400, "more than one"},
    {"same length twice", POST("Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), 400, NULL},
    {"length list", POST("Content-Length: 1, 1\r\n\r\nx"), 400, "not a decimal"},
    {"signed length", POST("Content-Length: +1\r\n\r\nx"), 400, NULL},
    {"negative length", POST("Content-Length: -1\r\n\r\nx"), 400, NULL},
    {"hex length", POST("Content-Length: 0x1\r\n\r\nx"), 400, NULL},
    {"empty length", POST("Content-Length:\r\n\r\nx"), 400, NULL},
    {"length with space", POST("Content-Length: 1 1\r\n\r\nx"), 400, NULL},
    {"length beyond 64 bits", POST("Content-Length: 18446744073709551617\r\n\r\nx"), 413, NULL},
    {"length and chunked", POST("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     400, "exclude"},
    {"chunked and length", POST("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
     400, "exclude"},
    {"gzip", POST("Transfer-Encoding: gzip\r\n\r\n"), 501, NULL},
    {"gzip, chunked", POST("Transfer-Encoding: gzip, chunked\r\n\r\n"), 501, NULL},
    {"identity", POST("Transfer-Encoding: identity\r\n\r\n"), 501, NULL},
    {"chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n\r\n"), 501, NULL},
    {"two encodings",
     POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 501, NULL},
    {"quoted chunked", POST("Transfer-Encoding: \"chunked\"\r\n\r\n"), 501, NULL},
    {"vertical tab chunked",
     POST("Transfer-Encoding: \x0b"
          "chunked\r\n\r\n"),
     400, NULL},
    {"empty encoding", POST("Transfer-Encoding:\r\n\r\n"), 501, NULL},
    {"chunked in 1.0", STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400,
     NULL},
    {"other expectation", POST("Expect: tea\r\nContent-Length: 1\r\n\r\nx"), 417, NULL},

    /* chunks */
    {"no size", CHUNKED("\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"size not hex", CHUNKED("g\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"size with 0x", CHUNKED("0x5\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"signed size", CHUNKED("+5\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"space before size", CHUNKED(" 5\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"space behind size", CHUNKED("5 \r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"size beyond 64 bits", CHUNKED("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"huge size", CHUNKED("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 413, NULL},
    {"size line with bare LF", CHUNKED("5\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"size line with bare CR", CHUNKED("5\rhello\r\n0\r\n\r\n"), 400, NULL},
    {"no CR LF behind data", CHUNKED("5\r\nhello0\r\n\r\n"), 400, NULL},
    {"LF behind data", CHUNKED("5\r\nhello\n0\r\n\r\n"), 400, NULL},
    {"too much data", CHUNKED("5\r\nhello!\r\n0\r\n\r\n"), 400, NULL},
    {"extension with LF", CHUNKED("5;a\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"extension with NUL", CHUNKED("5;a\0\r\nhello\r\n0\r\n\r\n"), 400, NULL},
    {"body too large", CHUNKED("20\r\n" A16 A16 "\r\n21\r\n" A16 A16 "a\r\n0\r\n\r\n"), 413, NULL},
    {"trailer without name", CHUNKED("0\r\n: a\r\n\r\n"), 400, NULL},
    {"trailer with space", CHUNKED("0\r\nA : a\r\n\r\n"), 400, NULL},
    {"trailer folded", CHUNKED("0\r\nA: a\r\n b\r\n\r\n"), 400, NULL},
    {"trailer with NUL", CHUNKED("0\r\nA: a\0\r\n\r\n"), 400, NULL},
    {"trailer with bare LF", CHUNKED("0\r\nA: a\n\r\n"), 400, NULL},
    {"end with bare LF behind chunks", CHUNKED("0\r\n\n"), 400, NULL},
};

static void feed_case(const struct parse_case *c, const size_t *cuts, size_t count, struct buf *out)
{
    buf_reset(out);
    struct feed feed = {.bytes = c->bytes.ptr,
                        .len = c->bytes.len,
                        .limits = {TARGET_BYTES, HEADER_BYTES},
                        .body_bytes_max = BODY_BYTES,
                        .out = out};
    feed_all(&feed, cuts, count);
}

static void check_verdict(const struct parse_case *c, struct buf *out)
{
    char wanted[32] = "";
    if (c->status == MORE)
        snprintf(wanted, sizeof wanted, " incomplete");
    else if (c->status != OK)
        snprintf(wanted, sizeof wanted, " bad=%d ", c->status);
    const char *text = buf_cstr(out);
    bool refused = strstr(text, " bad=") || strstr(text, " incomplete");
    if (!strstr(text, wanted) || (c->status == OK && refused))
        fail_msg("%s: wanted%s, got: %s", c->name, wanted, text);
    if (c->seen && !strstr(text, c->seen))
        fail_msg("%s: wanted \"%s\" in: %s", c->name, c->seen, text);
}

/* Rule 1. */
static void verdicts(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        feed_case(&CASES[i], NULL, 0, &out);
        check_verdict(&CASES[i], &out);
    }
    buf_clear(&out);
}

static void check_same(const struct parse_case *c, struct buf *once, struct buf *cut, size_t at)
{
    if (!str_eq(buf_str(once), buf_str(cut)))
        fail_msg("%s, cut at %zu: %s\nat once: %s", c->name, at, buf_cstr(cut), buf_cstr(once));
}

/* Rule 1: however the bytes are cut. */
static void every_cut_gives_the_same(void **state)
{
    (void)state;
    struct buf once, cut;
    size_t cuts[1024];
    buf_init(&once, 1 << 20);
    buf_init(&cut, 1 << 20);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct parse_case *c = &CASES[i];
        assert_true(c->bytes.len <= sizeof cuts / sizeof *cuts);
        feed_case(c, NULL, 0, &once);
        for (size_t at = 1; at < c->bytes.len; at++) {
            feed_case(c, &at, 1, &cut);
            check_same(c, &once, &cut, at);
        }
        for (size_t at = 0; at < c->bytes.len; at++)
            cuts[at] = at;
        feed_case(c, cuts, c->bytes.len, &cut);
        check_same(c, &once, &cut, SIZE_MAX);
    }
    buf_clear(&once);
    buf_clear(&cut);
}

/* Rule 2. A hundred headers are the most there may be. */
static void header_count_is_bounded(void **state)
{
    (void)state;
    struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int count = HTTP_HEADERS_MAX; count <= HTTP_HEADERS_MAX + 1; count++) {
        buf_reset(&in);
        buf_reset(&out);
        buf_add_cstr(&in, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < count; i++)
            buf_add_cstr(&in, "A: b\r\n");
        buf_add_cstr(&in, "\r\n");
        struct feed feed = {.bytes = in.ptr, .len = in.len, .limits = {64, 4096}, .out = &out};
        feed_all(&feed, NULL, 0);
        assert_int_equal(strstr(buf_cstr(&out), "bad=431") != NULL, count > HTTP_HEADERS_MAX);
    }
    buf_clear(&in);
    buf_clear(&out);
}

/* Rule 2. Extensions and trailers cost nothing to send: they are bounded however they are spread.
 */
static void chunk_extras_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *again;
        int times;
        const char *wanted;
    } extras[] = {
        {"", "1;aaaaaaa\r\nx\r\n", 580, " incomplete"},
        {"", "1;aaaaaaa\r\nx\r\n", 600, " bad=400 The chunks' extensions are too long"},
        {"0\r\n", "A: aaaa\r\n", 900, " incomplete"},
        {"0\r\n", "A: aaaa\r\n", 1100, " bad=431 The trailers are too long"},
    };
    struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        buf_reset(&in);
        buf_reset(&out);
        buf_add(&in, CHUNKED(""));
        buf_add_cstr(&in, extras[i].begin);
        for (int n = 0; n < extras[i].times; n++)
            buf_add_cstr(&in, extras[i].again);
        struct feed feed = {.bytes = in.ptr,
                            .len = in.len,
                            .limits = {64, 4096},
                            .body_bytes_max = 1 << 20,
                            .out = &out};
        feed_all(&feed, NULL, 0);
        assert_non_null(strstr(buf_cstr(&out), extras[i].wanted));
    }
    buf_clear(&in);
    buf_clear(&out);
}

/* The word-at-a-time check against the plain rule, for every byte at every place of a word. */
static void field_values_by_words(void **state)
{
    (void)state;
    char text[20];
    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'a', len);
                text[at] = (char)byte;
                bool right = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
                assert_int_equal(h1_is_field_value((struct str){text, len}), right);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(every_cut_gives_the_same),
        cmocka_unit_test(header_count_is_bounded),
        cmocka_unit_test(chunk_extras_are_bounded),
        cmocka_unit_test(field_values_by_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
