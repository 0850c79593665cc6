"""The whole system in one go: what a new user does first. Short enough for ThreadSanitizer."""
import threading

from support.pipeline import assert_each_once, assert_partitions, reconcile, wait_archived


def test_first_steps(stack):
    http = stack.http
    created = http.post("/v1/users", json={"email": "jose@example.org", "displayName": "José Pérez"})
    assert created.status_code == 201, created.text
    user = created.json()
    assert created.headers["location"] == f"/v1/users/{user['id']}"
    assert created.headers["etag"]

    assert http.get(f"/v1/users/{user['id']}").json() == user
    found = http.get("/v1/users:search", params={"query": "jose"}).json()
    assert [u["id"] for u in found["users"]] == [user["id"]]

    changed = http.patch(f"/v1/users/{user['id']}", json={"givenName": "José"},
                         headers={"If-Match": created.headers["etag"]})
    assert changed.status_code == 200 and changed.json()["givenName"] == "José", changed.text
    assert changed.json()["etag"] != user["etag"]

    gone = http.delete(f"/v1/users/{user['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert http.get(f"/v1/users/{user['id']}").status_code == 404

    rows = wait_archived(stack, [user["id"]])
    assert_each_once(rows)
    assert_partitions(rows)
    reconcile(stack)


def test_many_clients_at_once(stack):
    """Threads that write, read and search; afterwards the books agree."""
    import httpx
    made, failures = [], []

    def client(number):
        with httpx.Client(base_url=stack.url, timeout=30, headers=stack.headers) as http:
            for i in range(15):
                body = {"email": f"u{number}-{i}@example.org", "displayName": f"Anna Nr {i}"}
                answer = http.post("/v1/users", json=body)
                if answer.status_code != 201:
                    failures.append(answer.text)
                    continue
                made.append(answer.json()["id"])
                for path in (f"/v1/users/{made[-1]}", "/v1/users:search?query=ann", "/v1/users"):
                    answer = http.get(path)
                    if answer.status_code != 200:
                        failures.append(answer.text)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    rows = wait_archived(stack, made)
    assert_each_once(rows)
    reconcile(stack)
