"""Every failure, from whichever stage, in one shape; and what an upstream's failures become."""
import socket
import threading

import grpc
import httpx
import pytest
from google.protobuf import duration_pb2
from conftest import settings
from google.rpc import error_details_pb2
from upstream import error_info, fail

HTTP_OF = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400,
           12: 501, 13: 500, 14: 503, 15: 500, 16: 401}


def assert_shape(answer, status, name=None, reason=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == status and error["message"]
    if name:
        assert error["status"] == name
    if reason:
        assert error["details"][0] == {"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                                       "reason": reason, "domain": "omnidata"}
    return error


@pytest.mark.parametrize("code", list(grpc.StatusCode)[1:], ids=lambda c: c.name)
def test_every_code(http, upstream, code):
    upstream.on["GetUser"] = lambda request, context: fail(context, code, "words with é",
                                                           error_info("A_REASON"))
    answer = http.get("/v1/users/x")
    error = assert_shape(answer, HTTP_OF[code.value[0]], code.name)
    hidden = code.name in ("UNKNOWN", "INTERNAL", "DATA_LOSS")
    assert ("words" in error["message"]) != hidden
    assert ("A_REASON" in answer.text) != hidden
    assert ("retry-after" in answer.headers) == (answer.status_code in (429, 503))
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


def test_details_are_kept(http, upstream):
    from omnidata.user.v1 import user_pb2
    upstream.on["CreateUser"] = lambda request, context: fail(
        context, grpc.StatusCode.INVALID_ARGUMENT, "bad",
        error_info("INVALID_FIELD", limit="3"),
        error_details_pb2.BadRequest(field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="user.email", description="no")]),
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2, nanos=500_000_000)),
        user_pb2.Owner(issuer="any type of the schema"))
    answer = http.post("/v1/users", json={})
    assert assert_shape(answer, 400)["details"] == [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_FIELD",
         "domain": "omnidata", "metadata": {"limit": "3"}},
        {"@type": "type.googleapis.com/google.rpc.BadRequest",
         "fieldViolations": [{"field": "user.email", "description": "no"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.500s"},
        {"@type": "type.googleapis.com/omnidata.user.v1.Owner", "issuer": "any type of the schema"}]
    assert answer.headers["retry-after"] == "3"


def test_reused_idempotency_key(http, upstream):
    upstream.on["CreateUser"] = lambda request, context: fail(
        context, grpc.StatusCode.INVALID_ARGUMENT, "other body", error_info("IDEMPOTENCY_KEY_REUSED"))
    assert_shape(http.post("/v1/users", json={}), 422, "INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("reason", ["DISK_FULL", "OUTBOX_FULL"])
def test_a_full_service_is_not_the_callers_fault(http, upstream, reason):
    upstream.on["CreateUser"] = lambda request, context: fail(
        context, grpc.StatusCode.RESOURCE_EXHAUSTED, "no room", error_info(reason))
    answer = http.post("/v1/users", json={})
    error = assert_shape(answer, 503, "RESOURCE_EXHAUSTED", reason)
    assert error["message"] == "no room"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("body, path", [
    ({"emial": "x"}, "user.emial"),
    ({"email": 5}, "user.email"),
    ({"labels": {"a": 1}}, "user.labels.a"),
    ({"labels": {"a": None}}, "user.labels.a"),
    ({"labels": []}, "user.labels"),
    ({"owner": {"isuer": "x"}}, "user.owner.isuer"),
    ({"status": "NO_SUCH"}, "user.status"),
    ({"createTime": "yesterday"}, "user.createTime"),
    ({"displayName": "a", "display_name": "b"}, "user.display_name"),
    ([1], "user"),
])
def test_wrong_bodies_are_named(http, upstream, body, path):
    error = assert_shape(http.post("/v1/users", json=body), 400, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert [v["field"] for v in error["details"][1]["fieldViolations"]] == [path]
    assert not upstream.calls


@pytest.mark.parametrize("text, reason", [
    ("", "INVALID_JSON"), ("{", "INVALID_JSON"), ('{"email":"a","email":"b"}', "INVALID_JSON"),
    ('{"email":"\\ud800"}', "INVALID_JSON"), (b'{"email":"\xff"}', "INVALID_JSON"),
    ("[" * 200 + "]" * 200, "JSON_TOO_DEEP"), ('{} {}', "INVALID_JSON"), ("NaN", "INVALID_JSON"),
])
def test_malformed_json(http, upstream, text, reason):
    answer = http.post("/v1/users", content=text, headers={"Content-Type": "application/json"})
    assert_shape(answer, 400, "INVALID_ARGUMENT", reason)


@pytest.mark.parametrize("query, field", [
    ("foo=1", "foo"), ("pageSize=x", "pageSize"), ("pageSize=1&pageSize=2", "pageSize"),
    ("pageSize=1&page_size=2", "page_size"), ("pageSize=1.5", "pageSize"), ("pageSize=", "pageSize"),
    ("pageSize.x=1", "pageSize.x"), ("pageSize=99999999999", "pageSize"),
    ("pageToken=%ff", "pageToken"), ("page_token=a%ed%a0%80", "page_token"),
])
def test_wrong_queries_are_named(http, upstream, query, field):
    error = assert_shape(http.get(f"/v1/users?{query}"), 400, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert [v["field"] for v in error["details"][1]["fieldViolations"]] == [field]


def test_more_wrong_requests(http, upstream):
    assert_shape(http.get("/v1/users?%ff=1"), 400, reason="INVALID_QUERY")
    error = assert_shape(http.get("/v1/users/%ff"), 400, reason="INVALID_FIELD")
    assert error["details"][1]["fieldViolations"] == [{"field": "id", "description": "is not UTF-8"}]
    assert_shape(http.get("/v1/users/x?id=y"), 400, reason="INVALID_FIELD")
    assert_shape(http.patch("/v1/users/x?user.email=y", json={}), 400, reason="INVALID_FIELD")
    assert_shape(http.request("GET", "/v1/users/x", content=b"{}"), 400, reason="BODY_NOT_ALLOWED")
    answer = http.post("/v1/users?requestId=a", json={}, headers={"Idempotency-Key": "b"})
    assert_shape(answer, 400, reason="INVALID_FIELD")
    assert not upstream.calls


def test_a_nul_is_passed_on(http, upstream):
    assert http.get("/v1/users?pageToken=a%00b").status_code == 200
    assert upstream.last("ListUsers")[1].page_token == "a\0b"
    assert http.get("/v1/users/a%00b").status_code == 200
    assert upstream.last("GetUser")[1].id == "a\0b"
    assert http.post("/v1/users", json={"displayName": "a\0b"}).status_code == 201
    assert upstream.last("CreateUser")[1].user.display_name == "a\0b"


@pytest.mark.parametrize("content_type, status", [
    ("application/json", 201), ("Application/JSON; charset=UTF-8", 201),
    ("application/merge-patch+json", 201), ("text/plain", 415), ("", 415),
    ("application/json; charset=latin-1", 415), ("application/x-www-form-urlencoded", 415),
])
def test_content_types(http, upstream, content_type, status):
    headers = {"Content-Type": content_type} if content_type else {}
    answer = http.post("/v1/users", content=b"{}", headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert_shape(answer, 415, "INVALID_ARGUMENT", "CONTENT_TYPE")


def test_compressed_bodies_are_refused(http, upstream):
    answer = http.post("/v1/users", content=b"x", headers={"Content-Encoding": "gzip"})
    assert_shape(answer, 415, reason="CONTENT_ENCODING")


def test_unknown_paths_and_methods(http, upstream):
    for path in ("/nope", "/v1/users/", "/v1/users/a/b", "/v1/users:nope", "/V1/users"):
        assert_shape(http.get(path), 404, "NOT_FOUND", "NO_SUCH_PATH")
    answer = http.put("/v1/users/x", json={})
    assert_shape(answer, 405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED")
    assert sorted(answer.headers["allow"].split(", ")) == ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"]
    answer = http.post("/v1/users:search", json={})
    assert_shape(answer, 405)
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]
    answer = http.options("/v1/users")
    assert answer.status_code == 204
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD", "OPTIONS", "POST"]
    assert_shape(http.post("/small.css", content=b""), 405)
    assert_shape(http.post("/healthz", content=b""), 405)


def test_too_large(http, upstream):
    answer = http.post("/v1/users", json={"email": "x" * 70000},
                       headers={"Origin": "https://app.example"})
    assert_shape(answer, 413, "INVALID_ARGUMENT", "BODY_TOO_LARGE")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize("raw, status", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (b"GET /v1/users?pageToken=%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
    (b"GET /v1/users/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
    (b"GET / HTTP/2.5\r\nHost: a\r\n\r\n", 505),
    (b"POST /v1/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
])
def test_what_the_engine_refuses(gateway, raw, status):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        sock.sendall(raw)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"application/json" in head and b"no-store" in head and b"X-Request-Id" in head
    import json
    error = json.loads(body)["error"]
    assert error["code"] == status and error["details"][0]["reason"]


def test_problem_json(http, upstream):
    answer = http.get("/v1/users?foo=1", headers={"Accept": "text/html, application/problem+json;q=1"})
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["title"], body["status"], body["code"]) == (
        "about:blank", "Bad Request", 400, "INVALID_ARGUMENT")
    assert body["detail"] and body["details"]


def test_aws_shape(start, upstream):
    gateway = start("omni-gateway", *settings(upstream, error_shape="aws"))
    answer = httpx.get(f"http://{gateway.address}/nope")
    assert answer.json() == {"message": "There is nothing at this path."}


def test_an_upstream_that_lies(http, upstream):
    """Bytes that are no message of the type become a 500 that does not say why."""
    class Raw:
        def SerializeToString(self):
            return b"\xff\xff\xff"
    from omnidata.user.v1 import user_pb2
    bad = user_pb2.User(id="x")
    bad.create_time.seconds = 2**60
    upstream.on["GetUser"] = lambda request, context: bad
    assert_shape(http.get("/v1/users/x"), 500, "INTERNAL", "UPSTREAM_FAILED")


def test_deadline(start, upstream):
    gateway = start("omni-gateway", *settings(upstream, deadline="300ms"))

    def late(request, context):
        release.wait(60)
        fail(context, grpc.StatusCode.OK, "late")

    release = threading.Event()
    upstream.on["GetUser"] = late
    answer = httpx.get(f"http://{gateway.address}/v1/users/x", timeout=60)
    release.set()
    assert_shape(answer, 504, "DEADLINE_EXCEEDED", "UPSTREAM_TIMEOUT")
