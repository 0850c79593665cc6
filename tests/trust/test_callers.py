"""Who may call what, over python3-grpcio: a row for each way of calling."""
import grpc
import pytest
from grpc.health.v1 import health_pb2, health_pb2_grpc
from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc
from omnidata.access.v1 import access_pb2, access_pb2_grpc
from omnidata.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from omnidata.api.v1.caller_pb2 import Caller
from omnidata.event.v1 import source_pb2, source_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc
from support import trust
from words import ADA, ADMIN, KEY, outcome

CREATE = (user_pb2_grpc.UserServiceStub, "CreateUser", user_pb2.CreateUserRequest())
GET = (user_pb2_grpc.UserServiceStub, "GetUser", user_pb2.GetUserRequest(id="x"))
EMITTED = (source_pb2_grpc.EventSourceServiceStub, "GetEmitted", source_pb2.GetEmittedRequest())
LEASE = (access_pb2_grpc.AccessServiceStub, "LeaseQuota", access_pb2.LeaseQuotaRequest())
PLANS = (access_pb2_grpc.AccessServiceStub, "ListPlans", access_pb2.ListPlansRequest())
RECORD = (analytics_pb2_grpc.AnalyticsServiceStub, "RecordEvents",
          analytics_pb2.RecordEventsRequest())
STATUS = (analytics_pb2_grpc.AnalyticsServiceStub, "GetPipelineStatus",
          analytics_pb2.GetPipelineStatusRequest())

# What gets through is then refused by the handler: the requests are wrong.
LET_IN = "INVALID_ARGUMENT INVALID_FIELD"
NOBODY = "UNAUTHENTICATED PEER_UNKNOWN"
WRONG = "UNAUTHENTICATED PEER_TOKEN_WRONG"


def token(name):
    return ("omni-peer-token", trust.TOKENS[name])


def says(**caller):
    return ("omni-caller-bin", Caller(**caller).SerializeToString())


