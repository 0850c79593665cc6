"""From RecordEvents to the archive and the answers, over the real program."""
import collections
import time

import grpc
import pytest
from google.protobuf import timestamp_pb2

from events import (HOUR, api, archived, batch, ev, event, hour_of, raw_of, search, stamp, uuid7)
from support.programs import wait_until


def settle(a, timeout_s=30):
    return wait_until(a.client.settled, timeout_s, "everything is archived")


# Rules 33 and 35.
def test_rows_are_complete_and_in_their_hours(analytics):
    a = analytics()
    now = time.time()
    early = now - 3 * HOUR
    read = event(now, ev.EVENT_KIND_USER_READ, actor=uuid7(), key_id="k1", user_id=uuid7(),
                 result_count=1, trace_id="ab" * 16)
    failed = event(now, ev.EVENT_KIND_USER_CREATED, status=6, truncated=True)
    found = search(now, 'José "x"\n', 3)
    late = event(early, ev.EVENT_KIND_USER_DELETED)
    sent = [batch([read, failed, found], hour_of(now)), batch([late])]
    assert a.client.record(*sent).stored == 2
    settle(a)
    rows = {row["id"]: row for row in archived(a.directory, "events")}
    assert len(rows) == 4
    row = rows[read.id]
    assert {k: v for k, v in row.items() if k not in ("time", "_key")} == {
        "id": read.id, "kind": "USER_READ", "status": 0, "actor": read.actor, "key_id": "k1",
        "user_id": read.user_id, "result_count": 1, "trace_id": "ab" * 16, "schema_version": 1,
        "truncated": False, "producer_time": None, "batch_id": sent[0].id, "raw": None}
    assert list(row)[:3] == ["id", "time", "kind"]
    parsed = timestamp_pb2.Timestamp()
    parsed.FromJsonString(row["time"])
    assert parsed == read.time
    assert (rows[failed.id]["status"], rows[failed.id]["truncated"]) == (6, True)
    for one in rows.values():
        assert f"dt={one['time'][:10]}/hour={one['time'][11:13]}/" in one["_key"]
    assert rows[late.id]["_key"] != row["_key"]
    assert "query" not in rows[found.id]
    texts = archived(a.directory, "searches")
    assert [(t["id"], t["query"], t["result_count"]) for t in texts] == [(found.id, 'José "x"\n', 3)]
    assert texts[0]["_key"].startswith("searches/v1/dt=")


# Rule 31.
def test_bad_events_are_quarantined_alone(analytics):
    a = analytics()
    now = time.time()
    hour = hour_of(now)
    good = event(hour)
    too_long = ev.Event(id=uuid7(), query="x" * 300).SerializeToString()
    newer = event(hour).SerializeToString() + b"\xa2\x06\x03new"
    sent = batch([good, b"\xff\xff", too_long, ev.Event(id="no uuid"), newer], hour)
    a.client.record(sent)
    status = settle(a)
    assert (status.archived_events, status.quarantined_events) == (2, 3)
    assert [(h.hour.seconds, h.archived, h.quarantined) for h in status.hours] == [(hour, 2, 3)]
    errors = {row["position"]: row for row in archived(a.directory, "errors")}
    assert set(errors) == {1, 2, 3}
    assert raw_of(errors[1]) == b"\xff\xff" and raw_of(errors[2]) == too_long
    assert all(row["batch_id"] == sent.id and row["reason"] and row["events"] == 1
               for row in errors.values())
    rows = archived(a.directory, "events")
    kept = [row for row in rows if row["raw"]]
    assert len(rows) == 2 and [raw_of(row) for row in kept] == [newer]


# Rule 31.
def test_batches_too_old_for_the_ledger_are_errors(analytics):
    a = analytics(ledger_retention="1d")
    now = time.time()
    old = batch([event(now), event(now)], hour_of(now), uuid7(now - 2 * 86400))
    a.client.record(old)
    status = settle(a)
    assert (status.archived_events, status.quarantined_events) == (0, 2)
    (row,) = archived(a.directory, "errors")
    assert row["position"] is None and row["events"] == 2 and "older" in row["reason"]
    assert ev.EventBatch.FromString(raw_of(row)) == old


