"""Call streams with python3-grpcio and its protobuf at the other end: as the client of our server
(tests/programs/rpc_peer.c) and as the server of our client (tests/programs/rpc_lanes.c)."""
import concurrent.futures
import json
import queue
import subprocess

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from omnidata.rpc.v1 import call_stream_pb2 as wire
from omnidata.rpc.v1 import call_stream_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc
from support import programs

DEADLINE_S = 60
GET = "/omnidata.user.v1.UserService/GetUser"


def call(number, user_id, method=GET, **kwargs):
    return wire.Call(id=number, method=method,
                     payload=user_pb2.GetUserRequest(id=user_id).SerializeToString(), **kwargs)


# --- our server ---


class Client:
    """A call stream of grpcio's."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.requests = queue.Queue()
        stub = call_stream_pb2_grpc.CallStreamServiceStub(self.channel)
        self.answers = stub.Exchange(iter(self.requests.get, None), timeout=DEADLINE_S)
        assert next(self.answers) == wire.AnswerBatch()  # the hello

    def send(self, *calls, **kwargs):
        self.requests.put(wire.CallBatch(calls=calls, **kwargs))

    def receive(self, count):
        """So many answers, by id."""
        got = {}
        while len(got) < count:
            for answer in next(self.answers).answers:
                assert answer.id not in got
                got[answer.id] = answer
        return got

    def close(self):
        self.requests.put(None)
        assert list(self.answers) == []
        assert self.answers.code() == grpc.StatusCode.OK
        self.channel.close()


@pytest.fixture(scope="module")
def peer(module_start):
    return module_start("rpc_peer")


@pytest.fixture
def client(peer):
    opened = Client(peer.address)
    yield opened
    opened.close()


def test_many_calls_in_a_message(client):
    client.send(*[call(2 ** 40 + i, f"ü{i}") for i in range(8)])
    answers = client.receive(8)
    assert {number: user_pb2.User.FromString(answer.payload).id
            for number, answer in answers.items()} == {2 ** 40 + i: f"ü{i}" for i in range(8)}


def test_errors_carry_their_details(client):
    client.send(call(1, "fields"))
    answer = client.receive(1)[1]
    assert (answer.status, answer.payload) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], b"")
    assert answer.message == "user.email: is no address"
    status = status_pb2.Status.FromString(answer.details)
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert [violation.field for violation in bad.field_violations] == [
        "user.email", "user.display_name"]


def test_metadata_in_and_out(client):
    client.send(call(1, "facts", timeout_ms=5000, metadata=[
        wire.Metadata(key="x-in", value=b"hello"), wire.Metadata(key="x-in-bin", value=b"raw"),
        wire.Metadata(key="traceparent",
                      value=b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]))
    answer = client.receive(1)[1]
    labels = dict(user_pb2.User.FromString(answer.payload).labels)
    assert labels.pop("peer").startswith("ipv4:127.0.0.1:")
    assert 0 < int(labels.pop("left-ms")) <= 5001
    assert labels == {"x-in": "hello", "x-in-bin": "raw",
                      "trace": "0af7651916cd43dd8448eb211c80319c"}
    assert [(one.key, one.value) for one in answer.trailers] == [
        ("x-out", b"after"), ("x-out-bin", b"\x00\xff\x01")]


# Rule 19.
def test_deadline_and_cancellation_of_one_call(client):
    client.send(call(1, "slow:60000", timeout_ms=50), call(2, "slow:60000"), call(3, "u3"))
    answers = client.receive(2)
    assert answers[3].status == 0
    assert answers[1].status == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    client.send(cancelled=[2, 99])
    assert client.receive(1)[2].status == grpc.StatusCode.CANCELLED.value[0]


def test_a_method_with_streams_needs_a_call_of_its_own(client):
    client.send(call(1, "1", method="/test.v1.Streams/Count"), call(2, "u", method="/no/Where"))
    assert {answer.status for answer in client.receive(2).values()} == {
        grpc.StatusCode.UNIMPLEMENTED.value[0]}


def test_a_large_answer_has_a_message_of_its_own(client):
    client.send(call(1, "size:3000000"), call(2, "u2"))
    answers = client.receive(2)
    assert len(user_pb2.User.FromString(answers[1].payload).display_name) == 3_000_000
    client.send(call(3, "size:5000000"))
    assert client.receive(1)[3].status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


def test_what_is_no_batch_ends_the_stream(peer):
    with grpc.insecure_channel(peer.address) as channel:
        exchange = channel.stream_stream("/omnidata.rpc.v1.CallStreamService/Exchange")
        requests = queue.Queue()
        answers = exchange(iter(requests.get, None), timeout=DEADLINE_S)
        assert next(answers) == b""
        requests.put(b"\x0a\x7f")
        with pytest.raises(grpc.RpcError) as caught:
            list(answers)
        requests.put(None)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


# --- our client ---


class Users(user_pb2_grpc.UserServiceServicer):
    """Counts the calls that came by themselves."""

    def __init__(self):
        self.plain = 0

    def GetUser(self, request, context):
        self.plain += 1
        return user_pb2.User(id="plain:" + request.id)


class Streams:
    """A call stream's server, in bytes; the id that is asked for says what happens:

    twice   answered twice, and an id answered that nobody asked for
    never   no answer             break   the stream ends with an error
    noise   what is no message    closing the client is asked to go, then answered
    """

    def __init__(self):
        self.opened = 0
        self.closed_by_client = 0
        self.batches = []
        self.seen = {}

    def answer(self, one):
        user_id = user_pb2.GetUserRequest.FromString(one.payload).id
        self.seen[user_id] = one
        return user_id, wire.Answer(
            id=one.id, payload=user_pb2.User(id="stream:" + user_id).SerializeToString())

    def exchange(self, requests, context):
        self.opened += 1
        yield b""
        for data in requests:
            batch = wire.CallBatch.FromString(data)
            self.batches.append(batch)
            reply = wire.AnswerBatch()
            for one in batch.calls:
                user_id, answer = self.answer(one)
                if user_id == "break":
                    context.abort(grpc.StatusCode.DATA_LOSS, "broken")
                if user_id == "noise":
                    yield b"\x0a\x7f"
                if user_id == "missing":
                    answer = wire.Answer(id=one.id, status=5, message="nö")
                if user_id == "strange":
                    answer = wire.Answer(id=one.id, status=77)
                reply.closing |= user_id == "closing"
                if user_id != "never":
                    reply.answers.append(answer)
                if user_id == "twice":
                    reply.answers.extend([answer, wire.Answer(id=2 ** 63)])
            yield reply.SerializeToString()
        self.closed_by_client += 1


def begin_server(users, streams, address="127.0.0.1:0"):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8),
                         options=[("grpc.so_reuseport", 0)])
    user_pb2_grpc.add_UserServiceServicer_to_server(users, server)
    if streams:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            "omnidata.rpc.v1.CallStreamService",
            {"Exchange": grpc.stream_stream_rpc_method_handler(streams.exchange)}),))
    port = server.add_insecure_port(address)
    server.start()
    return server, f"127.0.0.1:{port}"


class Lanes:
    """rpc_lanes under control."""

    def __init__(self, address, deadline_ms):
        self.process = subprocess.Popen(
            [programs.find_program("rpc_lanes"), address, str(deadline_ms)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=programs.environment())

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        assert self.process.wait(DEADLINE_S) == 0


@pytest.fixture
def lanes():
    """lanes(address, deadline_ms=…) -> Lanes"""
    started = []

    def begin(address, deadline_ms=DEADLINE_S * 1000):
        started.append(Lanes(address, deadline_ms))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


@pytest.fixture
def pair(lanes):
    """(caller, streams, users): our client with an open stream to grpcio's server."""
    users, streams = Users(), Streams()
    server, address = begin_server(users, streams)
    caller = lanes(address)
    assert caller.say("open")["streams"] == 1
    yield caller, streams, users
    server.stop(None).wait()


