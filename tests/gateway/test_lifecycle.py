"""Upstreams that go away, clients that go away, streams, and the gateway's own end."""
import json
import socket
import subprocess
import threading
import time

import grpc
import httpx
import pytest
from conftest import settings
from omnidata.analytics.v1 import analytics_pb2
from omnidata.user.v1 import user_pb2
from upstream import Upstream, error_info, events, fail


@pytest.fixture
def own_upstream():
    server = Upstream()
    yield server
    server.stop()


def url(gateway, path):
    return f"http://{gateway.address}{path}"


# Rule 18.
def test_upstream_down_and_up(start, own_upstream, wait_until):
    gateway = start("omni-gateway", *settings(own_upstream))
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).status_code == 200)
    own_upstream.stop()
    begun = time.monotonic()
    answer = httpx.get(url(gateway, "/v1/users/x"))
    assert time.monotonic() - begun < 10
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "127.0.0.1" not in answer.text
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).status_code == 503)
    body = httpx.get(url(gateway, "/readyz")).json()
    assert body["status"] == "not_ready" and not body["draining"]
    assert body["upstreams"] == [{"services": "omnidata.user.v1", "healthy": False},
                                 {"services": "omnidata.analytics.v1", "healthy": False}]
    assert httpx.get(url(gateway, "/healthz")).json() == {"status": "ok"}
    own_upstream.restart()
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).status_code == 200)
    wait_until(lambda: httpx.get(url(gateway, "/v1/users/x")).status_code == 200)


def test_not_serving_is_not_ready(start, own_upstream, wait_until):
    gateway = start("omni-gateway", *settings(own_upstream))
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).status_code == 200)
    own_upstream.serving = False
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).status_code == 503)


# Rule 19.
def test_a_client_that_goes_cancels_the_call(gateway, upstream, wait_until):
    entered, ended = threading.Event(), threading.Event()

    def slow(request, context):
        context.add_callback(ended.set)
        entered.set()
        assert ended.wait(60)
        return user_pb2.User()

    upstream.on["GetUser"] = slow
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(b"GET /v1/users/x HTTP/1.1\r\nHost: a\r\nX-Request-Id: left\r\n\r\n")
        assert entered.wait(60)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ended.wait(30), "the upstream was not told before the call's deadline"
    wait_until(lambda: [e for e in gateway.events("request")
                        if e.get("request_id") == "left" and e.get("aborted")])


def test_a_client_that_leaves_a_stream_cancels_it(gateway, http, upstream):
    def forever(request, context):
        while context.is_active():
            yield analytics_pb2.TailEventsResponse(missed=1)
            time.sleep(0.02)

    upstream.on["TailEvents"] = forever
    with http.stream("GET", "/v1/analytics/events:tail") as answer:
        lines = (line.strip() for line in answer.iter_lines())
        assert next(line for line in lines if line.strip(":")) == 'data: {"missed":"1"}'
    assert upstream.cancelled.wait(60)


# Rule 19.
@pytest.mark.parametrize("version", ["http1", "http2"])
def test_a_client_that_leaves_a_quiet_stream_cancels_it(start, upstream, wait_until, version):
    """Its FIN alone may be that of a client that still reads, and a sign of life is far off."""
    gateway = start("omni-gateway", *settings(upstream, heartbeat="10m"))
    entered = threading.Event()

    def quiet(request, context):
        entered.set()
        while context.is_active():
            time.sleep(0.02)
        yield analytics_pb2.TailEventsResponse()

    upstream.on["TailEvents"] = quiet
    client = subprocess.Popen(
        ["curl", "-sSN", "--http2-prior-knowledge" if version == "http2" else "--http1.1",
         url(gateway, "/v1/analytics/events:tail")], stdout=subprocess.PIPE)
    assert entered.wait(60)
    assert client.stdout.readline() == b":\n"
    assert not upstream.cancelled.is_set()
    client.kill()
    client.communicate()
    assert upstream.cancelled.wait(60)
    wait_until(lambda: [e for e in gateway.events("request") if e.get("aborted")])


