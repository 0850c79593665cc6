"""Every route of the contracts, through the real gateway: what arrives upstream, what comes back."""
import base64
import datetime
import json

import httpx
import pytest
from google.protobuf import field_mask_pb2, timestamp_pb2
from omnidata.analytics.v1 import analytics_pb2
from omnidata.api.v1.caller_pb2 import Caller
from omnidata.event.v1 import event_pb2
from omnidata.user.v1 import user_pb2
from support import trust
from upstream import events

TIME = timestamp_pb2.Timestamp(seconds=1767225600, nanos=500_000_000)


# Rules 10 and 20.
def test_create(http, upstream):
    answer = http.post("/v1/users", json={
        "email": "é@example.org", "displayName": "Zoë \"Z\"", "status": "USER_STATUS_INVITED",
        "labels": {"team": "a", "x.y-z": ""}}, headers={"Idempotency-Key": "key-1"})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/users/u1"
    assert answer.headers["etag"] == '"e1"'
    assert answer.json() == {"id": "u1", "email": "a@example.org", "etag": "e1"}
    _, request, metadata = upstream.last("CreateUser")
    assert request == user_pb2.CreateUserRequest(request_id="key-1", user=user_pb2.User(
        email="é@example.org", display_name='Zoë "Z"', status=2, labels={"team": "a", "x.y-z": ""}))
    assert metadata["x-request-id"] == answer.headers["x-request-id"]
    assert metadata["traceparent"].startswith("00-")


# Rules 7 and 20.
def test_get(http, upstream):
    user = user_pb2.User(id="a/b c", email="x@y", status=3, labels={"k": "v"}, create_time=TIME,
                         etag="v2", owner=user_pb2.Owner(issuer="i"))
    upstream.on["GetUser"] = lambda request, context: user
    answer = http.get("/v1/users/a%2Fb%20c")
    assert answer.status_code == 200
    assert upstream.last("GetUser")[1].id == "a/b c"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.json() == {
        "id": "a/b c", "email": "x@y", "status": "USER_STATUS_SUSPENDED", "labels": {"k": "v"},
        "createTime": "2026-01-01T00:00:00.500Z", "etag": "v2", "owner": {"issuer": "i"}}


def test_batch_get(http, upstream):
    from google.rpc import status_pb2
    upstream.on["BatchGetUsers"] = lambda request, context: user_pb2.BatchGetUsersResponse(results=[
        user_pb2.UserResult(user=user_pb2.User(id=request.ids[0])),
        user_pb2.UserResult(error=status_pb2.Status(code=5, message="no such user"))])
    answer = http.get("/v1/users:batchGet?ids=a&ids=b%2Cc")
    assert list(upstream.last("BatchGetUsers")[1].ids) == ["a", "b,c"]
    assert answer.json() == {"results": [{"user": {"id": "a"}},
                                         {"error": {"code": 5, "message": "no such user"}}]}


# Rule 9.
@pytest.mark.parametrize("query, body, paths", [
    ("", {"displayName": "n"}, ["display_name"]),
    ("", {"given_name": None, "labels": {}}, ["given_name", "labels"]),
    ("", {"id": "other", "etag": "", "email": "e"}, ["email"]),
    ("", {"owner": {"issuer": "x", "subject": None}}, ["owner.issuer", "owner.subject"]),
    ("", {}, []),
    ("?updateMask=displayName,labels", {"email": "e"}, ["display_name", "labels"]),
    ("?update_mask=display_name", {"email": "e"}, ["display_name"]),
    ("?updateMask=*", {"email": "e"}, ["*"]),
    ("?updateMask=", {"givenName": None}, ["given_name"]),
    ("?updateMask", {"email": "e"}, ["email"]),
    ("?updateMask=labels.Foo,labels.`a.B,c`", {"labels": {"Foo": "x"}}, ["labels.Foo", "labels.`a.B,c`"]),
])
def test_update_masks(http, upstream, query, body, paths):
    answer = http.patch(f"/v1/users/u7{query}", json=body)
    assert answer.status_code == 200, answer.text
    _, request, _ = upstream.last("UpdateUser")
    assert request.user.id == "u7"
    assert request.HasField("update_mask")
    assert request.update_mask == field_mask_pb2.FieldMask(paths=paths)


