"""What happens on one connection: order, expectations, streams, clients that leave."""
import json
import random
import socket

import pytest

from support.raw_client import Closed, Raw, stats


@pytest.fixture(scope="module")
def port(module_start):
    return module_start("http_peer", "--pipeline=16").port


@pytest.fixture
def raw(port):
    with Raw(port) as connection:
        yield connection


def post(path, body, headers=""):
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}"


def test_keep_alive(raw):
    for i in range(50):
        raw.get(f"/echo?{i}")
        assert json.loads(raw.response().body)["query"] == str(i)


def test_request_as_values(raw):
    raw.send("PUT http://h:1/echo?x=%20&y HTTP/1.1\r\nHost: h:1\r\nA:  b \r\n"
             "Transfer-Encoding: chunked\r\n\r\n2\r\nh\x00\r\n1\r\n\xff\r\n0\r\nT: x\r\n\r\n")
    seen = json.loads(raw.response().body)
    assert seen == {
        "method": "PUT", "target": "http://h:1/echo?x=%20&y", "path": "/echo",
        "query": "x=%20&y", "host": "h:1", "peer": "127.0.0.1", "minor": 1, "has_body": True,
        "secure": False, "client": "",
        "headers": ["Host", "h:1", "A", "b", "Transfer-Encoding", "chunked"],
        "body_hex": "6800ff"}


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 65536, 1048576])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_come_whole(raw, size, chunked):
    body = bytes(random.Random(size).randbytes(size))
    if chunked:
        raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, size, 5000):
            piece = body[at:at + 5000]
            raw.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        raw.send("0\r\n\r\n")
    else:
        raw.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n").send(body)
    seen = json.loads(raw.response().body)
    assert bytes.fromhex(seen["body_hex"]) == body
    assert seen["has_body"] == (size > 0 or chunked)
    raw.expect_open()


# Rule 3.
def test_pipelined_answers_keep_the_order_of_requests(raw):
    """Answers come from other threads, the first ones last; far more than `pipeline` at once."""
    rng = random.Random(7)
    wanted = []
    batch = ""
    for i in range(100):
        kind = rng.choice(["delay", "resume", "echo", "post", "stream"])
        if kind in ("delay", "resume"):
            path = f"/{kind}?ms={rng.randrange(40)}&i={i}"
            batch += f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"
            wanted.append(path.split("?")[1])
        elif kind == "echo":
            batch += f"GET /echo?{i} HTTP/1.1\r\nHost: a\r\n\r\n"
            wanted.append({"query": str(i), "body_hex": ""})
        elif kind == "post":
            batch += post(f"/echo?{i}", "x" * i)
            wanted.append({"query": str(i), "body_hex": "78" * i})
        else:
            batch += f"GET /stream?n=3&size={i}&ms=2 HTTP/1.1\r\nHost: a\r\n\r\n"
            wanted.append("a" * i + "b" * i + "c" * i)
    raw.send(batch)
    for want in wanted:
        body = raw.response().body.decode()
        if isinstance(want, dict):
            seen = json.loads(body)
            assert {key: seen[key] for key in want} == want
        else:
            assert body == want
    raw.expect_open()


# Rule 3: what changes something has nothing beside it (RFC 9112 section 9.3.2).
@pytest.mark.parametrize("methods, at_once", [
    (("GET", "GET", "HEAD", "OPTIONS"), 4), (("GET", "POST"), 1), (("POST", "GET"), 1),
    (("DELETE", "DELETE", "GET"), 1), (("GET", "PATCH", "GET"), 1)])
def test_only_safe_requests_run_at_once(start, methods, at_once):
    port = start("http_peer").port
    with Raw(port) as raw:
        raw.send("".join(f"{method} /{'stats' if i == len(methods) else 'delay'}?ms=300 HTTP/1.1\r\n"
                         "Host: a\r\n\r\n" for i, method in enumerate(methods, 1)))
        for method in methods[:-1]:
            assert raw.response(method).status == 200
        assert json.loads(raw.response().body)["in_flight"] == at_once
        raw.expect_open()


# Rule 3.
@pytest.mark.parametrize("cut", [1, 20, 60, 77, 100])
def test_a_request_that_waits_may_come_in_pieces(raw, cut):
    batch = post("/delay?ms=200", "abc") + post("/echo", "def") + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
    for at in range(0, len(batch), cut):
        raw.send(batch[at:at + cut])
    assert raw.response().body == b"ms=200"
    assert json.loads(raw.response().body)["body_hex"] == "646566"
    assert raw.response().body == b"hello, world\n"
    raw.expect_open()


def test_nothing_runs_behind_a_stream(start):
    with Raw(start("http_peer").port) as raw:
        raw.get("/stream?n=3&size=1&ms=300")
        assert raw.head()[0] == 200
        raw.get("/stats")
        assert [raw.chunk() for _ in range(4)] == [b"a", b"b", b"c", b""]
        assert json.loads(raw.response().body)["in_flight"] == 1


