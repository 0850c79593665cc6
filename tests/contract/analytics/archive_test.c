/* What every archive must do, run on each implementation. A new backend adds a row to BACKENDS;
 * S3's runs when OMNI_TEST_AWS says where AWS is (make interop). */
#include "analytics/archive_dir.h"
#include "analytics/archive_s3.h"
#include "tests/unit/analytics/pipeline.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char KEY[] = "events/v1/dt=2026-11-22/hour=18/0199.ndjson.zst";

struct fixture {
    struct archive *archive;
    char directory[64], path[128];
    struct arena arena;
    struct aws *aws; /* NULL: a directory */
    struct aws_client *client;
};

static enum code open_dir(struct fixture *f, struct error *err)
{
    return archive_dir_open(f->path, &f->archive, err);
}

/* A prefix of each test's own; opened anew it is the same one. */
static enum code open_s3(struct fixture *f, struct error *err)
{
    struct aws_location location;
    char text[256];
    bool created;
    snprintf(text, sizeof text, "s3://omni-archive-test/%s?endpoint=%s", f->directory + 5,
             getenv("OMNI_TEST_AWS"));
    if (!f->aws && aws_open(&(struct aws_options){0}, &f->aws, err) != CODE_OK)
        return err->code;
    if (aws_location_read(str_of(text), "s3", getenv, NULL, 0, &f->arena, &location, err) !=
        CODE_OK)
        return err->code;
    if (!f->client)
        f->client = aws_client_new(&(struct aws_client_options){
            .aws = f->aws, .service = &S3_SERVICE, .location = &location});
    if (s3_bucket_create(f->client, 10000, &created, err) != CODE_OK)
        return err->code;
    return archive_s3_open(
        &(struct archive_s3_options){
            .client = f->client, .clock = clock_real(), .part_bytes = 5 << 20, .orphan_ms = 1},
        &f->archive, err);
}

static const struct backend {
    const char *name;
    enum code (*open)(struct fixture *f, struct error *err);
    bool local;
} BACKENDS[] = {{"dir", open_dir, true}, {"s3", open_s3, false}};

static const struct backend *backend = BACKENDS;

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;
    snprintf(f->directory, sizeof f->directory, "/tmp/archive-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/archive", f->directory);
    assert_int_equal(backend->open(f, &err), CODE_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    archive_free(f->archive);
    aws_client_free(f->client);
    aws_free(f->aws);
    arena_clear(&f->arena);
    nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    xfree(f);
    return 0;
}

static struct archive_source memory(struct str bytes)
{
    struct archive_source source = {.fd = -1, .bytes = bytes, .size_bytes = bytes.len};
    crypto_sha256(bytes, source.digest);
    return source;
}

static enum code create(struct fixture *f, const char *key, struct str bytes, struct error *err)
{
    struct archive_source source = memory(bytes);
    return f->archive->vtable->create(f->archive, str_of(key), &source, err);
}

static bool is_there(struct fixture *f, const char *key, struct str bytes)
{
    struct archive_source source = memory(bytes);
    struct archive_object object;
    struct error err;
    assert_int_equal(f->archive->vtable->stat(f->archive, str_of(key), &object, &err), CODE_OK);
    return object.size_bytes == bytes.len &&
           memcmp(object.digest, source.digest, sizeof object.digest) == 0;
}

/* Rule 34. */
static void test_created_once(void **state)
{
    struct fixture *f = *state;
    struct archive_object object;
    struct error err;
    assert_int_equal(f->archive->vtable->stat(f->archive, str_of(KEY), &object, &err),
                     CODE_NOT_FOUND);
    assert_int_equal(create(f, KEY, STR("one\n"), &err), CODE_OK);
    assert_true(is_there(f, KEY, STR("one\n")));
    assert_int_equal(create(f, KEY, STR("two\n"), &err), CODE_ALREADY_EXISTS);
    assert_int_equal(create(f, KEY, STR("one\n"), &err), CODE_ALREADY_EXISTS);
    assert_int_equal(create(f, KEY, STR(""), &err), CODE_ALREADY_EXISTS);
    assert_true(is_there(f, KEY, STR("one\n")));
}

