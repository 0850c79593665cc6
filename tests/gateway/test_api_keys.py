"""API keys as a client meets them: who is let in, for how long, and where the keys come from."""
import json
import time

import pytest
from edge import KEYS, PLANS, reason, with_key
from fake_access import key, plan
from omnidata.analytics.v1 import analytics_pb2


# --- keys ---

# Rule 25.
@pytest.mark.parametrize("headers, path, status, why", [
    ([], "/v1/users/u1", 403, "API_KEY_MISSING"),
    ([("X-API-Key", "")], "/v1/users/u1", 403, "API_KEY_MISSING"),
    ([("X-API-Key", "nonsense")], "/v1/users/u1", 403, "API_KEY_INVALID"),
    ([("X-API-Key", "SECRET-FREE")], "/v1/users/u1", 403, "API_KEY_INVALID"),
    ([("X-API-Key", "x" * 5000)], "/v1/users/u1", 403, "API_KEY_INVALID"),
    ([("X-API-Key", "secret-ended")], "/v1/users/u1", 403, "API_KEY_INVALID"),
    ([("X-API-Key", "secret-free"), ("X-API-Key", "secret-free")], "/v1/users/u1", 403,
     "API_KEY_REPEATED"),
    ([("X-API-Key", "secret-free"), ("x-api-key", "nonsense")], "/v1/users/u1", 403,
     "API_KEY_REPEATED"),
    ([], "/v1/users/u1?api_key=secret-free", 403, "API_KEY_MISSING"),
    ([], "/v1/users/u1?X-API-Key=secret-free", 403, "API_KEY_MISSING"),
    ([("Authorization", "secret-free")], "/v1/users/u1", 403, "API_KEY_MISSING"),
    ([("X-API-Key", "secret-free")], "/v1/users/u1", 200, None),
    ([("x-api-key", "secret-old")], "/v1/users/u1", 200, None),
])
def test_keys(shared, upstream, headers, path, status, why):
    answer = shared.http.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    assert (reason(answer) if why else None) == why
    assert bool(upstream.calls) == (status == 200)


# Rule 25.
def test_unknown_and_ended_keys_look_the_same(shared):
    answers = [shared.get(secret) for secret in ("nonsense", "secret-ended")]
    bodies = {answer.text for answer in answers}
    assert len(bodies) == 1
    assert {tuple(sorted(set(a.headers) - {"x-request-id"})) for a in answers} == \
        {tuple(sorted(set(answers[0].headers) - {"x-request-id"}))}


def test_the_key_is_not_passed_on(shared, upstream):
    shared.get("secret-free")
    metadata = upstream.last("GetUser")[2]
    assert "x-api-key" not in metadata
    assert "secret-free" not in repr(metadata)
    assert b"k-free" in metadata["omni-caller-bin"]


# Rule 25.
def test_keys_come_and_go_without_a_restart(edge, wait_until):
    here = edge()
    assert here.get("new").status_code == 403
    here.access.publish(PLANS, [key("k-new", "free", "new")])
    wait_until(lambda: here.get("new").status_code == 200)
    assert here.get("secret-free").status_code == 403
    here.access.publish(PLANS, [])
    wait_until(lambda: here.get("new").status_code == 403)


# Rule 25.
def test_a_key_ends_by_the_clock(edge, wait_until):
    here = edge()
    here.access.publish(PLANS, [key("k", "free", "s", expire_s=time.time() + 5)])
    wait_until(lambda: here.get("s").status_code == 200)
    wait_until(lambda: here.get("s").status_code == 403)
    assert reason(here.get("s")) == "API_KEY_INVALID"


# --- streams that outlive what let them in ---

TAIL = "/v1/analytics/events:tail"


def quiet(request, context):
    """Says something once its client is called, which nobody waits for here."""
    while context.is_active():
        time.sleep(0.02)
    yield analytics_pb2.TailEventsResponse()


def said(answer):
    """The lines of a stream, without signs of life."""
    return [line.strip() for line in answer.iter_lines() if line.strip(":\n")]


def told(lines):
    """The error at a stream's end: (code, reason)."""
    error = json.loads(lines[-1].removeprefix("data: "))["error"]
    return error["code"], error["details"][0]["reason"]


