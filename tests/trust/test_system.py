"""The whole system with everything enforced: who did it stands in all logs, a secret in none."""
import io
import re
import time

import httpx
import pytest
import zstandard
from support import trust
from support.issuer import Issuer
from support.pipeline import archived_rows, reconcile

MARK = "body-marker-7f3a"


@pytest.fixture
def system(new_stack, wait_until):
    """The stack, enforcing; .issuer mints tokens, .key is an API key's secret, .key_id its id."""
    issuer = Issuer()
    stack = new_stack()
    for name in ("user", "analytics", "gateway"):
        stack.settings[name].update({"access": "policy", "log-level": "debug"})
    stack.settings["gateway"].update({"issuers": issuer.setting,
                                      "state-dir": str(stack.directory / "gateway")})
    stack.start()
    plan = stack.omnictl("plans", "put", "basic", "--rate=1000", "--burst=1000")
    assert plan.returncode == 0, plan.stderr
    made = stack.omnictl("keys", "create", "the shop", "--plan=basic")
    assert made.returncode == 0, made.stderr
    stack.issuer, stack.key = issuer, made.stdout.strip()
    stack.key_id = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", made.stderr).group(0)
    client = httpx.Client(base_url=stack.url, timeout=60)
    wait_until(lambda: client.get("/v1/users", headers={"X-API-Key": stack.key}).status_code == 200,
               what="the gateway knows the key")
    wait_until(lambda: stack.gateway.events("issuer_keys"), what="the issuer's keys")
    stack.client = client
    yield stack
    client.close()
    issuer.stop()


def headers(system, token=None, **more):
    sent = {"X-API-Key": system.key, **more}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    return sent


def create(system, token, email, **more):
    return system.client.post("/v1/users", headers=headers(system, token, **more),
                              json={"email": email, "displayName": "S", "labels": {"mark": MARK}})


def test_who_did_it_is_in_the_logs(system, wait_until):
    ada, eve = system.issuer.mint(), system.issuer.mint(sub="eve")
    made = create(system, ada, "a@x.example", **{"X-Request-Id": "made-1"})
    assert made.status_code == 201, made.text
    assert made.json()["owner"] == {"issuer": system.issuer.url, "subject": "ada"}
    path = made.headers["location"]
    gone = system.client.delete(path, headers=headers(system, eve, **{"X-Request-Id": "gone-1"}))
    assert gone.status_code == 403
    assert gone.json()["error"]["details"][0]["reason"] == "NOT_OWNER"
    unsigned = system.client.delete(path, headers=headers(system, **{"X-Request-Id": "none-1"}))
    assert unsigned.status_code == 401
    admin = system.issuer.mint(sub="root", scope="users.write admin")
    assert system.client.delete(path, headers=headers(system, admin)).status_code == 204

    def line(program, event, request_id):
        found = wait_until(lambda: [one for one in program.events(event)
                                    if one.get("request_id") == request_id], what=request_id)
        return {key: found[0].get(key) for key in (
            "code", "reason", "issuer", "subject", "key_id", "address", "peer")}

    who = {"issuer": system.issuer.url, "key_id": system.key_id}
    assert line(system.user, "audit", "made-1") == {
        **who, "code": "OK", "reason": "", "subject": "ada", "address": "127.0.0.1",
        "peer": "gateway"}
    assert line(system.user, "audit", "gone-1") == {
        **who, "code": "PERMISSION_DENIED", "reason": "NOT_OWNER", "subject": "eve",
        "address": "127.0.0.1", "peer": "gateway"}
    at_edge = line(system.gateway, "request", "gone-1")
    assert (at_edge.pop("peer"), at_edge.pop("address")) == ("127.0.0.1", None)
    assert at_edge == {**who, "code": "PERMISSION_DENIED", "reason": "NOT_OWNER", "subject": "eve"}
    at_edge = line(system.gateway, "request", "none-1")
    assert at_edge["code"] == "UNAUTHENTICATED" and at_edge["reason"]
    assert at_edge["key_id"] == system.key_id


def in_order(system):
    """The archived events, in the order in which they were made."""
    return sorted(archived_rows(system), key=lambda row: row["id"])


def type_at_once(system, texts, pause_s):
    """Each (text, token) is typed letter by letter, in turn. False: something took so long that the
    steps may not be steps to the user service either."""
    slowest, before = 0, time.monotonic()
    for length in range(1, max(len(text) for text, _ in texts) + 1):
        for text, token in texts:
            found = system.client.get("/v1/users:search", params={"query": text[:length]},
                                      headers=headers(system, token))
            assert found.status_code == 200
        time.sleep(pause_s)
        slowest = max(slowest, time.monotonic() - before)
        before = time.monotonic()
    return slowest < 0.9  # from one letter to the next at most twice that; two seconds are allowed


