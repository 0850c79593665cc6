/* protobuf-c and nanopb in this project's memory. */
#include "tests/support/unit.h"

#include "omnidata/event/v1/event.pb.h"
#include "omnidata/user/v1/user.pb-c.h"
#include "pb/nano.h"
#include "pb/proto.h"

#include <stdio.h>
#include <string.h>

static void decodes_into_the_arena_what_it_encoded(void **state)
{
    struct arena arena = {0};
    Omnidata__User__V1__User user = OMNIDATA__USER__V1__USER__INIT;
    (void)state;
    user.id = arena_cstr(&arena, STR("1"));
    user.email = arena_cstr(&arena, STR("j\xC3\xB6rg@example.com"));
    struct str bytes = proto_encode_arena(&arena, &user.base);
    Omnidata__User__V1__User *again =
        proto_decode(&arena, &omnidata__user__v1__user__descriptor, bytes);
    assert_non_null(again);
    assert_string_equal(again->email, user.email);
    bytes.len--;
    assert_null(proto_decode(&arena, &omnidata__user__v1__user__descriptor, bytes));
    arena_clear(&arena);
}

static void refuses_texts_with_a_nul_byte(void **state)
{
    static const struct {
        struct str bytes; /* of an UpdateUserRequest */
        const char *path; /* NULL: none */
    } cases[] = {
        {STR("\x0A\x05\x12\x03\x61\x40\x62"), NULL},
        {STR("\x0A\x05\x12\x03\x61\x00\x62"), "user.email"},
        {STR("\x0A\x05\x42\x03\x08\x80\x00"), NULL},      /* user.create_time: a number */
        {STR("\x0A\x07\x3A\x05\x0A\x01k\x12\x00"), NULL}, /* an empty label */
        {STR("\x0A\x08\x3A\x06\x0A\x01k\x12\x01\x00"), "user.labels.value"},
        {STR("\x0A\x02\x12\x00\x1A\x01\x00"), "request_id"},
        {STR("\xF2\x07\x01\x00"), NULL}, /* an unknown field */
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *message = proto_decode(&arena, &omnidata__user__v1__update_user_request__descriptor,
                                     cases[i].bytes);
        assert_int_equal(message == NULL, cases[i].path != NULL);
        char path[ERROR_FIELD_BYTES];
        bool found = proto_nul_path(&omnidata__user__v1__update_user_request__descriptor,
                                    cases[i].bytes, path, sizeof path);
        assert_int_equal(found, cases[i].path != NULL);
        if (found)
            assert_string_equal(path, cases[i].path);
    }
    /* Broken bytes that hold no text, and a path that has no room. */
    char path[8];
    assert_false(proto_nul_path(&omnidata__user__v1__update_user_request__descriptor,
                                STR("\x0A\x7F\x00"), path, sizeof path));
    assert_false(proto_nul_path(&omnidata__user__v1__update_user_request__descriptor,
                                STR("\x0A\x05\x12\x03\x61\x00\x62"), path, sizeof path));
    arena_clear(&arena);
}

static void finds_bad_utf8_wherever_it_is(void **state)
{
    struct arena arena = {0};
    struct error err;
    (void)state;
    Omnidata__User__V1__User user = OMNIDATA__USER__V1__USER__INIT;
    Omnidata__User__V1__User__LabelsEntry label = OMNIDATA__USER__V1__USER__LABELS_ENTRY__INIT;
    Omnidata__User__V1__User__LabelsEntry *labels[] = {&label};
    Omnidata__User__V1__UserResult result = OMNIDATA__USER__V1__USER_RESULT__INIT;
    Omnidata__User__V1__UserResult *results[] = {&result};
    Omnidata__User__V1__BatchGetUsersResponse batch =
        OMNIDATA__USER__V1__BATCH_GET_USERS_RESPONSE__INIT;
    batch.n_results = 1;
    batch.results = results;
    assert_int_equal(proto_check_utf8(&batch.base, &err), CODE_OK);
    result.result_case = OMNIDATA__USER__V1__USER_RESULT__RESULT_USER;
    result.user = &user;
    user.n_labels = 1;
    user.labels = labels;
    label.key = arena_cstr(&arena, STR("k"));
    label.value = arena_cstr(&arena, STR("ok"));
    assert_int_equal(proto_check_utf8(&batch.base, &err), CODE_OK);
    label.value = arena_cstr(&arena, STR("\xFF"));
    assert_int_equal(proto_check_utf8(&batch.base, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "results.user.labels.value");
    arena_clear(&arena);
}

static void nanopb_has_fixed_sizes(void **state)
{
    omnidata_event_v1_Event event = omnidata_event_v1_Event_init_zero, again;
    struct buf out;
    const char *reason;
    (void)state;
    buf_init(&out, 1000);
    snprintf(event.query, sizeof event.query, "m\xC3\xBCl");
    event.kind = omnidata_event_v1_EventKind_EVENT_KIND_USERS_SEARCHED;
    event.has_time = true;
    event.time.seconds = 1700000000;
    assert_true(nano_encode(&out, omnidata_event_v1_Event_fields, &event));
    assert_true(nano_decode(buf_str(&out), omnidata_event_v1_Event_fields, &again, &reason));
    assert_string_equal(again.query, event.query);
    assert_true(again.time.seconds == 1700000000);
    assert_false(nano_decode(STR("\x0A\x7F"), omnidata_event_v1_Event_fields, &again, &reason));
    assert_true(reason[0] != '\0');
    buf_clear(&out);
    buf_init(&out, 3);
    assert_false(nano_encode(&out, omnidata_event_v1_Event_fields, &event));
    buf_clear(&out);
}

static void carries_its_own_descriptors(void **state)
{
    (void)state;
    struct str set = proto_builtin_set();
    assert_true(set.len > 5000);
    assert_non_null(memmem(set.ptr, set.len, "omnidata.analytics.v1", 21));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_into_the_arena_what_it_encoded),
        cmocka_unit_test(refuses_texts_with_a_nul_byte),
        cmocka_unit_test(finds_bad_utf8_wherever_it_is),
        cmocka_unit_test(nanopb_has_fixed_sizes),
        cmocka_unit_test(carries_its_own_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
