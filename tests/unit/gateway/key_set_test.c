/* Snapshots as tables, and the file they are kept in. */
#include "gateway/key_set.h"

#include "base/arena.h"
#include "base/buf.h"
#include "gateway/key_file.h"
#include "omnidata/access/v1/access.pb-c.h"
#include "pb/proto.h"
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t SECOND_US = 1000000;

enum { NOW_S = 1000 };

/* A snapshot with one plan per period and the keys that a test adds. */
struct maker {
    struct arena arena;
    Omnidata__Access__V1__Snapshot snapshot;
    Omnidata__Access__V1__Plan *plans[3];
    Omnidata__Access__V1__SnapshotKey *keys[64];
};

static void begin(struct maker *maker)
{
    static const char *const names[] = {"plain", "daily", "monthly"};
    *maker = (struct maker){.snapshot = OMNIDATA__ACCESS__V1__SNAPSHOT__INIT};
    for (int i = 0; i < 3; i++) {
        maker->plans[i] = arena_alloc(&maker->arena, sizeof *maker->plans[i]);
        omnidata__access__v1__plan__init(maker->plans[i]);
        maker->plans[i]->id = (char *)(uintptr_t)names[i];
        maker->plans[i]->rate = 10;
        maker->plans[i]->burst = 20;
        maker->plans[i]->quota = 1000;
        maker->plans[i]->quota_period = (Omnidata__Access__V1__QuotaPeriod)i;
    }
    maker->snapshot.version = 7;
    maker->snapshot.plans = maker->plans;
    maker->snapshot.n_plans = 3;
    maker->snapshot.keys = maker->keys;
}

static Google__Protobuf__Timestamp *time_at(struct maker *maker, int64_t seconds)
{
    Google__Protobuf__Timestamp *time = arena_alloc(&maker->arena, sizeof *time);
    google__protobuf__timestamp__init(time);
    time->seconds = seconds;
    return time;
}

/* A key with these secrets, separated by blanks. */
static Omnidata__Access__V1__SnapshotKey *add(struct maker *maker, const char *id, const char *plan,
                                              const char *secrets)
{
    Omnidata__Access__V1__SnapshotKey *key = arena_alloc(&maker->arena, sizeof *key);
    struct str rest = str_of(secrets), secret;
    omnidata__access__v1__snapshot_key__init(key);
    key->id = arena_cstr(&maker->arena, str_of(id));
    key->plan_id = arena_cstr(&maker->arena, str_of(plan));
    key->secret_hashes = arena_alloc(&maker->arena, 8 * sizeof *key->secret_hashes);
    while (rest.len && str_next(&rest, ' ', &secret)) {
        ProtobufCBinaryData *hash = &key->secret_hashes[key->n_secret_hashes++];
        hash->len = CRYPTO_SHA256_BYTES;
        hash->data = arena_alloc(&maker->arena, hash->len);
        crypto_sha256(secret, hash->data);
    }
    maker->keys[maker->snapshot.n_keys++] = key;
    return key;
}

static struct key_set *made(struct maker *maker)
{
    struct key_set *set;
    struct error err = {0};
    struct str bytes = proto_encode_arena(&maker->arena, &maker->snapshot.base);
    assert_int_equal(key_set_new(bytes, &set, &err), CODE_OK);
    arena_clear(&maker->arena);
    return set;
}

static const struct key *find(const struct key_set *set, const char *secret, int64_t now_s)
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    crypto_sha256(str_of(secret), hash);
    return key_set_find(set, hash, now_s * SECOND_US);
}

/* Rule 25. */
static void finds_keys(void **state)
{
    struct maker maker;
    char id[32], secret[32];
    (void)state;
    begin(&maker);
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "key-%d", i);
        snprintf(secret, sizeof secret, "secret-%d", i);
        add(&maker, id, i % 2 ? "daily" : "plain", secret)->public_ = i == 3;
    }
    struct key_set *set = made(&maker);
    assert_int_equal(key_set_version(set), 7);
    assert_int_equal(key_set_count(set), 60);
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "key-%d", i);
        snprintf(secret, sizeof secret, "secret-%d", i);
        const struct key *key = find(set, secret, NOW_S);
        assert_non_null(key);
        assert_true(str_eq(key->id, str_of(id)));
        assert_true(str_eq(key->plan->id, i % 2 ? STR("daily") : STR("plain")));
        assert_int_equal(key->is_public, i == 3);
        assert_int_equal(key->plan->rate.burst, 20);
        /* A quota without a period is none. */
        assert_int_equal(key->plan->quota, i % 2 ? 1000 : 0);
    }
    assert_null(find(set, "secret-60", NOW_S));
    assert_null(find(set, "", NOW_S));
    key_set_free(set);
}

