/*
 * Any file of keys, and any snapshot in a file that is whole: refused with words, or a set in which
 * every key it was made of is found, and nothing else.
 */
#include "gateway/key_file.h"
#include "gateway/key_set.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct str snapshot)
{
    struct key_set *set;
    struct error err = {0};
    uint8_t hash[CRYPTO_SHA256_BYTES];
    if (key_set_new(snapshot, &set, &err) != CODE_OK) {
        if (err.code != CODE_INVALID_ARGUMENT || !err.text[0])
            abort();
        return;
    }
    crypto_sha256(STR("a secret that nobody has"), hash);
    if (key_set_find(set, hash, 0))
        abort();
    /* Whatever 32 bytes of it are a hash: looked up without harm. */
    for (size_t i = 0; i + CRYPTO_SHA256_BYTES <= snapshot.len; i++) {
        const struct key *key = key_set_find(set, (const uint8_t *)snapshot.ptr + i, 0);
        if (key && (!key->id.len || !key->plan))
            abort();
    }
    key_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str file = {(const char *)data, size}, snapshot;
    struct error err = {0};
    if (key_file_parse(file, &snapshot, &err) == CODE_OK)
        take(snapshot);
    else if (!err.text[0])
        abort();
    take(file);
    return 0;
}
