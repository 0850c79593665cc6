"""Events of the user service, taken in by an analytics service made of python3-grpcio."""
import sqlite3
import threading
from concurrent import futures

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from omnidata.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from omnidata.event.v1 import event_pb2


class FakeAnalytics(analytics_pb2_grpc.AnalyticsServiceServicer):
    """Keeps every batch by id; answers `status` instead of taking when it is set."""

    def __init__(self):
        self.lock = threading.Lock()
        self.batches, self.calls, self.resent_changed = {}, 0, False
        self.status, self.poison = None, None

    def RecordEvents(self, request, context):
        with self.lock:
            self.calls += 1
            if self.status:
                context.abort(self.status, "as told")
            if self.poison in [batch.id for batch in request.batches]:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "poison")
            for batch in request.batches:
                known = self.batches.setdefault(batch.id, batch)
                self.resent_changed |= known != batch
            return analytics_pb2.RecordEventsResponse(stored=len(request.batches))

    def events(self):
        with self.lock:
            return [event_pb2.Event.FromString(raw)
                    for batch in self.batches.values() for raw in batch.events]


@pytest.fixture
def analytics():
    fake = FakeAnalytics()
    servers = []

    def listen(port=0):
        server = grpc.server(futures.ThreadPoolExecutor(4))
        analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server(fake, server)
        fake.port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        servers.append(server)
        return fake

    fake.listen = listen
    fake.close = lambda: servers.pop().stop(0).wait()
    yield listen()
    for server in servers:
        server.stop(0).wait()


def test_every_call_becomes_one_event(serve, analytics, refused, wait_until):
    _, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    made = users.create("a@example.com", "Anna")
    users.update(made.id, display_name="Anna B")
    users.update(made.id, display_name="Anna B")  # changes nothing: no event
    users.get(made.id)
    users.batch([made.id, "x"])
    users.list()
    users.search("ann zz")
    users.delete(made.id)
    with pytest.raises(refused):
        users.get(made.id)
    with pytest.raises(refused):
        users.create("nobody")
    wait_until(lambda: len(analytics.events()) >= 10, what="ten events")
    events = sorted(analytics.events(), key=lambda event: event.id)
    name = event_pb2.EventKind.Name
    assert [(name(e.kind)[11:], e.status, e.user_id, e.result_count, e.query) for e in events] == [
        ("USER_CREATED", 0, made.id, 1, ""),
        ("USER_UPDATED", 0, made.id, 1, ""),
        ("USER_READ", 0, made.id, 1, ""),
        ("USER_READ", 0, made.id, 1, ""),
        ("USER_READ", 3, "x", 0, ""),
        ("USERS_LISTED", 0, "", 1, ""),
        ("USERS_SEARCHED", 0, "", 0, "ann zz"),
        ("USER_DELETED", 0, made.id, 0, ""),
        ("USER_READ", 5, made.id, 0, ""),
        ("USER_CREATED", 3, "", 0, ""),
    ]
    assert len({event.id for event in events}) == 10
    assert all(event.schema_version == 1 and event.HasField("time") for event in events)


def test_write_that_outlives_its_deadline_is_one_event(serve, analytics, refused, tmp_path, wait_until):
    from omnidata.user.v1 import user_pb2 as pb
    program, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    made = users.create("a@example.com", "Anna")
    held = sqlite3.connect(tmp_path / "data" / "users.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")  # the writer has begun, and waits
    with pytest.raises(refused) as error:
        users._call(users.stub.UpdateUser, pb.UpdateUserRequest(
            user=pb.User(id=made.id, display_name="Berta")), timeout=1)
    assert error.value.code == "DEADLINE_EXCEEDED"
    wait_until(lambda: [line for line in program.events("audit")
                        if line["method"].endswith("/UpdateUser")], what="the service gives up too")
    held.close()
    program.stop()
    updates = [event for event in analytics.events() if event.kind == event_pb2.EVENT_KIND_USER_UPDATED]
    assert [event.user_id for event in updates] == [made.id]


def test_trace_id_is_the_calls(serve, analytics, wait_until):
    from omnidata.user.v1 import user_pb2 as pb
    _, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    trace = "0af7651916cd43dd8448eb211c80319c"
    users.stub.SearchUsers(pb.SearchUsersRequest(query="x"), timeout=60,
                           metadata=[("traceparent", f"00-{trace}-b7ad6b7169203331-01")])
    wait_until(analytics.events)
    assert analytics.events()[0].trace_id == trace


def test_long_query_is_cut_and_flagged(serve, analytics, wait_until, refused):
    _, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    with pytest.raises(refused):
        users.search("é" * 200)
    wait_until(analytics.events)
    assert analytics.events()[0].query == "é" * 128 and analytics.events()[0].truncated


