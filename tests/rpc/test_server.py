"""Our gRPC server (tests/programs/rpc_peer.c) with python3-grpcio as an independent client."""
import concurrent.futures
import threading

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from omnidata.user.v1 import user_pb2, user_pb2_grpc

DEADLINE_S = 60


@pytest.fixture(scope="module")
def peer(module_start):
    return module_start("rpc_peer")


@pytest.fixture(scope="module")
def channel(peer):
    with grpc.insecure_channel(peer.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def users(channel):
    return user_pb2_grpc.UserServiceStub(channel)


def get(users, user_id, **kwargs):
    kwargs.setdefault("timeout", DEADLINE_S)
    return users.GetUser(user_pb2.GetUserRequest(id=user_id), **kwargs)


def streams(channel, name, kind):
    return getattr(channel, kind)(
        f"/test.v1.Streams/{name}",
        request_serializer=user_pb2.GetUserRequest.SerializeToString,
        response_deserializer=user_pb2.User.FromString)


def failure(call, *args, **kwargs):
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **kwargs)
    return caught.value


def details(error):
    metadata = dict(error.trailing_metadata())
    if "grpc-status-details-bin" not in metadata:
        return None
    return status_pb2.Status.FromString(metadata["grpc-status-details-bin"])


def unpack(status, kind):
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            return message
    return None


# --- unary ---


def test_unary(users):
    assert get(users, "u1").id == "u1"


