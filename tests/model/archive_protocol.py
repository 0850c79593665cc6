#!/usr/bin/env python3
"""Exhaustive check of the archive protocol (services/analytics/consumer.h) for small numbers.

usage: archive_protocol.py [MUTATION] [--crashes=N]

Two consumers work on two batches. Messages can be received by anybody at any time until they are
deleted (leases that end at the worst moment), a consumer can stand still at every step for as long
as it likes, lose the replies to its claims and its PUTs, and crash. Checked in every state that can
be reached:
  - no batch lies in two objects, none is deleted that lies in none (archived exactly once)
  - a batch's delta is in the totals at most once; a deleted batch's delta is there or on its way
  - a deleted batch is counted as archived exactly once
Exit code 0 when all holds, 1 with the steps to the violation when not. A MUTATION breaks the
protocol on purpose; each of them must be found.
"""
import sys
from collections import deque

BATCHES, CONSUMERS, INTENTS = 2, 2, 4
TOMBSTONE = "tombstone"
NOTHING = frozenset()

MUTATIONS = {
    "no-tombstone": "a missing object is taken for one that will never come",
    "ack-first": "messages are deleted before their object is created",
    "overwrite": "an object is created even when its key is taken",
    "steal-blindly": "a claim is taken over whoever holds it",
    "fold-keeps": "folding a delta does not remove it",
    "no-members": "an object that is there is taken to hold every batch its intent claimed",
    "mark-late": "the ledger marks an object as archived after the messages are deleted",
    "claim-recounts": "a claim that is taken over is counted again",
}


