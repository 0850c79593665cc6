"""kill -9 of each process at random times under load: what was acknowledged is there, and each
event is archived once.

OMNI_FAULT_ROUNDS says how many kills (default 4), OMNI_FAULT_SEED repeats a run that failed.
"""
import os
import random
import threading
import time

import httpx
import pytest

from support.pipeline import (archived_rows, assert_each_once, assert_partitions, reconcile,
                              wait_archived)
from support.programs import wait_until

ROUNDS = int(os.environ.get("OMNI_FAULT_ROUNDS", "4"))
SEED = int(os.environ.get("OMNI_FAULT_SEED", random.SystemRandom().randrange(1 << 30)))


class Load:
    """Clients that write and read through the gateway and remember what was acknowledged."""

    def __init__(self, url, headers, clients=4):
        self.acknowledged = {}  # id -> display name, as the last acknowledged write said
        self.unknown = set()    # ids whose last write got no answer: either state is right
        self.deleted = set()
        self._url, self._headers = url, headers
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _work(self, number):
        chance = random.Random(SEED + number)
        mine = []
        with httpx.Client(base_url=self._url, timeout=60, headers=self._headers) as http:
            for i in range(1 << 30):
                if self._stop.is_set():
                    return
                try:
                    self._step(http, chance, mine, f"{number}-{i}")
                except httpx.HTTPError:
                    time.sleep(0.02)  # the gateway is away: its callers back off a little

    def _step(self, http, chance, mine, label):
        choice = chance.random()
        if choice < 0.5 or not mine:
            name = f"Name {label}"
            answer = http.post("/v1/users", json={"email": f"{label}@example.org",
                                                  "displayName": name})
            if answer.status_code == 201:
                mine.append(answer.json()["id"])
                self.acknowledged[mine[-1]] = name
        elif choice < 0.7:
            user, name = chance.choice(mine), f"Changed {label}"
            self.unknown.add(user)
            if http.patch(f"/v1/users/{user}", json={"displayName": name}).status_code == 200:
                self.acknowledged[user] = name
                self.unknown.discard(user)
        elif choice < 0.75:
            user = mine.pop(chance.randrange(len(mine)))
            self.unknown.add(user)
            if http.delete(f"/v1/users/{user}").status_code == 204:
                self.deleted.add(user)
                self.unknown.discard(user)
        else:
            http.get("/v1/users:search", params={"query": "name"})

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def check_users(stack, load):
    for user, name in load.acknowledged.items():
        answer = stack.http.get(f"/v1/users/{user}")
        if user in load.unknown:
            continue
        if user in load.deleted:
            assert answer.status_code == 404, f"{user} was deleted and is back"
        else:
            assert answer.status_code == 200, f"{user} was acknowledged and is gone: {answer.text}"
            assert answer.json()["displayName"] == name


@pytest.mark.parametrize("victims", [["user"], ["analytics"], ["gateway"],
                                     ["user", "analytics", "gateway"]], ids="-".join)
def test_nothing_acknowledged_is_lost_and_nothing_is_archived_twice(new_stack, victims):
    print(f"OMNI_FAULT_SEED={SEED}")
    chance = random.Random(SEED)
    stack = new_stack()
    stack.start()
    load = Load(stack.url, stack.headers)
    try:
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.1, 1.5))  # the moment of the kill is the random input
            victim = chance.choice(victims)
            getattr(stack, victim).kill9()
            time.sleep(chance.uniform(0, 0.5))
            getattr(stack, f"start_{victim}")()
        wait_until(lambda: ready(stack), 60, "the gateway reaches its services again")
        time.sleep(0.3)
    finally:
        load.stop()
    assert len(load.acknowledged) > 10, "the load hardly ran"
    check_users(stack, load)
    rows = wait_archived(stack, load.acknowledged)
    reconcile(stack)
    rows = archived_rows(stack)
    assert_each_once(rows)
    assert_partitions(rows)


def ready(stack):
    try:
        return stack.http.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False
