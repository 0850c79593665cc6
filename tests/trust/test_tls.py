"""Mutual TLS between processes: whose certificate is whose, what is refused, rotation while in use."""
import ssl
import threading

import grpc
import pytest
from grpc.health.v1 import health_pb2, health_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc
from support import trust
from support.certificates import Authority
from words import ADA, outcome

NAMES = ("gateway=spiffe://omni/gateway|gw.internal,user=spiffe://omni/user,"
         "operator=spiffe://omni/operator,analytics=spiffe://omni/analytics")
HERE = "IP:127.0.0.1,DNS:localhost"
LET_IN = "INVALID_ARGUMENT INVALID_FIELD"
NOBODY = "UNAUTHENTICATED PEER_UNKNOWN"
SHUT_OUT = "UNAVAILABLE"


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    for name in ("gateway", "user", "operator", "analytics"):
        authority.issue(name, f"URI:spiffe://omni/{name},{HERE}")
    authority.issue("by-dns", "DNS:gw.internal")
    authority.issue("upper", "DNS:GW.INTERNAL")
    authority.issue("stranger", f"URI:spiffe://omni/stranger,{HERE}")
    authority.issue("longer", "URI:spiffe://omni/gateway/x,DNS:x.gw.internal")
    authority.issue("confused", "DNS:spiffe.omni.gateway,URI:gw.internal")
    authority.issue("gw.internal", "email:gw.internal@x.example")
    authority.issue("expired", "URI:spiffe://omni/gateway", days=-1)
    return authority


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("other-ca"))
    authority.issue("gateway", f"URI:spiffe://omni/gateway,{HERE}")
    return authority


def settings(ca, name, **more):
    pem, key = ca.folder / f"{name}.pem", ca.folder / f"{name}.key"
    values = {"peer-cert": pem, "peer-key": key, "peer-ca": ca.ca, "peer-names": NAMES,
              "token-file": "", **{k.replace("_", "-"): v for k, v in more.items()}}
    return [f"--{key}={value}" for key, value in values.items()]


@pytest.fixture(scope="module")
def secure_user(module_start, tmp_path_factory, ca):
    return module_start("omni-user", "--listen=127.0.0.1:0", "--events=none:", "--access=policy",
                        f"--data-dir={tmp_path_factory.mktemp('user')}",
                        *settings(ca, "user", token_file=trust.token_file()))


def channel(address, ca, name=None, authority=None):
    """name: whose certificate; authority: the CA that made it."""
    pair = {}
    if name:
        folder = (authority or ca).folder
        pair = {"private_key": (folder / f"{name}.key").read_bytes(),
                "certificate_chain": (folder / f"{name}.pem").read_bytes()}
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.ca.read_bytes(), **pair),
                               options=[("grpc.use_local_subchannel_pool", 1)])


def says(**caller):
    from omnidata.api.v1.caller_pb2 import Caller
    return ("omni-caller-bin", Caller(**caller).SerializeToString())


@pytest.mark.parametrize("name,metadata,expected", [
    ("gateway", [says(**ADA)], LET_IN),
    ("by-dns", [says(**ADA)], LET_IN),
    ("upper", [says(**ADA)], LET_IN),
    ("operator", [], LET_IN),
    ("operator", [says(**ADA)], "PERMISSION_DENIED CALLER_NOT_BELIEVED"),
    ("user", [says(**ADA)], "PERMISSION_DENIED CALLER_NOT_BELIEVED"),
    ("user", [], "PERMISSION_DENIED METHOD_NOT_GRANTED"),
    # a certificate of our CA in which no listed name stands
    ("stranger", [says(**ADA)], NOBODY),
    ("longer", [says(**ADA)], NOBODY),
    ("confused", [says(**ADA)], NOBODY),
    ("gw.internal", [says(**ADA)], NOBODY),  # the common name is no name
    # no certificate
    (None, [says(**ADA)], NOBODY),
    (None, [], NOBODY),
    # a token beside the certificate: of the same peer, of another, of nobody
    ("operator", [("omni-peer-token", trust.TOKENS["operator"])], LET_IN),
    ("operator", [("omni-peer-token", trust.TOKENS["gateway"])], "UNAUTHENTICATED PEER_TOKEN_WRONG"),
    ("operator", [("omni-peer-token", "x" * 40)], "UNAUTHENTICATED PEER_TOKEN_WRONG"),
    (None, [("omni-peer-token", trust.TOKENS["operator"])], LET_IN),
    # the connection itself is refused
    ("expired", [says(**ADA)], SHUT_OUT),
])
def test_whose_certificate_is_whose(name, metadata, expected, secure_user, ca):
    with channel(secure_user.address, ca, name) as opened:
        assert outcome(user_pb2_grpc.UserServiceStub(opened).CreateUser,
                       user_pb2.CreateUserRequest(), metadata=metadata) == expected


