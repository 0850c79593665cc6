"""Events of reads go straight to SQS: whatever happens to them, no reply waits, and the books agree.

What is emitted is archived, or told as lost in the quarantine; what is shed is counted as dropped."""
import pytest

from support.pipeline import archived_rows, assert_each_once, reconcile
from support.programs import wait_until

SEND = "SendMessageBatch"
WORDS = "a search of so many words that its events soon fill what may wait " * 3


@pytest.fixture(params=["sqlite", "dynamodb"])
def on_sqs(request, new_stack, proxy, run, name):
    """Started; users in either store."""
    events = f"sqs://{name}?endpoint={proxy.url}"
    made = {"events": events}
    if request.param == "dynamodb":
        made["user-store"] = f"dynamodb://{name}-users?endpoint={proxy.url}"
    stack = new_stack()
    stack.env = proxy.environment()
    done = run("omnictl", "aws", "init", *(f"--{k}={v}" for k, v in made.items()), env=stack.env)
    assert done.returncode == 0, done.stderr
    stack.settings["user"].update({**made, "direct-bytes": "256KiB"})
    stack.settings["analytics"].update({"queue": events, "lease": "3s"})
    proxy.clear()
    return stack.start()


# Another process of DynamoDB's store has to wait for the lease of the one that was killed.
KILLED = pytest.mark.parametrize("on_sqs", [
    "sqlite", pytest.param("dynamodb", marks=pytest.mark.long)], indirect=True)


def search(stack, count):
    for _ in range(count):
        answer = stack.http.get("/v1/users:search", params={"query": WORDS})
        assert answer.status_code == 200, answer.text


def emitted(stack):
    """(emitted, pending, dropped)"""
    told = stack.http.get("/v1/events/emitted").json()
    return (sum(int(hour.get("emitted", 0)) for hour in told.get("hours", [])),
            int(told.get("pending", 0)), int(told.get("droppedReads", 0)))


def come_back(stack):
    stack.start_user()
    wait_until(lambda: stack.http.get("/v1/users").status_code == 200, 60, "users answer")


def settled(stack, searches):
    """(archived, lost) of the searches, once the books agree; each row is there once."""
    reconcile(stack, wait="120s")
    rows = archived_rows(stack)
    assert_each_once(rows)
    lost = archived_rows(stack, "errors")
    assert all("lost before they could be sent" in row["reason"] for row in lost), lost
    archived = sum(row["kind"].endswith("USERS_SEARCHED") for row in rows)
    assert archived <= searches
    return archived, sum(row["events"] for row in lost)


def test_reads_are_archived_and_nothing_is_lost(on_sqs):
    search(on_sqs, 50)
    wait_until(lambda: emitted(on_sqs)[:2] == (50, 0), 60, "all reads are sent")
    assert settled(on_sqs, 50) == (50, 0)


def test_while_sqs_hangs_replies_come_and_reads_are_shed(on_sqs, proxy):
    """Every send hangs until the test ends it: a reply that waited for one would never come."""
    proxy.inject("hang", service="sqs", operation=SEND, count=100_000)
    done = 0
    while not emitted(on_sqs)[2]:
        search(on_sqs, 200)
        done += 200
        assert done < 20_000, "nothing is shed"
    proxy.clear()

    def all_told():
        count, pending, dropped = emitted(on_sqs)
        return not pending and count + dropped == done and (count, dropped)

    count, dropped = wait_until(all_told, 60, "each read is sent or dropped")
    assert dropped and count
    assert settled(on_sqs, done) == (count, 0)


def test_a_lost_answer_counts_once(on_sqs, proxy):
    proxy.inject("lose_reply", service="sqs", operation=SEND, count=2)
    search(on_sqs, 30)
    wait_until(lambda: emitted(on_sqs)[:2] == (30, 0), 60, "all reads are sent")
    assert [entry for entry in proxy.seen("sqs", SEND) if entry[3] == "lose_reply"]
    assert settled(on_sqs, 30) == (30, 0)


def test_sigterm_sends_what_is_in_the_ring(on_sqs):
    search(on_sqs, 40)
    on_sqs.user.stop()
    come_back(on_sqs)
    assert settled(on_sqs, 40) == (40, 0)


@KILLED
def test_what_a_kill_takes_is_told(on_sqs, proxy):
    """Counted, not sent, and gone: the next process says so, and the books agree."""
    proxy.inject("503", service="sqs", operation=SEND, count=100_000)
    search(on_sqs, 25)
    wait_until(lambda: emitted(on_sqs)[:2] == (25, 25), 60, "all reads are counted")
    on_sqs.user.kill9()
    proxy.clear()
    come_back(on_sqs)
    assert settled(on_sqs, 25) == (0, 25)


# Rule 30.
@KILLED
def test_a_kill_after_a_lost_answer_counts_once(on_sqs, proxy):
    """The batch is in the queue, and so is the word that it is lost: the first of them counts."""
    proxy.inject("lose_reply", service="sqs", operation=SEND, count=100_000)
    on_sqs.analytics.stop()
    search(on_sqs, 25)
    wait_until(lambda: emitted(on_sqs)[:2] == (25, 25), 60, "all reads are counted")
    wait_until(lambda: len(proxy.seen("sqs", SEND)) > 1, 60, "they are sent")
    on_sqs.user.kill9()
    proxy.clear()
    on_sqs.start_analytics()
    come_back(on_sqs)
    wait_until(lambda: emitted(on_sqs)[1] == 0, 120, "the word is sent")
    archived, lost = settled(on_sqs, 25)
    assert archived + lost == 25