@pytest.mark.parametrize("call,metadata,expected", [
    # nobody
    (CREATE, [], NOBODY),
    (GET, [], NOBODY),
    (EMITTED, [], NOBODY),
    (LEASE, [], NOBODY),
    (RECORD, [], NOBODY),
    (STATUS, [], NOBODY),
    (CREATE, [says(**ADMIN)], NOBODY),
    (CREATE, [("authorization", "Bearer " + trust.TOKENS["operator"])], NOBODY),
    (CREATE, [("omni-peer-token", "")], NOBODY),
    # a token that is nobody's
    (CREATE, [("omni-peer-token", "x" * 43)], WRONG),
    (CREATE, [("omni-peer-token", trust.TOKENS["operator"][:-1])], WRONG),
    (CREATE, [("omni-peer-token", trust.TOKENS["operator"] + "x")], WRONG),
    (CREATE, [("omni-peer-token", "operator")], WRONG),
    (CREATE, [("omni-peer-token", "x" * 43), token("operator")], WRONG),
    # the gateway, for a client
    (GET, [token("gateway"), says()], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    (GET, [token("gateway"), says(address="1.2.3.4")], "UNAUTHENTICATED KEY_REQUIRED"),
    (GET, [token("gateway"), says(**{**ADA, "key_id": ""})], "UNAUTHENTICATED KEY_REQUIRED"),
    (GET, [token("gateway"), says(**KEY)], LET_IN),
    (EMITTED, [token("gateway"), says(**KEY)], "OK"),
    (STATUS, [token("gateway"), says(**KEY)], "OK"),
    (CREATE, [token("gateway"), says(**KEY)], "UNAUTHENTICATED SIGN_IN_REQUIRED"),
    (CREATE, [token("gateway"), says(**{**ADA, "issuer": ""})], "UNAUTHENTICATED SIGN_IN_REQUIRED"),
    (CREATE, [token("gateway"), says(**{**ADA, "subject": ""})], "UNAUTHENTICATED SIGN_IN_REQUIRED"),
    (CREATE, [token("gateway"), says(**{**ADA, "scopes": []})], "PERMISSION_DENIED SCOPE_REQUIRED"),
    (CREATE, [token("gateway"), says(**{**ADA, "scopes": ["admin", "users.writer"]})],
     "PERMISSION_DENIED SCOPE_REQUIRED"),
    (CREATE, [token("gateway"), says(**ADA)], LET_IN),
    (PLANS, [token("gateway"), says(**ADA)], "PERMISSION_DENIED SCOPE_REQUIRED"),
    (PLANS, [token("gateway"), says(**ADMIN)], "OK"),
    (CREATE, [token("gateway"), ("omni-caller-bin", b"\x0a\x7fx")], "UNAUTHENTICATED CALLER_MALFORMED"),
    (CREATE, [token("gateway"), ("omni-caller-bin", b"\x0a\x02\xff\xfe")],
     "UNAUTHENTICATED CALLER_MALFORMED"),
    # internal methods are no client's, whoever he is
    (RECORD, [token("gateway"), says(**ADMIN)], "PERMISSION_DENIED METHOD_INTERNAL"),
    (LEASE, [token("gateway"), says(**ADMIN)], "PERMISSION_DENIED METHOD_INTERNAL"),
    # the gateway, for itself
    (CREATE, [token("gateway")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    (GET, [token("gateway")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    (RECORD, [token("gateway")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    (PLANS, [token("gateway")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    # the user service
    (RECORD, [token("user")], LET_IN),
    (STATUS, [token("user")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    (CREATE, [token("user")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    (RECORD, [token("user"), says(**ADMIN)], "PERMISSION_DENIED CALLER_NOT_BELIEVED"),
    # the operator
    (CREATE, [token("operator")], LET_IN),
    (EMITTED, [token("operator")], "OK"),
    (PLANS, [token("operator")], "OK"),
    (STATUS, [token("operator")], "OK"),
    (CREATE, [token("operator"), says(**ADMIN)], "PERMISSION_DENIED CALLER_NOT_BELIEVED"),
])
def test_who_may_call_what(call, metadata, expected, user, analytics):
    stub, method, request = call
    served_by = analytics if stub is analytics_pb2_grpc.AnalyticsServiceStub else user
    with grpc.insecure_channel(served_by.address) as channel:
        assert outcome(getattr(stub(channel), method), request, metadata=metadata) == expected


def test_refusals_of_strangers_are_audited(user, wait_until):
    with grpc.insecure_channel(user.address) as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)
        outcome(stub.GetUser, GET[2], metadata=[says(**ADMIN), ("x-request-id", "stranger-1")])
        outcome(stub.GetUser, GET[2], metadata=[token("gateway"), says(**{**KEY, "key_id": ""})])

    def lines():
        return [line for line in user.events("audit") if line["method"].endswith("/GetUser")
                and (line["request_id"] == "stranger-1" or line["address"] == KEY["address"])]

    stranger, keyless = wait_until(lambda: len(lines()) >= 2 and lines()[-2:])
    assert (stranger["code"], stranger["reason"]) == ("UNAUTHENTICATED", "PEER_UNKNOWN")
    assert stranger["peer"] == stranger["subject"] == ""  # what a stranger says is not told
    assert stranger["address"].startswith("ipv4:127.0.0.1:")
    assert (keyless["code"], keyless["reason"]) == ("UNAUTHENTICATED", "KEY_REQUIRED")
    assert (keyless["peer"], keyless["request_id"]) == ("gateway", KEY["request_id"])


def test_refused_before_the_message_is_read(user):
    """What cannot be decoded is refused for who sent it, not for what it is."""
    with grpc.insecure_channel(user.address) as channel:
        call = channel.unary_unary("/omnidata.user.v1.UserService/CreateUser")
        assert outcome(call, b"\xff\xff") == NOBODY
        assert outcome(call, b"\xff\xff", metadata=[token("operator")]) \
            == "INVALID_ARGUMENT MALFORMED_REQUEST"


def test_a_stream_is_refused_too(analytics):
    with grpc.insecure_channel(analytics.address) as channel:
        stub = analytics_pb2_grpc.AnalyticsServiceStub(channel)
        tail = stub.TailEvents(analytics_pb2.TailEventsRequest(), timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            next(tail)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_health_and_reflection_are_everybodys(user, analytics):
    for program in (user, analytics):
        with grpc.insecure_channel(program.address) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            listed = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=60)
            assert next(listed).list_services_response.service


def test_who_knows_nobody_believes_nobody(start, tmp_path):
    """Without tokens and certificates, whatever comes is refused; so is a gateway's word."""
    alone = start("omni-user", "--listen=127.0.0.1:0", "--events=none:", f"--data-dir={tmp_path}",
                  "--token-file=", "--access=open")
    for metadata in ([], [token("operator")], [token("gateway"), says(**ADMIN)]):
        with grpc.insecure_channel(alone.address) as channel:
            got = outcome(user_pb2_grpc.UserServiceStub(channel).GetUser,
                          user_pb2.GetUserRequest(id="x"), metadata=metadata)
            assert got.startswith("UNAUTHENTICATED")
    assert alone.events("peers_unknown")


def test_open_is_open_for_the_gateways_clients_only(start, tmp_path):
    program = start("omni-user", "--listen=127.0.0.1:0", "--events=none:",
                    f"--data-dir={tmp_path}", "--access=open")
    for metadata, expected in (([], NOBODY), ([token("user")], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
                               ([token("gateway"), says(address="1.2.3.4")], LET_IN)):
        with grpc.insecure_channel(program.address) as channel:
            assert outcome(user_pb2_grpc.UserServiceStub(channel).CreateUser,
                           user_pb2.CreateUserRequest(), metadata=metadata) == expected


@pytest.mark.parametrize("program,settings,problem", [
    ("omni-user", ["--listen=0.0.0.0:0"], "--listen: 0.0.0.0:0 is not on this machine alone"),
    ("omni-analytics", ["--listen=[::]:0"], "--listen: [::]:0 is not on this machine alone"),
    ("omni-user", ["--events=grpc://users.example:1"], "--events: users.example:1 is not on this machine"),
    ("omni-gateway", ["--upstreams=a.b=10.1.2.3:1"], "--upstreams: 10.1.2.3:1 is not on this machine"),
    ("omni-user", ["--token-file=/nowhere/tokens"], "--token-file: /nowhere/tokens: No such file"),
    ("omni-user", ["--peer-cert=x"], "--peer-cert is set without --peer-key"),
    ("omni-user", ["--peer-names=x"], "--peer-names: \"x\" is not name=SAN|SAN"),
])
def test_what_would_not_be_safe_does_not_start(program, settings, problem, run, tmp_path):
    folder = [] if program == "omni-gateway" else [f"--data-dir={tmp_path}"]
    done = run(program, *folder, "--listen=127.0.0.1:0", *settings)
    assert done.returncode == 2 and problem in done.stderr, done.stderr


def test_a_token_file_that_others_can_read_is_refused(run, tmp_path):
    tokens = trust.write_tokens(tmp_path / "tokens", trust.TOKENS)
    tokens.chmod(0o644)
    done = run("omni-analytics", f"--data-dir={tmp_path}", f"--token-file={tokens}")
    assert done.returncode == 2 and "chmod 600" in done.stderr
    done = run("omnictl", "reconcile", f"--token-file={tokens}")
    assert done.returncode == 2 and "chmod 600" in done.stderr
    assert not any(secret in done.stderr for secret in trust.TOKENS.values())


def test_omnictl_says_why_it_is_refused(run, user, analytics, tmp_path):
    tokens = trust.write_tokens(tmp_path / "tokens", {"operator": "o" * 40})
    done = run("omnictl", f"--token-file={tokens}", "reconcile", f"--users={user.address}",
               f"--analytics={analytics.address}")
    assert done.returncode != 0 and "UNAUTHENTICATED" in done.stderr and "o" * 40 not in done.stderr
