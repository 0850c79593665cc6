"""Fixtures for all Python tests; see support/programs.py and support/stack.py for the objects.

Nothing is skipped here: a program that is not built, or a module that is missing, is a failure.
"""
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

from support import programs as support_programs  # noqa: E402

STUBS = support_programs.gen_dir() / "py"
sys.path.insert(0, str(STUBS))

import grpc  # noqa: E402

# Health and reflection are generated under grpc/ too, beside the installed package.
grpc.__path__.append(str(STUBS / "grpc"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and what could not run has failed: " \
                          f"{report.longrepr}"


def pytest_collection_modifyitems(config, items):
    """Without root some tests cannot be; the summary line says `deselected`, and which they were."""
    if os.geteuid() == 0:
        return
    privileged = [item for item in items if item.get_closest_marker("root")]
    if privileged:
        items[:] = [item for item in items if item not in privileged]
        config.hook.pytest_deselected(items=privileged)
        config.pluginmanager.get_plugin("terminalreporter").write_line(
            "not run, since they need root: " + ", ".join(item.nodeid for item in privileged))


@pytest.fixture(scope="session")
def out():
    """The folder of the variant under test: bin/, tests/programs/."""
    return support_programs.out_dir()


@pytest.fixture(scope="session")
def gen():
    """The folder of generated code; its py/ is importable."""
    assert STUBS.is_dir(), f"{STUBS} is missing: make generated"
    return support_programs.gen_dir()


@pytest.fixture(scope="session")
def wait_until():
    """wait_until(condition, timeout_s=60, what=None): polls, never sleeps blindly."""
    return support_programs.wait_until


def _starter(directory):
    started = []

    def start(program, *args, env=None, listening=True, cwd=None):
        """Starts `omni-user`, a peer of tests/programs or a path; waits until it listens."""
        running = support_programs.Program(program, args, directory, env=env, cwd=cwd)
        started.append(running)
        return running.wait_listening() if listening else running

    def finish():
        problems = []
        for running in reversed(started):
            try:
                running.stop()
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, "\n".join(problems)

    return start, finish


@pytest.fixture
def start(tmp_path):
    """start(program, *args, env=None, listening=True, cwd=None) -> Program; stopped after the test,
    and a program that does not stop cleanly fails it."""
    begin, finish = _starter(tmp_path)
    yield begin
    finish()


@pytest.fixture(scope="module")
def module_start(tmp_path_factory):
    """As `start`, for programs that all tests of a file share."""
    begin, finish = _starter(tmp_path_factory.mktemp("programs"))
    yield begin
    finish()


@pytest.fixture
def run():
    """run(program, *args, env=None, stdin=None, timeout_s=60) -> CompletedProcess (text)."""
    return support_programs.run_program


@pytest.fixture
def new_stack(start, tmp_path):
    """new_stack() -> Stack, not started: set .settings, then .start()."""
    from support.stack import Stack
    stacks = []

    def new():
        stacks.append(Stack(start, tmp_path / f"stack{len(stacks)}"))
        return stacks[-1]

    yield new
    for stack in stacks:
        stack.close()


@pytest.fixture
def stack(new_stack):
    """The three programs, running, on empty data."""
    return new_stack().start()


@pytest.fixture(scope="module")
def module_stack(module_start, tmp_path_factory):
    """As `stack`, shared by all tests of a file."""
    from support.stack import Stack
    shared = Stack(module_start, tmp_path_factory.mktemp("stack")).start()
    yield shared
    shared.close()


@pytest.fixture
def issuer():
    """An OpenID Connect issuer of this test's own (support/issuer.py)."""
    from support.issuer import Issuer
    running = Issuer()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def module_issuer():
    """As `issuer`, shared by all tests of a file."""
    from support.issuer import Issuer
    running = Issuer()
    yield running
    running.stop()