def put(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


# A state: deleted[b], holder[b], delta[b] (None | pending | done), counted[b], objects[i],
# ledger[i] (open | ("sealed", members) | ("archived", members) | aborted), consumers, next, crashes.
# A consumer: (intent, included, phase, work); phases: collect, sealed, stored, marked; work is what it
# does about somebody else's claim: (batch, intent, step).
def initial():
    consumers = tuple((c, NOTHING, "collect", None) for c in range(CONSUMERS))
    return ((False,) * BATCHES, (None,) * BATCHES, (None,) * BATCHES, (0,) * BATCHES,
            (None,) * INTENTS, ("open",) * INTENTS, consumers, CONSUMERS, 0)


class Protocol:
    def __init__(self, mutation=None, crashes=1):
        self.mutation, self.crashes = mutation, crashes

    def steps(self, state):
        deleted, holder, delta, counted, objects, ledger, consumers, following, crashes = state
        for b in range(BATCHES):
            if delta[b] == "pending" and counted[b] < 2:
                after = "pending" if self.mutation == "fold-keeps" else "done"
                yield f"fold {b}", (deleted, holder, put(delta, b, after),
                                    put(counted, b, counted[b] + 1), *state[4:])
        for c in range(CONSUMERS):
            if crashes < self.crashes and following < INTENTS:
                fresh = put(consumers, c, (following, NOTHING, "collect", None))
                yield f"{c} crashes", (*state[:6], fresh, following + 1, crashes + 1)
            intent, included, phase, work = consumers[c]
            if work:
                yield from self.settle(state, c)
            elif phase == "collect":
                yield from self.collect(state, c)
            else:
                yield from self.finish(state, c)

    def renew(self, state, c):
        """What a consumer does after its object, or after it lost its intent."""
        consumers, following = state[6], state[7]
        if following == INTENTS:
            return (*state[:6], put(consumers, c, (None, NOTHING, "gone", None)), *state[7:])
        fresh = put(consumers, c, (following, NOTHING, "collect", None))
        return (*state[:6], fresh, following + 1, state[8])

    def collect(self, state, c):
        deleted, holder, delta, counted, objects, ledger, consumers, following, crashes = state
        intent, included, phase, work = consumers[c]
        for b in range(BATCHES):
            if deleted[b] or b in included:
                continue
            with_b = put(consumers, c, (intent, included | {b}, phase, None))
            if holder[b] is None:
                claimed = (deleted, put(holder, b, intent), put(delta, b, "pending"), counted,
                           objects, ledger)
                yield f"{c} claims {b}", (*claimed, with_b, following, crashes)
                yield f"{c} claims {b}, reply lost", (*claimed, consumers, following, crashes)
            elif holder[b] == intent:
                yield f"{c} finds its claim of {b}", (*state[:6], with_b, following, crashes)
            else:
                looking = put(consumers, c, (intent, included, phase, (b, holder[b], "look")))
                yield f"{c} meets {holder[b]} on {b}", (*state[:6], looking, following, crashes)
        if included and ledger[intent] == "open":
            phase = "acked" if self.mutation == "ack-first" else "sealed"
            moved = put(consumers, c, (intent, included, phase, None))
            yield f"{c} seals {intent}", (*state[:5], put(ledger, intent, ("sealed", included)),
                                          moved, following, crashes)
        elif included:
            yield f"{c} may not seal {intent}", self.renew(state, c)

    def settle(self, state, c):
        deleted, holder, delta, counted, objects, ledger, consumers, following, crashes = state
        intent, included, phase, (b, other, step) = consumers[c]

        def work(what):
            return put(consumers, c, (intent, included, phase, what))

        if step == "look":
            if ledger[other] == "aborted":
                yield f"{c} reads that {other} is aborted", (
                    *state[:6], work((b, other, "free")), following, crashes)
            elif ledger[other][0] == "archived":
                yield f"{c} reads that {other} is archived", (
                    *state[:6], work((b, other, "archived")), following, crashes)
            elif objects[other] is None:
                there = objects if self.mutation == "no-tombstone" else put(objects, other, TOMBSTONE)
                yield f"{c} puts a tombstone for {other}", (
                    *state[:4], there, ledger, work((b, other, "abort")), following, crashes)
                if self.mutation != "no-tombstone":
                    yield f"{c} puts a tombstone for {other}, reply lost", (
                        *state[:4], there, ledger, consumers, following, crashes)
            else:
                outcome = "abort" if objects[other] == TOMBSTONE else "archive"
                yield f"{c} finds an object of {other}", (
                    *state[:6], work((b, other, outcome)), following, crashes)
        elif step == "abort":
            after = ledger if ledger[other][0] == "archived" else put(ledger, other, "aborted")
            yield f"{c} notes that {other} is aborted", (
                *state[:5], after, work((b, other, "free")), following, crashes)
        elif step == "archive":
            sealed = ledger[other]
            after = put(ledger, other, ("archived", sealed[1])) if sealed[0] == "sealed" else ledger
            yield f"{c} notes that {other} is archived", (
                *state[:5], after, work((b, other, "archived")), following, crashes)
        elif step == "archived":
            if b in ledger[other][1] or self.mutation == "no-members":
                yield f"{c} deletes {b}, it is in {other}", (
                    put(deleted, b, True), *state[1:6], work(None), following, crashes)
            else:
                yield f"{c} sees that {b} is not in {other}", (
                    *state[:6], work((b, other, "free")), following, crashes)
        elif holder[b] == other or self.mutation == "steal-blindly":
            again = put(delta, b, "pending") if self.mutation == "claim-recounts" else delta
            mine = put(consumers, c, (intent, included | {b}, phase, None))
            stolen = (deleted, put(holder, b, intent), again, counted, objects, ledger)
            yield f"{c} takes {b} over from {other}", (*stolen, mine, following, crashes)
            yield f"{c} takes {b} over from {other}, reply lost", (
                *stolen, work(None), following, crashes)
        else:
            yield f"{c} comes too late for {b}", (*state[:6], work(None), following, crashes)

    def finish(self, state, c):
        deleted, holder, delta, counted, objects, ledger, consumers, following, crashes = state
        intent, included, phase, work = consumers[c]

        def moved(to):
            return put(consumers, c, (intent, included, to, None))

        if phase == "sealed":
            if objects[intent] is None or self.mutation == "overwrite":
                there = put(objects, intent, included)
                yield f"{c} creates {intent}", (
                    *state[:4], there, ledger, moved("stored"), following, crashes)
                yield f"{c} creates {intent}, reply lost", (
                    *state[:4], there, ledger, consumers, following, crashes)
            elif objects[intent] == included:
                yield f"{c} finds {intent} created", (
                    *state[:6], moved("stored"), following, crashes)
            else:
                yield f"{c} finds a tombstone at {intent}", self.renew(state, c)
        elif phase == "stored":
            if self.mutation == "mark-late":
                yield f"{c} skips the mark", (*state[:6], moved("marked"), following, crashes)
            else:
                yield f"{c} marks {intent}", (
                    *state[:5], put(ledger, intent, ("archived", included)), moved("marked"),
                    following, crashes)
        elif phase in ("marked", "acked"):
            left = [b for b in included if not deleted[b]]
            for b in left:
                yield f"{c} deletes {b}", (put(deleted, b, True), *state[1:])
            if not left and phase == "acked":
                yield f"{c} goes on", (*state[:6], moved("sealed"), following, crashes)
            elif not left:
                yield f"{c} begins again", self.renew(state, c)

    def violation(self, state):
        deleted, holder, delta, counted, objects, ledger = state[:6]
        for b in range(BATCHES):
            archived = sum(isinstance(o, frozenset) and b in o for o in objects)
            marked = sum(i[0] == "archived" and b in i[1] for i in ledger)
            if archived > 1:
                return f"batch {b} is in {archived} objects"
            if deleted[b] and not archived:
                return f"batch {b} is deleted and in no object"
            if counted[b] > 1:
                return f"batch {b} is in the trends {counted[b]} times"
            if deleted[b] and delta[b] is None:
                return f"batch {b} is deleted and was never counted"
            if deleted[b] and marked != 1:
                return f"batch {b} is deleted and marked as archived {marked} times"
        return None


def check(mutation=None, crashes=1):
    """(violation or None, steps to it, states seen)"""
    protocol = Protocol(mutation, crashes)
    start = initial()
    came_from = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        found = protocol.violation(state)
        if found:
            steps = []
            while came_from[state]:
                step, state = came_from[state]
                steps.append(step)
            return found, steps[::-1], len(came_from)
        for step, following in protocol.steps(state):
            if following not in came_from:
                came_from[following] = (step, state)
                waiting.append(following)
    return None, [], len(came_from)


def main(arguments):
    mutation, crashes = None, 1
    for argument in arguments:
        if argument.startswith("--crashes="):
            crashes = int(argument.split("=")[1])
        elif argument in MUTATIONS:
            mutation = argument
        else:
            print(__doc__, "\nMutations:", *(f"  {k}: {v}" for k, v in MUTATIONS.items()), sep="\n")
            return 2
    found, steps, states = check(mutation, crashes)
    if found:
        print(f"VIOLATION: {found}, after {states:,} states:", *steps, sep="\n  ")
        return 1
    print(f"holds in all {states:,} states with {crashes} crash(es)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