# Rule 10.
def test_delete(http, upstream):
    answer = http.delete("/v1/users/u1", headers={"If-Match": '"e9"', "Idempotency-Key": '"q"'})
    assert (answer.status_code, answer.content) == (204, b"")
    assert upstream.last("DeleteUser")[1] == user_pb2.DeleteUserRequest(id="u1", etag="e9",
                                                                        request_id="q")


# Rule 8.
def test_pages_and_search(http, upstream):
    upstream.on["ListUsers"] = lambda request, context: user_pb2.ListUsersResponse(
        users=[user_pb2.User(id=str(i)) for i in range(request.page_size)], next_page_token="t+/=")
    answer = http.get("/v1/users?pageSize=2&page_token=abc%2B")
    assert upstream.last("ListUsers")[1] == user_pb2.ListUsersRequest(page_size=2, page_token="abc+")
    assert answer.json() == {"users": [{"id": "0"}, {"id": "1"}], "nextPageToken": "t+/="}
    assert http.get("/v1/users:search?query=jos%C3%A9+a").json() == {}
    assert upstream.last("SearchUsers")[1].query == "josé a"


# Rules 8 and 11.
def test_analytics(http, upstream):
    upstream.on["GetSummary"] = lambda request, context: analytics_pb2.GetSummaryResponse(
        start_time=request.start_time, events=2**63, kinds=[analytics_pb2.KindCount(
            kind=4, count=3), analytics_pb2.KindCount(kind=99, failures=1)])
    answer = http.get("/v1/analytics/summary?startTime=2026-01-01T00:00:00.5Z")
    assert answer.json() == {
        "startTime": "2026-01-01T00:00:00.500Z", "events": str(2**63),
        "kinds": [{"kind": "EVENT_KIND_USER_READ", "count": "3"}, {"kind": 99, "failures": "1"}]}
    http.get("/v1/analytics/timeseries?granularity=GRANULARITY_HOUR&kinds=EVENT_KIND_USER_READ"
             "&kinds=6&end_time=2026-01-01T02:00:00%2B02:00")
    request = upstream.last("QueryTimeSeries")[1]
    assert (request.granularity, list(request.kinds)) == (2, [4, 6])
    assert request.end_time.ToDatetime() == datetime.datetime(2026, 1, 1)
    http.get("/v1/analytics/searches:top?limit=5&withoutResult=true")
    assert upstream.last("TopSearches")[1] == analytics_pb2.TopSearchesRequest(
        limit=5, without_result=True)
    assert http.get("/v1/analytics/pipeline").json() == {}


def test_nothing_internal_is_reachable(http):
    for path in ("/omnidata.analytics.v1.AnalyticsService/RecordEvents", "/v1/usage", "/v1/apiKeys"):
        assert http.get(path).status_code == 404
        assert http.post(path, json={}).status_code == 404


# Rule 3.
def test_head_is_get_without_body(http, upstream):
    for path in ("/v1/users/x", "/healthz", "/"):
        get, head = http.get(path), http.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        for name in ("content-type", "etag"):
            assert head.headers.get(name) == get.headers.get(name)


# Rule 20.
def test_conditional_reads(http, upstream):
    for value in ('"e1"', 'W/"e1"', '"a", "e1"', "*"):
        answer = http.get("/v1/users/x", headers={"If-None-Match": value})
        assert (answer.status_code, answer.content) == (304, b""), value
        assert answer.headers["etag"] == '"e1"'
    assert http.get("/v1/users/x", headers={"If-None-Match": '"e2"'}).status_code == 200
    for method, path in (("PATCH", "/v1/users/x"), ("POST", "/v1/users"), ("DELETE", "/v1/users/x")):
        body = {} if method == "DELETE" else {"json": {}}
        answer = http.request(method, path, headers={"If-None-Match": "*"}, **body)
        assert answer.status_code == 400 and "If-None-Match" in answer.json()["error"]["message"]
    assert [call[0] for call in upstream.calls if call[0] != "GetUser"] == []


