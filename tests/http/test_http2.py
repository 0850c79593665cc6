"""HTTP/2, seen by an independent implementation and by the usual clients."""
import contextlib
import json
import signal
import socket
import subprocess

import h2.errors
import httpx
import pytest

from h2_client import CONTINUATION, DATA, HEADERS, PING, SETTINGS, Client, Stream
from support.raw_client import Raw, stats
from support.certificates import Authority

CODES = h2.errors.ErrorCodes


@pytest.fixture(scope="module")
def port(module_start):
    return module_start("http_peer", "--streams=50", "--target-bytes=1KiB", "--header-bytes=8KiB",
                        "--body-bytes=100KiB").port


@pytest.fixture
def client(port):
    with Client(port) as connection:
        yield connection


@pytest.fixture(scope="module")
def tls(module_start, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    certificate, key = authority.issue("localhost")
    server = module_start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}")
    return server.port, authority.ca


def block(client):
    return client.h2.encoder.encode([(":method", "GET"), (":scheme", "http"), (":path", "/delay?ms=9"),
                                     (":authority", "a")])


def echo(stream):
    assert stream.status == 200, stream.headers
    return json.loads(stream.body)


# --- requests as values ---

def test_a_request_as_values(client):
    seen = echo(client.get("/echo?x=%20&y", method="PUT", body=b"h\x00\xff", authority="h:1",
                           headers=[("a", "b"), ("cookie", "c=1"), ("cookie", "d=2")]))
    assert seen == {
        "method": "PUT", "target": "/echo?x=%20&y", "path": "/echo", "query": "x=%20&y",
        "host": "h:1", "peer": "127.0.0.1", "minor": 2, "secure": False, "client": "",
        "has_body": True, "headers": ["a", "b", "cookie", "c=1", "cookie", "d=2"],
        "body_hex": "6800ff"}


def test_host_stands_in_for_authority(client):
    assert echo(client.get("/echo", authority=None, headers=[("host", "b:2")]))["host"] == "b:2"


def test_an_answer_has_what_all_answers_have(client):
    stream = client.get("/hello")
    assert stream.body == b"hello, world\n"
    assert stream.headers["content-length"] == "13" and stream.headers["date"].endswith(" GMT")
    assert not {"connection", "transfer-encoding", "keep-alive"} & set(stream.headers)


# Rule 3.
@pytest.mark.parametrize("path, method, status, length", [
    ("/hello", "HEAD", 200, "13"), ("/status?code=204", "GET", 204, None),
    ("/status?code=304", "GET", 304, None), ("/stream?n=3&size=5", "HEAD", 200, None)])
def test_answers_without_a_body(client, path, method, status, length):
    stream = client.get(path, method=method)
    assert (stream.status, stream.body, stream.headers.get("content-length")) == (status, b"", length)
    assert client.get("/hello").body == b"hello, world\n"


def test_what_is_reflected_ends_no_header(client):
    assert client.get("/status?code=200").headers["x-reflected"] == "a  X-Injected: b"


def test_trailers_are_read_and_dropped(client):
    stream_id = client.start("/echo", method="POST", body=b"ab", end=False)
    client.h2.send_headers(stream_id, [("x-trailer", "1")], end_stream=True)
    client.flush()
    seen = echo(client.finish(stream_id))
    assert seen["body_hex"] == "6162" and "x-trailer" not in seen["headers"]


def test_trailers_may_come_long_after_a_reset(client):
    stream_id = client.start("/headers-reject", method="POST", end=False)
    client.read(lambda: client.streams[stream_id].reset is not None)
    for _ in range(60):  # more than --streams, which is what nghttp2 remembers
        assert client.get("/hello").status == 200
    client.raw(HEADERS, 0x5, stream_id, client.h2.encoder.encode([("x-trailer", "1")]))
    assert client.get("/echo", headers=[("x-trailer", "1")]).status == 200


def test_a_stream_that_was_left_out_is_not_begun_later(client):
    client.h2.highest_outbound_stream_id = 1
    assert client.get("/hello").status == 200
    client.raw(HEADERS, 0x5, 1, block(client))
    client.expect_goaway(CODES.PROTOCOL_ERROR)


# Rule 3.
def test_expectations_are_met_before_the_body(client):
    stream_id = client.start("/echo", method="POST", end=False, headers=[("expect", "100-continue")])
    client.read(lambda: client.streams[stream_id].interim)
    assert client.streams[stream_id].interim == [100]
    client.send(stream_id, b"x")
    assert echo(client.finish(stream_id))["body_hex"] == "78"


