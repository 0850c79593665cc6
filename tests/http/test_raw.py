"""Requests as raw bytes (cases.json): what is answered, what is closed, and what h11 says to them.

A case: `send` is text in latin-1, or a list of text and [text, times]; `status` the answers in
order; `closed` whether the connection ends; `end` that the client closes its sending side. `h11`
stands where an independent strict parser decides otherwise, and says why we do not follow it.
"""
import json
import ssl
from pathlib import Path

import h11
import pytest

from support.certificates import Authority
from support.raw_client import Raw

CASES = json.loads((Path(__file__).parent / "cases.json").read_text())
ANSWERED = {200, 401, 404}


def raw_bytes(send):
    parts = [send] if isinstance(send, str) else send
    return "".join(p if isinstance(p, str) else p[0] * p[1] for p in parts).encode("latin-1")


@pytest.fixture(scope="module")
def port(module_start):
    return module_start("http_peer", "--http2=false").port


@pytest.fixture(scope="module")
def tls(module_start, tmp_path_factory):
    """(port, context) of the same server behind TLS."""
    authority = Authority(tmp_path_factory.mktemp("tls"))
    certificate, key = authority.issue("localhost")
    server = module_start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}")
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.set_alpn_protocols(["http/1.1"])
    return server.port, context


def check(port, case, pieces, context=None):
    with Raw(port, tls=context) as raw:
        for piece in pieces:
            try:
                raw.send(piece)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                break  # refused before all of it was sent: the answer is there to be read
        if case.get("end"):
            raw.half_close()
        for status in case["status"]:
            response = raw.response()
            assert response.status == status, response.body
            if status >= 400:
                assert response.get("content-type") == "application/json"
                assert json.loads(response.body)["code"] == status
        if case["closed"]:
            if not case.get("end"):  # the server may learn of the end behind its answer only
                assert response.get("connection") == "close"
            raw.expect_close()
        else:
            assert response.get("connection") in (None, "keep-alive")
            raw.expect_open()


# Rules 1, 3 and 4: the table of cases.
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_at_once(port, case):
    check(port, case, [raw_bytes(case["send"])])


# Rule 1: the same table over TLS.
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_over_tls(tls, case):
    port, context = tls
    check(port, case, [raw_bytes(case["send"])], context)


# Rule 1: however the bytes are cut.
@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c["send"], str)],
                         ids=lambda c: c["name"])
def test_byte_by_byte(port, case):
    data = raw_bytes(case["send"])
    check(port, case, [data[i:i + 1] for i in range(len(data))])


def h11_says(data, end):
    connection, answers = h11.Connection(h11.SERVER), []
    try:
        connection.receive_data(data)
        if end:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.their_state is not h11.IDLE or connection.trailing_data[0]:
                    answers.append("incomplete")
                return answers
            if isinstance(event, h11.ConnectionClosed):
                return answers
            if isinstance(event, h11.EndOfMessage):
                answers.append("accept")
                if connection.their_state is h11.MIGHT_SWITCH_PROTOCOL:
                    return answers
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    return answers
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return answers + ["refuse"]


# Rule 1.
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_decides_as_h11_or_says_why_not(case):
    ours = ["accept" if status in ANSWERED else "refuse" for status in case["status"]]
    theirs = h11_says(raw_bytes(case["send"]), case.get("end"))
    if "h11" not in case:
        assert theirs == ours
        return
    assert theirs == case["h11"]["says"], "the documented difference is no longer so"
    assert theirs != ours and case["h11"]["why"]
    looser = "refuse" in theirs and "refuse" not in ours
    assert not looser or "should ignore" in case["h11"]["why"]