def test_clocks_that_are_wrong_are_clamped_and_both_times_kept(analytics):
    a = analytics()
    now = time.time()
    ancient, future = now - 30 * 86400, now + 2 * HOUR
    sent = [event(ancient), event(future)]
    a.client.record(*[batch([e]) for e in sent])
    status = settle(a)
    rows = {row["id"]: row for row in archived(a.directory, "events")}
    for one in sent:
        row = rows[one.id]
        producer, told = timestamp_pb2.Timestamp(), timestamp_pb2.Timestamp()
        producer.FromJsonString(row["producer_time"])
        told.FromJsonString(row["time"])
        assert producer == one.time
        assert abs(told.ToSeconds() - now) < 60
        assert f"dt={row['time'][:10]}/hour={row['time'][11:13]}/" in row["_key"]
    # Counted under the hour that the producer said, so that the books agree with its own.
    assert status.archived_events == 2
    hours = a.client.status(start_time=stamp(ancient - HOUR), end_time=stamp(ancient + HOUR)).hours
    assert [(h.hour.seconds, h.archived) for h in hours] == [(hour_of(ancient), 1)]


def test_repeating_a_batch_is_harmless(analytics):
    a = analytics()
    now = time.time()
    sent = batch([search(now, "anna"), event(now)], hour_of(now))
    for _ in range(3):
        a.client.record(sent, sent)
    settle(a)
    for _ in range(2):
        assert a.client.record(sent).stored == 1
        settle(a)
    status = wait_until(lambda: (s := a.client.status()).duplicate_batches >= 2 and s, 10, "told")
    assert status.archived_events == 2
    assert len(archived(a.directory, "events")) == 2
    top = a.client.stub.TopSearches(api.TopSearchesRequest(), timeout=60)
    assert [(s.query, s.count) for s in top.searches] == [("anna", 1)]


NOW = 1795370400
WRONG = [
    ("batches", []),
    ("batches", [batch([event(NOW)]) for _ in range(17)]),
    ("batches[0].id", [batch([event(NOW)], batch_id="no id")]),
    ("batches[0].id", [batch([event(NOW)], batch_id="9f6c4a3e-0000-4000-8000-000000000000")]),
    ("batches[0].hour", [batch([event(NOW)], hour=NOW + 1)]),
    ("batches[0].hour", [ev.EventBatch(id=uuid7(), count=1, events=[b""])]),
    ("batches[1].count", [batch([event(NOW)]), ev.EventBatch(id=uuid7(), hour=stamp(NOW), count=2,
                                                             events=[b""])]),
    ("batches[0].events", [ev.EventBatch(id=uuid7(), hour=stamp(NOW))]),
    ("batches[0].events", [batch([event(NOW)] * 1001)]),
    ("batches[0].events", [batch([b"x" * 100000] * 2, hour=NOW)]),
]


@pytest.fixture(scope="module")
def quiet(module_start, tmp_path_factory):
    from events import Client
    program = module_start("omni-analytics", "--listen=127.0.0.1:0",
                           f"--data-dir={tmp_path_factory.mktemp('quiet')}")
    client = Client(program)
    yield client
    client.close()


@pytest.mark.parametrize("field,batches", WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_batches_are_refused_by_name(quiet, field, batches):
    with pytest.raises(grpc.RpcError) as caught:
        quiet.record(*batches)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    assert field.encode() in details
    assert quiet.status().queued_batches == 0


def test_counts_by_minute_hour_and_day(analytics):
    a = analytics()
    hour = hour_of(time.time()) - 2 * HOUR
    made = [(hour + 60 * m, kind, status) for m, kind, status in
            [(0, 1, 0), (0, 1, 6), (0, 4, 0), (1, 4, 0), (59, 6, 0)]]
    a.client.record(batch([event(t, k, status=s, query="q" if k == 6 else "") for t, k, s in made],
                          hour))
    settle(a)
    def series(granularity, start, end, kinds=()):
        return a.client.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(
            start_time=stamp(start), end_time=stamp(end), granularity=granularity, kinds=kinds),
            timeout=60).points
    points = series(api.GRANULARITY_MINUTE, hour, hour + HOUR)
    assert [p.time.seconds for p in points] == [hour + 60 * m for m in range(60)]
    assert [(p.events, p.failures) for p in points[:3]] == [(3, 1), (1, 0), (0, 0)]
    assert points[59].events == 1
    assert [(k.kind, k.count, k.failures) for k in points[0].kinds] == [(1, 2, 1), (4, 1, 0)]
    assert [p.events for p in series(api.GRANULARITY_HOUR, hour - HOUR, hour + 2 * HOUR)] == [0, 5, 0]
    assert sum(p.events for p in series(api.GRANULARITY_DAY, hour, hour + 1)) == 5
    assert [p.events for p in series(api.GRANULARITY_MINUTE, hour, hour + 120, [4])] == [1, 1]
    summary = a.client.stub.GetSummary(api.GetSummaryRequest(
        start_time=stamp(hour + 30), end_time=stamp(hour + HOUR)), timeout=60)
    assert summary.start_time.seconds == hour
    assert (summary.events, summary.failures, summary.searches_without_result) == (5, 1, 1)
    assert [(k.kind, k.count) for k in summary.kinds] == [(1, 2), (4, 2), (6, 1)]
    wide = a.client.stub.GetSummary(api.GetSummaryRequest(
        start_time=stamp(hour - 40 * 86400 - 77), end_time=stamp(hour + 86400 + 61)), timeout=60)
    assert wide.events == 5


