/* Page tokens: what goes in comes out, and nothing else does. */
#include "tests/support/unit.h"

#include "user/page_token.h"
#include "user/reasons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char directory[64], path[96];
    struct page_tokens *tokens;
    struct arena arena;
    struct error err;
};

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    snprintf(fixture.directory, sizeof fixture.directory, "/tmp/page-token-XXXXXX");
    if (!mkdtemp(fixture.directory))
        return -1;
    snprintf(fixture.path, sizeof fixture.path, "%s/key", fixture.directory);
    return page_tokens_open(fixture.path, &fixture.tokens, &fixture.err) == CODE_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    page_tokens_free(fixture.tokens);
    arena_clear(&fixture.arena);
    unlink(fixture.path);
    rmdir(fixture.directory);
    return 0;
}

static const struct page_scope SEARCH = {{"SearchUsers", 11}, 1, {" an", 3}};

static enum code open_token(const struct page_scope *scope, struct str token, struct str *position)
{
    error_clear(&fixture.err);
    return page_token_open(fixture.tokens, scope, token, &fixture.arena, position, &fixture.err);
}

static struct str seal(struct str position)
{
    return page_token_seal(fixture.tokens, &SEARCH, position, &fixture.arena);
}

/* Rule 22. */
static void there_and_back(void **state)
{
    struct str position;
    struct str token = seal((struct str){"a\0b\xFF", 4});
    (void)state;
    for (size_t i = 0; i < token.len; i++)
        assert_true(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                           token.ptr[i]) != NULL);
    assert_int_equal(open_token(&SEARCH, token, &position), CODE_OK);
    assert_int_equal(position.len, 4);
    assert_memory_equal(position.ptr, "a\0b\xFF", 4);
    assert_int_equal(seal(STR("")).len, 0);
    assert_int_equal(open_token(&SEARCH, STR(""), &position), CODE_OK);
    assert_int_equal(position.len, 0);
    char longest[PAGE_POSITION_BYTES_MAX];
    memset(longest, 'x', sizeof longest);
    token = seal((struct str){longest, sizeof longest});
    assert_int_equal(open_token(&SEARCH, token, &position), CODE_OK);
    assert_int_equal(position.len, sizeof longest);
}

/* Rule 22. */
static void other_scopes_are_refused(void **state)
{
    static const struct page_scope others[] = {
        {{"ListUsers", 9}, 1, {" an", 3}},
        {{"SearchUsers", 11}, 2, {" an", 3}},
        {{"SearchUsers", 11}, 1, {" ann", 4}},
        {{"SearchUsers ", 12}, 1, {"an", 2}},
    };
    struct str position, token = seal(STR("here"));
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(open_token(&others[i], token, &position), CODE_INVALID_ARGUMENT);
        assert_string_equal(fixture.err.reason, REASON_PAGE_TOKEN_INVALID);
        assert_string_equal(fixture.err.fields[0].path, "page_token");
    }
}

/* Rule 22. */
static void every_changed_or_missing_byte_is_noticed(void **state)
{
    struct str position, token = seal(STR("here"));
    char copy[256];
    (void)state;
    for (size_t i = 0; i < token.len; i++) {
        memcpy(copy, token.ptr, token.len);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_int_equal(open_token(&SEARCH, (struct str){copy, token.len}, &position),
                         CODE_INVALID_ARGUMENT);
        if (i)
            assert_int_equal(open_token(&SEARCH, (struct str){token.ptr, i}, &position),
                             CODE_INVALID_ARGUMENT);
    }
    assert_int_equal(open_token(&SEARCH, STR("!"), &position), CODE_INVALID_ARGUMENT);
}

static void tokens_survive_a_restart_and_a_new_key(void **state)
{
    struct str position, token = seal(STR("here"));
    struct stat file;
    char old[128];
    (void)state;
    assert_int_equal(stat(fixture.path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    page_tokens_free(fixture.tokens);
    FILE *keys = fopen(fixture.path, "r+");
    assert_non_null(keys);
    assert_non_null(fgets(old, sizeof old, keys));
    rewind(keys);
    fprintf(keys, "00000001 %064d\n%s", 7, old);
    fclose(keys);
    assert_int_equal(page_tokens_open(fixture.path, &fixture.tokens, &fixture.err), CODE_OK);
    assert_int_equal(open_token(&SEARCH, token, &position), CODE_OK);
    assert_int_not_equal(memcmp(seal(STR("here")).ptr, token.ptr, 8), 0);
}

static void damaged_key_file_is_named(void **state)
{
    static const char *const contents[] = {"", "\n", "x", "00000001 12\n",
                                           "0000000g "
                                           "0000000000000000000000000000000000000000000000000000000"
                                           "000000007\n"};
    struct page_tokens *tokens;
    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        FILE *file = fopen(fixture.path, "w");
        fputs(contents[i], file);
        fclose(file);
        assert_int_equal(page_tokens_open(fixture.path, &tokens, &fixture.err),
                         CODE_FAILED_PRECONDITION);
        assert_non_null(strstr(fixture.err.text, fixture.path));
    }
    assert_int_equal(page_tokens_open("/proc/no/key", &tokens, &fixture.err),
                     CODE_FAILED_PRECONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(other_scopes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(every_changed_or_missing_byte_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_survive_a_restart_and_a_new_key, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_key_file_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
