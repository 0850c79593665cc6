/* What a seal keeps of an intent, as bytes that both ledgers store. */
#pragma once
#include "analytics/ledger.h"
#include "base/arena.h"

/* Members sorted, one after the other, so that looking one up needs no unpacking. */
struct str ledger_pack_members(const struct ledger_seal *seal, struct arena *arena);
bool ledger_has_member(struct str members, struct part_id part);

struct str ledger_pack_hours(const struct ledger_seal *seal, struct arena *arena);
/* The next one off *hours; false at the end. */
bool ledger_next_hour(struct str *hours, struct ledger_hour *hour);