# Rule 3.
def test_head_has_gets_headers_and_no_body(raw):
    for path, same in (("/hello", ("content-length", "content-type")),
                       ("/stream?n=2", ("transfer-encoding", "content-type")),
                       ("/stream?n=2&ms=100", ("transfer-encoding", "content-type")),
                       ("/nope", ("content-length", "content-type"))):
        got = raw.get(path).response()
        head = raw.get(path, method="HEAD").response(method="HEAD")
        assert (head.status, head.body) == (got.status, b"")
        for name in same:
            assert head.get(name) == got.get(name) is not None
    raw.expect_open()


@pytest.mark.parametrize("code", [204, 304])
def test_statuses_without_body(raw, code):
    response = raw.get(f"/status?code={code}").response()
    assert response.status == code and response.get("content-length") is None
    raw.expect_open()


@pytest.mark.parametrize("code", [0, 100, 199])
def test_a_status_that_is_none_becomes_500(raw, code):
    assert raw.get(f"/status?code={code}").response().status == 500
    raw.expect_open()


def test_headers_of_handlers_cannot_be_split(raw):
    response = raw.get("/status?code=200").response()
    assert response.get("x-injected") is None
    assert response.get("x-reflected") == "a  X-Injected: b"


def test_errors_carry_the_headers_of_the_handler(raw):
    assert raw.get("/nope").response().get("x-error-for") == "/nope"
    raw.get("/hello", headers="A : b\r\n")
    response = raw.response()
    assert (response.status, response.get("x-error-for")) == (400, "/hello")


# --- Expect ---

# Rule 3.
def test_expect_gets_100_before_the_body_is_sent(raw):
    raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert raw.head() == (100, [])
    raw.send("hello")
    response = raw.response()
    assert response.status == 200 and json.loads(response.body)["body_hex"] == "68656c6c6f"
    raw.expect_open()


def test_expect_with_the_body_already_there_gets_no_100(raw):
    raw.send(post("/echo", "hello", "Expect: 100-continue\r\n"))
    assert raw.response().interim == []