/* Rule 25. */
static void ends_in_time(void **state)
{
    struct maker maker;
    Google__Protobuf__Timestamp *ends[2];
    (void)state;
    begin(&maker);
    Omnidata__Access__V1__SnapshotKey *key = add(&maker, "k", "plain", "new old oldest");
    ends[0] = time_at(&maker, NOW_S + 10);
    ends[1] = time_at(&maker, NOW_S + 90);
    key->expire_time = time_at(&maker, NOW_S + 50);
    key->old_secret_expire_times = ends;
    key->n_old_secret_expire_times = 2;
    struct key_set *set = made(&maker);
    assert_non_null(find(set, "new", NOW_S + 49));
    assert_null(find(set, "new", NOW_S + 50));
    assert_non_null(find(set, "old", NOW_S + 9));
    assert_null(find(set, "old", NOW_S + 10));
    assert_null(find(set, "oldest", NOW_S + 50)); /* the key's end is every secret's */
    assert_non_null(find(set, "oldest", NOW_S + 49));
    key_set_free(set);
}

/* A newer service may know of more periods: the quota holds all the same. */
static void unknown_periods_are_enforced(void **state)
{
    struct maker maker;
    (void)state;
    begin(&maker);
    maker.plans[2]->quota_period = (Omnidata__Access__V1__QuotaPeriod)77;
    add(&maker, "k", "monthly", "s");
    struct key_set *set = made(&maker);
    assert_int_equal(find(set, "s", NOW_S)->plan->quota, 1000);
    key_set_free(set);
}

static void empty_sets(void **state)
{
    struct maker maker;
    (void)state;
    begin(&maker);
    struct key_set *set = made(&maker);
    assert_int_equal(key_set_count(set), 0);
    assert_null(find(set, "x", NOW_S));
    key_set_free(set);
}

static void refuses_broken(void **state)
{
    struct maker maker;
    struct key_set *set;
    struct error err = {0};
    (void)state;
    assert_int_equal(key_set_new(STR("\xff\xff"), &set, &err), CODE_INVALID_ARGUMENT);
    assert_null(set);
    begin(&maker);
    add(&maker, "k", "nothing", "s");
    struct str bytes = proto_encode_arena(&maker.arena, &maker.snapshot.base);
    assert_int_equal(key_set_new(bytes, &set, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the snapshot of keys: no plan for the key k");
    arena_clear(&maker.arena);
    begin(&maker);
    add(&maker, "k", "plain", "s")->secret_hashes[0].len = 31;
    bytes = proto_encode_arena(&maker.arena, &maker.snapshot.base);
    assert_int_equal(key_set_new(bytes, &set, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the snapshot of keys: no SHA-256 of a secret of the key k");
    arena_clear(&maker.arena);
}

/* --- the file --- */

static void keeps_a_file(void **state)
{
    char folder[] = "/tmp/omni-keys-XXXXXX", path[64];
    struct error err = {0};
    struct buf file;
    struct str read;
    struct stat about;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
    buf_init(&file, 0);
    assert_int_equal(key_file_read(path, &file, &read, &err), CODE_NOT_FOUND);
    assert_int_equal(key_file_write(path, STR("first"), &err), CODE_OK);
    assert_int_equal(key_file_write(path, STR("second"), &err), CODE_OK);
    assert_int_equal(key_file_read(path, &file, &read, &err), CODE_OK);
    assert_true(str_eq(read, STR("second")));
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    /* Any one byte changed, any length cut: told apart. */
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 1;
        assert_int_equal(key_file_parse(buf_str(&file), &read, &err), CODE_INVALID_ARGUMENT);
        file.ptr[i] ^= 1;
        struct str cut = {file.ptr, i};
        assert_int_equal(key_file_parse(cut, &read, &err), CODE_INVALID_ARGUMENT);
    }
    assert_int_equal(key_file_parse(buf_str(&file), &read, &err), CODE_OK);
    buf_clear(&file);
    unlink(path);
    rmdir(folder);
    assert_int_equal(key_file_write(path, STR("x"), &err), CODE_UNAVAILABLE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_keys),
        cmocka_unit_test(ends_in_time),
        cmocka_unit_test(unknown_periods_are_enforced),
        cmocka_unit_test(empty_sets),
        cmocka_unit_test(refuses_broken),
        cmocka_unit_test(keeps_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
