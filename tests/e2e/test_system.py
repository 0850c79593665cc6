"""Promises of the whole system, over the real programs, seen through independent clients."""
import json
import subprocess

import grpc
import pytest

from support.pipeline import (archived_rows, assert_each_once, created_ids, reconcile,
                              wait_archived)
from support.programs import wait_until


@pytest.fixture(scope="module")
def system(module_stack):
    return module_stack


def create(stack, email, name, **more):
    answer = stack.http.post("/v1/users", json={"email": email, "displayName": name, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def reason(answer):
    """The ErrorInfo reason of the one error shape."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code and error["message"] and error["status"]
    return next((d["reason"] for d in error["details"] if d["@type"].endswith("ErrorInfo")), None)


@pytest.mark.parametrize("name,email,query", [
    ("José Ortega", "jortega@example.org", "jose"),
    ("Anna Müller", "amueller@example.org", "mul"),
    ("Søren Ærø", "saero@example.org", "SOREN"),
    ("Łukasz Żak", "lzak@example.org", "lukasz zak"),
    ("Ｗｉｄｅ Ｎａｍｅ", "wide@example.org", "wide"),
    ("Ольга Иванова", "olga@example.org", "иван"),
    ("山田太郎", "yamada@example.org", "山田"),
    ("Plain Person", "odd.address@example.org", "odd.address"),
])
def test_search_knows_accents_case_and_scripts(system, name, email, query):
    user = create(system, email, name)
    found = system.http.get("/v1/users:search", params={"query": query}).json()
    assert user["id"] in [u["id"] for u in found["users"]]


# Rule 22.
def test_search_pages_are_complete_and_ordered(system):
    made = {create(system, f"page{i}@example.org", f"Pagina {i:02}")["id"] for i in range(7)}
    seen, names, token = [], [], ""
    while True:
        page = system.http.get("/v1/users:search", params={
            "query": "pagina", "pageSize": 3, "pageToken": token}).json()
        seen += [u["id"] for u in page["users"]]
        names += [u["displayName"] for u in page["users"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert set(seen) == made and len(seen) == 7 and names == sorted(names)


# Rules 17, 20 and 22.
def test_documented_errors(system):
    user = create(system, "taken@example.org", "Taken")
    http = system.http
    cases = [
        (http.post("/v1/users", json={"email": "TAKEN@example.org", "displayName": "x"}), 409,
         "EMAIL_TAKEN"),
        (http.patch(f"/v1/users/{user['id']}", json={"displayName": "y", "etag": "stale"}), 409,
         "ETAG_MISMATCH"),
        (http.get("/v1/users/01900000-0000-7000-8000-000000000000"), 404, "USER_NOT_FOUND"),
        (http.get("/v1/users", params={"pageToken": "nonsense"}), 400, "PAGE_TOKEN_INVALID"),
        (http.get("/v1/users", params={"pageSize": -1}), 400, "INVALID_FIELD"),
    ]
    for answer, status, wanted in cases:
        assert (answer.status_code, reason(answer)) == (status, wanted), answer.text
    # If-Match that fails is 412 whatever the method.
    answer = http.patch(f"/v1/users/{user['id']}", json={"displayName": "y"},
                        headers={"If-Match": '"stale"'})
    assert answer.status_code == 412, answer.text
    for body, field in [({"email": "no-at", "displayName": "x"}, "user.email"),
                        ({"email": "a@example.org"}, "user.display_name")]:
        answer = http.post("/v1/users", json=body)
        assert answer.status_code == 400, answer.text
        violations = [v["field"] for d in answer.json()["error"]["details"]
                      for v in d.get("fieldViolations", [])]
        assert any(v.replace("displayName", "display_name") == field for v in violations), answer.text
    for path, status in (("/v1/nothing", 404), ("/nothing-there.html", 404)):
        answer = http.get(path)
        assert answer.status_code == status and reason(answer) is not False
    answer = http.put("/v1/users", json={})
    assert answer.status_code == 405 and "POST" in answer.headers["allow"]


@pytest.mark.parametrize("content,status,words", [
    (b"{", 400, None),
    (b'{"email":"a@b.example","displayName":"x","colour":"red"}', 400, "colour"),
    (b'{"email":5,"displayName":"x"}', 400, "email"),
    (b'{"email":"a@b.example","displayName":"\xff"}', 400, None),
], ids=["cut", "unknown field", "wrong type", "no UTF-8"])
def test_bad_bodies(system, content, status, words):
    answer = system.http.post("/v1/users", content=content,
                              headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    reason(answer)
    assert words is None or words in answer.text


def test_a_body_that_is_too_large(system, tmp_path):
    """By curl, which reads the answer that comes while it still sends."""
    body = tmp_path / "body"
    body.write_bytes(b'{"displayName":"' + b"x" * (4 << 20) + b'"}')
    shown = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "-H", "Expect:", "-H",
                            "Content-Type: application/json", "--data-binary", f"@{body}",
                            f"{system.url}/v1/users"], capture_output=True, text=True, check=False)
    answer, status = shown.stdout.rsplit("\n", 1)
    assert status == "413" and json.loads(answer)["error"]["code"] == 413, shown


def test_grpc_is_open_to_internal_clients(system):
    from omnidata.user.v1 import user_pb2, user_pb2_grpc
    stub = user_pb2_grpc.UserServiceStub(system.channel(system.user))
    made = stub.CreateUser(user_pb2.CreateUserRequest(user=user_pb2.User(
        email="grpc@example.org", display_name="By gRPC")), timeout=60)
    over_rest = system.http.get(f"/v1/users/{made.id}").json()
    assert over_rest["displayName"] == "By gRPC" and over_rest["etag"] == made.etag
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetUser(user_pb2.GetUserRequest(id="01900000-0000-7000-8000-000000000000"), timeout=60)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    both = stub.BatchGetUsers(user_pb2.BatchGetUsersRequest(
        ids=["01900000-0000-7000-8000-000000000000", made.id]), timeout=60).results
    assert both[0].error.code == 5 and both[1].user.id == made.id


def test_health_and_readiness(system):
    from grpc.health.v1 import health_pb2, health_pb2_grpc
    for program in (system.user, system.analytics):
        health = health_pb2_grpc.HealthStub(system.channel(program))
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=60).status == 1
    for path in ("/healthz", "/readyz"):
        assert system.http.get(path).status_code == 200


def test_page_is_served(system):
    answer = system.http.get("/")
    assert answer.status_code == 200 and "text/html" in answer.headers["content-type"]
    assert "<title>OmniData" in answer.text
    again = system.http.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    raw = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is",
                          f"{system.url}/../../../../etc/passwd"], capture_output=True, text=True,
                         check=True)
    assert raw.stdout in ("400", "404")


def test_trends_appear(system):
    for _ in range(3):
        system.http.get("/v1/users:search", params={"query": "trendy thing"})
    system.http.get("/v1/users:search", params={"query": "José"})

    def top(**params):
        answer = system.http.get("/v1/analytics/searches:top", params={"limit": 100, **params})
        assert answer.status_code == 200, answer.text
        return {s["query"]: int(s["count"]) for s in answer.json().get("searches", [])}

    wait_until(lambda: top().get("trendy thing", 0) >= 3, 60, "the search is among the top ones")
    assert top(withoutResult="true").get("trendy thing", 0) >= 3
    summary = system.http.get("/v1/analytics/summary").json()
    assert int(summary["searchesWithoutResult"]) >= 3
    kinds = {k["kind"]: int(k["count"]) for k in summary["kinds"]}
    assert kinds["EVENT_KIND_USERS_SEARCHED"] >= 4
    points = system.http.get("/v1/analytics/timeseries").json()["points"]
    assert len(points) >= 60 and sum(int(p.get("events", 0)) for p in points) > 0


def test_events_can_be_followed_live(system):
    with system.http.stream("GET", "/v1/analytics/events:tail", timeout=30) as tail:
        assert tail.status_code == 200
        assert tail.headers["content-type"].startswith("text/event-stream")
        user = create(system, "tail@example.org", "Tail Me")
        for line in tail.iter_lines():
            if line.startswith("data:") and user["id"] in line:
                return
    raise AssertionError("the creation was not in the stream")


def test_answers_while_analytics_is_away_and_catches_up(stack):
    stack.analytics.stop()
    made = [create(stack, f"away{i}@example.org", f"Away {i}")["id"] for i in range(20)]
    assert stack.http.get(f"/v1/users/{made[0]}").status_code == 200
    assert stack.http.get("/v1/analytics/summary").status_code == 503
    stack.start_analytics()
    rows = wait_archived(stack, made)
    assert_each_once(rows)
    reconcile(stack)
    assert stack.http.get("/v1/analytics/summary").status_code == 200


def test_restart_keeps_everything(stack):
    users = [create(stack, f"keep{i}@example.org", f"Keep {i}", labels={"n": str(i)})
             for i in range(10)]
    stack.stop()
    stack.close()
    stack.start()
    for user in users:
        assert stack.http.get(f"/v1/users/{user['id']}").json() == user
    assert len(stack.http.get("/v1/users:search", params={"query": "keep"}).json()["users"]) == 10
    rows = wait_archived(stack, [u["id"] for u in users])
    assert_each_once(rows)
    assert created_ids(archived_rows(stack)) == {u["id"] for u in users}
    reconcile(stack)


# Rule 35.
def test_archive_reads_with_the_usual_tools(stack):
    user = create(stack, "tools@example.org", "Tools")
    wait_archived(stack, [user["id"]])
    objects = [str(p) for p in (stack.analytics_dir / "archive" / "events").rglob("*.zst")
               if p.stat().st_size]
    shown = subprocess.run(f"zstdcat {' '.join(objects)} | jq -r .user_id", shell=True,
                           capture_output=True, text=True, check=True).stdout
    assert user["id"] in shown.split()


# Rule 21.
def test_repeated_creation_is_one_creation(stack):
    body = {"email": "once@example.org", "displayName": "Once"}
    answers = [stack.http.post("/v1/users", json=body, headers={"Idempotency-Key": "k1"})
               for _ in range(3)]
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    other = stack.http.post("/v1/users", json={**body, "displayName": "Other"},
                            headers={"Idempotency-Key": "k1"})
    assert (other.status_code, reason(other)) == (422, "IDEMPOTENCY_KEY_REUSED"), other.text
    stack.user.stop()
    stack.start_user()
    again = wait_until(lambda: answer_or_none(stack, body), 60, "the user service is reached again")
    assert again.json()["id"] == answers[0].json()["id"]


def answer_or_none(stack, body):
    answer = stack.http.post("/v1/users", json=body, headers={"Idempotency-Key": "k1"})
    return answer if answer.status_code == 201 else None
