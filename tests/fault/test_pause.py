"""A consumer that is stopped (SIGSTOP) past its lease and wakes up writes nothing twice."""
import time

from support.pipeline import archived_rows, assert_each_once, reconcile, wait_archived


def test_paused_consumer_writes_no_duplicate(new_stack):
    stack = new_stack()
    stack.settings["analytics"].update({"lease": "500ms", "segment-age": "700ms"})
    stack.start()
    made = []
    for pause in range(3):
        for i in range(20):
            answer = stack.http.post("/v1/users", json={"email": f"p{pause}-{i}@example.org",
                                                        "displayName": "Paused"})
            made.append(answer.json()["id"])
        stack.analytics.pause()
        time.sleep(2)  # past its lease; meanwhile the relay sends its batches again
        answer = stack.http.post("/v1/users", json={"email": f"while{pause}@example.org",
                                                    "displayName": "Meanwhile"})
        assert answer.status_code == 201
        made.append(answer.json()["id"])
        stack.analytics.resume()
    wait_archived(stack, made)
    reconcile(stack)
    assert_each_once(archived_rows(stack))