def test_calls_travel_together(pair):
    caller, streams, users = pair
    plain = users.plain
    ids = [f"u{i}" for i in range(100)]
    assert caller.say(" ".join(ids)) == {
        "streams": 1, "outcomes": [f"OK stream:{i}" for i in ids]}
    assert users.plain == plain
    # One message, unless the machine was so slow that the first did not wait for the rest.
    assert max(len(batch.calls) for batch in streams.batches) >= 10
    assert streams.batches[0].answer_bytes_max == 4 << 20
    one = streams.seen["u7"]
    assert one.method == GET
    assert 0 < one.timeout_ms <= DEADLINE_S * 1000
    assert [(item.key, item.value) for item in one.metadata] == [
        ("x-text", b"hello"), ("x-raw-bin", b"\x00\xff")]


def test_outcomes(pair):
    caller = pair[0]
    assert caller.say("missing strange u1")["outcomes"] == [
        "NOT_FOUND nö", "UNKNOWN ", "OK stream:u1"]


def test_each_call_ends_once_whatever_the_server_does(pair):
    caller = pair[0]
    assert caller.say("twice u1")["outcomes"] == ["OK stream:twice", "OK stream:u1"]
    assert caller.say("u2")["outcomes"] == ["OK stream:u2"]


@pytest.mark.parametrize("how", ["break", "noise"])
def test_a_stream_that_breaks_is_opened_again(pair, how):
    caller, streams, _ = pair
    lost = "UNAVAILABLE the connection to the server was lost"
    outcomes = caller.say(f"{how} u1")["outcomes"]
    assert outcomes[0] == lost
    assert outcomes[1] in (lost, "OK plain:u1")  # the second, if it came too late for it
    assert caller.say("open")["streams"] == 1
    assert streams.opened >= 2
    assert caller.say("u2")["outcomes"] == ["OK stream:u2"]


def test_a_server_that_closes_is_left(pair):
    caller, streams, _ = pair
    outcomes = caller.say("closing u1")["outcomes"]
    assert outcomes[0] == "OK stream:closing"
    assert outcomes[1] in ("OK stream:u1", "OK plain:u1")  # the second, if it came too late for it
    programs.wait_until(lambda: streams.closed_by_client == 1)
    assert caller.say("open")["streams"] == 1
    assert caller.say("u2")["outcomes"] == ["OK stream:u2"]
    assert streams.opened == 2


def test_a_call_without_answer_has_its_deadline(lanes):
    users, streams = Users(), Streams()
    server, address = begin_server(users, streams)
    caller = lanes(address, deadline_ms=300)
    assert caller.say("open")["streams"] == 1
    assert caller.say("never u1")["outcomes"] == [
        "DEADLINE_EXCEEDED the deadline has passed", "OK stream:u1"]
    server.stop(None).wait()


def test_a_server_without_call_streams_gets_calls_by_themselves(lanes):
    users = Users()
    server, address = begin_server(users, None)
    caller = lanes(address)
    assert caller.say("open")["streams"] == 0
    assert caller.say("u1 u2") == {"streams": 0, "outcomes": ["OK plain:u1", "OK plain:u2"]}
    other = lanes(address)
    assert other.say("open")["streams"] == 0
    other.stop()  # while the server is still there
    server.stop(None).wait()
    # Its successor offers them, and that is found out without being told.
    streams = Streams()
    server, _ = begin_server(users, streams, address)
    assert caller.say("open")["streams"] == 1
    assert caller.say("u3")["outcomes"] == ["OK stream:u3"]
    server.stop(None).wait()
