"""Kills, pauses, a full disk, stops: nothing is lost, nothing is there twice, the books agree."""
import collections
import errno
import os
import random
import subprocess
import threading
import time

import grpc
import pytest

from events import HOUR, Analytics, archived, archived_under, batch, ev, event, hour_of, search
from support.programs import wait_until


class Producer(threading.Thread):
    """Sends batches until stopped, each again and again until it is acknowledged, as a relay does."""

    def __init__(self, analytics, hours=2):
        super().__init__(daemon=True)
        self.analytics, self.hours = analytics, hours
        self.acknowledged, self.emitted = {}, collections.Counter()
        self.stopping = threading.Event()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            when = time.time() - HOUR * (number % self.hours)
            hour = hour_of(when)
            events = [event(hour + 1 + i, ev.EVENT_KIND_USER_CREATED) for i in range(20)]
            events.append(search(hour + 30, f"text {number % 7}"))
            made = batch(events + ([b"\xff"] if number % 5 == 0 else []), hour)
            if self.send(made):
                self.acknowledged.update({e.id: hour for e in events})
                self.emitted[hour] += made.count

    def send(self, made):
        while True:
            try:
                self.analytics.client.record(made, timeout=2)
                return True
            except (grpc.RpcError, ValueError):  # gone, or its channel is closed
                if self.stopping.is_set():
                    return False
                time.sleep(0.02)

    def finish(self):
        self.stopping.set()
        self.join()


def check_all_once(a, producer):
    wait_until(a.client.settled, 60, "everything is archived")
    rows = collections.Counter(row["id"] for row in archived(a.directory, "events"))
    lost = [i for i in producer.acknowledged if i not in rows]
    assert not lost, f"{len(lost)} of {len(producer.acknowledged)} lost"
    assert max(rows.values()) == 1, rows.most_common(3)
    texts = collections.Counter(row["id"] for row in archived(a.directory, "searches"))
    assert max(texts.values()) == 1
    status = a.client.status()
    for hour in status.hours:  # a batch that was stored, its reply lost, may be there beside
        assert hour.archived + hour.quarantined >= producer.emitted[hour.hour.seconds]
    assert status.archived_events == sum(rows.values())
    assert status.quarantined_events == len(archived(a.directory, "errors"))
    return rows


# Rule 30.
def test_kills_at_any_time(analytics):
    a = analytics(segment_age="50ms")
    producer = Producer(a)
    producer.start()
    chance = random.Random(7)
    for _ in range(12):
        time.sleep(chance.uniform(0.02, 0.7))
        a.kill()
        a.up()
    producer.finish()
    rows = check_all_once(a, producer)
    assert len(rows) > 500
    a.down()


def test_a_stopped_process_writes_nothing_twice(analytics):
    a = analytics(segment_age="100ms", lease="500ms")
    producer = Producer(a)
    producer.start()
    chance = random.Random(11)
    for _ in range(5):
        time.sleep(chance.uniform(0.05, 0.4))
        a.program.pause()
        time.sleep(1.2)  # longer than the lease: that is what is tested
        a.program.resume()
    producer.finish()
    check_all_once(a, producer)
    a.down()


# Rule 32.
def test_sigterm_leaves_nothing_open(analytics):
    a = analytics(segment_age="1h")
    now = time.time()
    made = [batch([event(now), search(now, "x")], hour_of(now)) for _ in range(50)]
    a.client.record(*made[:16])
    wait_until(lambda: a.client.status().open_events == 32, 10, "claimed")
    assert archived(a.directory, "events") == []
    a.client.record(*made[16:32])
    a.down()
    assert a.program.events("stopped")[0]["clean"] is True
    spooled = list((a.directory / "spool").iterdir())
    assert spooled == []
    a.up()
    a.client.record(*made[32:48])
    wait_until(lambda: a.client.status().open_events == 32, 10, "claimed")
    a.down()
    assert len(archived(a.directory, "events")) == 96


# Rule 32.
def test_a_stop_during_load_ends_in_time(analytics):
    a = analytics(segment_age="10s")
    producer = Producer(a)
    producer.start()
    for _ in range(3):
        time.sleep(0.3)
        begun = time.monotonic()
        a.down()
        assert time.monotonic() - begun < 25
        a.up()
    producer.finish()
    a.down()
    a.settings["segment_age"] = "100ms"
    a.up()
    check_all_once(a, producer)


@pytest.fixture
def small_disk(tmp_path):
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.root
@pytest.mark.parametrize("full", ["archive", "all"])
def test_a_full_disk_loses_nothing(analytics, small_disk, tmp_path, start, full):
    directory = small_disk / "data" if full == "all" else tmp_path / "data"
    extra = {} if full == "all" else {"archive": f"dir:{small_disk}"}
    a = Analytics(start, directory, segment_age="50ms", **extra)
    filler = small_disk / "filler"
    now = time.time()

    def some(count):
        return [batch([event(now) for _ in range(50)], hour_of(now)) for _ in range(count)]

    sent = some(4)
    a.client.record(*sent)
    wait_until(a.client.settled, 20, "archived")
    fill(filler)
    refused = 0
    for made in some(30):
        try:
            a.client.record(made)
            sent.append(made)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
            assert "disk is full" in error.details()
            refused += 1
    if full == "all":
        assert refused > 0
    wait_until(lambda: [line for line in a.program.log if "disk is full" in line.get("error", "")] or
               refused, 20, "the log tells of it")
    filler.unlink()
    again = some(3)
    wait_until(lambda: try_record(a, again), 20, "room again")
    sent += again
    wait_until(a.client.settled, 30, "archived")
    root = small_disk if full == "archive" else directory / "archive"
    rows = collections.Counter(row["id"] for row in archived_under(root))
    expected = {ev.Event.FromString(raw).id for made in sent for raw in made.events}
    assert set(rows) == expected and max(rows.values()) == 1
    a.down()


def fill(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(file, bytes(4096)):
            pass
    except OSError as error:
        assert error.errno == errno.ENOSPC
    finally:
        os.close(file)


def try_record(a, batches):
    try:
        return a.client.record(*batches)
    except grpc.RpcError:
        return None


def test_a_full_queue_refuses_and_takes_again(analytics, tmp_path):
    archive = tmp_path / "nowhere"
    a = analytics(queue_bytes="1MiB", archive=f"dir:{archive}", segment_age="50ms")
    for path in (archive / "events", archive / "searches"):
        path.write_bytes(b"")  # a file where a folder is to be: nothing can be archived
    now = time.time()
    refused, sent = None, 0
    for _ in range(200):
        try:
            a.client.record(batch([event(now, user_id="u" * 36) for _ in range(200)], hour_of(now)))
            sent += 200
        except grpc.RpcError as error:
            refused = error
            break
    assert refused is not None and refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert a.client.status().queued_events == sent
    for path in (archive / "events", archive / "searches"):
        path.unlink()
    wait_until(a.client.settled, 60, "archived")
    assert a.client.status().archived_events == sent
    a.client.record(batch([event(now)], hour_of(now)))
    a.down()
