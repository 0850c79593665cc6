/* The messages of call streams as bytes: what is written is read, what is none is refused. That the
 * bytes are protobuf's is proven against another implementation (tests/rpc/test_call_stream.py). */
#include "rpc/callstream.h"
#include "rpc/callstream_out.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

enum { ROOM = 1 << 20 };

static void assert_str(struct str text, const char *wanted)
{
    assert_int_equal(text.len, strlen(wanted));
    assert_memory_equal(text.ptr, wanted, text.len);
}

static void reads_the_calls_it_writes(void **state)
{
    struct callstream_call first = {.id = 1ULL << 63,
                                    .timeout_ms = 10000,
                                    .method = STR("/a/B"),
                                    .payload = {"\0\xff", 2},
                                    .metadata_count = 2};
    struct callstream_call second = {.id = 0, .method = STR(""), .payload = STR("")}, read;
    struct buf out;
    struct str bytes;
    uint64_t number;
    (void)state;
    first.metadata[0] = (struct rpc_metadata){STR("x-in"), STR("")};
    first.metadata[1] = (struct rpc_metadata){STR("x-bin"), {"\0", 1}};
    buf_init(&out, ROOM);
    callstream_add_limit(&out, 300000);
    callstream_add_call(&out, &first);
    callstream_add_cancel(&out, 1ULL << 63);
    callstream_add_call(&out, &second);
    struct callstream_reader reader = callstream_read(buf_str(&out));
    assert_int_equal(callstream_next_call(&reader, &bytes, &number), CALLSTREAM_LIMIT);
    assert_int_equal(number, 300000);
    assert_int_equal(callstream_next_call(&reader, &bytes, &number), CALLSTREAM_CALL);
    assert_true(callstream_read_call(bytes, &read));
    assert_true(read.id == 1ULL << 63);
    assert_int_equal(read.timeout_ms, 10000);
    assert_str(read.method, "/a/B");
    assert_int_equal(read.payload.len, 2);
    assert_memory_equal(read.payload.ptr, "\0\xff", 2);
    assert_int_equal(read.metadata_count, 2);
    assert_str(read.metadata[0].key, "x-in");
    assert_str(read.metadata[0].value, "");
    assert_str(read.metadata[1].key, "x-bin");
    assert_int_equal(read.metadata[1].value.len, 1);
    assert_int_equal(callstream_next_call(&reader, &bytes, &number), CALLSTREAM_CANCEL);
    assert_true(number == 1ULL << 63);
    assert_int_equal(callstream_next_call(&reader, &bytes, &number), CALLSTREAM_CALL);
    assert_true(callstream_read_call(bytes, &read));
    assert_int_equal(read.id, 0);
    assert_int_equal(read.method.len, 0);
    assert_int_equal(callstream_next_call(&reader, &bytes, &number), CALLSTREAM_END);
    buf_clear(&out);
}

static void reads_the_answers_it_writes(void **state)
{
    const struct rpc_metadata trailer = {STR("x-out"), STR("after")};
    struct callstream_answer answer = {.id = 300,
                                       .status = 5,
                                       .message = STR("none"),
                                       .details = STR("d"),
                                       .payload = {NULL, 3}},
                             read;
    struct buf out;
    struct str bytes;
    uint64_t number;
    (void)state;
    buf_init(&out, ROOM);
    char *to = callstream_add_answer(&out, &answer, &trailer, 1);
    assert_non_null(to);
    memcpy(to, "abc", 3);
    callstream_add_closing(&out);
    struct callstream_reader reader = callstream_read(buf_str(&out));
    assert_int_equal(callstream_next_answer(&reader, &bytes, &number), CALLSTREAM_ANSWER);
    assert_true(callstream_read_answer(bytes, &read));
    assert_int_equal(read.id, 300);
    assert_int_equal(read.status, 5);
    assert_str(read.message, "none");
    assert_str(read.details, "d");
    assert_str(read.payload, "abc");
    assert_int_equal(callstream_next_answer(&reader, &bytes, &number), CALLSTREAM_CLOSING);
    assert_int_equal(number, 1);
    assert_int_equal(callstream_next_answer(&reader, &bytes, &number), CALLSTREAM_END);
    buf_clear(&out);
}

/* Everything up to the first item that is not one. */
static enum callstream_item last_item(struct str message)
{
    struct callstream_reader reader = callstream_read(message);
    struct callstream_call call;
    struct str bytes;
    uint64_t number;
    for (;;) {
        enum callstream_item item = callstream_next_call(&reader, &bytes, &number);
        if (item == CALLSTREAM_CALL && !callstream_read_call(bytes, &call))
            return CALLSTREAM_MALFORMED;
        if (item == CALLSTREAM_END || item == CALLSTREAM_MALFORMED)
            return item;
    }
}

