"""The archive in S3 and the ledger in DynamoDB, behind SQS: whatever they answer, and whoever dies,
each acknowledged write lies in one object, once."""
import pytest

from support.pipeline import assert_each_once, assert_partitions, created_ids, reconcile
from support.programs import ROOT, wait_until
from test_sqs import create_users

LEASE_S = 3


@pytest.fixture
def on_aws(new_stack, proxy, name, run):
    """The three programs with SQS, DynamoDB's ledger and S3 behind the users, not started."""
    end = f"?endpoint={proxy.url}"
    places = {"events": f"sqs://{name}{end}", "ledger": f"dynamodb://{name}-ledger{end}",
              "archive": f"s3://{name}/a/b{end}"}
    made = run("omnictl", "aws", "init", *(f"--{key}={value}" for key, value in places.items()),
               env=proxy.environment())
    assert made.returncode == 0, made.stderr
    stack = new_stack()
    stack.env = proxy.environment()
    stack.settings["user"]["events"] = places["events"]
    stack.settings["analytics"].update({
        "queue": places["events"], "ledger": places["ledger"], "archive": places["archive"],
        "lease": f"{LEASE_S}s", "retry": "200ms", "segment-age": "500ms"})
    return stack


def assert_all_archived_once(stack, bucket, ids):
    wait_until(lambda: set(ids) <= created_ids(bucket.rows(stack)), 120, "all are archived", every_s=0.5)
    reconcile(stack)
    rows = bucket.rows(stack)
    assert_each_once(rows)
    assert_partitions(rows)
    assert set(ids) <= created_ids(rows)
    assert not bucket.uploads()


def test_everything_behind_the_users_on_aws(on_aws, bucket):
    stack = on_aws.start()
    ids = create_users(stack, 10)
    found = stack.http.get("/v1/users:search", params={"query": "user u"})
    assert found.status_code == 200
    assert_all_archived_once(stack, bucket, ids)
    wait_until(lambda: stack.http.get("/v1/analytics/searches:top").json().get("searches"), 60,
               "the search is counted")
    wait_until(lambda: bucket.rows(stack, "searches"), 60, "the search is archived", every_s=0.5)
    summary = stack.http.get("/v1/analytics/summary").json()
    assert int(summary["events"]) >= 11, summary


FAULTS = [("500", "s3", 3), ("503", "s3", 2), ("throttle", "s3", 2), ("lose_reply", "s3", 2),
          ("cut_upload", "s3", 2), ("500", "dynamodb", 4), ("throttle", "dynamodb", 5),
          ("lose_reply", "dynamodb", 4)]


# Rules 30 and 34.
@pytest.mark.parametrize("fault, service, count", FAULTS)
def test_bad_answers_lose_and_double_nothing(on_aws, bucket, proxy, fault, service, count):
    stack = on_aws.start()
    for after in (0, 3, 7, 12):
        proxy.inject(fault, service=service, count=count, after=after)
    ids = create_users(stack, 12)
    assert_all_archived_once(stack, bucket, ids)
    assert [entry for entry in proxy.seen(service) if entry[3] == fault], "the fault never came"


def test_a_clock_that_is_wrong(on_aws, bucket, proxy):
    stack = on_aws.start()
    proxy.skew_s = 1800
    assert_all_archived_once(stack, bucket, create_users(stack, 8))


# Rules 30 and 34.
@pytest.mark.parametrize("operation", ["PUT", "TransactWriteItems", "UpdateItem"])
def test_killed_when_an_answer_is_lost(on_aws, bucket, proxy, operation):
    """The object is there, or the claim made, and nobody knows: the next process finds out."""
    stack = on_aws.start()
    ids = create_users(stack, 6)
    fault = proxy.inject("lose_reply", operation=operation, count=1)
    ids += create_users(stack, 6, "k")
    wait_until(lambda: fault.left == 0, 60, "an answer is lost")
    stack.analytics.kill9()
    stack.start_analytics()
    assert_all_archived_once(stack, bucket, ids)


def test_two_consumers_share_the_work(on_aws, bucket):
    stack = on_aws.start()
    first = stack.analytics
    stack.analytics_dir = stack.directory / "analytics2"
    stack._ports.pop("analytics")
    stack.start_analytics()
    ids = create_users(stack, 30)
    first.kill9()
    ids += create_users(stack, 10, "k")
    assert_all_archived_once(stack, bucket, ids)


def test_the_tables_of_athena_read_what_is_archived(on_aws, bucket, sqs, name, tmp_path):
    """docs/athena.sql names the columns; DuckDB reads the real objects by them."""
    import athena
    stack = on_aws.start()
    ids = create_users(stack, 5)
    stack.http.get("/v1/users:search", params={"query": "josé"})
    assert_all_archived_once(stack, bucket, ids)
    sqs.call("SendMessage", QueueUrl=sqs.call("GetQueueUrl", QueueName=name)["QueueUrl"],
             MessageBody="nobody can read this")
    for kind in ("searches", "errors"):
        wait_until(lambda: bucket.rows(stack, kind), 60, f"{kind} are archived", every_s=0.5)
    tables = athena.tables((ROOT / "docs" / "athena.sql").read_text())
    assert set(tables) == {"events", "searches", "errors"}
    for kind, table in tables.items():
        rows = bucket.rows(stack, kind)
        assert list(rows[0])[:-1] == [column for _, _, column in table.columns]
        read = athena.read(stack.analytics_dir / "archive", table, tmp_path)
        values = [[row[column] for column, _, _ in table.columns] for row in read]
        assert sorted(values, key=str) == sorted((list(row.values())[:-1] for row in rows), key=str)
        assert {f"dt={row['dt']}/hour={row['hour']}" for row in read} == {
            "/".join(row["_path"].parts[2:4]) for row in rows}
