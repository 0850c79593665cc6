"""An AWS on this machine: moto, behind the proxy that checks signatures (proxy.py)."""
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from proxy import Proxy  # noqa: E402
from support.programs import environment, find_program, wait_until  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(config, items):
    """OMNI_INTEROP_QUICK leaves out what is marked `long`; the summary line says how many."""
    if not os.environ.get("OMNI_INTEROP_QUICK"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def venv():
    return Path(os.environ.get("OMNI_INTEROP", ROOT / "build" / "interop")).resolve()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    """The port of a moto server of our own."""
    server = venv() / "bin" / "moto_server"
    assert server.is_file(), f"{server} is missing: make interop installs it"
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen([server, "-H", "127.0.0.1", "-p", str(port)],
                                   stdout=output, stderr=output, start_new_session=True)

    def answers():
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, 60, "moto answers")
    yield port
    process.kill()  # it takes its time to end by itself, and keeps nothing
    process.wait(60)


@pytest.fixture(scope="session")
def session_proxy(moto):
    proxy = Proxy(moto)
    yield proxy
    proxy.close()


@pytest.fixture
def proxy(session_proxy):
    """The way to AWS, without faults at first."""
    session_proxy.clear()
    return session_proxy


class Sqs:
    """A look at the queues, past the proxy and the programs."""

    def __init__(self, port):
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def call(self, operation, **body):
        answer = self._http.post("/", json=body, headers={
            "X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-central-1/sqs/aws4_request"})
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
def sqs(moto):
    return Sqs(moto)


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