# Rule 3.
def test_a_refusal_comes_instead_of_the_body(client):
    stream_id = client.start("/headers-reject", method="POST", end=False,
                             headers=[("expect", "100-continue")])
    stream = client.finish(stream_id)
    assert (stream.status, stream.interim) == (401, [])
    client.read(lambda: stream.reset is not None)
    assert stream.reset == CODES.NO_ERROR  # the rest of the request is not wanted
    assert client.get("/hello").status == 200


# --- refusals ---

REFUSED = [
    ("path with a fragment", {"path": "/a#b"}, 400), ("path with a quote", {"path": "/\""}, 400),
    ("authority with userinfo", {"authority": "u@a"}, 400),
    ("authority with a bad port", {"authority": "a:b"}, 400),
    ("another host", {"headers": [("host", "b")]}, 400),
    ("long path", {"path": "/" + "a" * 2000}, 414),
    ("large headers", {"headers": [("a", "b" * 9000)]}, 431),
    ("many headers", {"headers": [(f"h{i}", "") for i in range(101)]}, 431),
    ("announced body too large",
     {"method": "POST", "headers": [("content-length", "200000")], "end": False}, 413)]


# Rules 2 and 4.
@pytest.mark.parametrize("request_, status", [(r, s) for _, r, s in REFUSED],
                         ids=[name for name, _, _ in REFUSED])
def test_refusals_have_the_one_shape(client, request_, status):
    stream = client.get(**{"path": "/echo", **request_})
    assert stream.status == status, stream.body
    assert json.loads(stream.body)["code"] == status
    assert client.get("/hello").status == 200  # the connection goes on


# What nghttp2 resets by itself: headers, or what else is said of the request.
MALFORMED = [
    ("path without /", {"path": "hello"}), ("path with a space", {"path": "/a b"}),
    ("star for GET", {"path": "*"}), ("authority with a space", {"authority": "a b"}),
    ("method that is no token", {"method": "G(T"}), ("two hosts", [("host", "a"), ("host", "a")]),
    ("upper-case name", [("A", "b")]), ("connection header", [("connection", "close")]),
    ("transfer-encoding", [("transfer-encoding", "chunked")]), ("te", [("te", "gzip")]),
    ("empty name", [("", "b")]), ("name with a colon", [("a:b", "c")]),
    ("second path", [(":path", "/x")]), ("unknown pseudo header", [(":x", "y")]),
    ("newline in a value", [("a", "b\r\nc: d")]), ("NUL in a value", [("a", "b\0c")]),
    ("content-length that is none", [("content-length", "x")]),
    ("two content-lengths", [("content-length", "1"), ("content-length", "2")])]


# Rule 1: what HTTP/2 has of it.
@pytest.mark.parametrize("wrong", [w for _, w in MALFORMED], ids=[n for n, _ in MALFORMED])
def test_malformed_requests_are_reset(client, wrong):
    stream = client.get(**{"path": "/echo", **(wrong if isinstance(wrong, dict) else {"headers": wrong})})
    assert stream.reset == CODES.PROTOCOL_ERROR and not stream.headers
    assert client.get("/hello").status == 200


# Rule 1.
@pytest.mark.parametrize("body", [b"a", b"abc"], ids=["shorter", "longer"])
def test_a_body_is_as_long_as_announced(client, body):
    stream = client.get("/echo", method="POST", headers=[("content-length", "2")], body=body)
    assert stream.reset == CODES.PROTOCOL_ERROR


def test_connect_is_not_understood(client):
    stream_id = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream_id, [(":method", "CONNECT"), (":authority", "a:1")])
    client.streams[stream_id] = Stream()
    client.flush()
    assert client.finish(stream_id).status == 501


# Rule 2.
def test_a_body_that_grows_too_large(client):
    stream_id = client.start("/echo", method="POST", end=False)
    stream = client.streams[stream_id]
    while not stream.headers:
        if room := min(client.h2.local_flow_control_window(stream_id), 16000):
            client.h2.send_data(stream_id, b"x" * room)
            client.flush()
        else:
            client.read_once()
    assert client.finish(stream_id).status == 413


# --- many at once, flow control ---

