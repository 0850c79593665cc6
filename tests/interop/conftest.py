"""An AWS on this machine (counterparts.py) behind the proxy that checks signatures (proxy.py)."""
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bucket import Bucket  # noqa: E402
from counterparts import REGION, started  # noqa: E402
from proxy import Proxy  # noqa: E402
from support.programs import environment, find_program  # noqa: E402

USUAL = os.environ.get("OMNI_INTEROP_ON", "strict")


def pytest_collection_modifyitems(config, items):
    """OMNI_INTEROP_QUICK leaves out what is marked `long`; the summary line says how many."""
    if not os.environ.get("OMNI_INTEROP_QUICK"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


class World:
    """A set of counterparts and the way to them."""

    def __init__(self, name, ports):
        self.name, self.ports = name, ports
        self.proxy = Proxy(ports, lenient=name == "moto")
        self.sqs = Sqs(ports["sqs"])

    def close(self):
        self.proxy.close()
        self.sqs.close()


class Sqs:
    """A look at the queues, past the proxy and the programs."""

    def __init__(self, port):
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def close(self):
        self._http.close()

    def call(self, operation, **body):
        answer = self._http.post("/", json=body, headers={
            "X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/sqs/aws4_request"})
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else {}

    def create(self, name, **attributes):
        return self.call("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]

    def counts(self, url):
        """(visible, in flight)"""
        found = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return (int(found["ApproximateNumberOfMessages"]),
                int(found["ApproximateNumberOfMessagesNotVisible"]))


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """worlds(name): each is started when it is asked for, and runs to the end of the session."""
    with contextlib.ExitStack() as running:
        known = {}

        def get(name):
            if name not in known:
                ports = running.enter_context(started(name, tmp_path_factory.mktemp(name)))
                known[name] = World(name, ports)
                running.callback(known[name].close)
            return known[name]

        yield get


@pytest.fixture
def world(request, worlds):
    """The set that OMNI_INTEROP_ON names (`strict` if none), or the test's parameter."""
    return worlds(getattr(request, "param", USUAL))


@pytest.fixture
def proxy(world):
    """The way to AWS, without faults at first."""
    world.proxy.clear()
    return world.proxy


@pytest.fixture
def sqs(world):
    return world.sqs


@pytest.fixture
def name(tmp_path):
    """Fits everything in AWS that has a name: the test's own."""
    return re.sub("[^a-z0-9]+", "-", tmp_path.name.lower())[:40].strip("-")


@pytest.fixture
def bucket(world, name):
    of_this_test = Bucket(world.ports["s3"], name, "a/b/")
    yield of_this_test
    of_this_test.close()


@pytest.fixture
def run_suite(proxy):
    """run_suite("tests/contract/queue/queue_test"): a C program with the AWS of the tests."""

    def run(program, **more):
        done = subprocess.run([find_program(program)], capture_output=True, text=True, timeout=400,
                              env=environment({"CMOCKA_MESSAGE_OUTPUT": "TAP",
                                               **proxy.environment(), **more}))
        assert done.returncode == 0, f"{program} exited with {done.returncode}:\n" \
                                     f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    return run