# Rule 19.
def test_a_half_closed_reader_of_a_stream_gets_all_of_it(gateway, upstream):
    release = threading.Event()

    def later(request, context):
        release.wait(60)
        yield analytics_pb2.TailEventsResponse(missed=3)

    upstream.on["TailEvents"] = later
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        sock.sendall(b"GET /v1/analytics/events:tail HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while b":\n\n" not in answer:
            answer += sock.recv(65536)
        release.set()
        while piece := sock.recv(65536):
            answer += piece
    assert b'data: {"missed":"3"}\n\n' in answer


def test_a_stream_opens_and_shows_life(http, upstream):
    release = threading.Event()

    def quiet(request, context):
        release.wait(60)
        return iter(())

    def generator(request, context):
        quiet(request, context)
        yield analytics_pb2.TailEventsResponse(missed=2)

    upstream.on["TailEvents"] = generator
    with http.stream("GET", "/v1/analytics/events:tail") as answer:
        lines = (line.strip() for line in answer.iter_lines())
        assert [next(lines) for _ in range(4)] == [":", "", ":", ""]
        release.set()
        rest = [line for line in lines if line and line != ":"]
    assert rest == ['data: {"missed":"2"}']


def test_a_stream_that_fails_at_once_is_an_ordinary_error(http, upstream, wait_until):
    """Once it does so within the moment that is waited for: a slow machine needs more tries."""
    def refuse(request, context):
        fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many", error_info("TOO_MANY"))
        yield

    upstream.on["TailEvents"] = refuse
    answer = wait_until(lambda: (a := http.get("/v1/analytics/events:tail")).status_code == 429 and a)
    assert answer.headers["content-type"] == "application/json"


def test_a_stream_that_fails_later_says_so(http, upstream):
    def fails(request, context):
        yield analytics_pb2.TailEventsResponse(missed=1)
        fail(context, grpc.StatusCode.FAILED_PRECONDITION, "enough", error_info("ENOUGH"))

    upstream.on["TailEvents"] = fails
    lines = events(http.get("/v1/analytics/events:tail").text).split("\n")
    assert lines[:3] == ['data: {"missed":"1"}', "", "event: error"]
    error = json.loads(lines[3].removeprefix("data: "))["error"]
    assert (error["code"], error["status"], error["message"]) == (400, "FAILED_PRECONDITION", "enough")


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/html, application/jsonl;q=0.5"])
def test_a_stream_as_lines_of_json(http, upstream, accept):
    def fails(request, context):
        yield analytics_pb2.TailEventsResponse(missed=1)
        yield analytics_pb2.TailEventsResponse(missed=2)
        fail(context, grpc.StatusCode.FAILED_PRECONDITION, "enough", error_info("ENOUGH"))

    upstream.on["TailEvents"] = fails
    answer = http.get("/v1/analytics/events:tail", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/x-ndjson"
    one, two, error = [json.loads(line) for line in answer.text.splitlines() if line]
    assert (one, two) == ({"missed": "1"}, {"missed": "2"})
    assert error["error"]["status"] == "FAILED_PRECONDITION"
    head = http.head("/v1/analytics/events:tail", headers={"Accept": accept})
    assert head.headers["content-type"] == "application/x-ndjson"


def test_a_quiet_stream_of_lines_shows_life(http, upstream):
    release = threading.Event()

    def quiet(request, context):
        release.wait(60)
        yield analytics_pb2.TailEventsResponse(missed=2)

    upstream.on["TailEvents"] = quiet
    with http.stream("GET", "/v1/analytics/events:tail",
                     headers={"Accept": "application/x-ndjson"}) as answer:
        lines = answer.iter_lines()
        assert [next(lines).strip() for _ in range(2)] == ["", ""]
        release.set()
        assert [line.strip() for line in lines if line.strip()] == ['{"missed":"2"}']


# Rule 2.
def test_a_slow_reader_is_dropped(start, upstream, wait_until):
    gateway = start("omni-gateway", *settings(upstream, stream_buffer="64KiB"))
    from omnidata.event.v1 import event_pb2

    def flood(request, context):
        message = analytics_pb2.TailEventsResponse(event=event_pb2.Event(query="x" * 10000))
        while context.is_active():
            yield message

    upstream.on["TailEvents"] = flood
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(b"GET /v1/analytics/events:tail HTTP/1.1\r\nHost: a\r\n\r\n")
        assert upstream.cancelled.wait(60)
        wait_until(lambda: [e for e in gateway.events("request") if e.get("dropped")])
    assert httpx.get(url(gateway, "/healthz")).status_code == 200


# Rule 5.
def test_drain(start, upstream, wait_until):
    gateway = start("omni-gateway", *settings(upstream, linger="4s"))
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).status_code == 200)
    entered, release = threading.Event(), threading.Event()

    def slow(request, context):
        entered.set()
        release.wait(60)
        return user_pb2.User(id="late")

    def forever(request, context):
        yield analytics_pb2.TailEventsResponse(missed=1)
        while context.is_active():
            time.sleep(0.02)

    upstream.on["GetUser"] = slow
    upstream.on["TailEvents"] = forever
    answers = {}
    threads = [threading.Thread(target=lambda: answers.update(get=httpx.get(
        url(gateway, "/v1/users/x"), timeout=60))),
               threading.Thread(target=lambda: answers.update(tail=httpx.get(
                   url(gateway, "/v1/analytics/events:tail"), timeout=60)))]
    for thread in threads:
        thread.start()
    assert entered.wait(60)
    wait_until(lambda: "TailEvents" in [call[0] for call in upstream.calls])
    gateway.process.terminate()
    wait_until(lambda: httpx.get(url(gateway, "/readyz")).json()["draining"])
    release.set()
    for thread in threads:
        thread.join()
    assert gateway.wait_exit() == 0
    assert answers["get"].json() == {"id": "late"}
    assert "event: error" in answers["tail"].text and "UNAVAILABLE" in answers["tail"].text
    assert gateway.events("stopped")[0]["clean"] is True


