/* First and last steps of programs: directories, backends, and the words of their refusals. */
#include "tests/support/unit.h"

#include "base/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void makes_directories_for_the_owner_only(void **state)
{
    char folder[] = "/tmp/omni-program-XXXXXX", path[64], file[80];
    struct stat found;
    struct error err;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a/b", folder);
    assert_int_equal(program_make_directory("data-dir", path, &err), CODE_OK);
    assert_int_equal(program_make_directory("data-dir", path, &err), CODE_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    snprintf(file, sizeof file, "%s/file", path);
    fclose(fopen(file, "w"));
    assert_int_equal(program_make_directory("data-dir", file, &err), CODE_FAILED_PRECONDITION);
    assert_true(str_starts(str_of(err.text), STR("--data-dir: ")));
    assert_non_null(strstr(err.text, "is no directory"));
    unlink(file);
    rmdir(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(folder);
}

static void finds_a_backends_path(void **state)
{
    char path[PROGRAM_PATH_BYTES], longer[PROGRAM_PATH_BYTES + 10];
    struct error err;
    (void)state;
    assert_int_equal(program_backend_path("queue", "sqlite:", "sqlite:", "/d", "q.db", path, &err),
                     CODE_OK);
    assert_string_equal(path, "/d/q.db");
    assert_int_equal(
        program_backend_path("queue", "sqlite:/x/y", "sqlite:", "/d", "q.db", path, &err), CODE_OK);
    assert_string_equal(path, "/x/y");
    assert_int_equal(program_backend_path("queue", "redis:1", "sqlite:", "/d", "q.db", path, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "--queue: \"redis:1\" is not sqlite: or sqlite:PATH");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer, "dir:", 4);
    assert_int_equal(program_backend_path("archive", longer, "dir:", "/d", "a", path, &err),
                     CODE_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_directories_for_the_owner_only),
        cmocka_unit_test(finds_a_backends_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