@pytest.mark.parametrize("user_id, code, text, reason", [
    ("missing", grpc.StatusCode.NOT_FOUND, "there is no user missing", "USER_NOT_FOUND"),
    ("fields", grpc.StatusCode.INVALID_ARGUMENT, "user.email: is no address", "INVALID_FIELD"),
    ("busy", grpc.StatusCode.RESOURCE_EXHAUSTED, "come back later", "BUSY"),
])
def test_error_details(users, user_id, code, text, reason):
    error = failure(get, users, user_id)
    assert (error.code(), error.details()) == (code, text)
    status = details(error)
    assert (status.code, status.message) == (code.value[0], text)
    info = unpack(status, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == (reason, "omnidata")


def test_field_violations(users):
    bad = unpack(details(failure(get, users, "fields")), error_details_pb2.BadRequest)
    assert [(v.field, v.description) for v in bad.field_violations] == [
        ("user.email", "is no address"), ("user.display_name", "is empty: €")]


def test_retry_info(users):
    retry = unpack(details(failure(get, users, "busy")), error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_plain_error_has_no_details(users):
    error = failure(get, users, "internal")
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "a wheel came off")
    assert details(error) is None


def test_metadata_both_ways(users):
    sent = (("x-in", "hello"), ("x-in-bin", "päckchen".encode()),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    user, call = users.GetUser.with_call(
        user_pb2.GetUserRequest(id="facts"), timeout=DEADLINE_S, metadata=sent)
    assert user.labels["x-in"] == "hello"
    assert user.labels["x-in-bin"] == "päckchen"
    assert user.labels["trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert user.labels["peer"].startswith("ipv4:127.0.0.1:")
    assert 0 < int(user.labels["left-ms"]) <= DEADLINE_S * 1100  # sent with few digits, rounded up
    trailing = dict(call.trailing_metadata())
    assert trailing["x-out"] == "after"
    assert trailing["x-out-bin"] == b"\x00\xff\x01"
    assert "x-bad" not in trailing


def test_no_deadline(users):
    assert "left-ms" not in get(users, "facts", timeout=None).labels


def test_undecodable_request(channel):
    raw = channel.unary_unary("/omnidata.user.v1.UserService/GetUser")
    error = failure(raw, b"\x0a\x7f", timeout=DEADLINE_S)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert unpack(details(error), error_details_pb2.ErrorInfo).reason == "MALFORMED_REQUEST"


def test_request_text_that_is_not_utf8(channel):
    raw = channel.unary_unary("/omnidata.user.v1.UserService/GetUser")
    error = failure(raw, b"\x0a\x02\xc3\x28", timeout=DEADLINE_S)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    bad = unpack(details(error), error_details_pb2.BadRequest)
    assert bad.field_violations[0].field == "id"


def test_unknown_method(channel):
    for path in "/omnidata.user.v1.UserService/Nothing", "/no.Such/Method":
        error = failure(channel.unary_unary(path), b"", timeout=DEADLINE_S)
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_compressed_request(peer):
    with grpc.insecure_channel(peer.address, compression=grpc.Compression.Gzip) as channel:
        user_id = "z" * 100_000
        assert get(user_pb2_grpc.UserServiceStub(channel), user_id).id == user_id


def test_big_messages(users):
    user_id = "y" * 4_000_000
    assert get(users, user_id).id == user_id
    error = failure(get, users, "y" * (4 << 20))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert get(users, "still there").id == "still there"


def test_deadline(peer, users, wait_until):
    before = len(peer.events("rpc.call"))
    error = failure(get, users, "slow:20000", timeout=0.1)
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: any(line["code"] in ("CANCELLED", "DEADLINE_EXCEEDED")
                           for line in peer.events("rpc.call")[before:]))


def test_cancel(peer, users, wait_until):
    before = len(peer.events("rpc.call"))
    call = users.GetUser.future(user_pb2.GetUserRequest(id="slow:20000"), timeout=DEADLINE_S)
    call.cancel()
    assert call.cancelled()
    # Whether it had begun or not, nothing of it stays behind: all workers are free again.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ids = [f"u{i}" for i in range(4)]
        assert [u.id for u in pool.map(lambda i: get(users, i), ids)] == ids
    wait_until(lambda: len(peer.events("rpc.call")) >= before + 4)


def test_overload_is_refused_at_once(users, wait_until):
    calls = [users.GetUser.future(user_pb2.GetUserRequest(id="slow:20000"), timeout=DEADLINE_S)
             for _ in range(20)]  # 4 run, 8 wait, 8 are too many: 12, before a worker has woken up
    wait_until(lambda: sum(call.done() for call in calls) >= 8)
    errors = [call.exception() for call in calls if call.done()]
    assert 8 <= len(errors) <= 12
    for error in errors:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        status = details(error)
        assert unpack(status, error_details_pb2.ErrorInfo).reason == "OVERLOADED"
        assert unpack(status, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 1000
    for call in calls:
        call.cancel()


def test_many_at_once(users):
    def call(i):
        while True:
            try:
                return get(users, f"u{i}").id
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert list(pool.map(call, range(500))) == [f"u{i}" for i in range(500)]


# --- streams ---


def test_server_stream(channel):
    call = streams(channel, "Count", "unary_stream")(
        user_pb2.GetUserRequest(id="300"), timeout=DEADLINE_S)
    assert [user.id for user in call] == [str(i) for i in range(300)]
    assert dict(call.trailing_metadata())["x-count"] == "done"


def test_server_stream_that_ends_in_an_error(channel):
    call = streams(channel, "Count", "unary_stream")(
        user_pb2.GetUserRequest(id="13"), timeout=DEADLINE_S)
    seen = []
    with pytest.raises(grpc.RpcError) as caught:
        for user in call:
            seen.append(user.id)
    assert len(seen) == 13
    assert caught.value.code() == grpc.StatusCode.OUT_OF_RANGE
    assert unpack(details(caught.value), error_details_pb2.ErrorInfo).reason == "UNLUCKY"


def test_client_stream(channel):
    requests = (user_pb2.GetUserRequest(id=f"u{i}") for i in range(200))
    user = streams(channel, "Collect", "stream_unary")(requests, timeout=DEADLINE_S)
    assert (user.display_name, user.id) == ("200", "u199")


def test_client_stream_that_the_server_ends(channel):
    requests = (user_pb2.GetUserRequest(id="stop") for _ in range(5))
    error = failure(streams(channel, "Collect", "stream_unary"), requests, timeout=DEADLINE_S)
    assert error.code() == grpc.StatusCode.ABORTED


def test_both_stream(channel):
    turn = threading.Semaphore(1)

    def requests():
        for i in range(50):
            assert turn.acquire(timeout=DEADLINE_S)  # after the answer to the one before
            yield user_pb2.GetUserRequest(id=f"turn-{i}")

    seen = []
    for user in streams(channel, "Chat", "stream_stream")(requests(), timeout=DEADLINE_S):
        seen.append(user.id)
        turn.release()
    assert seen == [f"turn-{i}" for i in range(50)]


def test_cancelled_stream(peer, channel, wait_until):
    before = len(peer.events("rpc.call"))
    call = streams(channel, "Hold", "unary_stream")(user_pb2.GetUserRequest(), timeout=DEADLINE_S)
    assert next(call).id == "held"
    call.cancel()
    wait_until(lambda: [line for line in peer.events("rpc.call")[before:]
                        if line["method"] == "/test.v1.Streams/Hold"
                        and line["code"] == "CANCELLED"])


def test_stream_with_deadline(channel):
    call = streams(channel, "Hold", "unary_stream")(user_pb2.GetUserRequest(), timeout=0.2)
    with pytest.raises(grpc.RpcError) as caught:
        for _ in call:
            pass
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_streams_are_bounded(channel, wait_until):
    hold = streams(channel, "Hold", "unary_stream")

    def one():
        call = hold(user_pb2.GetUserRequest(), timeout=DEADLINE_S)
        try:
            assert next(call).id == "held"
        except grpc.RpcError as refused:
            assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            return None
        return call

    # A stream that has ended for an earlier test may still be going away in the server.
    calls = [wait_until(one) for _ in range(8)]
    with pytest.raises(grpc.RpcError) as caught:
        next(hold(user_pb2.GetUserRequest(), timeout=DEADLINE_S))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    for call in calls:
        call.cancel()


# --- log ---


def test_access_log(peer, users, wait_until):
    trace = "1" * 32
    failure(get, users, "internal", metadata=(("traceparent", f"00-{trace}-{'2' * 16}-01"),))
    line = wait_until(lambda: [one for one in peer.events("rpc.call")
                               if one.get("trace_id") == trace])[0]
    assert (line["level"], line["method"], line["code"], line["error"]) == (
        "warn", "/omnidata.user.v1.UserService/GetUser", "INTERNAL", "a wheel came off")
    assert line["duration_ms"] >= 0
    get(users, "quiet", metadata=(("traceparent", f"00-{'3' * 32}-{'2' * 16}-01"),))
    line = wait_until(lambda: [one for one in peer.events("rpc.call")
                               if one.get("trace_id") == "3" * 32])[0]
    assert (line["level"], line["code"]) == ("debug", "OK")


# --- the end ---


def test_drain(start):
    running = start("rpc_peer")
    with grpc.insecure_channel(running.address) as channel:
        users = user_pb2_grpc.UserServiceStub(channel)
        assert get(users, "u1").id == "u1"
        slow = users.GetUser.future(user_pb2.GetUserRequest(id="slow:500"), timeout=DEADLINE_S)
        hold = streams(channel, "Hold", "unary_stream")(user_pb2.GetUserRequest(),
                                                        timeout=DEADLINE_S)
        assert next(hold).id == "held"
        hold.cancel()
        running.stop()
        assert slow.result().id == "slow:500"
    assert running.events("stopped")[0]["clean"] is True
