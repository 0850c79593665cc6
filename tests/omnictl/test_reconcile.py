"""omnictl reconcile: both sides' books, hour by hour."""
import copy
import json
import time

import pytest
from omnidata.analytics.v1 import analytics_pb2
from omnidata.event.v1 import source_pb2

HOUR = 1_790_000_000 // 3600 * 3600


@pytest.fixture
def books(source, analytics):
    """Two hours that agree: 10 = 9 + 1, 1,000,000 = 1,000,000 + 0."""
    for i, (emitted, archived, quarantined) in enumerate([(10, 9, 1), (1_000_000, 1_000_000, 0)]):
        hour = source.response.hours.add(emitted=emitted)
        hour.hour.seconds = HOUR + i * 3600
        hour = analytics.status.hours.add(archived=archived, quarantined=quarantined)
        hour.hour.seconds = HOUR + i * 3600


@pytest.fixture
def reconcile(omnictl, user_server, analytics_server, books):
    def run(*arguments):
        return omnictl("reconcile", f"--users={user_server.address}",
                       f"--analytics={analytics_server.address}", *arguments)
    return run


def test_what_a_service_refuses_is_not_called_equal(reconcile, analytics):
    analytics.refuse = "the span holds more than 1000 hours"
    done = reconcile("--from=2000h")
    assert done.returncode == 2, done.stderr
    assert "more than 1000 hours" in done.stderr and not done.stdout


def test_equal(reconcile):
    done = reconcile()
    assert done.returncode == 0, done.stderr
    assert "1,000,000" in done.stdout and "equal: every event" in done.stdout
    assert "!" not in done.stdout


def test_unequal_is_marked(reconcile, analytics):
    analytics.status.hours[1].archived -= 5
    analytics.status.queued_events = 5
    analytics.status.open_events = 3  # of these
    done = reconcile()
    assert done.returncode == 1
    marked = [line for line in done.stdout.splitlines() if line.startswith("! ")]
    assert len(marked) == 1 and marked[0].split()[-1] == "5"
    assert "NOT EQUAL" in done.stdout and "5 are under way" in done.stdout


def test_too_much_is_unequal_too(reconcile, analytics):
    analytics.status.hours[0].archived += 1
    done = reconcile()
    assert done.returncode == 1
    assert any(line.startswith("! ") and line.split()[-1] == "-1"
               for line in done.stdout.splitlines())


def test_an_hour_that_one_side_does_not_know(reconcile, analytics):
    del analytics.status.hours[0]
    assert reconcile().returncode == 1
    analytics.status.hours.add(archived=3).hour.seconds = HOUR + 9 * 3600
    assert len([line for line in reconcile().stdout.splitlines() if line[:1] == "!"]) == 2


def test_differences_do_not_cancel_out(reconcile, analytics):
    analytics.status.hours[0].archived += 2
    analytics.status.hours[1].archived -= 2
    assert reconcile().returncode == 1


def test_what_no_hour_counts_yet_is_waited_for(reconcile, source):
    source.response.pending = 1
    done = reconcile()
    assert done.returncode == 1 and "1 wait at the user service" in done.stdout
    assert reconcile("--to=1h").returncode == 0  # it is of the hour that goes on


def test_json(reconcile, analytics, source):
    analytics.status.hours[1].archived -= 7
    source.response.pending = 3
    analytics.status.queued_events = 4
    analytics.status.open_events = 4  # the same ones
    done = reconcile("--json")
    assert done.returncode == 1
    got = json.loads(done.stdout)
    assert got["equal"] is False
    assert got["total"]["difference"] == 7
    assert (got["pendingAtSource"], got["underWay"]) == (3, 4)
    assert [hour["difference"] for hour in got["hours"]] == [0, 7]


def test_wait_until_all_is_archived(reconcile, analytics):
    late = copy.deepcopy(analytics.status)
    late.hours[1].archived -= 7
    analytics.statuses = [late, copy.deepcopy(late)]
    done = reconcile("--wait=30s")
    assert done.returncode == 0, done.stdout
    assert analytics.statuses == []


def test_wait_ends(reconcile, analytics):
    analytics.status.hours[1].archived -= 7
    start = time.monotonic()
    assert reconcile("--wait=1s").returncode == 1
    assert time.monotonic() - start < 30


def test_nothing_at_all_is_equal(reconcile, analytics, source):
    source.response.CopyFrom(source_pb2.GetEmittedResponse())
    analytics.status.CopyFrom(analytics_pb2.GetPipelineStatusResponse())
    assert reconcile().returncode == 0


def test_the_span_is_whole_hours(reconcile, source):
    assert reconcile("--from=2026-11-22T10:17:00Z", "--to=2026-11-22T12:00:00Z").returncode == 0
    request = source.requests[-1]
    assert request.start_time.ToJsonString() == "2026-11-22T10:00:00Z"
    assert request.end_time.ToJsonString() == "2026-11-22T12:00:00Z"
    assert reconcile("--from=2h").returncode == 0
    assert time.time() - 3 * 3600 - 60 < source.requests[-1].start_time.seconds < \
        time.time() - 2 * 3600 + 1


@pytest.mark.parametrize("arguments, wanted", [
    (["--from=yesterday"], '--from: "yesterday" is no time'),
    (["--from=1h", "--to=5h"], "--to must be later"),
    (["--wait=soon"], "--wait"),
])
def test_usage(reconcile, arguments, wanted):
    done = reconcile(*arguments)
    assert done.returncode == 2
    assert wanted in done.stderr


def test_a_service_away(omnictl, user_server, analytics_server, closed_port):
    for users, analytics in ((closed_port, analytics_server.address),
                             (user_server.address, closed_port)):
        done = omnictl("reconcile", f"--users={users}", f"--analytics={analytics}",
                       "--retry-for=0s")
        assert done.returncode == 3
        assert closed_port in done.stderr
