"""Events by way of SQS: whatever SQS or the network do, each acknowledged write is archived once."""
import signal
import time

import pytest

from support.pipeline import (archived_rows, assert_each_once, assert_partitions, created_ids,
                              reconcile, wait_archived)
from support.programs import wait_until

LEASE_S = 3


@pytest.fixture
def queue_url(sqs, name):
    return sqs.create(name)


@pytest.fixture
def on_sqs(new_stack, proxy, queue_url):
    """The three programs with SQS between user and analytics, not started."""
    stack = new_stack()
    name = queue_url.rpartition("/")[2]
    address = f"sqs://{name}?endpoint={proxy.url}"
    stack.env = proxy.environment()
    stack.settings["user"]["events"] = address
    stack.settings["analytics"].update({"queue": address, "lease": f"{LEASE_S}s"})
    return stack


def create_users(stack, count, label="u"):
    ids = []
    for i in range(count):
        answer = stack.http.post("/v1/users", json={"email": f"{label}{i}@example.org",
                                                    "displayName": f"User {label} {i}"})
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    return ids


def assert_all_archived_once(stack, ids):
    wait_archived(stack, ids, timeout_s=90)
    reconcile(stack)
    rows = archived_rows(stack)
    assert_each_once(rows)
    assert_partitions(rows)
    assert set(ids) <= created_ids(rows)


def wait_empty(sqs, queue_url):
    wait_until(lambda: sqs.counts(queue_url) == (0, 0), 60, "the queue is empty", every_s=0.2)


def test_events_travel_by_sqs(on_sqs, sqs, queue_url, proxy):
    stack = on_sqs.start()
    ids = create_users(stack, 25)
    assert_all_archived_once(stack, ids)
    wait_empty(sqs, queue_url)
    assert all(status == 200 for _, _, status, _ in proxy.seen())
    assert not archived_rows(stack, "errors")


LONG = pytest.mark.long


# Rules 28 and 30.
@pytest.mark.parametrize("operation, faults", [
    pytest.param("SendMessageBatch", ["500"] * 4, marks=LONG),
    ("SendMessageBatch", ["503", "throttle", "503", "throttle"]),
    pytest.param("SendMessageBatch", ["lose_reply"] * 2, marks=LONG),
    ("SendMessageBatch", ["part_fails"] * 4),
    pytest.param("SendMessageBatch", ["part_missing"] * 2, marks=LONG),
    ("SendMessageBatch", ["twice"] * 5),
    pytest.param("SendMessageBatch", ["wrong_digest"] * 2, marks=LONG),
    pytest.param("SendMessageBatch", ["cut_upload"] * 2, marks=LONG),
    ("ReceiveMessage", ["lose_reply"] * 2),
    pytest.param("ReceiveMessage", ["500", "throttle"], marks=LONG),
    pytest.param("DeleteMessageBatch", ["500"] * 4, marks=LONG),
    ("DeleteMessageBatch", ["lose_reply"] * 3),
    pytest.param("DeleteMessageBatch", ["part_fails"] * 3, marks=LONG),
    pytest.param("DeleteMessageBatch", ["part_missing"] * 3, marks=LONG),
    pytest.param("ChangeMessageVisibilityBatch", ["500"] * 6, marks=LONG),
    pytest.param("ChangeMessageVisibilityBatch", ["part_fails"] * 3, marks=LONG),
])
def test_bad_days(on_sqs, sqs, queue_url, proxy, operation, faults):
    stack = on_sqs.start()
    proxy.clear()
    for fault in faults:
        proxy.inject(fault, service="sqs", operation=operation)
    ids = []
    for part in range(4):
        ids += create_users(stack, 6, f"p{part}-")
        wait_until(lambda: len(proxy.seen("sqs", "SendMessageBatch")) > part, 60, "they are sent")
    assert_all_archived_once(stack, ids)
    wait_empty(sqs, queue_url)
    met = [entry for entry in proxy.seen("sqs", operation) if entry[3] in faults]
    assert met, f"{operation} met no fault"