def test_streams_do_not_wait_for_each_other(client):
    order = []
    slow = [client.start(f"/delay?ms={ms}") for ms in (600, 400, 200)]
    fast = client.start("/hello")
    pending = {*slow, fast}
    while pending:
        client.read_once()
        for stream_id in sorted(pending, reverse=True):
            if client.streams[stream_id].ended:
                order.append(stream_id)
                pending.remove(stream_id)
    assert order == [fast, *reversed(slow)]


def test_more_streams_than_allowed_are_refused(client):
    ids = [client.start("/delay?ms=300") for _ in range(50)]
    client.h2.remote_settings[3] = 1000  # the client forgets what it was told
    client.h2.remote_settings.acknowledge()
    more = client.start("/hello")
    assert client.finish(more).reset == CODES.REFUSED_STREAM
    assert all(s.status == 200 for s in client.finish(*ids))


# Rules 2 and 18.
def test_too_many_requests_at_once(start, wait_until):
    server = start("http_peer", "--in-flight=2")
    with Client(server.port) as client:
        held = [client.start("/hold") for _ in range(2)]
        refused = client.get("/hello")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert json.loads(refused.body)["code"] == 503
        assert client.get("/probe").status == 503  # beside others it is one of them
        with Client(server.port) as other:
            assert other.get("/probe").status == 200 and other.get("/hello").status == 503
        client.h2.reset_stream(held[0], CODES.CANCEL)
        client.flush()
        wait_until(lambda: client.get("/hello").status == 200)


@pytest.mark.parametrize("path, size", [("/big?size=3000000", 3000000),
                                        ("/stream?n=300&size=2000", 600000)])
def test_answers_larger_than_all_windows(port, path, size):
    with Client(port, window=1000) as client:
        assert len(client.get(path).body) == size


# Rule 2.
def test_a_starved_stream_is_reset_and_others_go_on(start, wait_until):
    server = start("http_peer", "--write-time=300ms")
    with Client(server.port, window=10, acknowledge=False) as client:
        stream = client.streams[client.start("/big?size=1000")]
        assert client.finish(1).reset == CODES.CANCEL and len(stream.body) == 10
        with Client(server.port) as other:
            assert other.get("/hello").status == 200
    wait_until(lambda: stats(server.port)["timeouts"] == 1)


def test_a_slow_reader_of_a_stream_is_dropped_alone(start, wait_until):
    server = start("http_peer", "--stream-buffer-bytes=20KiB")
    with Client(server.port, window=1000, acknowledge=False) as client:
        slow = client.start("/stream?n=1000&size=1000&ms=1")
        assert client.finish(slow).reset == CODES.CANCEL
    seen = wait_until(lambda: (s := stats(server.port)) and s["streams_stopped"] and s)
    assert seen["streams_dropped"] == 1 and seen["in_flight"] == 1


def test_a_stream_that_fails_is_reset_alone(client):
    failed, whole = client.start("/stream?n=2&size=4&ms=100&abort=1"), client.start("/stream?n=2&size=4")
    assert client.finish(failed).reset == CODES.INTERNAL_ERROR
    assert client.finish(whole).body == b"aaaabbbb"
    assert client.get("/hello").status == 200


def test_large_uploads(start):
    server = start("http_peer")
    body = bytes(range(256)) * 3000
    with Client(server.port) as client:
        assert echo(client.get("/echo", method="POST", body=body))["body_hex"] == body.hex()


# --- clients that leave ---

def test_a_reset_is_told_at_once(port, client, wait_until):
    before = stats(port)
    stream_id = client.start("/delay?ms=2000")
    client.read(lambda: client.h2.remote_settings.max_concurrent_streams == 50)
    client.h2.reset_stream(stream_id, CODES.CANCEL)
    client.flush()
    wait_until(lambda: stats(port)["gone"] == before["gone"] + 1)
    assert client.get("/hello").status == 200


def test_a_lost_connection_is_told_for_every_stream(port, wait_until):
    before = stats(port)
    client = Client(port)
    for _ in range(5):
        client.start("/hold")
    wait_until(lambda: stats(port)["in_flight"] == 6)
    client.leave()
    wait_until(lambda: stats(port)["gone"] == before["gone"] + 5)
    wait_until(lambda: stats(port)["in_flight"] == 1)


def test_a_client_that_only_ended_its_side_gets_its_answers(port):
    with Client(port) as client:
        whole, partial = client.start("/delay?ms=300"), client.start("/echo", method="POST", end=False)
        client.socket.shutdown(socket.SHUT_WR)
        client.flush = lambda: client.h2.data_to_send()
        client.read(lambda: False)
        assert client.streams[whole].ended and client.streams[whole].status == 200
        assert not client.streams[partial].headers


