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
Then the same for one batch that two messages stand for, the batch itself and the word that it is
lost, which go to objects of different folders; checked as well:
  - what a batch adds to the totals is of the same sort as what is archived of it
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
    "steal-across": "a batch and the word that it is lost take claims from each other",
}
BATCH, LOST = "batch", "lost"


class World:
    """What there is: messages, each of a batch and of a sort, and the folder of each intent."""

    def __init__(self, messages, folders):
        self.messages, self.folders = messages, folders

    def batch(self, message):
        return self.messages[message][0]

    def sort(self, message):
        return self.messages[message][1]


TWO_BATCHES = World([(0, BATCH), (1, BATCH)], [BATCH] * INTENTS)
WORLDS = [TWO_BATCHES] + [World([(0, BATCH), (0, LOST)], folders) for folders in (
    [BATCH, LOST, BATCH, LOST], [LOST, BATCH, BATCH, LOST], [BATCH, LOST, LOST, BATCH],
    [BATCH, BATCH, LOST, LOST], [LOST, LOST, BATCH, BATCH])]


def put(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


# A state: deleted[m], holder[b], delta[b] (None | (pending | done, its sort)), counted[b],
# objects[i], ledger[i] (open | ("sealed", members) | ("archived", members) | aborted), consumers,
# next, crashes. m is a message, b its batch; members and objects are sets of messages.
# A consumer: (intent, included, phase, work); phases: collect, sealed, stored, marked; work is what it
# does about somebody else's claim: (message, intent, step).
def initial():
    consumers = tuple((c, NOTHING, "collect", None) for c in range(CONSUMERS))
    return ((False,) * BATCHES, (None,) * BATCHES, (None,) * BATCHES, (0,) * BATCHES,
            (None,) * INTENTS, ("open",) * INTENTS, consumers, CONSUMERS, 0)


def has(world, members, b):
    return any(world.batch(m) == b for m in members)


class Protocol:
    def __init__(self, mutation=None, crashes=1, world=TWO_BATCHES):
        self.mutation, self.crashes, self.world = mutation, crashes, world

    def steps(self, state):
        deleted, holder, delta, counted, objects, ledger, consumers, following, crashes = state
        for b in range(BATCHES):
            if delta[b] and delta[b][0] == "pending" and counted[b] < 2:
                after = ("pending" if self.mutation == "fold-keeps" else "done", delta[b][1])
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
        for m, (b, sort) in enumerate(self.world.messages):
            if deleted[m] or m in included or sort != self.world.folders[intent]:
                continue
            with_m = put(consumers, c, (intent, included | {m}, phase, None))
            if holder[b] is None:
                claimed = (deleted, put(holder, b, intent), put(delta, b, ("pending", sort)),
                           counted, objects, ledger)
                yield f"{c} claims {b} as {sort}", (*claimed, with_m, following, crashes)
                yield f"{c} claims {b} as {sort}, reply lost", (
                    *claimed, consumers, following, crashes)
            elif holder[b] == intent:
                yield f"{c} finds its claim of {b}", (*state[:6], with_m, following, crashes)
            else:
                looking = put(consumers, c, (intent, included, phase, (m, holder[b], "look")))
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
        intent, included, phase, (m, other, step) = consumers[c]
        b = self.world.batch(m)

        def work(what):
            return put(consumers, c, (intent, included, phase, what))

        if step == "look":
            if ledger[other] == "aborted":
                yield f"{c} reads that {other} is aborted", (
                    *state[:6], work((m, other, "free")), following, crashes)
            elif ledger[other][0] == "archived":
                yield f"{c} reads that {other} is archived", (
                    *state[:6], work((m, other, "archived")), following, crashes)
            elif objects[other] is None:
                there = objects if self.mutation == "no-tombstone" else put(objects, other, TOMBSTONE)
                yield f"{c} puts a tombstone for {other}", (
                    *state[:4], there, ledger, work((m, other, "abort")), following, crashes)
                if self.mutation != "no-tombstone":
                    yield f"{c} puts a tombstone for {other}, reply lost", (
                        *state[:4], there, ledger, consumers, following, crashes)
            else:
                outcome = "abort" if objects[other] == TOMBSTONE else "archive"
                yield f"{c} finds an object of {other}", (
                    *state[:6], work((m, other, outcome)), following, crashes)
        elif step == "abort":
            after = ledger if ledger[other][0] == "archived" else put(ledger, other, "aborted")
            yield f"{c} notes that {other} is aborted", (
                *state[:5], after, work((m, other, "free")), following, crashes)
        elif step == "archive":
            sealed = ledger[other]
            after = put(ledger, other, ("archived", sealed[1])) if sealed[0] == "sealed" else ledger
            yield f"{c} notes that {other} is archived", (
                *state[:5], after, work((m, other, "archived")), following, crashes)
        elif step == "archived":
            if has(self.world, ledger[other][1], b) or self.mutation == "no-members":
                yield f"{c} deletes {b}, it is in {other}", (
                    put(deleted, m, True), *state[1:6], work(None), following, crashes)
            else:
                yield f"{c} sees that {b} is not in {other}", (
                    *state[:6], work((m, other, "free")), following, crashes)
        elif self.world.folders[other] != self.world.folders[intent] and \
                self.mutation != "steal-across":
            yield f"{c} leaves {b} to the sort that {other} is of", (
                *state[:6], work(None), following, crashes)
        elif holder[b] == other or self.mutation == "steal-blindly":
            again = put(delta, b, ("pending", delta[b][1])) \
                if self.mutation == "claim-recounts" else delta
            mine = put(consumers, c, (intent, included | {m}, phase, None))
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
            left = [m for m in included if not deleted[m]]
            for m in left:
                yield f"{c} deletes {m}", (put(deleted, m, True), *state[1:])
            if not left and phase == "acked":
                yield f"{c} goes on", (*state[:6], moved("sealed"), following, crashes)
            elif not left:
                yield f"{c} begins again", self.renew(state, c)

    def violation(self, state):
        deleted, holder, delta, counted, objects, ledger = state[:6]
        for b in range(BATCHES):
            inside = [o for o in objects if isinstance(o, frozenset) and has(self.world, o, b)]
            marked = sum(i[0] == "archived" and has(self.world, i[1], b) for i in ledger)
            gone = any(deleted[m] for m in range(len(deleted)) if self.world.batch(m) == b)
            sorts = {self.world.sort(m) for o in inside for m in o if self.world.batch(m) == b}
            if len(inside) > 1:
                return f"batch {b} is in {len(inside)} objects"
            if gone and not inside:
                return f"batch {b} is deleted and in no object"
            if counted[b] > 1:
                return f"batch {b} is in the trends {counted[b]} times"
            if gone and delta[b] is None:
                return f"batch {b} is deleted and was never counted"
            if gone and marked != 1:
                return f"batch {b} is deleted and marked as archived {marked} times"
            if sorts and sorts != {delta[b][1]}:
                return f"batch {b} is counted as {delta[b][1]} and archived as {sorts}"
        return None


def check(mutation=None, crashes=1, world=TWO_BATCHES):
    """(violation or None, steps to it, states seen)"""
    protocol = Protocol(mutation, crashes, world)
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
    total = 0
    for world in WORLDS:
        found, steps, states = check(mutation, crashes, world)
        if found:
            print(f"VIOLATION: {found}, after {states:,} states:", *steps, sep="\n  ")
            return 1
        total += states
    print(f"holds in all {total:,} states with {crashes} crash(es)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