# Rule 28.
def test_what_sqs_will_never_take_is_set_aside(on_sqs, sqs, queue_url, proxy):
    stack = on_sqs.start()
    proxy.inject("refuse_entry", service="sqs", operation="SendMessageBatch")
    refused = create_users(stack, 1, "refused")
    wait_until(lambda: stack.user.events("batch_set_aside"), 30, "the batch is set aside")
    ids = create_users(stack, 5, "fine")
    wait_archived(stack, ids)
    assert not set(refused) & created_ids(archived_rows(stack)), "it was sent again"
    stack.user.stop()  # a restart tries it once more
    stack.start_user()
    assert_all_archived_once(stack, refused + ids)


# Rule 37.
def test_credentials_that_end_are_renewed(on_sqs, sqs, queue_url, proxy):
    on_sqs.env = proxy.token_environment()
    stack = on_sqs.start()
    ids = create_users(stack, 5, "a")
    wait_archived(stack, ids)
    asked = proxy.credentials_asked
    proxy.expire_tokens()
    ids += create_users(stack, 5, "b")
    assert_all_archived_once(stack, ids)
    assert proxy.credentials_asked > asked
    assert [entry for entry in proxy.seen("sqs") if entry[3] == "ExpiredTokenException"]


# Rule 37.
def test_a_wrong_clock_is_corrected(on_sqs, proxy):
    stack = on_sqs.start()
    proxy.skew_s = 3600
    ids = create_users(stack, 5)
    assert_all_archived_once(stack, ids)
    assert [entry for entry in proxy.seen("sqs") if entry[3] == "InvalidSignatureException"]


# Rule 32.
def test_sigterm_gives_back_what_is_not_done(on_sqs, sqs, queue_url, proxy):
    """What cannot be deleted in time is visible again at once, and the program is gone in less than
    Fargate's 30 seconds."""
    on_sqs.settings["analytics"].update({"segment-age": "1h", "lease": "10m", "grace": "1s"})
    stack = on_sqs.start()
    proxy.inject("500", service="sqs", operation="DeleteMessageBatch", count=10000)
    ids = create_users(stack, 5)
    wait_until(lambda: sqs.counts(queue_url)[1] > 0, 30, "batches are in flight")
    began = time.monotonic()
    stack.analytics.process.send_signal(signal.SIGTERM)
    stack.analytics.process.wait(25)
    assert time.monotonic() - began < 25
    visible, in_flight = sqs.counts(queue_url)
    assert visible > 0 and in_flight == 0, (visible, in_flight)
    proxy.clear()
    stack.settings["analytics"]["segment-age"] = "1s"
    stack.start_analytics()
    assert_all_archived_once(stack, ids)


# Rule 30.
def test_kill_and_redelivery(on_sqs, sqs, queue_url):
    stack = on_sqs.start()
    ids = []
    for round_ in range(3):
        ids += create_users(stack, 5, f"r{round_}-")
        stack.analytics.kill9()
        stack.start_analytics()
        stack.user.kill9()
        stack.start_user()
        wait_until(lambda: stack.http.get("/v1/users").status_code == 200, 30, "users answer")
    assert_all_archived_once(stack, ids)
    wait_empty(sqs, queue_url)


def test_a_queue_that_is_not_there_is_named(proxy, run):
    for program, setting in (("omni-user", "events"), ("omni-analytics", "queue")):
        done = run(program, f"--{setting}=sqs://nowhere?endpoint={proxy.url}", "--listen=127.0.0.1:0",
                   "--data-dir=/tmp/never-used", env=proxy.environment(), timeout_s=30)
        assert done.returncode == 2
        assert f"--{setting}: " in done.stderr and "QueueDoesNotExist" in done.stderr, done.stderr


def test_settings_are_refused_by_name(run, tmp_path):
    for value, says in (("sqs://q?colour=red&region=x", "unknown parameter \"colour\""),
                        ("sqs://q", "no region: add ?region=… or set AWS_REGION"),
                        ("sqs://", "no name can be \"\""),
                        ("ftp://x", "is not grpc://HOST:PORT, sqs://QUEUE or none:")):
        done = run("omni-user", f"--events={value}", "--listen=127.0.0.1:0",
                   f"--data-dir={tmp_path}", env={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""})
        assert done.returncode == 2 and says in done.stderr, done.stderr
        assert done.stderr.startswith("omni-user: --events: "), done.stderr