# Rule 25.
@pytest.mark.parametrize("accept, tail", [
    ("text/event-stream", ["event: error"]), ("application/x-ndjson", [])])
def test_an_open_stream_ends_with_its_key(edge, upstream, wait_until, accept, tail):
    here = edge(heartbeat="10m")
    upstream.on["TailEvents"] = quiet
    headers = {"Accept": accept, "X-Request-Id": "ended"}
    with here.http.stream("GET", TAIL, headers=with_key("secret-old", **headers)) as ended, \
            here.http.stream("GET", TAIL, headers=with_key("secret-free")) as kept:
        assert (ended.status_code, kept.status_code) == (200, 200)
        # The old secret of the key ends, the new one does not, and another key comes.
        here.access.publish(PLANS, [key("k-free", "free", "secret-free"), *KEYS[1:]])
        lines = said(ended)
        assert lines[:-1] == tail and told(lines) == (403, "API_KEY_INVALID")
        assert upstream.cancelled.wait(60)
        assert here.get("secret-free").status_code == 200
        upstream.cancelled.clear()
        here.access.publish(PLANS, [])  # as when a key is disabled
        assert told(said(kept)) == (403, "API_KEY_INVALID")
        assert upstream.cancelled.wait(60)
    line, = wait_until(lambda: [e for e in here.gateway.events("request")
                                if e["request_id"] == "ended"])
    assert (line["code"], line["reason"]) == ("PERMISSION_DENIED", "API_KEY_INVALID")


# Rule 24.
def test_an_open_stream_ends_with_its_token(edge, upstream):
    here = edge(token_skew="0s", heartbeat="10m")
    upstream.on["TailEvents"] = quiet
    for seconds in (2, 10, 50):  # a slow machine opens it when a short one is over
        token = here.issuer.bearer(exp=int(time.time()) + seconds)
        with here.http.stream("GET", TAIL, headers=with_key("secret-free", **token)) as answer:
            if answer.status_code == 200:
                assert told(said(answer)) == (401, "TOKEN_EXPIRED")
                return
    raise AssertionError("no stream was opened")


# --- the snapshot: away, kept, damaged ---

def test_before_the_first_snapshot(edge, upstream):
    here = edge(plans=None, wait=False)
    answer = here.get("secret-free")
    assert (answer.status_code, reason(answer)) == (503, "KEYS_NOT_KNOWN")
    assert answer.headers["retry-after"] == "1"
    assert here.http.get("/readyz").status_code == 503
    assert here.http.get("/healthz").status_code == 200
    here.access.publish(PLANS, KEYS)
    here.await_keys()
    assert here.get("secret-free").status_code == 200


def test_serves_and_starts_without_the_service(edge, wait_until):
    here = edge()
    here.access.stop()
    wait_until(lambda: not here.ready()["keys"]["following"])
    assert here.get("secret-free").status_code == 200
    here.gateway.stop()
    here.start(wait=False)
    assert here.get("secret-free").status_code == 200
    assert here.get("nonsense").status_code == 403
    assert here.ready()["keys"]["keys"] == len(KEYS)
    assert here.gateway.events("keys_from_disk")
    here.access.start()
    here.access.publish(PLANS, [])
    wait_until(lambda: here.get("secret-free").status_code == 403)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:60] + b"\0" + b[61:],
                                    lambda b: b"OMNIKEYS" + b"\2" + b[9:]])
def test_a_damaged_file_is_ignored(edge, damage):
    here = edge()
    here.gateway.stop()
    here.access.stop()
    kept = here.state / "keys"
    kept.write_bytes(damage(kept.read_bytes()))
    here.start(wait=False)
    assert here.get("secret-free").status_code == 503
    assert here.gateway.events("keys_file_ignored")
    here.access.start()
    here.await_keys()
    assert here.get("secret-free").status_code == 200


def test_a_broken_snapshot_changes_nothing(edge, wait_until):
    here = edge()
    here.access.publish(PLANS, [key("k-new", "no such plan", "new")])
    wait_until(lambda: here.gateway.events("keys_refused"))
    assert here.get("secret-free").status_code == 200