static void refuses_what_is_no_message(void **state)
{
    static const struct {
        const char *what;
        struct str bytes;
    } bad[] = {
        {"a cut tag", STR("\x80")},
        {"field 0", STR("\x02\x00")},
        {"a call that is longer than the message", STR("\x0a\x05\x08\x01")},
        {"a length beyond 64 bits", STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
        {"a huge length", STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")},
        {"a group", STR("\x0b\x0c")},
        {"wire type 7", STR("\x0f")},
        {"a cut varint", STR("\x10\xff")},
        {"packed ids that end in the middle", STR("\x12\x02\x01\xff")},
        {"a call with a cut field", STR("\x0a\x02\x12\x05")},
        {"metadata with a cut field", STR("\x0a\x04\x2a\x02\x0a\x09")},
        {"a tag beyond 32 bits", STR("\x80\x80\x80\x80\x80\x01\x00")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (last_item(bad[i].bytes) != CALLSTREAM_MALFORMED)
            fail_msg("%s was not refused", bad[i].what);
}

static void skips_what_it_does_not_know(void **state)
{
    static const struct str good[] = {
        STR(""),
        STR("\x7a\x01x\x78\x01\x79"
            "12345678\x7d"
            "1234"),                 /* field 15 in every wire type */
        STR("\x0a\x04\x7a\x02xy"),   /* in a call */
        STR("\x08\x01"),             /* calls as a number: another type than ours */
        STR("\x12\x03\x01\x80\x01"), /* packed ids: 1 and 128 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(last_item(good[i]), CALLSTREAM_END);
}

static void bounds_what_a_message_may_hold(void **state)
{
    struct callstream_call call = {.method = STR(""), .payload = STR("")};
    struct buf calls, cancels, metadata, item;
    (void)state;
    buf_init(&calls, ROOM);
    buf_init(&cancels, ROOM);
    for (int i = 0; i < CALLSTREAM_CALLS_MAX; i++) {
        callstream_add_call(&calls, &call);
        callstream_add_cancel(&cancels, 1);
    }
    assert_int_equal(last_item(buf_str(&calls)), CALLSTREAM_END);
    assert_int_equal(last_item(buf_str(&cancels)), CALLSTREAM_END);
    callstream_add_call(&calls, &call);
    callstream_add_cancel(&cancels, 1);
    assert_int_equal(last_item(buf_str(&calls)), CALLSTREAM_MALFORMED);
    assert_int_equal(last_item(buf_str(&cancels)), CALLSTREAM_MALFORMED);
    buf_init(&metadata, ROOM);
    buf_init(&item, ROOM);
    for (int i = 0; i < CALLSTREAM_METADATA_MAX; i++)
        buf_add(&metadata, STR("\x2a\x00"));
    struct callstream_call read;
    assert_true(callstream_read_call(buf_str(&metadata), &read));
    buf_add(&metadata, STR("\x2a\x00"));
    assert_false(callstream_read_call(buf_str(&metadata), &read));
    buf_clear(&calls);
    buf_clear(&cancels);
    buf_clear(&metadata);
    buf_clear(&item);
}

static void writes_nothing_without_room(void **state)
{
    struct callstream_call call = {.id = 1, .method = STR("/a/B"), .payload = STR("0123456789")};
    struct callstream_answer answer = {.id = 1, .payload = {NULL, 100}};
    struct buf out;
    (void)state;
    buf_init(&out, 12);
    callstream_add_call(&out, &call);
    assert_true(out.overflow);
    assert_int_equal(out.len, 0);
    buf_reset(&out);
    assert_null(callstream_add_answer(&out, &answer, NULL, 0));
    assert_int_equal(out.len, 0);
    buf_clear(&out);
}

static void puts_items_together_to_messages(void **state)
{
    static const struct {
        size_t max, items[4];
        size_t messages[4]; /* the bytes of each */
    } cases[] = {
        {0, {10, 20, 30}, {60}},
        {50, {20, 20, 20, 20}, {40, 40}},
        {50, {10, 200, 10}, {10, 200, 10}},
        {50, {50, 1}, {50, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct callstream_out out = {.message_bytes_max = cases[i].max};
        size_t all = 0, at = 0;
        for (size_t k = 0; k < 4 && cases[i].items[k]; k++) {
            struct buf *room = callstream_out_room(&out, cases[i].items[k]);
            for (size_t n = 0; n < cases[i].items[k]; n++)
                buf_add_char(room, 'x');
            all += cases[i].items[k];
        }
        assert_int_equal(callstream_out_bytes(&out), all);
        grpc_byte_buffer *message;
        while ((message = callstream_out_take(&out))) {
            assert_int_equal(grpc_byte_buffer_length(message), cases[i].messages[at++]);
            grpc_byte_buffer_destroy(message);
        }
        assert_true(at == 4 || !cases[i].messages[at]);
        callstream_out_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_calls_it_writes),
        cmocka_unit_test(reads_the_answers_it_writes),
        cmocka_unit_test(refuses_what_is_no_message),
        cmocka_unit_test(skips_what_it_does_not_know),
        cmocka_unit_test(bounds_what_a_message_may_hold),
        cmocka_unit_test(writes_nothing_without_room),
        cmocka_unit_test(puts_items_together_to_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
