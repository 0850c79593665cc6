"""Every limit and every deadline of struct http_limits, with values small enough to reach."""
import json
import select
import time

import pytest

from support.raw_client import Raw, stats


def refused(raw, status):
    response = raw.response()
    assert response.status == status
    assert json.loads(response.body)["code"] == status
    assert response.get("connection") == "close"
    raw.expect_close()


# Rule 2.
def test_sizes(start):
    port = start("http_peer", "--target-bytes=100", "--header-bytes=500", "--body-bytes=1000").port
    with Raw(port) as raw:
        assert raw.get("/echo?" + "a" * 94).response().status == 200
        raw.get("/echo?" + "a" * 95)
        refused(raw, 414)
    room = 500 - len("GET /hello HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n")
    with Raw(port) as raw:
        assert raw.get("/hello", headers=f"A: {'a' * room}\r\n").response().status == 200
        raw.get("/hello", headers=f"A: {'a' * (room + 1)}\r\n")
        refused(raw, 431)
    with Raw(port) as raw:
        body = "x" * 1000
        raw.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{body}")
        assert raw.response().status == 200
        raw.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 f"1f4\r\n{body[:500]}\r\n1f4\r\n{body[:500]}\r\n0\r\n\r\n")
        assert raw.response().status == 200
        raw.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 f"1f4\r\n{body[:500]}\r\n1f5\r\n{body[:501]}\r\n0\r\n\r\n")
        refused(raw, 413)
    with Raw(port) as raw:
        raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n"
                 "Expect: 100-continue\r\n\r\n")
        response = raw.response()
        assert (response.status, response.interim) == (413, [])
        raw.expect_close()


# Rules 2 and 18.
def test_connections(start, wait_until):
    port = start("http_peer", "--connections=3").port
    held = [Raw(port) for _ in range(3)]
    for raw in held:
        raw.expect_open()
    with Raw(port) as extra:
        response = extra.response()
        assert response.status == 503 and response.get("retry-after")
        extra.expect_close()
    for raw in held:
        raw.expect_open()
        raw.close()

    def again():
        with Raw(port) as raw:
            return raw.get("/hello").response().status == 200
    wait_until(again)
    assert stats(port)["refused"] >= 1


# Rules 2 and 18.
def test_in_flight(start, wait_until):
    port = start("http_peer", "--in-flight=2").port
    holders = [Raw(port).get("/hold") for _ in range(2)]

    def full():
        for holder in holders:  # the question below may have taken its place
            if select.select([holder.socket], [], [], 0)[0]:
                assert holder.response().status == 503
                holder.get("/hold")
        with Raw(port) as raw:
            response = raw.get("/hello").response()
            if response.status == 503:
                assert response.get("retry-after") == "1"
                assert raw.get("/hello").response().status == 503  # the connection is kept
                return True
            return False
    wait_until(full)
    with Raw(port) as raw:
        raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert raw.response().status == 503
        for holder in holders:
            holder.reset()
        wait_until(lambda: raw.get("/hello").response().status == 200)