static void test_from_a_file(void **state)
{
    struct fixture *f = *state;
    struct error err;
    char name[256], *bytes = xcalloc(1, 300000);
    for (size_t i = 0; i < 300000; i++)
        bytes[i] = (char)(i * 7);
    struct str content = {bytes, 300000};
    snprintf(name, sizeof name, "%s/spool", f->directory);
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes, content.len), content.len); /* the offset is at the end */
    struct archive_source source = memory(content);
    source.fd = fd;
    source.bytes = (struct str){0};
    assert_int_equal(f->archive->vtable->create(f->archive, str_of(KEY), &source, &err), CODE_OK);
    assert_true(is_there(f, KEY, content));
    close(fd);
    xfree(bytes);
}

/* Of a size that goes up in parts. */
static void test_a_large_one(void **state)
{
    enum { LARGE_BYTES = 12 << 20 };
    struct fixture *f = *state;
    struct error err;
    char *bytes = xcalloc(1, LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (char)(i * 31 >> 8);
    struct str content = {bytes, LARGE_BYTES};
    struct archive_source other = memory(content);
    other.digest[7] ^= 1;
    assert_int_equal(f->archive->vtable->create(f->archive, str_of(KEY), &other, &err),
                     CODE_DATA_LOSS);
    assert_int_equal(create(f, KEY, content, &err), CODE_OK);
    assert_true(is_there(f, KEY, content));
    bytes[LARGE_BYTES - 1] ^= 1;
    assert_int_equal(create(f, KEY, content, &err), CODE_ALREADY_EXISTS);
    assert_int_equal(create(f, KEY, STR("small"), &err), CODE_ALREADY_EXISTS);
    bytes[LARGE_BYTES - 1] ^= 1;
    assert_true(is_there(f, KEY, content));
    xfree(bytes);
}

/* What nobody finishes goes away when an archive is opened, and is never an object. */
static void test_uploads_nobody_finishes_are_aborted(void **state)
{
    struct fixture *f = *state;
    struct archive_object object;
    struct s3_upload *uploads;
    struct str upload;
    struct error err;
    size_t count;
    const uint8_t digest[CRYPTO_SHA256_BYTES] = {0};
    assert_int_equal(s3_upload_begin(f->client, str_of(KEY), STR("text/plain"), digest, 10000,
                                     &f->arena, &upload, &err),
                     CODE_OK);
    assert_int_equal(s3_uploads(f->client, 10000, &f->arena, &uploads, &count, &err), CODE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(f->archive->vtable->stat(f->archive, str_of(KEY), &object, &err),
                     CODE_NOT_FOUND);
    archive_free(f->archive);
    sleep(2); /* S3 tells time in seconds */
    assert_int_equal(backend->open(f, &err), CODE_OK);
    assert_int_equal(s3_uploads(f->client, 10000, &f->arena, &uploads, &count, &err), CODE_OK);
    assert_int_equal(count, 0);
}

static void count_object(void *argument, struct str key, uint64_t size_bytes)
{
    uint64_t *sums = argument;
    assert_true(key.len > 0);
    sums[0]++;
    sums[1] += size_bytes;
}

static void expect_listed(struct fixture *f, const char *prefix, uint64_t count, uint64_t bytes)
{
    uint64_t sums[2] = {0};
    struct error err;
    assert_int_equal(f->archive->vtable->list(f->archive, str_of(prefix), count_object, sums, &err),
                     CODE_OK);
    assert_int_equal(sums[0], count);
    assert_int_equal(sums[1], bytes);
}

/* Rule 34. */
static void test_other_content_than_said_creates_nothing(void **state)
{
    struct fixture *f = *state;
    struct archive_source source = memory(STR("one\n"));
    struct archive_object object;
    struct error err;
    source.digest[0] ^= 1;
    assert_int_equal(f->archive->vtable->create(f->archive, str_of(KEY), &source, &err),
                     CODE_DATA_LOSS);
    source = memory(STR("one\n"));
    source.size_bytes++;
    assert_int_equal(f->archive->vtable->create(f->archive, str_of(KEY), &source, &err),
                     CODE_DATA_LOSS);
    assert_int_equal(f->archive->vtable->stat(f->archive, str_of(KEY), &object, &err),
                     CODE_NOT_FOUND);
    expect_listed(f, "", 0, 0);
    assert_int_equal(create(f, KEY, STR("one\n"), &err), CODE_OK);
}

static void test_listed_by_folder(void **state)
{
    struct fixture *f = *state;
    struct error err;
    assert_int_equal(create(f, "events/v1/a", STR("1"), &err), CODE_OK);
    assert_int_equal(create(f, "events/v1/b/c", STR("22"), &err), CODE_OK);
    assert_int_equal(create(f, "errors/v1/a", STR("333"), &err), CODE_OK);
    expect_listed(f, "", 3, 6);
    expect_listed(f, "events/", 2, 3);
    expect_listed(f, "events/v1/b", 1, 2);
    expect_listed(f, "nothing/", 0, 0);
}

static void test_wrong_keys_are_refused(void **state)
{
    static const char *const WRONG[] = {"",       "/x",     "../x", "a/../x", "a//x",
                                        ".tmp/x", "a/.b/c", "a b",  "a\n",    "ä"};
    struct fixture *f = *state;
    struct error err;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_int_equal(create(f, WRONG[i], STR("x"), &err), CODE_INVALID_ARGUMENT);
}

/* Rule 35. */
static void test_survives_reopening(void **state)
{
    struct fixture *f = *state;
    struct error err;
    assert_int_equal(create(f, KEY, STR("one\n"), &err), CODE_OK);
    archive_free(f->archive);
    assert_int_equal(backend->open(f, &err), CODE_OK);
    assert_true(is_there(f, KEY, STR("one\n")));
    assert_int_equal(create(f, KEY, STR("two\n"), &err), CODE_ALREADY_EXISTS);
}

enum { RACERS = 8, RACES = 40 };

struct racer {
    struct fixture *f;
    pthread_barrier_t *barrier;
    char content[24];
    int wins;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    struct error err;
    for (int i = 0; i < RACES; i++) {
        char key[64];
        snprintf(key, sizeof key, "events/v1/race-%d", i);
        pthread_barrier_wait(racer->barrier);
        enum code code = create(racer->f, key, str_of(racer->content), &err);
        if (code == CODE_OK)
            racer->wins++;
        else if (code != CODE_ALREADY_EXISTS)
            racer->wins = -1000000;
    }
    return NULL;
}

/* Rule 34. */
static void test_of_many_exactly_one_creates(void **state)
{
    struct racer racers[RACERS];
    pthread_barrier_t barrier;
    pthread_t threads[RACERS];
    int wins = 0;
    pthread_barrier_init(&barrier, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.f = *state, .barrier = &barrier};
        snprintf(racers[i].content, sizeof racers[i].content, "racer %d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        wins += racers[i].wins;
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(wins, RACES);
    expect_listed(*state, "events/", RACES, RACES * 7);
}

/* Rule 35. */
static void test_nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;
    struct error err;
    char name[160];
    assert_int_equal(create(f, KEY, STR("one\n"), &err), CODE_OK);
    assert_int_equal(create(f, KEY, STR("two\n"), &err), CODE_ALREADY_EXISTS);
    snprintf(name, sizeof name, "%s/.tmp", f->path);
    assert_int_equal(rmdir(name), 0); /* it is empty */
}

static void test_what_cannot_be_written_is_named(void **state)
{
    struct fixture *f = *state;
    struct archive *other;
    struct error err;
    char name[160];
    snprintf(name, sizeof name, "%s/file", f->directory);
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    close(fd);
    assert_int_equal(archive_dir_open(name, &other, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_created_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_from_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_large_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_content_than_said_creates_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_listed_by_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_survives_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_many_exactly_one_creates, setup, teardown),
    };
    const struct CMUnitTest of_directories[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_left_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_written_is_named, setup, teardown),
    };
    const struct CMUnitTest of_s3[] = {
        cmocka_unit_test_setup_teardown(test_uploads_nobody_finishes_are_aborted, setup, teardown),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof BACKENDS / sizeof *BACKENDS; i++) {
        backend = &BACKENDS[i];
        if (!backend->local && !getenv("OMNI_TEST_AWS"))
            continue;
        failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
        failed += backend->local
                      ? cmocka_run_group_tests_name(backend->name, of_directories, NULL, NULL)
                      : cmocka_run_group_tests_name(backend->name, of_s3, NULL, NULL);
    }
    return failed;
}