def test_a_summary_misses_nothing_when_the_minutes_have_gone(analytics):
    """Its edges are rounded out to whole hours, which stay, and it says so."""
    a = analytics(trends_retention="1d")
    now = time.time()
    hour = hour_of(now) - 3 * 86400
    recent = hour_of(now) - 2 * HOUR
    a.client.record(batch([event(hour + 45 * 60)], hour), batch([event(recent + 45 * 60)], recent))

    def minutes():
        return sum(p.events for p in a.client.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(
            start_time=stamp(hour), end_time=stamp(hour + HOUR)), timeout=60).points)

    def summary(start, end):
        got = a.client.stub.GetSummary(api.GetSummaryRequest(start_time=stamp(start), end_time=stamp(end)),
                                       timeout=60)
        return got.start_time.seconds, got.end_time.seconds, got.events
    wait_until(lambda: minutes() == 1, what="the old event is counted")
    settle(a)
    a.down()
    a.up()  # it purges as it starts
    wait_until(lambda: minutes() == 0, what="old minutes are purged")
    old = (hour, hour + HOUR, 1)
    assert summary(hour + 30 * 60, hour + 50 * 60) == old
    assert summary(hour + 50 * 60, hour + 55 * 60) == old
    assert summary(hour + 30 * 60, hour + HOUR) == old
    assert summary(hour - 30 * 60, hour + 20 * 60) == (hour - HOUR, hour + HOUR, 1)
    assert summary(hour + 30 * 60, recent + 45 * 60) == (hour, recent + 45 * 60, 1)
    assert summary(hour + 30 * 60, recent + 46 * 60) == (hour, recent + 46 * 60, 2)
    assert summary(recent + 44 * 60, recent + 46 * 60) == (recent + 44 * 60, recent + 46 * 60, 1)


FIRST_SECOND = timestamp_pb2.Timestamp(seconds=-62135596800)  # of the year 1
LAST_SECOND = timestamp_pb2.Timestamp(seconds=253402300799)   # of the year 9999

SPANS = [
    ("QueryTimeSeries", api.QueryTimeSeriesRequest(start_time=stamp(0), end_time=stamp(1501 * 60)),
     grpc.StatusCode.OUT_OF_RANGE),
    ("QueryTimeSeries", api.QueryTimeSeriesRequest(granularity=9), grpc.StatusCode.INVALID_ARGUMENT),
    ("QueryTimeSeries", api.QueryTimeSeriesRequest(start_time=stamp(120), end_time=stamp(60)),
     grpc.StatusCode.INVALID_ARGUMENT),
    ("GetSummary", api.GetSummaryRequest(start_time=timestamp_pb2.Timestamp(seconds=1 << 60)),
     grpc.StatusCode.INVALID_ARGUMENT),
    ("GetSummary", api.GetSummaryRequest(start_time=timestamp_pb2.Timestamp(nanos=-1)),
     grpc.StatusCode.INVALID_ARGUMENT),
    ("TopSearches", api.TopSearchesRequest(limit=-1), grpc.StatusCode.INVALID_ARGUMENT),
    ("TopSearches", api.TopSearchesRequest(start_time=stamp(0), end_time=stamp(1001 * HOUR)),
     grpc.StatusCode.OUT_OF_RANGE),
    ("GetPipelineStatus", api.GetPipelineStatusRequest(start_time=stamp(0), end_time=stamp(0)),
     grpc.StatusCode.INVALID_ARGUMENT),
    ("QueryTimeSeries", api.QueryTimeSeriesRequest(end_time=FIRST_SECOND),
     grpc.StatusCode.INVALID_ARGUMENT),
]


