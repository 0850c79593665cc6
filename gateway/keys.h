/*
 * The keys that are good now. A thread follows the access service (WatchSnapshot), makes each
 * snapshot into a set, puts it in the old one's place and keeps it on disk. While the service is
 * away the last set goes on being used: keys end by their own times, and by this clock.
 *
 * A snapshot is one message: it has to fit --max-message-bytes (4 MiB: some 30,000 keys).
 *
 * Requests look a key up under a reader's lock and take a copy, so no set outlives its successor.
 */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/json_out.h"
#include "gateway/key_set.h"
#include "rpc/client.h"

struct keys;

enum keys_result { KEYS_FOUND, KEYS_UNKNOWN, KEYS_NOT_YET };

/* A copy; the texts are in the arena that was given. */
struct key_found {
    struct str id;
    bool is_public;
    struct key_plan plan;
    uint8_t hash[CRYPTO_SHA256_BYTES]; /* of the secret */
};

struct keys_options {
    struct rpc_client *client; /* must outlive the keys */
    const char *state_dir;     /* "": nothing is kept */
    const struct clock *clock;
};

/* Reads what is kept on disk (a damaged file is ignored with a warning) and starts to follow. */
struct keys *keys_new(const struct keys_options *options);

/* Thread-safe. KEYS_NOT_YET: no snapshot has been seen so far. */
enum keys_result keys_find(struct keys *keys, struct str secret, struct arena *arena,
                           struct key_found *found);

/* Whether a secret that was found is good now as well. Costs a look into a table. Thread-safe. */
bool keys_hold(struct keys *keys, const struct key_found *found);

/* True when there is a set, fresh or from disk. Thread-safe. */
bool keys_ready(struct keys *keys);

/* {"version":7,"keys":3,"following":true,"age_s":12}: age since it was last known to be current.
 * Thread-safe. */
void keys_describe(struct keys *keys, struct json_out *json);

/* Stops following, frees; before the client. NULL is allowed. */
void keys_free(struct keys *keys);