def test_outbox_waits_for_analytics_over_a_restart(serve, analytics, wait_until):
    port = analytics.port
    analytics.close()
    program, users = serve(events=f"grpc://127.0.0.1:{port}")
    for i in range(30):
        users.create(f"u{i}@example.com")
    users.get(users.all()[0].id)
    wait_until(lambda: sum(hour.emitted for hour in users.emitted().hours) == 32, what="32 events wait")
    emitted = users.emitted()
    assert emitted.pending == 32
    assert sum(hour.pending for hour in emitted.hours) == 32
    program.kill9()
    _, users = serve(events=f"grpc://127.0.0.1:{port}")
    assert users.emitted().pending == 32 and users.emitted().oldest_pending_ms > 0
    analytics.listen(port)
    wait_until(lambda: users.emitted().pending == 0, what="the outbox is empty")
    emitted = users.emitted()
    assert sum(hour.emitted for hour in emitted.hours) == 32
    assert sum(hour.pending for hour in emitted.hours) == 0
    assert emitted.oldest_pending_ms == 0
    assert len(analytics.events()) == 32


def test_what_no_hour_counts_yet_is_pending(serve, analytics, wait_until):
    _, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    users.create("a@example.com", "Anna")
    wait_until(lambda: users.emitted().pending == 0, what="its event is sent")
    analytics.status = grpc.StatusCode.UNAVAILABLE
    users.search("anna")  # held, as its caller may go on typing; later it waits in the outbox
    assert users.emitted().pending >= 1
    analytics.status = None
    wait_until(lambda: users.emitted().pending == 0, what="the search's event is sent")
    assert [event.query for event in analytics.events()] == ["", "anna"]
    assert sum(hour.emitted for hour in users.emitted().hours) == 2


def test_failures_are_retried_and_poison_is_set_aside(serve, analytics, wait_until):
    analytics.status = grpc.StatusCode.UNAVAILABLE
    program, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    users.create("a@example.com")
    wait_until(lambda: analytics.calls >= 2, what="a second try")
    analytics.status = grpc.StatusCode.INVALID_ARGUMENT
    wait_until(lambda: program.events("batch_set_aside"), what="it is set aside")
    analytics.status = None
    users.create("b@example.com")
    wait_until(lambda: len(analytics.events()) == 1, what="the next one gets through")
    wait_until(lambda: users.emitted().pending == 1, what="only the refused one waits")
    program.stop()  # and a restart tries the refused one again
    serve(events=f"grpc://127.0.0.1:{analytics.port}")
    wait_until(lambda: len(analytics.events()) == 2, what="the refused one is taken")
    assert not analytics.resent_changed


def test_stop_seals_and_sends_what_there_is(serve, analytics):
    program, users = serve(events=f"grpc://127.0.0.1:{analytics.port}")
    for i in range(5):
        users.create(f"u{i}@example.com")
        users.list()
    program.stop()
    assert len(analytics.events()) == 10
    assert program.events("stopped")[0]["clean"] is True


def test_full_outbox_refuses_writes_and_recovers(serve, analytics, refused, wait_until):
    port = analytics.port
    analytics.close()
    _, users = serve(events=f"grpc://127.0.0.1:{port}", outbox_bytes="64KiB")
    with pytest.raises(refused) as error:
        for i in range(5000):
            users.create(f"u{i}@example.com")
    assert (error.value.code, error.value.reason) == ("RESOURCE_EXHAUSTED", "OUTBOX_FULL")
    assert len(users.all()) == i
    users.get(users.list(1).users[0].id)  # reads still work; they are not told of
    wait_until(lambda: users.emitted().dropped_reads > 0, what="reads are shed")
    analytics.listen(port)
    wait_until(lambda: users.emitted().pending == 0, timeout_s=40, what="the outbox is empty")
    users.create("again@example.com")
    created = [e for e in analytics.events() if e.status == 0 and e.kind == 1]
    assert len(created) >= i


def test_emitted_takes_a_span(serve, refused):
    _, users = serve()
    users.create("a@example.com")
    hour = users.emitted().hours[0].hour
    after = Timestamp(seconds=hour.seconds + 3600)
    assert len(users.emitted(start_time=hour, end_time=after).hours) == 1
    assert len(users.emitted(start_time=after, end_time=Timestamp(seconds=after.seconds + 1)).hours) == 0
    with pytest.raises(refused) as error:
        users.emitted(start_time=after, end_time=hour)
    assert set(error.value.fields) == {"end_time"}
