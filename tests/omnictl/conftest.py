"""The real omnictl against services in Python."""
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fakes  # noqa: E402
from support import programs  # noqa: E402


@pytest.fixture
def users():
    return fakes.Users()


@pytest.fixture
def source():
    return fakes.Source()


@pytest.fixture
def analytics():
    return fakes.Analytics()


@pytest.fixture
def user_server(users, source):
    server = fakes.Server(users, source)
    yield server
    server.stop()


@pytest.fixture
def analytics_server(analytics):
    server = fakes.Server(analytics)
    yield server
    server.stop()


@pytest.fixture
def closed_port():
    """An address where nobody listens."""
    server = fakes.Server(fakes.Source())
    address = server.address
    server.stop()
    return address


@pytest.fixture
def omnictl(tmp_path):
    """omnictl(*args): runs it to its end; .returncode, .stdout, .stderr as text."""
    def run(*args, stdin=None, timeout=120, env=None):
        program = str(programs.find_program("omnictl"))
        done = subprocess.run([program, *map(str, args)], input=stdin, capture_output=True,
                              timeout=timeout, env=programs.environment(env), cwd=tmp_path)
        done.stdout = done.stdout.decode()
        done.stderr = done.stderr.decode()
        assert not programs.SANITIZER.search(done.stderr), done.stderr
        return done
    return run


@pytest.fixture
def start_omnictl(tmp_path):
    """Starts it and returns the process; killed at the end if it still runs."""
    started = []

    def start(*args, **more):
        program = str(programs.find_program("omnictl"))
        process = subprocess.Popen([program, *map(str, args)], env=programs.environment(),
                                   cwd=tmp_path, **more)
        started.append(process)
        return process
    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
