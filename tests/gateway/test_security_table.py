"""Tricks at the edge, as tables: what is sent, and the documented answer. Tokens have a table of
their own (test_token_table.py), API keys are in test_api_keys.py, files in test_edge.py."""
import json

import httpx
import pytest
from conftest import policy, settings
from omnidata.api.v1 import caller_pb2
from support.programs import wait_until
from support.raw_client import Raw

APP = "https://app.example"


@pytest.fixture(scope="module")
def gateway(module_start, shared_upstream, module_issuer, keyless, site):
    program = module_start("omni-gateway", *settings(
        shared_upstream, issuers=module_issuer.setting, cors_origins=APP, frontend_dir=site,
        **policy(shared_upstream, keyless)))
    wait_until(lambda: program.events("issuer_keys"), what="the issuer's keys")
    return program


def reason_of(body):
    return json.loads(body)["error"]["details"][0]["reason"]


# --- paths: nothing is normalised, so nothing is another path than it was for the policy ---

PATHS = [
    # method, target, status, reason; nobody is signed in
    ("POST", "/v1/users", 401, "TOKEN_MISSING"),
    ("POST", "//v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/v1//users", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users/", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users//", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users/.", 405, "METHOD_NOT_ALLOWED"),  # the user whose id is a dot
    ("POST", "/./v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/x/../v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/x/%2e%2e/v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/x/%2E%2E/v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/x%2f..%2fv1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/healthz/../v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/healthz/%2e%2e/v1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/V1/users", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/USERS", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users.", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users%20", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users%00", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users%0a", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users;x=1", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users\\", 400, "MALFORMED_REQUEST"),
    ("POST", "/v1%2fusers", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users:create", 404, "NO_SUCH_PATH"),
    ("POST", "/v1/users?/../../healthz", 401, "TOKEN_MISSING"),
    ("POST", "http://a/v1/users", 401, "TOKEN_MISSING"),
    ("POST", "http://other.example/v1/users", 400, "MALFORMED_REQUEST"),
    ("DELETE", "/v1/users/u1", 401, "TOKEN_MISSING"),
    ("DELETE", "/v1/users/u1?access_token=x", 401, "TOKEN_MISSING"),
    ("DELETE", "/v1/users/%75%31", 401, "TOKEN_MISSING"),
    ("DELETE", "/v1/users/..", 401, "TOKEN_MISSING"),
    ("DELETE", "/v1/users/%2e%2e", 401, "TOKEN_MISSING"),
    ("DELETE", "/v1/users/u1/", 404, "NO_SUCH_PATH"),
    ("DELETE", "/v1/users/u1/../../../healthz", 404, "NO_SUCH_PATH"),
    ("delete", "/v1/users/u1", 405, "METHOD_NOT_ALLOWED"),
    ("DELETE", "/v1/users/%zz", 400, "INVALID_PATH"),
    ("POST", "/HEALTHZ", 404, "NO_SUCH_PATH"),
    ("POST", "/healthz/", 404, "NO_SUCH_PATH"),
]


# Rule 7: nothing is normalised.
@pytest.mark.parametrize("method, target, status, reason", PATHS,
                         ids=[f"{row[0]}-{row[1]}" for row in PATHS])
def test_paths(gateway, upstream, method, target, status, reason):
    with Raw(gateway.port) as raw:
        answer = raw.get(target, method, "Content-Length: 0\r\n").response()
    found = reason_of(answer.body)
    assert (answer.status, found) == (status, reason), answer.body
    assert upstream.calls == []


# Headers by which some servers let a request say that it is another one.
OVERRIDES = ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE",
             "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-Forwarded-Prefix: /healthz",
             "X-Forwarded-Method: GET", "Forwarded: for=127.0.0.1;proto=https",
             "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "X-Forwarded-User: admin",
             "X-User: admin", "X-Remote-User: admin", "X-Authenticated-Userid: admin",
             "X-Amzn-Oidc-Identity: admin", "X-Amzn-Oidc-Data: a.b.c", "Omni-Caller-Bin: CgFh",
             "omni-caller-bin: CgFhEgFi", "Grpc-Metadata-Omni-Caller-Bin: CgFh",
             "Cookie: token=x", "Connection: authorization"]


# Rule 19.
@pytest.mark.parametrize("header", OVERRIDES)
def test_headers_that_sign_nobody_in(gateway, upstream, header):
    with Raw(gateway.port) as raw:
        answer = raw.get("/v1/users/u1", "DELETE", header + "\r\n").response()
        assert (answer.status, reason_of(answer.body)) == (401, "TOKEN_MISSING")
    assert upstream.calls == []


# Rule 19.
@pytest.mark.parametrize("header", OVERRIDES)
def test_headers_that_change_nothing(gateway, upstream, module_issuer, header):
    """The service learns of the verified token and nothing of these."""
    with Raw(gateway.port) as raw:
        answer = raw.get("/v1/users/u1", "GET", f"{header}\r\nGrpc-Timeout: 1n\r\n"
                         f"Authorization: Bearer {module_issuer.mint(sub='ada')}\r\n").response()
        assert answer.status == 200
    method, request, metadata = upstream.calls.pop()
    caller = caller_pb2.Caller.FromString(metadata["omni-caller-bin"])
    assert (method, request.id) == ("GetUser", "u1")
    assert (caller.issuer, caller.subject) == (module_issuer.url, "ada")
    assert list(caller.scopes) == ["openid", "users.write"]
    assert caller.address == "127.0.0.1" and caller.key_id == ""
    told = {"omni-caller-bin", "omni-peer-token", "traceparent", "user-agent", "x-request-id"}
    assert set(metadata) <= told, set(metadata) - told


def test_nobody_is_nobody(gateway, upstream):
    with Raw(gateway.port) as raw:
        assert raw.get("/v1/users/u1", "GET", "omni-caller-bin: CgFhEgFi\r\n").response().status == 200
    caller = caller_pb2.Caller.FromString(upstream.calls.pop()[2]["omni-caller-bin"])
    assert (caller.issuer, caller.subject, list(caller.scopes)) == ("", "", [])


# --- CORS ---

ORIGINS = [
    (APP, True),
    ("HTTPS://APP.EXAMPLE", True),  # browsers write it in lower case; comparing is harmless
    ("https://app.example:443", False),
    ("https://app.example:8443", False),
    ("http://app.example", False),
    ("https://app.example.evil.example", False),
    ("https://evilapp.example", False),
    ("https://app.example@evil.example", False),
    ("https://app.example/", False),
    ("https://app.example ,https://evil.example", False),
    ("https://evil.example", False),
    ("null", False),
    ("file://", False),
    ("*", False),
    ("", False),
]


# Rule 23.
@pytest.mark.parametrize("origin, good", ORIGINS, ids=[row[0] for row in ORIGINS])
def test_origins(gateway, upstream, module_issuer, origin, good):
    """On successes, refusals and preflights: the origin itself or nothing, and never credentials."""
    token = f"Authorization: Bearer {module_issuer.mint()}\r\n"
    preflight = "Access-Control-Request-Method: DELETE\r\nAccess-Control-Request-Headers: authorization\r\n"
    for method, headers in (("GET", token), ("GET", "Cookie: session=x\r\n"), ("DELETE", ""),
                            ("GET", "Authorization: Bearer x\r\n"), ("OPTIONS", preflight)):
        with Raw(gateway.port) as raw:
            answer = raw.get("/v1/users/u1", method, f"Origin: {origin}\r\n{headers}").response()
        allowed = answer.get("access-control-allow-origin")
        assert allowed == (origin if good else None)
        assert answer.get("access-control-allow-credentials") is None
        assert "Origin" in answer.get("vary")
        if method == "OPTIONS":
            assert ("DELETE" in (answer.get("access-control-allow-methods") or "")) == good
            assert answer.get("www-authenticate") is None
    assert [call[0] for call in upstream.calls] == ["GetUser", "GetUser"]


# Rule 23.
def test_any_origin_is_still_no_credentials(start, upstream):
    program = start("omni-gateway", *settings(upstream, access="open", cors_origins="*"))
    with httpx.Client(base_url=f"http://{program.address}") as client:
        answer = client.get("/v1/users/x", headers={"Origin": "https://any.example",
                                                    "Cookie": "session=x"})
    assert answer.headers["access-control-allow-origin"] == "https://any.example"
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]


# --- fields that only the server writes ---

OUTPUT_ONLY = {
    "id": "01935c5e-7b5a-7c3e-9f4e-2b7d3a1c5e8f", "etag": "9-9", "createTime": "2001-01-01T00:00:00Z",
    "updateTime": "2001-01-01T00:00:00Z", "owner": {"issuer": "https://evil.example", "subject": "eve"},
}


@pytest.fixture(scope="module")
def system(module_start, tmp_path_factory):
    from support.stack import Stack, issuer
    stack = Stack(module_start, tmp_path_factory.mktemp("stack")).start()
    stack.issuer = issuer()
    stack.ada = stack.signed_in("ada", scope="users.write")
    yield stack
    stack.close()


def create(system, email, **fields):
    answer = system.http.post("/v1/users", headers=system.ada,
                              json={"email": email, "displayName": "A", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("field", OUTPUT_ONLY)
def test_creating_with_what_only_the_server_writes(system, field):
    plain = create(system, f"plain-{field}@example.org".lower())
    assert plain["owner"] == {"issuer": system.issuer.url, "subject": "ada"}
    made = create(system, f"{field}@example.org".lower(), **{field: OUTPUT_ONLY[field]})
    assert made[field] != OUTPUT_ONLY[field]
    assert made["owner"] == plain["owner"]
    stored = system.http.get(f"/v1/users/{made['id']}").json()
    assert stored == made


@pytest.mark.parametrize("number, mask", enumerate([
    None, "*", "display_name,owner,id,create_time,etag,update_time", "owner", "owner.subject"]))
def test_changing_what_only_the_server_writes(system, number, mask):
    """Such fields are left out of a change (AIP-203), named or not."""
    made = create(system, f"changed{number}@example.org")
    fields = {name: value for name, value in OUTPUT_ONLY.items() if name not in ("id", "etag")}
    answer = system.http.patch(
        f"/v1/users/{made['id']}", headers=system.ada,
        params={"updateMask": mask} if mask else None,
        json={"displayName": "B", "email": made["email"], **fields})
    stored = system.http.get(f"/v1/users/{made['id']}").json()
    for name in ("id", "owner", "createTime"):
        assert stored[name] == made[name], answer.text
    assert stored["updateTime"] != OUTPUT_ONLY["updateTime"]
    assert answer.status_code == 200, answer.text