# --- time ---

# Rule 2.
@pytest.mark.parametrize("headers, body", [((), b"x"), ((), None), ([("content-length", "0")], None)])
def test_a_slow_body_is_408(start, headers, body):
    server = start("http_peer", "--body-time=200ms")
    with Client(server.port) as client:
        stream_id = client.start("/echo", method="POST", headers=headers, body=body, end=False)
        assert client.finish(stream_id).status == 408
        assert client.get("/hello").status == 200


def test_an_empty_body_may_end_later(client):
    stream_id = client.start("/echo", method="POST", headers=[("content-length", "0")], end=False)
    client.send(stream_id, b"")
    seen = echo(client.finish(stream_id))
    assert not seen["has_body"] and seen["body_hex"] == ""


# Rule 2.
def test_a_slow_header_block_ends_the_connection(start):
    server = start("http_peer", "--header-time=200ms")
    with Client(server.port) as client:
        client.raw(HEADERS, 0x1, 1, b"\x82")  # END_STREAM without END_HEADERS
        client.read(lambda: False)
        assert client.closed


@pytest.mark.parametrize("bytes_", [b"P", b"PRI * HTTP/2.0\r\n\r\nS"])
def test_half_a_preface_is_not_waited_for(start, bytes_):
    server = start("http_peer", "--header-time=200ms")
    with Raw(server.port) as raw:
        assert raw.send(bytes_).response().status == 408
        raw.expect_close()


def test_idle_connections_are_told_good_bye(start):
    server = start("http_peer", "--idle-time=200ms")
    with Client(server.port) as client:
        assert client.get("/hello").status == 200
        client.expect_goaway(CODES.NO_ERROR)


def test_the_preface_may_come_in_pieces(port):
    with Raw(port) as raw:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0":
            raw.send(bytes([byte]))
        assert raw._exactly(9)[3] == SETTINGS


def test_http2_can_be_off(start):
    server = start("http_peer", "--http2=false")
    with Raw(server.port) as raw:
        assert raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").response().status == 505


# --- frames that only cost ---

def rapid_reset(client, i):
    client.raw(HEADERS, 0x5, 2 * i + 1, block(client))
    client.raw(3, 0, 2 * i + 1, b"\0\0\0\x08")


FLOODS = {
    "rapid reset": rapid_reset,
    "ping": lambda client, i: client.raw(PING, 0, 0, b"12345678"),
    "settings": lambda client, i: client.raw(SETTINGS, 0, 0, b"\0\4\0\1\0\0"),
    "empty data": lambda client, i: client.raw(DATA, 0, 1),
    "priority": lambda client, i: client.raw(2, 0, 2 * i + 3, b"\0\0\0\0\x10"),
    "window update": lambda client, i: client.raw(8, 0, 0, b"\0\0\0\1"),
    "unknown frames": lambda client, i: client.raw(200, 0, 0, b"x"),
}


# Rule 2.
@pytest.mark.parametrize("name", [n for n in FLOODS if n != "unknown frames"])
def test_floods_are_ended_and_counted(start, wait_until, name):
    server = start("http_peer")
    with Client(server.port) as client:
        if name == "empty data":
            client.start("/echo", method="POST", end=False)
        try:
            for i in range(5000):
                FLOODS[name](client, i)
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.read(lambda: False)
        assert client.closed
        if client.goaway:  # it may be lost in the reset that follows what we had still to send
            assert client.goaway.error_code == CODES.ENHANCE_YOUR_CALM
    seen = wait_until(lambda: (s := stats(server.port))["in_flight"] == 1 and s)
    assert seen["floods"] == 1
    with Client(server.port) as client:
        assert client.get("/hello").status == 200


# Rule 2: streams that the server has to reset itself, when it has begun the work, are a flood too.
def test_making_the_server_reset_is_a_flood(start, wait_until):
    server = start("http_peer")
    with Client(server.port) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for i in range(5000):
                client.raw(HEADERS, 0x5, 2 * i + 1, block(client))
                client.raw(8, 0, 2 * i + 1, b"\x7f\xff\xff\xff")  # its window overflows
            while client.socket.recv(65536):
                pass
    seen = wait_until(lambda: (s := stats(server.port))["in_flight"] == 1 and s)
    assert seen["floods"] == 1 and seen["requests"] < 1000