# Rule 3.
def test_expect_waits_for_its_turn(raw):
    """The 100 must not come before the answer to the request in front."""
    raw.send("GET /delay?ms=50 HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\n"
             "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert raw.response().interim == []
    assert raw.head() == (100, [])
    raw.send("hi")
    assert raw.response().status == 200


# Rule 3.
def test_expect_refused_on_seeing_the_headers(raw):
    raw.send("POST /headers-reject HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
             "Expect: 100-continue\r\n\r\n")
    response = raw.response()
    assert (response.status, response.interim) == (401, [])
    assert response.get("connection") == "close"
    raw.expect_close()


def test_http10_knows_no_100(raw):
    raw.send("POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    raw.send("hi")
    response = raw.response()
    assert (response.status, response.interim) == (200, [])
    raw.expect_close()


def test_a_body_that_nobody_wants_still_gets_its_answer(port):
    """The client sends a large body and reads only then: the close must not eat the answer."""
    for _ in range(5):
        with Raw(port) as raw:
            raw.send("POST /headers-reject HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n")
            try:
                raw.send(b"x" * 800000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert raw.response().status == 401
            raw.expect_close()


# --- streams ---

def test_stream_pieces_arrive_when_they_are_written(raw):
    raw.get("/stream?n=3&size=4&ms=300")
    status, headers = raw.head()
    assert status == 200 and ("Transfer-Encoding", "chunked") in headers
    assert [raw.chunk() for _ in range(4)] == [b"aaaa", b"bbbb", b"cccc", b""]
    raw.expect_open()


def test_stream_whose_end_comes_behind_its_last_byte(raw, port, wait_until):
    """Nothing is left to send when the end is known; the exchange must end all the same."""
    raw.get("/stream?n=2&ms=100", method="HEAD").response(method="HEAD")
    wait_until(lambda: stats(port)["in_flight"] == 1)


def test_stream_to_http10_ends_with_the_connection(raw):
    raw.get("/stream?n=3&size=4", version="1.0", headers="Connection: keep-alive\r\n")
    response = raw.response()
    assert response.get("transfer-encoding") is None and response.get("connection") == "close"
    assert response.body == b"aaaabbbbcccc"


def test_long_stream(start):
    """Far more than the socket's buffers hold, so that it is sent in many pieces."""
    with Raw(start("http_peer", "--stream-buffer-bytes=64MiB").port) as raw:
        raw.get("/stream?n=500&size=20000")
        assert raw.response().body == b"".join(
            bytes([ord("a") + i % 26]) * 20000 for i in range(500))
        raw.expect_open()


def test_stream_may_be_longer_than_its_buffer(start):
    """The bound is on what waits, not on all that was ever written."""
    with Raw(start("http_peer", "--stream-buffer-bytes=128KiB").port) as raw:
        raw.get("/stream?n=40&size=10000&ms=20")
        assert len(raw.response().body) == 400_000


def test_a_piece_may_be_larger_than_the_buffer(start):
    port = start("http_peer", "--stream-buffer-bytes=4KiB").port
    with Raw(port) as raw:
        assert len(raw.get("/stream?n=1&size=1000000").response().body) == 1_000_000
    assert stats(port)["streams_dropped"] == 0


# Rule 2.
def test_slow_stream_reader_is_dropped_and_counted(start, wait_until):
    port = start("http_peer", "--stream-buffer-bytes=64KiB").port
    with Raw(port, receive_buffer=4096) as slow:
        slow.get("/stream?n=100000&size=10000")
        wait_until(lambda: stats(port)["streams_dropped"] == 1)
        after = wait_until(lambda: (s := stats(port))["in_flight"] == 1 and s)
        assert after["streams_stopped"] == 1
        with pytest.raises((ConnectionResetError, Closed)):
            slow.response()  # a cut stream must not look like a complete one


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_stream_that_fails_is_cut_off(raw, port, wait_until, version):
    raw.get("/stream?n=2&size=4&ms=300&abort=1", version=version)
    with pytest.raises((ConnectionResetError, Closed)):
        raw.response()
    after = wait_until(lambda: (s := stats(port))["in_flight"] == 1 and s)
    assert after["streams_dropped"] == 0  # its reader was not too slow


# Rule 3: the answer before it is whole, and its call goes on.
@pytest.mark.parametrize("path", ["/stream?n=100&size=10000", "/stream?n=1&size=1&abort=1"])
@pytest.mark.parametrize("between", [0, 2])
def test_a_stream_that_is_cut_off_leaves_the_answers_before_it(start, wait_until, path, between):
    port = start("http_peer", "--stream-buffer-bytes=64KiB").port
    with Raw(port) as raw:
        raw.get("/delay?ms=700")
        for _ in range(between):
            raw.get("/big?size=3000000")
        raw.get(path).get("/delay?ms=10")
        assert raw.response().body == b"ms=700"
        for _ in range(between):
            assert len(raw.response().body) == 3_000_000
        raw.expect_close()
    seen = wait_until(lambda: (s := stats(port))["in_flight"] == 1 and s)
    assert seen["gone"] <= 2  # of the stream and of what was asked behind it
    assert seen["streams_dropped"] == ("abort" not in path)


# --- clients that leave ---

def test_half_closed_client_still_gets_its_answers(port):
    with Raw(port) as raw:
        raw.send("GET /delay?ms=50&a HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /stream?n=2&size=3&ms=20 HTTP/1.1\r\nHost: a\r\n\r\n").half_close()
        assert raw.response().body == b"ms=50&a"
        assert raw.response().body == b"aaabbb"
        raw.expect_close()


def test_gone_is_told_once_when_the_client_resets(port, wait_until):
    before = stats(port)
    for _ in range(20):
        raw = Raw(port)
        raw.get("/hold")
        wait_until(lambda: stats(port)["in_flight"] == 2)
        raw.reset()
        wait_until(lambda: stats(port)["in_flight"] == 1)
    after = stats(port)
    assert after["gone"] - before["gone"] == 20
    assert after["aborted"] - before["aborted"] == 20


def test_answers_to_clients_that_are_gone_go_nowhere(port, wait_until):
    """The client leaves at every moment: before, while and after the other thread answers."""
    rng = random.Random(3)
    before = stats(port)
    for i in range(150):
        raw = Raw(port)
        raw.get(f"/{rng.choice(('delay', 'resume'))}?ms={rng.randrange(3)}")
        raw.get("/stream?n=3&size=50000").get("/big?size=200000")
        if rng.random() < 0.5:
            raw.socket.recv(10)
        raw.reset()
    after = wait_until(lambda: (s := stats(port))["in_flight"] == 1
                       and s["connections_open"] == 1 and s)
    ended = after["finished"] + after["aborted"] - before["finished"] - before["aborted"]
    assert ended == after["requests"] - before["requests"]
    with Raw(port) as raw:
        raw.expect_open()


def test_client_that_resets_in_a_body(port, wait_until):
    before = stats(port)
    raw = Raw(port)
    raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
    wait_until(lambda: stats(port)["in_flight"] == 2)
    raw.reset()
    after = wait_until(lambda: (s := stats(port))["in_flight"] == 1 and s)
    assert after["aborted"] - before["aborted"] == 1 and after["gone"] == before["gone"]


def test_empty_connections_do_no_harm(port, wait_until):
    for how in ("close", "reset", "half_close"):
        raw = Raw(port)
        getattr(raw, how)()
    wait_until(lambda: stats(port)["connections_open"] == 1)


def test_reads_stop_while_too_many_answers_are_owed(raw, port):
    """Back-pressure: a client that pipelines without reading cannot make the server buffer."""
    raw.get("/delay?ms=1500&first")
    raw.socket.settimeout(0.2)
    sent = 0
    with pytest.raises(socket.timeout):
        while sent < 200_000_000:
            sent += raw.socket.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
    raw.socket.settimeout(60)
    assert stats(port)["in_flight"] <= 18  # 16, this question, and one before it at most
    assert raw.response().body == b"ms=1500&first"
    assert raw.response().body == b"hello, world\n"