def test_another_authoritys_certificate_is_shut_out(secure_user, ca, other_ca):
    with channel(secure_user.address, ca, "gateway", other_ca) as opened:
        assert outcome(user_pb2_grpc.UserServiceStub(opened).CreateUser,
                       user_pb2.CreateUserRequest(), metadata=[says(**ADA)]) == SHUT_OUT


def test_plaintext_is_shut_out(secure_user):
    with grpc.insecure_channel(secure_user.address) as opened:
        assert outcome(user_pb2_grpc.UserServiceStub(opened).GetUser,
                       user_pb2.GetUserRequest()) == SHUT_OUT


def test_health_needs_no_certificate(secure_user, ca):
    with channel(secure_user.address, ca) as opened:
        answer = health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest(), timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def secure_stack(new_stack, ca, **names):
    """The three programs, each with its certificate; tokens are nobody's, clients are asked nothing."""
    stack = new_stack()
    for program in ("user", "analytics", "gateway"):
        stack.settings[program]["access"] = "open"
        for setting in settings(ca, names.get(program, program)):
            key, value = setting[2:].split("=", 1)
            stack.settings[program][key] = value
    return stack.start()


def test_the_whole_system_on_mutual_tls(new_stack, ca, run, wait_until):
    stack = secure_stack(new_stack, ca)
    made = stack.http.post("/v1/users", json={"email": "tls@x.example", "displayName": "T"})
    assert made.status_code == 201, made.text
    reconcile = run("omnictl", "reconcile", "--wait=60s", f"--users={stack.user.address}",
                    f"--analytics={stack.analytics.address}", *settings(ca, "operator"))
    assert reconcile.returncode == 0, reconcile.stdout + reconcile.stderr
    refused = run("omnictl", "reconcile", f"--users={stack.user.address}",
                  f"--analytics={stack.analytics.address}", *settings(ca, "stranger"))
    assert refused.returncode != 0 and "UNAUTHENTICATED" in refused.stderr
    # Nothing is left that would speak in the clear.
    with grpc.insecure_channel(stack.analytics.address) as opened:
        call = opened.unary_unary("/omnidata.analytics.v1.AnalyticsService/GetSummary")
        assert outcome(call, b"", timeout=5) == SHUT_OUT


def test_an_impostor_is_not_talked_to(new_stack, ca, run):
    """A server with a certificate of the CA, but in nobody's name that is listed."""
    stack = secure_stack(new_stack, ca, user="stranger")
    answer = stack.http.get("/v1/users")
    assert answer.status_code == 503 and "spiffe" not in answer.text
    done = run("omnictl", "export", "-", "--retry-for=5s", f"--users={stack.user.address}",
               *settings(ca, "operator"))
    assert done.returncode != 0 and "UNAVAILABLE" in done.stderr


def test_rotation_while_in_use(new_stack, tmp_path, wait_until):
    """Certificates are replaced under load: no call fails, and new connections see the new ones."""
    ca = Authority(tmp_path)
    for name in ("gateway", "user", "analytics"):
        ca.issue(name, f"URI:spiffe://omni/{name},{HERE}")
    stack = secure_stack(new_stack, ca)
    host, port = "127.0.0.1", stack.user.port
    before = ssl.get_server_certificate((host, port))
    stop, failures, calls = threading.Event(), [], [0]

    def load():
        while not stop.is_set():
            answer = stack.http.get("/v1/users?pageSize=1")
            calls[0] += 1
            if answer.status_code != 200:
                failures.append(answer.text)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        ca.issue("user", f"URI:spiffe://omni/user,{HERE}")
        wait_until(lambda: ssl.get_server_certificate((host, port)) != before, what="the new one")
        shown = ssl.get_server_certificate((host, port))
        assert shown.split() == (ca.folder / "user.pem").read_text().split()
        done = calls[0]
        wait_until(lambda: calls[0] > done + 20, what="calls go on")
    finally:
        stop.set()
        thread.join()
    assert not failures, failures[:3]
    # The gateway's own, too: what it shows when it connects anew is nobody's now. That is no fault
    # of the client's, and is not told as one.
    ca.issue("gateway", f"URI:spiffe://omni/stranger,{HERE}")

    def turned_away():
        stack.user.stop()
        stack.start_user()
        answer = wait_until(lambda: (got := stack.http.get("/v1/users")).status_code != 503 and got)
        return answer.status_code != 200 and answer

    answer = wait_until(turned_away, 60, "the new certificate is shown")
    assert answer.status_code == 500 and "UPSTREAM_FAILED" in answer.text and "peer" not in answer.text
