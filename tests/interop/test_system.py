"""The whole system on AWS's APIs: POST → DynamoDB → SQS → S3 → trends; and on bad days the same."""
import time

import httpx
import pytest

from support.pipeline import assert_each_once, assert_partitions, created_ids, reconcile
from support.programs import wait_until

LEASE_S = 3


@pytest.fixture
def on_aws(new_stack, proxy, name, run):
    """All three programs, every backend in AWS; made by omnictl aws init, not started."""
    end = f"?endpoint={proxy.url}"
    places = {"user-store": f"dynamodb://{name}-users{end}",
              "ledger": f"dynamodb://{name}-ledger{end}", "events": f"sqs://{name}{end}",
              "archive": f"s3://{name}/a/b{end}"}
    made = run("omnictl", "aws", "init", *(f"--{k}={v}" for k, v in places.items()),
               env=proxy.environment())
    assert made.returncode == 0, made.stderr
    stack = new_stack()
    stack.env = proxy.environment()
    stack.settings["user"].update({"user-store": places["user-store"], "events": places["events"],
                                   "access-store": places["user-store"]})
    stack.settings["analytics"].update({"queue": places["events"], "ledger": places["ledger"],
                                        "archive": places["archive"], "lease": f"{LEASE_S}s",
                                        "retry": "100ms"})
    proxy.clear()
    return stack


def create(stack, label, tries=40):
    """A user whose creation was acknowledged: a client that tries again with the same key."""
    for attempt in range(tries):
        try:
            answer = stack.http.post("/v1/users", headers={"Idempotency-Key": f"key-{label}"},
                                     json={"email": f"{label}@example.org",
                                           "displayName": f"User {label}"})
        except httpx.TransportError:
            answer = None  # it may or may not have been carried out
        if answer is not None and answer.status_code == 201:
            return answer.json()["id"]
        if answer is not None:
            assert answer.status_code in (409, 429, 500, 503, 504), answer.text
        time.sleep(0.05 + 0.02 * attempt)
    raise AssertionError(f"{label} was not created in {tries} tries: {answer and answer.text}")


def create_some(stack, count, label):
    return [create(stack, f"{label}{i}") for i in range(count)]


@pytest.fixture
def queue_url(sqs, name):
    """A function: on_aws makes the queue."""
    return lambda suffix="": sqs.call("GetQueueUrl", QueueName=name + suffix)["QueueUrl"]


@pytest.fixture
def assert_whole(bucket, sqs, queue_url):
    """assert_whole(stack, ids): each acknowledged user can be read, each event is archived once, the
    books agree, and nothing is left over: no message, alive or dead, no upload, no error. A kill of
    the user service may take events of reads and failures with it, which are told of then."""

    def check(stack, ids, killed=False):
        for key in ids:
            answer = stack.http.get(f"/v1/users/{key}")
            assert answer.status_code == 200, answer.text
        wait_until(lambda: set(ids) <= created_ids(bucket.rows(stack)), 200,
                   f"{len(ids)} creations are archived", every_s=0.5)
        reconcile(stack)
        rows = bucket.rows(stack)
        assert_each_once(rows)
        assert_partitions(rows)
        created = [row["user_id"] for row in rows
                   if row["kind"].endswith("USER_CREATED") and row["status"] == 0]
        assert len(created) == len(set(created)), "a creation was told of twice"
        errors = bucket.rows(stack, "errors")
        assert not errors or killed and all("lost before" in row["reason"] for row in errors), errors
        assert not bucket.uploads()
        wait_until(lambda: sqs.counts(queue_url()) == (0, 0), 120, "the queue is empty", every_s=0.2)
        assert sqs.counts(queue_url("-dead")) == (0, 0)

    return check