# Rule 2: a probe is answered all the same, but one to a connection.
def test_in_flight_does_not_count_for_probes(start):
    port = start("http_peer", "--in-flight=1").port
    with Raw(port) as held, Raw(port) as raw:
        held.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert held.head() == (100, [])
        assert raw.get("/hello").response().status == 503
        for _ in range(3):
            assert raw.get("/probe").response().status == 200
        raw.send("GET /probe HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        assert [raw.response().status for _ in range(2)] == [200, 503]


def test_pipeline(start, wait_until):
    port = start("http_peer", "--pipeline=3").port
    with Raw(port) as raw:
        raw.send("GET /delay?ms=400 HTTP/1.1\r\nHost: a\r\n\r\n" * 8)
        wait_until(lambda: stats(port)["in_flight"] == 4)
        for _ in range(20):
            assert stats(port)["in_flight"] <= 5  # a question of before may still be counted
        for _ in range(8):
            assert raw.response().status == 200


@pytest.fixture(scope="module")
def hasty(module_start):
    return module_start("http_peer", "--header-time=400ms", "--body-time=400ms",
                        "--idle-time=700ms", "--write-time=1s").port


def drip(raw, data, every_s=0.05):
    """Sends byte by byte; true when the server ended it before all was sent."""
    raw.socket.settimeout(every_s)
    for byte in data:
        try:
            raw.socket.send(byte.encode())
            raw._more()
            return True
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return True
    return False


# Rule 2.
def test_headers_that_drip(hasty):
    with Raw(hasty) as raw:
        assert drip(raw, "GET /hello HTTP/1.1\r\nHost: a\r\nX: " + "a" * 1000)
        raw.socket.settimeout(60)
        refused(raw, 408)


# Rule 2.
def test_headers_that_stop(hasty):
    with Raw(hasty) as raw:
        raw.send("GET /hello HT")
        refused(raw, 408)


# Rule 2.
@pytest.mark.parametrize("framing, body", [("Content-Length: 1000", "a" * 1000),
                                           ("Transfer-Encoding: chunked", "1\r\na\r\n" * 1000)])
def test_bodies_that_drip(hasty, framing, body):
    with Raw(hasty) as raw:
        raw.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")
        assert drip(raw, body)
        raw.socket.settimeout(60)
        refused(raw, 408)


def test_discarded_body_that_stops(hasty):
    with Raw(hasty) as raw:
        raw.send("POST /headers-reject HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert raw.response().status == 401
        raw.expect_close()


def test_timeout_in_turn(hasty):
    """A late second request does not overtake the answer to the first."""
    with Raw(hasty) as raw:
        raw.send("GET /delay?ms=900 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HT")
        assert raw.response().status == 200
        refused(raw, 408)


# Rule 2.
@pytest.mark.parametrize("before", ["", "\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
                                    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n"])
def test_idle_connections_are_closed_without_a_word(hasty, before):
    with Raw(hasty) as raw:
        raw.send(before)
        if len(before) > 2:
            assert raw.response().status == 200
        raw.expect_close()


def test_a_slow_handler_is_not_idle(hasty):
    with Raw(hasty) as raw:
        assert raw.get("/delay?ms=1500").response().status == 200
        raw.expect_open()


# Rule 2.
def test_reader_that_stops(hasty, wait_until):
    with Raw(hasty, receive_buffer=4096) as raw:
        before = stats(hasty)["timeouts"]
        raw.get("/big?size=20000000")
        wait_until(lambda: stats(hasty)["timeouts"] > before)
        with pytest.raises(ConnectionResetError):
            raw.rest()


def test_reader_that_is_slow_but_reads(hasty):
    """Longer than write_ms in all, and too slow for the kernel to want more from the server."""
    with Raw(hasty, receive_buffer=4096) as raw:
        size = 8_000_000
        raw.get(f"/big?size={size}")
        begin = time.monotonic()
        got = 0
        while time.monotonic() < begin + 4:
            got += len(raw.socket.recv(10_000))
            time.sleep(0.05)
        assert got < 1_000_000, "it was meant to be slow"
        while got < size and (piece := raw.socket.recv(1_000_000)):
            got += len(piece)
        assert got > size


def test_idle_connection_holds_no_buffers(start):
    """2,000 kept connections, each of which has sent a request: below 1 KiB each."""
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    peer = start("http_peer", "--threads=1")
    warm = [Raw(peer.port) for _ in range(100)]
    for raw in warm:
        raw.expect_open()
    before = peer.rss_kib("RssAnon")
    kept = [Raw(peer.port) for _ in range(2000)]
    for raw in kept:
        raw.expect_open()
    grown = (peer.rss_kib("RssAnon") - before) * 1024 / len(kept)
    for raw in warm + kept:
        raw.close()
    sanitized = "/release/" not in peer.process.args[0]
    assert grown < (8192 if sanitized else 1024), f"{grown:.0f} bytes a connection"
