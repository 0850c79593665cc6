"""Many connections at once, and mixed load for a while: every request is answered, once, whole."""
import json
import os
import resource

import pytest

from support.raw_client import stats

FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def load(run, port, *args, timeout_s=120):
    done = run("http_load", f"--port={port}", *args, timeout_s=timeout_s)
    assert done.stdout, done.stderr
    seen = json.loads(done.stdout)
    assert done.returncode == 0, f"{seen}\n{done.stderr[-2000:]}"
    assert seen["requests"] == seen["answered"] + seen["left"]
    return seen


@pytest.fixture(scope="module", autouse=True)
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("connections", [1, 64, 256, 512, 1024])
@pytest.mark.parametrize("mix", ["hello", "all"])
def test_all_are_answered(start, run, wait_until, connections, mix):
    peer = start("http_peer")
    requests = max(connections * 4, 300)
    seen = load(run, peer.port, f"--connections={connections}", f"--mix={mix}",
                f"--requests={requests}", "--duration=60s", "--late=50s")
    assert seen["requests"] == requests
    wait_until(lambda: stats(peer.port)["in_flight"] == 1)


@pytest.mark.soak
def test_soak(start, run, wait_until):
    """No request hangs, nothing leaks (the sanitizer says so at the end)."""
    seconds = int(os.environ.get("OMNI_SOAK_S", "60"))
    peer = start("http_peer")
    seen = load(run, peer.port, "--connections=200", "--mix=all", f"--duration={seconds}s",
                "--late=10s", timeout_s=seconds + 120)
    assert seen["answered"] > 100 * seconds
    after = wait_until(lambda: (s := stats(peer.port))["in_flight"] == 1 and s)
    assert after["finished"] + after["aborted"] + 1 == after["requests"]