# Rule 5.
def test_drain_gives_up_after_the_grace_period(start, upstream):
    gateway = start("omni-gateway", *settings(upstream, grace="200ms", deadline="30s"))
    entered = threading.Event()

    def stuck(request, context):
        entered.set()
        while context.is_active():
            time.sleep(0.02)
        return user_pb2.User()

    upstream.on["GetUser"] = stuck
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(b"GET /v1/users/x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert entered.wait(60)
        gateway.process.terminate()
        assert gateway.wait_exit() == 0
    assert gateway.events("stopped")[0]["clean"] is False


@pytest.mark.parametrize("wrong, words", [
    ({"upstreams": "nonsense"}, "--upstreams: 'nonsense'"),
    ({"frontend_dir": "/no/such"}, "--frontend-dir: /no/such"),
    ({"frontend_dir": "/tmp", "page_config": "/no/such"}, "--page-config: /no/such"),
    ({"frontend_dir": "/tmp", "page_config": "/tmp"}, "--page-config: /tmp"),
    ({"frontend_dir": "/tmp", "page_config": "/etc/passwd"}, "--page-config: "),
    ({"frontend_dir": "/tmp", "page_origins": "https://a.example; script-src *"}, "--page-origins"),
    ({"frontend_dir": "/tmp", "page_origins": "*"}, '--page-origins: "*" is not scheme://'),
    ({"page_config": "/etc/passwd"}, "belong to a --frontend-dir"),
    ({"descriptor_set": "/no/such"}, "--descriptor-set: /no/such"),
    ({"descriptor_set": "/etc/passwd"}, "FileDescriptorSet"),
    ({"listen": "127.0.0.1:99999"}, "--listen: 127.0.0.1:99999"),
    ({"cors_origins": "foo"}, '--cors-origins: "foo" is not'),
    ({"cors_origins": "https://app.example,https://app.example/"}, "--cors-origins"),
    ({"cors_origins": "https://app.example,,*"}, "--cors-origins"),
    ({"deadline": "soon"}, "deadline"),
    ({"error_shape": "round"}, "error-shape"),
])
def test_wrong_settings(run, upstream, wrong, words):
    done = run("omni-gateway", *settings(upstream, **wrong))
    assert done.returncode == 2
    assert words in done.stderr


def test_port_in_use(run, gateway, upstream):
    done = run("omni-gateway", *settings(upstream, listen=gateway.address))
    assert done.returncode == 2
    assert f"--listen: {gateway.address}" in done.stderr


def refused_rules(run, upstream, folder, methods):
    """What a gateway says to a service with these methods before it ends."""
    from support.programs import ROOT
    (folder / "rules.proto").write_text(f"""
        syntax = "proto3"; package omnidata.user.v1.rules; import "google/api/annotations.proto";
        message M {{ string a = 1; string b = 2; repeated string c = 3; }}
        service S {{ {methods} }}""")
    subprocess.run(["protoc", f"-I{ROOT}/proto", f"-I{folder}", "--include_imports",
                    f"--descriptor_set_out={folder}/rules.binpb", "rules.proto"], check=True)
    done = run("omni-gateway", *settings(upstream, descriptor_set=folder / "rules.binpb"))
    assert done.returncode == 2, done.stderr
    return done.stderr


# Rule 6.
def test_conflicting_routes_are_refused(run, upstream, tmp_path):
    said = refused_rules(run, upstream, tmp_path, """
        rpc One(M) returns (M) { option (google.api.http) = {get: "/x/{a}"}; }
        rpc Two(M) returns (M) { option (google.api.http) = {get: "/x/{b}"}; }""")
    assert "/x/{a}" in said and "/x/{b}" in said and "S/One" in said and "S/Two" in said


# Rules 6 and 7.
@pytest.mark.parametrize("rule, words", [
    ('get: "/x/{d}"', "no single-valued field for the variable 'd'"),
    ('get: "/x/{c}"', "no single-valued field for the variable 'c'"),
    ('get: "/x/{a=**}/y"', "a segment is malformed, behind '**'"),
    ('get: "x"', "must begin with '/'"),
    ('post: "/x" body: "d"', "no field for the body 'd'"),
    ('get: "/x" response_body: "d"', "no field for the response body 'd'"),
    ('custom {path: "/x"}', "the HTTP method is empty"),
    ('additional_bindings {get: "/x"}', "additional_bindings need a binding"),
    ('get: "/x" additional_bindings {get: "/y" additional_bindings {get: "/z"}}',
     "additional_bindings need a binding"),
    ('get: "/x" additional_bindings {get: "/x"}', "would answer the same requests"),
])
def test_wrong_rules_are_refused(run, upstream, tmp_path, rule, words):
    said = refused_rules(run, upstream, tmp_path,
                         f"rpc One(M) returns (M) {{ option (google.api.http) = {{{rule}}}; }}")
    assert words in said and "S/One" in said, said


# Rule 6.
def test_streams_of_the_client_have_no_route(run, upstream, tmp_path):
    said = refused_rules(run, upstream, tmp_path,
                         'rpc One(stream M) returns (M) { option (google.api.http) = {post: "/x"}; }')
    assert "a client stream cannot be reached by '/x'" in said
