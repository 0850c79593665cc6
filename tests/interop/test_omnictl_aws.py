"""omnictl aws init and omnictl dlq, against the AWS of the tests."""
import base64
import json

import httpx
import pytest

from support.pipeline import wait_archived
from support.programs import wait_until


@pytest.fixture
def aws_init(proxy, name, run):
    end = f"?endpoint={proxy.url}"

    def init(*more):
        return run("omnictl", "aws", "init", f"--user-store=dynamodb://{name}-users{end}",
                   f"--ledger=dynamodb://{name}-ledger{end}", f"--events=sqs://{name}{end}",
                   f"--archive=s3://{name}/archive{end}", f"--alarms=sns://{name}{end}", *more,
                   env=proxy.environment())

    return init


# Rule 31.
def test_init_makes_everything_and_again_nothing(aws_init, name, sqs, proxy):
    first = aws_init()
    assert first.returncode == 0, first.stderr
    lines = [line.split() for line in first.stdout.splitlines()]
    made = [["table", f"{name}-users", "created"], ["table", f"{name}-ledger", "created"],
            ["queue", f"{name}-dead", "created"], ["queue", name, "created"],
            ["bucket", name, "created"]]
    assert lines[:5] == made and lines[5][0] == "topic" and lines[5][1].endswith(f":{name}")
    again = aws_init("--receives=7")
    assert again.returncode == 0, again.stderr
    assert [line.split()[2:] for line in again.stdout.splitlines()[:5]] == [["there", "already"]] * 5
    url = sqs.call("GetQueueUrl", QueueName=name)["QueueUrl"]
    found = sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert f"{name}-dead" in found["RedrivePolicy"] and "7" in found["RedrivePolicy"]
    dead = sqs.call("GetQueueUrl", QueueName=f"{name}-dead")["QueueUrl"]
    dead = sqs.call("GetQueueAttributes", QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    assert int(dead["MessageRetentionPeriod"]) > int(found["MessageRetentionPeriod"])
    assert not [entry for entry in proxy.seen() if entry[2] == 403]


@pytest.mark.parametrize("faults", [["500", "503"], ["throttle", "500"], ["lose_reply"]])
def test_init_outlives_bad_answers(aws_init, proxy, faults):
    for service in ("dynamodb", "sqs", "s3", "sns"):
        for fault in faults:
            proxy.inject(fault, service=service)
    done = aws_init()
    assert done.returncode == 0, done.stderr


def test_init_says_what_is_wrong(run, proxy):
    env = proxy.environment()
    done = run("omnictl", "aws", "init", env=env)
    assert done.returncode == 2 and "nothing to make" in done.stderr
    done = run("omnictl", "aws", "init", "--events=sqs://q?color=1", env=env)
    assert done.returncode == 2 and '--events: "sqs://q?color=1": unknown parameter "color"' \
        in done.stderr
    done = run("omnictl", "aws", "init", "--events=sqs://q?endpoint=http://127.0.0.1:1", env=env)
    assert done.returncode == 3 and "sqs: " in done.stderr
    done = run("omnictl", "aws", "init", "--events=sqs://q",
               env={"AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/x"})
    assert done.returncode == 1 and "no AWS credentials" in done.stderr
    for words, says in ((["notify"], "notify takes a text"), (["init", "x"], "one argument too many"),
                        (["notify", "text"], "--alarms says where")):
        done = run("omnictl", "aws", *words, env=env)
        assert done.returncode == 2 and says in done.stderr, done
    done = run("omnictl", "aws", "inti", env=env)
    assert done.returncode == 2 and 'there is no "inti"' in done.stderr


def test_a_message_reaches_whoever_follows_the_topic(aws_init, name, run, proxy, sqs, world):
    """A queue that is subscribed to the topic stands for a person."""
    topic = [line.split()[1] for line in aws_init().stdout.splitlines() if "topic" in line][0]
    url = sqs.create(f"{name}-pager")
    arn = sqs.call("GetQueueAttributes", QueueUrl=url,
                   AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    joined = httpx.post(f"http://127.0.0.1:{world.ports['sns']}/", data={
        "Action": "Subscribe", "Version": "2010-03-31", "TopicArn": topic, "Protocol": "sqs",
        "Endpoint": arn}, headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/"
                                                    "eu-central-1/sns/aws4_request"})
    assert joined.status_code == 200, joined.text
    proxy.inject("503", service="sns")
    for place in (f"sns://{name}?endpoint={proxy.url}", f"sns://{topic}?endpoint={proxy.url}"):
        sent = run("omnictl", "aws", "notify", "Grüße & alles = gut?", f"--alarms={place}",
                   env=proxy.environment())
        assert sent.returncode == 0 and topic in sent.stdout, sent
        got = sqs.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert len(got) == 1
        assert json.loads(got[0]["Body"])["Message"] == "Grüße & alles = gut?"
        sqs.call("DeleteMessage", QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])


