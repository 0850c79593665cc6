/*
 * Who acts, without his name: events carry a random pseudonym, the same for the same signed-in
 * user, kept by the store under a hash of issuer and subject. Once it is forgotten there nobody can
 * tell whose it was, and the user's next event gets a new one.
 */
#pragma once
#include "base/clock.h"
#include "user/store.h"

struct pseudonyms;

enum { PSEUDONYMS_AT_ONCE = 64 };

struct pseudonyms *pseudonyms_new(struct store *store, const struct clock *clock);
void pseudonyms_free(struct pseudonyms *pseudonyms);

/* The actor that a verified issuer and subject are. */
struct store_actor pseudonyms_actor(struct str issuer, struct str subject);

/*
 * The pseudonyms of up to PSEUDONYMS_AT_ONCE actors, among whom one may come twice; what was found
 * a moment ago is remembered, the rest is asked from the store. Thread-safe; may wait for it.
 */
enum code pseudonyms_find(struct pseudonyms *pseudonyms, const struct store_call *call,
                          const struct store_actor *actors, struct id *found, size_t count,
                          struct error *err) MUST_CHECK;

/* Forgets it here and in the store: whoever asks here afterwards is given another. Another process
 * of the same store may use it for a minute. */
enum code pseudonyms_forget(struct pseudonyms *pseudonyms, const struct store_call *call,
                            const struct store_actor *actor, struct error *err) MUST_CHECK;