@pytest.mark.parametrize("method,request_,code", SPANS,
                         ids=[f"{m}-{c.name}-{i}" for i, (m, _, c) in enumerate(SPANS)])
def test_spans_that_cannot_be(quiet, method, request_, code):
    with pytest.raises(grpc.RpcError) as caught:
        getattr(quiet.stub, method)(request_, timeout=60)
    assert caught.value.code() == code


def test_answers_hold_times_that_can_be_written(quiet):
    """What RFC 3339 has no year for, JSON cannot carry."""
    whole = quiet.stub.GetSummary(api.GetSummaryRequest(
        start_time=FIRST_SECOND, end_time=LAST_SECOND), timeout=60)
    assert (whole.start_time, whole.end_time) == (FIRST_SECOND, LAST_SECOND)
    soon = timestamp_pb2.Timestamp(seconds=FIRST_SECOND.seconds + 60)
    points = quiet.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(end_time=soon), timeout=60).points
    assert [point.time for point in points] == [FIRST_SECOND]


def test_1500_points_are_answered(quiet):
    points = quiet.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(
        start_time=stamp(0), end_time=stamp(1500 * 60)), timeout=60).points
    assert len(points) == 1500
    assert len(quiet.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(), timeout=60).points) == 60


def test_top_searches(analytics):
    a = analytics()
    hour = hour_of(time.time())
    texts = ["Anna"] * 5 + ["  anna  B "] * 3 + ["ÉMILE"] * 2 + ["zzz"]
    events = [search(hour + 10 * i, text, results=0 if text in ("zzz", "Anna") else 2)
              for i, text in enumerate(texts)]
    steps = [search(hour + 1000 + 0.3 * i, text, partial=text != "jose")
             for i, text in enumerate(["j", "jo", "jos", "jose"])]
    failed = [search(hour + 1100, "failed", status=14)]
    a.client.record(batch(events + steps + failed, hour))
    settle(a)
    top = a.client.stub.TopSearches(api.TopSearchesRequest(limit=3), timeout=60)
    assert [(s.query, s.count, s.max_error) for s in top.searches] == [
        ("anna", 5, 0), ("anna b", 3, 0), ("émile", 2, 0)]
    assert (top.max_error, top.total) == (1, 12)
    nothing = a.client.stub.TopSearches(api.TopSearchesRequest(without_result=True), timeout=60)
    assert [(s.query, s.count) for s in nothing.searches] == [("anna", 5), ("zzz", 1)]
    everything = a.client.stub.TopSearches(api.TopSearchesRequest(), timeout=60)
    assert {s.query for s in everything.searches} >= {"jose"}
    assert not {s.query for s in everything.searches} & {"j", "jo", "jos", "failed"}
    assert everything.max_error == 0
    assert [(row["query"], row["partial"]) for row in archived(a.directory, "searches")
            if row["query"].startswith("j")] == [("j", True), ("jo", True), ("jos", True), ("jose", False)]


def test_texts_of_few_callers_are_not_published(analytics):
    a = analytics(search_callers=3)
    hour = hour_of(time.time())
    events = [search(hour + 10 * i, "shared", actor=f"a{i % 3}") for i in range(6)]
    events += [search(hour + 100 + 10 * i, "secret", actor="a1") for i in range(9)]
    stream = a.client.stub.TailEvents(api.TailEventsRequest(), timeout=60)
    wait_until(lambda: listening(a, stream), 10, "the tail is live")
    a.client.record(batch(events, hour))
    settle(a)
    top = a.client.stub.TopSearches(api.TopSearchesRequest(), timeout=60)
    assert [(s.query, s.count) for s in top.searches] == [("shared", 6)]
    assert top.max_error == 9 and top.total == 15
    seen = [next(stream) for _ in range(3)]
    assert all(not m.event.query for m in seen)
    stream.cancel()