def test_from_post_to_trends(on_aws, assert_whole, proxy):
    stack = on_aws.start()
    ids = create_some(stack, 12, "post")
    found = stack.http.get("/v1/users:search", params={"query": "user post"}).json()["users"]
    assert {user["id"] for user in found} == set(ids)
    assert_whole(stack, ids)
    top = wait_until(lambda: stack.http.get("/v1/analytics/searches:top").json().get("searches"),
                     30, "the search shows in the trends")
    assert top[0]["query"] == "user post"
    summary = stack.http.get("/v1/analytics/summary").json()
    assert int(summary["total"]["events"] if "total" in summary else 12) >= 12
    assert not [entry for entry in proxy.seen() if entry[2] == 403], "a signature was refused"
    assert {entry[0] for entry in proxy.seen()} == {"dynamodb", "sqs", "s3"}
    stack.user.stop()
    stack.start_user()
    wait_until(lambda: stack.http.get(f"/v1/users/{ids[0]}").status_code == 200, 30, "users are read")


# What any such architecture must show: answers wait for nobody who works later, the queue takes what
# comes meanwhile and a worker empties it, and who has not signed in writes nothing.


def test_answers_do_not_wait_for_the_queue(on_aws, assert_whole, proxy):
    """SQS takes no batch and says nothing; writes are answered all the same."""
    proxy.inject("hang", service="sqs", operation="SendMessageBatch", count=1000)
    stack = on_aws.start()
    ids = create_some(stack, 1, "first")
    wait_until(lambda: proxy.hanging, 60, "SQS is silent")
    ids += create_some(stack, 12, "later")
    assert set(ids) <= {user["id"] for user in stack.http.get("/v1/users").json()["users"]}
    assert {status for _, _, status, _ in proxy.seen("sqs", "SendMessageBatch")} == {0}
    proxy.clear()
    assert_whole(stack, ids)


def test_the_queue_fills_and_a_worker_empties_it(on_aws, assert_whole, bucket, sqs, queue_url, proxy):
    stack = on_aws.start()
    url = queue_url()
    wait_until(lambda: sqs.counts(url) == (0, 0), 60, "the queue is empty")
    stack.analytics.stop()
    proxy.clear()
    ids, waiting = [], 0
    for part in range(3):
        ids += create_some(stack, 3, f"part{part}-")
        wait_until(lambda: sqs.counts(url)[0] > waiting, 60, "the queue grows")
        waiting = sqs.counts(url)[0]
    assert not proxy.seen("sqs", "DeleteMessageBatch")
    assert not set(ids) & created_ids(bucket.rows(stack))
    stack.start_analytics()
    assert_whole(stack, ids)
    assert proxy.seen("sqs", "DeleteMessageBatch")


# Rule 18.
def test_who_has_not_signed_in_writes_nothing(on_aws, proxy):
    stack = on_aws.start()
    before = len(proxy.seen("dynamodb", "TransactWriteItems"))
    answer = httpx.post(f"{stack.url}/v1/users", headers={"X-API-Key": stack.key},
                        json={"email": "x@example.org", "displayName": "X"})
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert "users" not in stack.http.get("/v1/users").json()
    assert len(proxy.seen("dynamodb", "TransactWriteItems")) == before


BAD_DAYS = {
    "dynamodb is down for a moment": [("dynamodb", None, "500", 6)],
    "dynamodb throttles": [("dynamodb", None, "throttle", 12)],
    "transactions meet others": [("dynamodb", "TransactWriteItems", "conflict", 6)],
    "reads are left for later": [("dynamodb", "BatchGetItem", "unprocessed", 4)],
    "transactions commit, answers are lost": [("dynamodb", "TransactWriteItems", "lose_reply", 6)],
    "puts of items commit, answers are lost": [("dynamodb", "PutItem", "lose_reply", 3),
                                               ("dynamodb", "UpdateItem", "lose_reply", 3)],
    "s3 is down for a moment": [("s3", None, "503", 6)],
    "s3 asks to slow down": [("s3", None, "throttle", 4)],
    "objects are created, answers are lost": [("s3", "PUT", "lose_reply", 3)],
    "uploads are cut": [("s3", "PUT", "cut_upload", 3)],
    "sqs is down for a moment": [("sqs", None, "500", 6)],
    "batches fail in part, twice delivered": [("sqs", "SendMessageBatch", "part_fails", 2),
                                              ("sqs", "SendMessageBatch", "twice", 3),
                                              ("sqs", "DeleteMessageBatch", "part_missing", 2)],
    "what was received comes again": [("sqs", "ReceiveMessage", "lose_reply", 2)],
    "everything at once": [("dynamodb", None, "500", 4), ("s3", None, "500", 3),
                           ("sqs", None, "lose_reply", 4), ("dynamodb", None, "lose_reply", 3)],
}


