"""Calls that come by a call stream are let in one by one, by whom the stream is and what each says."""
import threading

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from omnidata.access.v1 import access_pb2
from omnidata.api.v1.caller_pb2 import Caller
from omnidata.rpc.v1 import call_stream_pb2, call_stream_pb2_grpc
from omnidata.user.v1 import user_pb2
from support import trust
from words import ADA, ADMIN, KEY

CREATE = ("/omnidata.user.v1.UserService/CreateUser", user_pb2.CreateUserRequest())
LEASE = ("/omnidata.access.v1.AccessService/LeaseQuota", access_pb2.LeaseQuotaRequest())
LET_IN = (3, "INVALID_FIELD")


def call(number, what, *pairs):
    return call_stream_pb2.Call(
        id=number, method=what[0], payload=what[1].SerializeToString(), timeout_ms=10000,
        metadata=[call_stream_pb2.Metadata(key=key, value=value) for key, value in pairs])


def says(**caller):
    return ("omni-caller-bin", Caller(**caller).SerializeToString())


def reason(answer):
    for detail in status_pb2.Status.FromString(answer.details).details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            return error_details_pb2.ErrorInfo.FromString(detail.value).reason
    return ""


def exchange(address, peer, calls):
    """{id: (status, reason)} of the calls of one stream."""
    done = threading.Event()

    def requests():
        yield call_stream_pb2.CallBatch(calls=calls)
        done.wait(60)

    channel = trust.channel(address, peer) if peer else grpc.insecure_channel(address)
    with channel:
        outcomes = {}
        for batch in call_stream_pb2_grpc.CallStreamServiceStub(channel).Exchange(requests(), timeout=60):
            outcomes.update({a.id: (a.status, reason(a)) for a in batch.answers})
            if len(outcomes) == len(calls):
                done.set()
        return outcomes


def test_each_has_its_own_caller(user):
    denied, unknown = 7, 16
    calls = [(CREATE, [says(**ADA)], LET_IN),
             (CREATE, [says(**KEY)], (unknown, "SIGN_IN_REQUIRED")),
             (CREATE, [says(**{**ADA, "scopes": []})], (denied, "SCOPE_REQUIRED")),
             (CREATE, [], (denied, "METHOD_NOT_GRANTED")),
             (LEASE, [says(**ADMIN)], (denied, "METHOD_INTERNAL")),
             (LEASE, [], LET_IN),
             (CREATE, [("omni-caller-bin", b"\x0a\x7fx")], (unknown, "CALLER_MALFORMED")),
             # An element is by whom its stream is, whatever else it says.
             (CREATE, [("omni-peer-token", trust.TOKENS["operator"].encode())],
              (denied, "METHOD_NOT_GRANTED"))]
    got = exchange(user.address, "gateway",
                   [call(i, what, *pairs) for i, (what, pairs, _) in enumerate(calls)])
    assert got == {i: expected for i, (_, _, expected) in enumerate(calls)}


def test_only_a_gateways_stream_speaks_for_others(user):
    got = exchange(user.address, "operator", [call(1, CREATE, says(**ADA)), call(2, CREATE)])
    assert got == {1: (7, "CALLER_NOT_BELIEVED"), 2: LET_IN}
    got = exchange(user.address, "user", [call(1, CREATE), call(2, LEASE)])
    assert got == {1: (7, "METHOD_NOT_GRANTED"), 2: (7, "METHOD_NOT_GRANTED")}


def test_nobody_opens_one(user):
    with pytest.raises(grpc.RpcError) as caught:
        exchange(user.address, None, [call(1, CREATE, says(**ADMIN))])
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_refused_element_is_audited(user, wait_until):
    exchange(user.address, "gateway", [
        call(1, LEASE, says(**{**ADMIN, "request_id": "by-stream"}))])
    lines = wait_until(lambda: [line for line in user.events("audit")
                                if line["request_id"] == "by-stream"])
    assert [(line["method"], line["reason"], line["subject"], line["peer"]) for line in lines] == [
        (LEASE[0], "METHOD_INTERNAL", "root", "gateway")]
