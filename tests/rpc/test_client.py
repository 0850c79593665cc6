"""Our gRPC client (tests/programs/rpc_caller.c) against an independent server in python3-grpcio."""
import concurrent.futures
import json
import threading

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.health.v1 import health_pb2, health_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc

DEADLINE_S = 60
GET = "/omnidata.user.v1.UserService/GetUser"


def packed(message):
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


def rich_error(context):
    status = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="no good")
    violation = error_details_pb2.BadRequest.FieldViolation
    status.details.extend([
        packed(duration_pb2.Duration(seconds=1)),  # a detail of a kind nobody asked for
        packed(error_details_pb2.ErrorInfo(reason="NO_GOOD", domain="elsewhere")),
        packed(error_details_pb2.BadRequest(field_violations=[
            violation(field=f"f{i}", description=f"ü{i}") for i in range(10)])),
        packed(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=250_000_000))),
    ])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no good")


class Server(user_pb2_grpc.UserServiceServicer):
    """What the id asks for happens, as in our own echo service."""

    def __init__(self):
        self.gone = threading.Event()
        self.release = threading.Event()

    def GetUser(self, request, context):
        if request.id == "rich":
            rich_error(context)
        if request.id == "unicode":
            context.abort(grpc.StatusCode.NOT_FOUND, "nö: 100% €")
        if request.id == "stuck":
            context.add_callback(self.gone.set)
            self.release.wait(DEADLINE_S)
        if request.id == "metadata":
            metadata = dict(context.invocation_metadata())
            return user_pb2.User(id=json.dumps([metadata["x-text"], metadata["x-raw-bin"].hex(),
                                                context.time_remaining() <= DEADLINE_S]))
        return user_pb2.User(id=request.id)

    def Count(self, request, context):
        for i in range(int(request.id)):
            yield user_pb2.User(id=str(i))
        if request.id == "13":
            context.abort(grpc.StatusCode.OUT_OF_RANGE, "thirteen")

    def Hold(self, request, context):
        context.add_callback(self.gone.set)
        yield user_pb2.User(id="held")
        self.release.wait(DEADLINE_S)

    def Collect(self, requests, context):
        ids = [request.id for request in requests]
        return user_pb2.User(id=",".join(ids))

    def Chat(self, requests, context):
        for request in requests:
            yield user_pb2.User(id=request.id)


class Health(health_pb2_grpc.HealthServicer):
    def Check(self, request, context):
        if request.service == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        return health_pb2.HealthCheckResponse(
            status=health_pb2.HealthCheckResponse.ServingStatus.Value(request.service))


@pytest.fixture
def serve():
    """serve() -> (servicer, address)"""
    servers = []

    def begin():
        servicer = Server()
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        user_pb2_grpc.add_UserServiceServicer_to_server(servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
        codec = {"request_deserializer": user_pb2.GetUserRequest.FromString,
                 "response_serializer": user_pb2.User.SerializeToString}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.v1.Streams", {
            "Count": grpc.unary_stream_rpc_method_handler(servicer.Count, **codec),
            "Hold": grpc.unary_stream_rpc_method_handler(servicer.Hold, **codec),
            "Collect": grpc.stream_unary_rpc_method_handler(servicer.Collect, **codec),
            "Chat": grpc.stream_stream_rpc_method_handler(servicer.Chat, **codec),
        }),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append((server, servicer))
        return servicer, f"127.0.0.1:{port}"

    yield begin
    for server, servicer in servers:
        servicer.release.set()
        server.stop(None).wait()


@pytest.fixture
def call(run, serve):
    """call(kind, method, *ids, deadline_ms=…, metadata=…) -> what rpc_caller printed"""
    servicer, address = serve()

    def one(kind, method, *ids, deadline_ms=DEADLINE_S * 1000, metadata=()):
        extra = [part for pair in metadata for part in ("-m", pair)]
        done = run("rpc_caller", address, kind, method, deadline_ms, *extra, *ids)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    one.servicer = servicer
    return one


def test_unary(call):
    result = call("unary", GET, "u1")
    assert (result["code"], result["ids"]) == ("OK", ["u1"])


def test_big_unary(call):
    user_id = "x" * 100_000
    assert call("unary", GET, user_id)["ids"] == [user_id]


def test_rich_error(call):
    result = call("unary", GET, "rich")
    assert (result["code"], result["message"], result["reason"]) == (
        "INVALID_ARGUMENT", "no good", "NO_GOOD")
    assert result["retry_after_ms"] == 250
    assert result["fields"] == {f"f{i}": f"ü{i}" for i in range(8)}  # as many as there is room for


# Rule 19.
def test_error_text_is_unicode(call):
    result = call("unary", GET, "unicode")
    assert (result["code"], result["message"]) == ("NOT_FOUND", "nö: 100% €")


def test_unknown_method(call):
    assert call("unary", "/no.Such/Method", "x")["code"] == "UNIMPLEMENTED"


# Rule 19.
def test_metadata_and_deadline_arrive(call):
    result = call("unary", GET, "metadata", metadata=("x-text=hello", "x-raw-bin=\x01raw"))
    assert json.loads(result["ids"][0]) == ["hello", b"\x01raw".hex(), True]


def test_deadline(call):
    result = call("unary", GET, "stuck", deadline_ms=200)
    assert result["code"] == "DEADLINE_EXCEEDED"
    assert call.servicer.gone.wait(DEADLINE_S)


def test_server_stream(call):
    result = call("stream", "/test.v1.Streams/Count", "200")
    assert (result["code"], result["ids"]) == ("OK", [str(i) for i in range(200)])


def test_server_stream_that_ends_in_an_error(call):
    result = call("stream", "/test.v1.Streams/Count", "13")
    assert (result["code"], len(result["ids"])) == ("OUT_OF_RANGE", 13)


def test_cancelled_stream(call):
    result = call("cancel", "/test.v1.Streams/Hold", "")
    assert (result["code"], result["ids"]) == ("CANCELLED", ["held"])
    assert call.servicer.gone.wait(DEADLINE_S)


def test_client_stream(call):
    result = call("both", "/test.v1.Streams/Collect", "a", "b", "c")
    assert (result["code"], result["ids"]) == ("OK", ["a,b,c"])


def test_both_stream(call):
    ids = [f"u{i}" for i in range(100)]
    result = call("both", "/test.v1.Streams/Chat", *ids)
    assert (result["code"], result["ids"]) == ("OK", ids)


@pytest.mark.parametrize("service, healthy", [
    ("SERVING", True), ("NOT_SERVING", False), ("SERVICE_UNKNOWN", False), ("UNKNOWN", False),
    ("unknown", False)])
def test_healthy(call, service, healthy):
    assert call("health", service)["healthy"] is healthy


def test_nobody_there(run):
    done = run("rpc_caller", "127.0.0.1:1", "health", "", 500)
    assert json.loads(done.stdout)["healthy"] is False
    done = run("rpc_caller", "127.0.0.1:1", "unary", GET, 300, "x")  # it waits for the server
    assert json.loads(done.stdout)["code"] == "DEADLINE_EXCEEDED"