@pytest.fixture
def dlq(aws_init, name, run, proxy):
    assert aws_init().returncode == 0

    def command(*arguments):
        return run("omnictl", "dlq", *arguments, f"--queue=sqs://{name}?endpoint={proxy.url}",
                   env=proxy.environment())

    return command


# Rule 31.
def test_dead_letters_are_shown_and_sent_back(dlq, name, sqs, new_stack, proxy):
    """A batch whose events could not be taken for a while: it dies, is looked at, and comes back."""
    stack = new_stack()
    address = f"sqs://{name}?endpoint={proxy.url}"
    stack.env = proxy.environment()
    stack.settings["user"]["events"] = address
    stack.settings["analytics"]["queue"] = address
    stack.start_analytics()
    stack.analytics.stop()
    stack.start_user()
    stack.start_gateway()
    made = stack.http.post("/v1/users", json={"email": "a@example.org", "displayName": "A"})
    url = sqs.call("GetQueueUrl", QueueName=name)["QueueUrl"]
    dead = sqs.call("GetQueueUrl", QueueName=f"{name}-dead")["QueueUrl"]
    wait_until(lambda: sqs.counts(url)[0] > 0, 60, "a batch waits")
    stack.user.stop()  # nothing comes after it

    def dies():
        """Somebody receives it in vain, again and again."""
        sqs.call("ReceiveMessage", QueueUrl=url, VisibilityTimeout=0, MaxNumberOfMessages=10)
        return sqs.counts(url) == (0, 0)

    wait_until(dies, 60, "it is a dead letter")
    count = sqs.counts(dead)[0]
    assert count > 0
    listed = dlq("list")
    assert listed.returncode == 0, listed.stderr
    ids = [line.split()[0] for line in listed.stdout.splitlines()[1:]]
    assert len(ids) == count
    shown = dlq("show", ids[0])
    assert shown.stdout.startswith(f"batch {ids[0]}: "), shown
    assert dlq("show", "nothing").returncode == 1
    assert sqs.counts(dead) == (count, 0), "what was looked at is hidden"
    back = dlq("redrive", "--all")
    assert back.returncode == 0 and sorted(back.stdout.split()) == sorted(ids), back
    assert sqs.counts(dead) == (0, 0)
    stack.start_analytics()
    stack.start_user()
    wait_archived(stack, [made.json()["id"]])


def test_what_is_no_batch_is_shown_raw(dlq, name, sqs):
    dead = sqs.call("GetQueueUrl", QueueName=f"{name}-dead")["QueueUrl"]
    for body in ("!no base64!", base64.b64encode(b"no batch").decode()):
        sqs.call("SendMessage", QueueUrl=dead, MessageBody=body)
    ids = [line.split()[0] for line in dlq("list").stdout.splitlines()[1:]]
    assert {dlq("show", key, "--raw").stdout for key in ids} == {"!no base64!", "no batch"}
    assert "no batch of events" in dlq("show", ids[0]).stdout
    done = dlq("redrive", ids[0], "not-there")
    assert done.returncode == 1 and "there is no message not-there" in done.stderr
    assert sqs.counts(dead) == (1, 0)
    assert dlq("redrive").returncode == 2