SHORT_DAYS = {"uploads are cut", "dynamodb throttles", "objects are created, answers are lost"}


@pytest.mark.parametrize("day", [
    day if day in SHORT_DAYS else pytest.param(day, marks=pytest.mark.long) for day in BAD_DAYS])
def test_bad_days(on_aws, assert_whole, proxy, day):
    stack = on_aws.start()
    ids = create_some(stack, 3, "before")
    kinds = {kind for _, _, kind, _ in BAD_DAYS[day]}
    for service, operation, kind, count in BAD_DAYS[day]:
        proxy.inject(kind, service=service, operation=operation, count=count)
    ids += create_some(stack, 8, "during")

    def all_met():
        ids.extend(create_some(stack, 1, f"until{len(ids)}-"))
        return {entry[3] for entry in proxy.seen()} >= kinds

    wait_until(all_met, 120, "each fault is met", every_s=0.3)
    ids += create_some(stack, 3, "after")
    assert_whole(stack, ids)


@pytest.fixture
def assert_untold(proxy):
    """assert_untold(stack, *more): the services' logs, with all that they say of themselves, hold no
    secret key and no session token that was ever given to them, and none of `more`."""

    def check(stack, *more):
        secrets = [text for pair in proxy.secrets.values() for text in pair if text] + list(more)
        assert len(secrets) > 2
        for program in (stack.user, stack.analytics):
            assert program.events("listening"), "that is no log"
            told = [text for text in secrets if text in program.stderr]
            assert not told, f"{program.name} told {told}"

    return check


def talkative(stack):
    for name in ("user", "analytics"):
        stack.settings[name]["log-level"] = "debug"
    return stack


# Rule 37: credentials end, come again, and are in no log.
def test_credentials_end_in_mid_run(on_aws, assert_whole, assert_untold, proxy):
    on_aws.env = proxy.token_environment()
    stack = talkative(on_aws).start()
    ids = create_some(stack, 3, "before")
    for round_ in range(3):
        proxy.expire_tokens()
        ids += create_some(stack, 3, f"round{round_}-")
    assert_whole(stack, ids)
    assert [entry for entry in proxy.seen() if (entry[3] or "").startswith("ExpiredToken")]
    assert_untold(stack)


# Rule 37.
def test_credentials_by_web_identity(on_aws, assert_whole, assert_untold, proxy, tmp_path):
    """As in a cluster: STS gives credentials for a token, again whenever they have ended."""
    token_file = tmp_path / "token"
    token_file.write_text("who-we-are")
    on_aws.env = proxy.web_identity_environment(token_file)
    proxy.inject("503", service="sts")
    stack = talkative(on_aws).start()
    ids = create_some(stack, 3, "before")
    asked = len(proxy.seen("sts"))
    proxy.expire_tokens()
    ids += create_some(stack, 3, "after")
    assert_whole(stack, ids)
    assert len(proxy.seen("sts")) > asked > 0
    assert_untold(stack, "who-we-are")


def test_the_clock_is_wrong(on_aws, assert_whole, proxy):
    stack = on_aws.start()
    ids = create_some(stack, 3, "before")
    proxy.skew_s = -7200
    ids += create_some(stack, 4, "during")
    assert_whole(stack, ids)
    assert {entry[3] for entry in proxy.seen()} & {"RequestTimeTooSkewed",
                                                   "InvalidSignatureException"}


@pytest.mark.parametrize("victim", [
    pytest.param("user", marks=pytest.mark.long),  # the dead one's outbox waits for its lease
    "analytics", pytest.param("gateway", marks=pytest.mark.long)])
def test_kill(on_aws, assert_whole, victim):
    stack = on_aws.start()
    ids = []
    for round_ in range(2):
        ids += create_some(stack, 4, f"r{round_}-")
        getattr(stack, victim).kill9()
        getattr(stack, f"start_{victim}")()
        ids += create_some(stack, 2, f"s{round_}-")
    assert_whole(stack, ids, killed=victim == "user")