# Rules 17 and 20: a list may come in several lines (RFC 9110 section 5.3).
def test_lists_over_several_lines(http, upstream):
    for path, tag in (("/v1/users/x", '"e1"'), ("/small.css", http.head("/small.css").headers["etag"])):
        answer = http.get(path, headers=[("If-None-Match", '"a"'), ("If-None-Match", tag)])
        assert answer.status_code == 304, path
    answer = http.patch("/v1/users/x", json={}, headers=[("If-Match", '"a"'), ("If-Match", '"b"')])
    assert answer.status_code == 400
    for path in ("/js/main.js", "/openapi.json"):
        answer = http.get(path, headers=[("Accept-Encoding", "br"), ("Accept-Encoding", "gzip")])
        assert answer.headers["content-encoding"] == "gzip", path
    accept = [("Accept", "text/html"), ("Accept", "application/problem+json")]
    assert http.get("/nope", headers=accept).headers["content-type"] == "application/problem+json"
    accept[1] = ("Accept", "application/x-ndjson")
    head = http.head("/v1/analytics/events:tail", headers=accept)
    assert head.headers["content-type"] == "application/x-ndjson"


# Rule 20: what cannot stand between quotes is no tag.
@pytest.mark.parametrize("etag, shown", [("!#~", '"!#~"'), ("", None), ("a b", None), ('a"b', None),
                                         ("a\x7f", None), ("a\nb", None)])
def test_an_etag_that_is_none(http, upstream, etag, shown):
    upstream.on["GetUser"] = lambda request, context: user_pb2.User(id="x", etag=etag)
    answer = http.get("/v1/users/x", headers={"If-None-Match": f'"{etag.strip()}"' if shown else "*"})
    assert answer.status_code == (304 if shown else 200)
    assert answer.headers.get("etag") == shown
    assert answer.headers["cache-control"] == ("private, no-cache" if shown else "no-store")


# Rule 20.
def test_if_match(http, upstream):
    from upstream import error_info, fail
    import grpc
    for body in ({"etag": "h"}, {"etag": ""}, {"etag": None}):
        assert http.patch("/v1/users/x", json=body, headers={"If-Match": '"h"'}).status_code == 200
        assert upstream.last("UpdateUser")[1].user.etag == "h"
    http.patch("/v1/users/x", json={}, headers={"If-Match": "*"})
    assert upstream.last("UpdateUser")[1].user.etag == ""
    http.patch("/v1/users/x", json={}, headers={"If-Match": 'W/"a", "h2",'})
    assert upstream.last("UpdateUser")[1].user.etag == "h2"
    calls = len(upstream.calls)
    for value, status in (('W/"h"', 412), ('""', 412), ('"a","b"', 400), ("h", 400), ('"h', 400), (",", 400)):
        assert http.patch("/v1/users/x", json={}, headers={"If-Match": value}).status_code == status
    answer = http.patch("/v1/users/x", json={"etag": "body"}, headers={"If-Match": '"h"'})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "user.etag: is not what If-Match says"
    assert len(upstream.calls) == calls
    assert http.get("/v1/users/x", headers={"If-Match": '"h"'}).status_code == 400
    upstream.on["UpdateUser"] = lambda request, context: fail(
        context, grpc.StatusCode.ABORTED, "changed since", error_info("ETAG_MISMATCH"))
    assert http.patch("/v1/users/x", json={}, headers={"If-Match": '"h"'}).status_code == 412
    assert http.patch("/v1/users/x", json={"etag": "h"}).status_code == 409


