/*
 * What a gateway holds of quotas, in a file that is mapped into memory: a process that is killed
 * leaves it exact, for the kernel has every store the process made. After a crash of the machine
 * it may be older than the truth; a file of another boot is therefore not believed, and its leases
 * count as spent. Without a directory the same lies in plain memory.
 */
#pragma once
#include "base/error.h"

#include <stdatomic.h>
#include <stddef.h>

enum { JOURNAL_KEY_BYTES = 64, JOURNAL_SUBJECT_BYTES = 1024, JOURNAL_SLOTS = 4096 };

/* Of a lease, from before it is asked for until it has been returned. */
struct journal_slot {
    _Atomic uint32_t state; /* enum journal_state; written last */
    uint32_t key_bytes, subject_bytes;
    char lease_id[40];
    char key_id[JOURNAL_KEY_BYTES], subject[JOURNAL_SUBJECT_BYTES];
    uint64_t want;
    _Atomic uint64_t granted, spent;
};

enum journal_state { JOURNAL_FREE, JOURNAL_ASKED, JOURNAL_GRANTED };

struct journal;

/* FAILED_PRECONDITION naming --state-dir: no directory, no room, another gateway has it. */
enum code journal_open(const char *state_dir, struct journal **journal,
                       struct error *err) MUST_CHECK;

/* Who asks: made once, kept with the file. */
struct str journal_gateway_id(const struct journal *journal);

/* A slot in state ASKED; NULL when all are taken or a text is too long. Not thread-safe. */
struct journal_slot *journal_claim(struct journal *journal, struct str key_id, struct str subject,
                                   const char *lease_id, uint64_t want);

void journal_free_slot(struct journal *journal, struct journal_slot *slot);

/* Those that an earlier process left, one after the other; start with NULL, ends with NULL. */
struct journal_slot *journal_next_left(struct journal *journal, struct journal_slot *after);

void journal_close(struct journal *journal);