def test_steps_of_typing_are_no_searches(system):
    """Two who type at once, slowly enough for every few letters to be a batch of their own."""
    ada, eve = system.issuer.mint(), system.issuer.mint(sub="eve")
    for words in (("josefine", "annalena"), ("wolfgang", "kunigund"), ("dietmars", "reinhild")):
        quick = type_at_once(system, list(zip(words, (ada, eve))), pause_s=0.2)
        reconcile(system)
        rows = [row for row in archived_rows(system, "searches")
                if any(word.startswith(row["query"]) for word in words)]
        if quick and len({row["batch_id"] for row in rows}) > 1:
            break
    else:
        pytest.fail("three times the machine was too slow for the seconds of this test")
    for word in words:
        typed = sorted((row for row in rows if word.startswith(row["query"])),
                       key=lambda row: len(row["query"]))
        assert [row["query"] for row in typed] == [word[:n] for n in range(1, len(word) + 1)]
        assert [row["partial"] for row in typed] == [True] * (len(word) - 1) + [False]
        assert len({row["actor"] for row in typed}) == 1
    top = system.client.get("/v1/analytics/searches:top", headers=headers(system)).json()
    counts = {one["query"]: one["count"] for one in top["searches"]}
    assert {text: count for text, count in counts.items() if words[0].startswith(text) or
            words[1].startswith(text)} == {word: "1" for word in words}


def test_events_say_by_whom_under_a_pseudonym(system):
    ada, eve = system.issuer.mint(), system.issuer.mint(sub="eve")
    assert create(system, ada, "a@x.example").status_code == 201
    assert create(system, eve, "b@x.example").status_code == 201
    assert create(system, ada, "a@x.example").status_code == 409
    for text, token in (("jose", ada), ("anna", eve), ("mul", ada)):
        found = system.client.get("/v1/users:search", params={"query": text},
                                  headers=headers(system, token))
        assert found.status_code == 200
    assert system.client.get("/v1/users", headers=headers(system)).status_code == 200
    reconcile(system)
    rows = [row for row in in_order(system) if row["key_id"] == system.key_id]
    writes = [(row["actor"], row["status"]) for row in rows if row["kind"] == "USER_CREATED"]
    by_ada, by_eve = writes[0][0], writes[1][0]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}", by_ada) and by_ada != by_eve
    assert sorted(writes) == sorted([(by_ada, 0), (by_eve, 0), (by_ada, 6)])
    searches = [row["actor"] for row in rows if row["kind"] == "USERS_SEARCHED"]
    assert sorted(searches) == sorted([by_ada] * 2 + [by_eve])
    assert all("actor" not in row or row["actor"] in ("", by_ada, by_eve) for row in rows)


def test_a_forgotten_actor_is_a_stranger(system):
    """Erasing a user cuts the thread between a person and what the person did."""
    ada, admin = system.issuer.mint(), system.issuer.mint(sub="root", scope="users.write admin")
    forget = {"issuer": system.issuer.url, "subject": "ada"}
    assert create(system, ada, "a@x.example").status_code == 201
    for token, body, status in ((ada, forget, 403), (None, forget, 401), (admin, {}, 400),
                                (admin, forget, 204), (admin, forget, 204)):
        answer = system.client.post("/v1/actors:forget", headers=headers(system, token), json=body)
        assert answer.status_code == status, answer.text
    assert create(system, ada, "b@x.example").status_code == 201
    assert create(system, ada, "c@x.example").status_code == 201
    reconcile(system)
    actors = [row["actor"] for row in in_order(system) if row["kind"] == "USER_CREATED"]
    assert len(actors) == 3 and len(set(actors)) == 2 and len(set(actors[1:])) == 1


def contents(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".zst":
                data = zstandard.ZstdDecompressor().stream_reader(
                    io.BytesIO(data), read_across_frames=True).read()
            yield path, data


def test_no_secret_is_in_a_log_or_in_the_data(system, tmp_path):
    """Everything that proves something was used, rightly and wrongly; then all files are read."""
    good, admin = system.issuer.mint(), system.issuer.mint(sub="root", scope="users.write admin")
    expired, wrong = system.issuer.mint(exp=1), system.issuer.mint(aud="another")
    assert create(system, good, "a@x.example", **{"Idempotency-Key": "once"}).status_code == 201
    for token in (expired, wrong, good[:-6] + "AAAAAA", "no.token.atall-0123456789"):
        assert create(system, token, "b@x.example").status_code == 401
    stolen = "stolen-api-key-0123456789abcdef"
    assert system.client.get("/v1/users", headers={"X-API-Key": stolen}).status_code == 403
    made = system.client.post("/v1/apiKeys", headers=headers(system, admin),
                              json={"displayName": "another", "planId": "basic"})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    rotated = system.client.post(f"{made.headers['location']}:rotate",
                                 headers=headers(system, admin), json={})
    assert rotated.status_code == 200, rotated.text
    with trust.channel(system.user.address, "user") as channel:
        call = channel.unary_unary("/omnidata.user.v1.UserService/CreateUser")
        with pytest.raises(Exception):
            call(b"", timeout=60)
    reconcile(system)
    system.stop()
    secrets = {"API key": system.key, "new API key": secret, "rotated": rotated.json()["secret"],
               "a key that is none": stolen,
               **{f"{name}'s token": token for name, token in trust.TOKENS.items()}}
    for name, token in (("good", good), ("admin", admin), ("expired", expired), ("wrong", wrong)):
        secrets[f"{name} JWT"] = token
        secrets[f"{name} JWT's signature"] = token.rsplit(".", 1)[1]
    logs = {program.name: program.stderr.encode()
            for program in (system.user, system.analytics, system.gateway)}
    places = [*logs.items(), *contents(system.directory)]
    assert len(places) > 10
    found = [(name, str(where)) for where, data in places for name, value in secrets.items()
             if value.encode() in data]
    assert not found
    assert not [where for where, data in logs.items() if MARK.encode() in data]  # no bodies either