# Rule 2.
def test_a_flood_of_continuations_is_ended(start):
    server = start("http_peer")
    with Client(server.port) as client:
        client.raw(HEADERS, 0x1, 1, block(client))
        try:
            for i in range(20000):
                client.raw(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 10)
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.read(lambda: False)
        assert client.closed


# Rule 2: who is no flood.
def test_honest_clients_never_overdraw(client):
    for _ in range(100):
        ids = [client.start("/hello") for _ in range(30)]
        assert all(s.status == 200 for s in client.finish(*ids))
    for _ in range(100):  # one in two is cancelled, as a search box does
        kept, dropped = client.start("/hello"), client.start("/delay?ms=50")
        client.h2.reset_stream(dropped, CODES.CANCEL)
        client.flush()
        assert client.finish(kept).status == 200


def update_windows(client, stream_id, size):
    """Two updates for every 4 KiB, as Go's client sends them."""
    for increment in [4096] * (size // 4096) + [size % 4096] * (size % 4096 > 0):
        client.h2.increment_flow_control_window(increment)
        client.h2.increment_flow_control_window(increment, stream_id)
    client.flush()


# Rule 2: a download needs more updates than any budget holds.
def test_who_takes_much_is_no_flood(start):
    server, size, seen = start("http_peer"), 8_000_000, 0
    with Client(server.port, acknowledge=False) as client:
        stream_id = client.start(f"/big?size={size}")
        stream = client.streams[stream_id]
        while not stream.ended and not client.closed:
            update_windows(client, stream_id, len(stream.body) - seen)
            seen = len(stream.body)
            client.read_once()
        assert client.goaway is None and len(stream.body) == size
    assert stats(server.port)["floods"] == 0


# Rule 2: also when they come all at once.
def test_updates_may_be_late(start):
    server, size = start("http_peer"), 8_000_000
    with Client(server.port, window=size, acknowledge=False) as client:
        client.h2.increment_flow_control_window(size)
        stream_id = client.start(f"/big?size={size + 1}")
        stream = client.streams[stream_id]
        client.read(lambda: len(stream.body) == size)
        update_windows(client, stream_id, size)
        assert client.finish(stream_id).ended and client.goaway is None
    assert stats(server.port)["floods"] == 0


# --- drain ---

# Rule 5.
def test_drain_lets_streams_finish(start, wait_until):
    """curl, since python-h2 takes no answers behind a GOAWAY."""
    server = start("http_peer")
    target = f"http://localhost:{server.port}/delay?ms=800"
    with Client(server.port) as idle:
        assert idle.get("/hello").status == 200
        curl = subprocess.Popen(["curl", "-sS", "--http2-prior-knowledge", target, "-w", "%{http_code}"],
                                stdout=subprocess.PIPE, text=True)
        wait_until(lambda: stats(server.port)["in_flight"] == 2)
        server.process.send_signal(signal.SIGTERM)
        idle.expect_goaway(CODES.NO_ERROR)
        assert curl.communicate(timeout=60)[0].endswith("200")
    assert server.wait_exit() == 0


# --- other clients ---

def test_httpx(tls):
    port, ca = tls
    with httpx.Client(http2=True, verify=str(ca), base_url=f"https://localhost:{port}") as http:
        answer = http.post("/echo?a=b", content=b"x" * 100000)
        assert answer.http_version == "HTTP/2" and answer.json()["body_hex"] == "78" * 100000
        assert len(http.get("/stream?n=50&size=1000").content) == 50000


@pytest.mark.parametrize("secure", [False, True])
def test_curl(port, tls, secure):
    target = f"https://localhost:{tls[0]}" if secure else f"http://localhost:{port}"
    how = ["--http2", "--cacert", tls[1]] if secure else ["--http2-prior-knowledge"]
    done = subprocess.run(["curl", "-sS", *how, f"{target}/echo", "-d", "abc", "-w", "%{http_version}"],
                          capture_output=True, text=True, timeout=30, check=True)
    assert '"minor":2' in done.stdout and done.stdout.endswith("2")


@pytest.mark.parametrize("secure", [False, True])
def test_h2load(port, tls, secure):
    target = f"https://localhost:{tls[0]}" if secure else f"http://localhost:{port}"
    done = subprocess.run(["h2load", "-n", "5000", "-c", "10", "-m", "30", f"{target}/hello"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert "5000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout


def test_nghttp(port):
    done = subprocess.run(["nghttp", f"http://localhost:{port}/hello"], capture_output=True, text=True,
                          timeout=30, check=True)
    assert done.stdout == "hello, world\n"