def listening(a, stream):
    """Marks are sent until one comes back: then the listener is there."""
    if not hasattr(stream, "marks"):
        stream.marks = collections.deque()
        import threading

        def read():
            try:
                stream.marks.append(next(stream))
            except (grpc.RpcError, StopIteration):
                pass
        threading.Thread(target=read, daemon=True).start()
    now = time.time()
    a.client.record(batch([event(now, ev.EVENT_KIND_USERS_LISTED)], hour_of(now)))
    return stream.marks


def take(stream, ids, timeout_s=60):
    """Messages until all these events came; marks are left out."""
    got, missed = [], 0
    deadline = time.monotonic() + timeout_s
    while len(got) + missed < len(ids):
        assert time.monotonic() < deadline
        message = next(stream)
        missed += message.missed
        if message.HasField("event") and message.event.id in ids:
            got.append(message.event)
    return got, missed


def test_tail_is_live_and_filtered(analytics):
    a = analytics(segment_age="1h")
    everything = a.client.stub.TailEvents(api.TailEventsRequest(), timeout=60)
    wait_until(lambda: listening(a, everything), 10, "the tail is live")
    some = a.client.stub.TailEvents(api.TailEventsRequest(
        kinds=[ev.EVENT_KIND_USERS_LISTED, ev.EVENT_KIND_USER_CREATED]), timeout=60)
    wait_until(lambda: listening(a, some), 10, "the other tail is live")
    now = time.time()
    events = [event(now, ev.EVENT_KIND_USER_CREATED, user_id=uuid7()), search(now, "anna"),
              event(now, ev.EVENT_KIND_USER_READ)]
    a.client.record(batch(events, hour_of(now)))
    got, _ = take(everything, {e.id for e in events})
    assert got == events  # nothing is archived yet, and the text may be published
    got, _ = take(some, {events[0].id})
    assert got == events[:1]
    everything.cancel()
    some.cancel()


@pytest.mark.parametrize("number", [99, 7, -1])
def test_a_kind_that_does_not_exist_is_refused(analytics, number):
    a = analytics()
    kinds = [ev.EVENT_KIND_USER_READ, number]
    for ask in (lambda: next(a.client.stub.TailEvents(api.TailEventsRequest(kinds=kinds), timeout=5)),
                lambda: a.client.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(kinds=kinds),
                                                      timeout=60)):
        with pytest.raises(grpc.RpcError) as error:
            ask()
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "kinds" in error.value.details() and str(number) in error.value.details()


def test_more_kinds_than_there_can_be_are_refused(analytics):
    """They are gone through for every count and every event: a megabyte of them would be work for hours."""
    a = analytics()
    for ask in (lambda kinds: next(a.client.stub.TailEvents(api.TailEventsRequest(kinds=kinds), timeout=5)),
                lambda kinds: a.client.stub.QueryTimeSeries(api.QueryTimeSeriesRequest(kinds=kinds),
                                                            timeout=60)):
        with pytest.raises(grpc.RpcError) as error:
            ask([ev.EVENT_KIND_USER_READ] * 101)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert error.value.details() == "kinds: must be at most 100"
    assert a.client.stub.QueryTimeSeries(
        api.QueryTimeSeriesRequest(kinds=[ev.EVENT_KIND_USER_READ] * 100), timeout=60).points


def test_a_slow_listener_is_told_what_it_missed(analytics):
    a = analytics()
    stream = a.client.stub.TailEvents(api.TailEventsRequest(), timeout=60)
    wait_until(lambda: listening(a, stream), 10, "the tail is live")
    now = time.time()
    sent = set()
    for _ in range(40):
        events = [event(now, user_id="u" * 36, actor="a" * 36, trace_id="c" * 32, key_id="k" * 36)
                  for _ in range(500)]
        sent |= {e.id for e in events}
        a.client.record(batch(events, hour_of(now)))
    settle(a)
    got, missed = take(stream, sent)
    assert missed > 0
    assert len(got) + missed >= len(sent)
    assert len({e.id for e in got}) == len(got)
    stream.cancel()


def test_a_quiet_tail_gives_a_sign_of_life(analytics):
    a = analytics()
    stream = a.client.stub.TailEvents(api.TailEventsRequest(), timeout=30)
    begun = time.monotonic()
    message = next(stream)
    assert not message.HasField("event") and message.missed == 0
    assert time.monotonic() - begun < 20
    stream.cancel()
