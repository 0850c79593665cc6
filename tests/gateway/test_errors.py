"""Every failure, from whichever stage, in one shape; and what an upstream's failures become."""
import json
import threading

import grpc
import httpx
import pytest
from conftest import settings
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from omnidata.user.v1 import user_pb2
from support.raw_client import Raw
from upstream import error_info, fail

HTTP_OF = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400,
           12: 501, 13: 500, 14: 503, 15: 500, 16: 401}


def assert_shape(answer, status, name=None, reason=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("allow" in answer.headers) == (status == 405)
    assert "retry-after" in answer.headers or status not in (429, 503)
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == status and error["message"]
    if name:
        assert error["status"] == name
    if reason:
        assert error["details"][0] == {"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                                       "reason": reason, "domain": "omnidata"}
    return error


# Rules 4, 16, 17 and 18.
@pytest.mark.parametrize("code", list(grpc.StatusCode)[1:], ids=lambda c: c.name)
def test_every_code(http, upstream, code):
    upstream.on["GetUser"] = lambda request, context: fail(context, code, "words with é",
                                                           error_info("A_REASON"))
    answer = http.get("/v1/users/x")
    error = assert_shape(answer, HTTP_OF[code.value[0]], code.name)
    hidden = code.name in ("UNKNOWN", "INTERNAL", "DATA_LOSS")
    assert (error["message"] == "words with é") != hidden
    assert ("A_REASON" in answer.text) != hidden


# Rules 17 and 18.
def test_details_are_kept(http, upstream):
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


# Rule 21.
def test_reused_idempotency_key(http, upstream):
    upstream.on["CreateUser"] = lambda request, context: fail(
        context, grpc.StatusCode.INVALID_ARGUMENT, "other body", error_info("IDEMPOTENCY_KEY_REUSED"))
    assert_shape(http.post("/v1/users", json={}), 422, "INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")


# Rules 16 and 18.
@pytest.mark.parametrize("reason", ["DISK_FULL", "OUTBOX_FULL"])
def test_a_full_service_is_not_the_callers_fault(http, upstream, reason):
    upstream.on["CreateUser"] = lambda request, context: fail(
        context, grpc.StatusCode.RESOURCE_EXHAUSTED, "no room", error_info(reason))
    answer = http.post("/v1/users", json={})
    error = assert_shape(answer, 503, "RESOURCE_EXHAUSTED", reason)
    assert error["message"] == "no room"
    assert int(answer.headers["retry-after"]) >= 1


# Rules 4, 12 and 17.
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


# Rules 2, 12 and 13.
@pytest.mark.parametrize("text, reason", [
    ("", "INVALID_JSON"), ("{", "INVALID_JSON"), ('{"email":"a","email":"b"}', "INVALID_JSON"),
    ('{"email":"\\ud800"}', "INVALID_JSON"), (b'{"email":"\xff"}', "INVALID_JSON"),
    ("[" * 200 + "]" * 200, "JSON_TOO_DEEP"), ('{} {}', "INVALID_JSON"), ("NaN", "INVALID_JSON"),
])
def test_malformed_json(http, upstream, text, reason):
    answer = http.post("/v1/users", content=text, headers={"Content-Type": "application/json"})
    assert_shape(answer, 400, "INVALID_ARGUMENT", reason)


# Rules 8 and 17.
@pytest.mark.parametrize("query, field", [
    ("foo=1", "foo"), ("pageSize=x", "pageSize"), ("pageSize=1&pageSize=2", "pageSize"),
    ("pageSize=1&page_size=2", "page_size"), ("pageSize=1.5", "pageSize"), ("pageSize=", "pageSize"),
    ("pageSize.x=1", "pageSize.x"), ("pageSize=99999999999", "pageSize"),
    ("pageToken=%ff", "pageToken"), ("page_token=a%ed%a0%80", "page_token"),
])
def test_wrong_queries_are_named(http, upstream, query, field):
    error = assert_shape(http.get(f"/v1/users?{query}"), 400, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert [v["field"] for v in error["details"][1]["fieldViolations"]] == [field]


# Rules 6, 8 and 21.
def test_more_wrong_requests(http, upstream):
    assert_shape(http.get("/v1/users?%ff=1"), 400, reason="INVALID_QUERY")
    error = assert_shape(http.get("/v1/users/%ff"), 400, reason="INVALID_FIELD")
    assert error["details"][1]["fieldViolations"] == [{"field": "id", "description": "is not UTF-8"}]
    assert_shape(http.get("/v1/users/x?id=y"), 400, reason="INVALID_FIELD")
    assert_shape(http.patch("/v1/users/x?user.email=y", json={}), 400, reason="INVALID_FIELD")
    assert_shape(http.request("GET", "/v1/users/x", content=b"{}"), 400, reason="BODY_NOT_ALLOWED")
    answer = http.post("/v1/users?requestId=a", json={}, headers={"Idempotency-Key": "b"})
    assert_shape(answer, 400, reason="INVALID_FIELD")
    for keys in ([""], ['""'], ["a", "a"]):
        answer = http.post("/v1/users", json={}, headers=[("Idempotency-Key", key) for key in keys])
        error = assert_shape(answer, 400, reason="INVALID_FIELD")
        assert error["details"][1]["fieldViolations"][0]["field"] == "Idempotency-Key"
    assert not upstream.calls


def test_a_nul_is_passed_on(http, upstream):
    assert http.get("/v1/users?pageToken=a%00b").status_code == 200
    assert upstream.last("ListUsers")[1].page_token == "a\0b"
    assert http.get("/v1/users/a%00b").status_code == 200
    assert upstream.last("GetUser")[1].id == "a\0b"
    assert http.post("/v1/users", json={"displayName": "a\0b"}).status_code == 201
    assert upstream.last("CreateUser")[1].user.display_name == "a\0b"


# Rule 3.
@pytest.mark.parametrize("content_type, status", [
    ("application/json", 201), ("Application/JSON; charset=UTF-8", 201),
    ("application/merge-patch+json", 415), ("text/plain", 415), ("", 415),
    ("application/json; charset=latin-1", 415), ("application/x-www-form-urlencoded", 415),
])
def test_content_types(http, upstream, content_type, status):
    headers = {"Content-Type": content_type} if content_type else {}
    answer = http.post("/v1/users", content=b"{}", headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert_shape(answer, 415, "INVALID_ARGUMENT", "CONTENT_TYPE")
        assert answer.headers["accept"] == "application/json"
        patch = http.patch("/v1/users/x", content=b"{}", headers=headers)
        assert patch.status_code == 415
        assert patch.headers["accept-patch"] == "application/json"


# Rule 3.
def test_compressed_bodies_are_refused(http, upstream):
    answer = http.post("/v1/users", content=b"x", headers={"Content-Encoding": "gzip"})
    assert_shape(answer, 415, reason="CONTENT_ENCODING")
    assert answer.headers["accept-encoding"] == "identity"


# Rules 3 and 4.
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


# Rules 2 and 23.
def test_too_large(http, upstream):
    answer = http.post("/v1/users", json={"email": "x" * 70000},
                       headers={"Origin": "https://app.example"})
    assert_shape(answer, 413, "INVALID_ARGUMENT", "BODY_TOO_LARGE")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


def refused_raw(port, sent):
    """What the engine answers before it closes: the status and the error."""
    with Raw(port) as raw:
        answer = raw.send(sent).response()
        raw.expect_close()
    assert answer.get("content-type") == "application/json" and answer.get("cache-control") == "no-store"
    assert answer.get("x-request-id")
    error = json.loads(answer.body)["error"]
    assert error["code"] == answer.status
    return answer, error["details"][0]["reason"]


# Rules 2 and 4: each limit by its setting.
def test_limits_are_settings(start, upstream):
    gateway = start("omni-gateway", *settings(
        upstream, max_json_depth="10", max_in_flight="1", header_timeout="200ms", body_timeout="200ms"))
    with httpx.Client(base_url=f"http://{gateway.address}", timeout=60) as http:
        for depth, reason in ((9, "INVALID_FIELD"), (10, "JSON_TOO_DEEP")):
            deep = '{"labels":' + "[" * depth + "]" * depth + "}"
            answer = http.post("/v1/users", content=deep, headers={"Content-Type": "application/json"})
            assert_shape(answer, 400, "INVALID_ARGUMENT", reason)
        for sent in (b"GET /v1/users HT", b"POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                                          b"Content-Type: application/json\r\n\r\n{"):
            answer, reason = refused_raw(gateway.port, sent)
            assert (answer.status, reason) == (408, "REQUEST_TIMEOUT")
        entered, release = threading.Event(), threading.Event()

        def slow(request, context):
            entered.set()
            release.wait(60)
            return user_pb2.User(id="slow")

        upstream.on["GetUser"] = slow
        with Raw(gateway.port) as first:
            first.get("/v1/users/x")
            assert entered.wait(60)
            answer = http.get("/v1/users/y")
            assert_shape(answer, 503, "UNAVAILABLE", "OVERLOADED")
            assert answer.headers["retry-after"] == "1"
            assert [http.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
            release.set()
            assert json.loads(first.response().body) == {"id": "slow"}


# Rules 2, 4 and 18.
def test_too_many_connections(start, upstream):
    gateway = start("omni-gateway", *settings(upstream, max_connections="1"))
    with Raw(gateway.port) as raw:
        assert raw.get("/healthz").response().status == 200
        answer, reason = refused_raw(gateway.port, b"")
        assert (answer.status, reason, answer.get("retry-after")) == (503, "OVERLOADED", "1")
        assert raw.get("/healthz").response().status == 200


# Rules 1, 2 and 4.
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
    assert refused_raw(gateway.port, raw)[0].status == status


# Rule 17.
def test_problem_json(http, upstream):
    answer = http.get("/v1/users?foo=1", headers={"Accept": "text/html, application/problem+json;q=1"})
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["title"], body["status"], body["code"]) == (
        "about:blank", "Bad Request", 400, "INVALID_ARGUMENT")
    assert body["detail"] and body["details"]
    for accept in ("*/*", "application/problem+json;q=0", "application/problem+xml", "application/json",
                   "application/json, application/problem+json;q=0.9"):
        assert_shape(http.get("/v1/users?foo=1", headers={"Accept": accept}), 400)


# Rules 4 and 17.
def test_problem_json_also_for_what_the_engine_refuses(http, upstream):
    answer = http.post("/v1/users", json={"email": "x" * 70000},
                       headers={"Accept": "application/problem+json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert answer.json()["status"] == 413


# Rules 4 and 17.
def test_aws_shape(start, upstream):
    gateway = start("omni-gateway", *settings(upstream, error_shape="aws", max_target_bytes="256"))
    upstream.on["GetUser"] = lambda request, context: fail(
        context, grpc.StatusCode.NOT_FOUND, "no such user", error_info("GONE"))
    for path, status, message in (
            ("/nope", 404, "There is nothing at this path."),
            ("/v1/users/x", 404, "no such user"),
            ("/v1/users?x=1", 400, "x: no such parameter"),
            ("/" + "a" * 300, 414, "The request target is too long")):
        answer = httpx.get(f"http://{gateway.address}{path}", timeout=60)
        assert answer.headers["content-type"] == "application/json"
        assert (answer.status_code, answer.json()) == (status, {"message": message})


# Rule 18.
def test_an_upstream_that_lies(http, upstream):
    """Bytes that are no message of the type become a 500 that does not say why."""
    bad = user_pb2.User(id="x")
    bad.create_time.seconds = 2**60
    upstream.on["GetUser"] = lambda request, context: bad
    assert_shape(http.get("/v1/users/x"), 500, "INTERNAL", "UPSTREAM_FAILED")


# Rule 19.
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