# Rules 4 and 19.
def test_ids_and_traces(http, upstream):
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = http.get("/v1/users/x", headers={
        "X-Request-Id": "my-id.1", "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        "grpc-timeout": "1n", "omni-caller": "admin", "grpc-trace-bin": "AAAA",
        "omni-caller-bin": base64.b64encode(Caller(subject="admin").SerializeToString()).decode(),
        "omni-peer-token": "x" * 32})
    assert answer.headers["x-request-id"] == "my-id.1"
    metadata = upstream.last("GetUser")[2]
    assert metadata["x-request-id"] == "my-id.1"
    assert metadata["traceparent"].split("-")[1] == trace
    assert metadata["traceparent"].split("-")[2] != "b7ad6b7169203331"
    assert "omni-caller" not in metadata and "grpc-trace-bin" not in metadata
    assert metadata["omni-peer-token"] == trust.TOKENS["gateway"]
    assert Caller.FromString(metadata["omni-caller-bin"]) == Caller(
        address="127.0.0.1", request_id="my-id.1")
    other = http.get("/v1/users/x", headers={"X-Request-Id": "bad id\u00e9".encode("latin-1")})
    assert len(other.headers["x-request-id"]) == 36


def test_access_log(http, upstream, gateway, wait_until):
    http.get("/v1/users/x?", headers={"X-Request-Id": "log-me"})
    line = wait_until(lambda: [e for e in gateway.events("request") if e["request_id"] == "log-me"])
    assert {k: line[0][k] for k in ("method", "route", "status", "code", "peer", "level")} == {
        "method": "GET", "route": "/v1/users/{id}", "status": 200, "code": "OK",
        "peer": "127.0.0.1", "level": "info"}
    assert line[0]["bytes"] == len(json.dumps({"id": "x", "etag": "e1"}, separators=(",", ":")))
    assert line[0]["duration_us"] > 0 and len(line[0]["trace_id"]) == 32


def test_stream(http, upstream):
    upstream.on["TailEvents"] = lambda request, context: iter([
        analytics_pb2.TailEventsResponse(event=event_pb2.Event(id="1", query="a\nb")),
        analytics_pb2.TailEventsResponse(missed=7)])
    answer = http.get("/v1/analytics/events:tail?kinds=EVENT_KIND_USER_READ")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert events(answer.text) == ('data: {"event":{"id":"1","query":"a\\nb"}}\n\n'
                                   'data: {"missed":"7"}\n\n')
    assert list(upstream.last("TailEvents")[1].kinds) == [4]
    head = http.head("/v1/analytics/events:tail")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")


# Rule 20.
def test_changes_can_be_made_conditional(start, upstream):
    from conftest import settings
    gateway = start("omni-gateway", *settings(upstream, require_if_match="true"))
    with httpx.Client(base_url=f"http://{gateway.address}") as http:
        for method, body in (("PATCH", {"json": {}}), ("DELETE", {})):
            refused = http.request(method, "/v1/users/x", **body)
            assert refused.status_code == 428
            assert refused.json()["error"]["details"][0]["reason"] == "IF_MATCH_REQUIRED"
            for tag in ('"e"', "*"):
                assert http.request(method, "/v1/users/x", headers={"If-Match": tag},
                                    **body).status_code in (200, 204)
        assert http.get("/v1/users/x").status_code == 200
        assert http.post("/v1/users", json={}).status_code == 201


def test_long_json_is_compressed_for_who_takes_it(gateway, upstream):
    users = [user_pb2.User(id=f"u{i}", display_name="José " * 10) for i in range(50)]
    upstream.on["ListUsers"] = lambda request, context: user_pb2.ListUsersResponse(users=users)
    with httpx.Client(base_url=f"http://{gateway.address}") as http:
        plain = http.get("/v1/users", headers={"Accept-Encoding": "identity"})
        packed = http.get("/v1/users", headers={"Accept-Encoding": "br, gzip"})
        refused = http.get("/v1/users", headers={"Accept-Encoding": "gzip;q=0"})
        assert plain.content == packed.content == refused.content and len(plain.json()["users"]) == 50
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(plain.content) / 3
        for answer in (plain, packed, refused):
            assert "Accept-Encoding" in answer.headers["vary"]
        assert "content-encoding" not in plain.headers and "content-encoding" not in refused.headers
        # What is short, and what has a tag that comes back in If-Match, stays as it is.
        upstream.on["GetUser"] = lambda request, context: user_pb2.User(etag="e", labels={"k": "v" * 2000})
        tagged = http.get("/v1/users/x", headers={"Accept-Encoding": "gzip"})
        assert tagged.headers["etag"] == '"e"' and "content-encoding" not in tagged.headers
