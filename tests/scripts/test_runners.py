"""The runners count honestly: a crash, a program without tests, a skip and a leak are failures."""
import subprocess

import pytest

from support.programs import ROOT


def program(folder, name, text):
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("text,passed,failed", [
    ("echo 'ok 1 - a'; echo 'ok 2 - b'", 2, 0),
    ("echo 'ok 1 - a'; echo 'not ok 2 - b'; exit 1", 1, 1),
    ("echo 'ok 1 - a'; kill -SEGV $$", 1, 1),
    ("echo 'ok 1 - a'; exit 23", 1, 1),  # a leak: all tests passed, the exit code did not
    ("exit 0", 0, 1),
    ("sleep 9", 0, 1),
])
def test_units(tmp_path, text, passed, failed):
    done = subprocess.run([ROOT / "scripts/run-units", program(tmp_path, "x_test", text)], text=True,
                          capture_output=True, check=False, env={"UNIT_TIMEOUT_S": "2",
                                                                 "PATH": "/usr/bin:/bin"})
    assert done.stdout.splitlines()[-1] == f"{passed} passed, {failed} failed"
    assert done.returncode == (1 if failed else 0)


@pytest.mark.parametrize("text,passed,failed", [
    ("def test_a(): pass\ndef test_b(): pass\n", 3, 0),
    ("def test_a(): assert False\n", 1, 1),
    ("import pytest\ndef test_a(): pytest.skip('not here')\n", 1, 1),
    ("import no_such_module\n", 1, 1),
    ("import pytest\n@pytest.fixture\ndef f():\n    yield\n    assert False\n"
     "def test_a(f): pass\n", 2, 1),
    ("", 1, 0),
])
def test_tests(tmp_path, text, passed, failed):
    """With one C program that passes beside the Python file."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text().replace(
        "Path(__file__).resolve().parent", f"Path({str(ROOT / 'tests')!r})"))
    (tmp_path / "test_x.py").write_text(text)
    unit = program(tmp_path, "x_test", "echo 'ok 1 - a'")
    done = subprocess.run([ROOT / "scripts/run-tests", unit, "--", tmp_path], text=True,
                          capture_output=True, check=False)
    assert done.stdout.splitlines()[-1] == f"{passed} passed, {failed} failed", done.stdout
    assert done.returncode == (1 if failed else 0)


def test_fuzz_run_fails_on_a_crash(tmp_path):
    good = program(tmp_path, "good_fuzz", "echo 'stat::number_of_executed_units: 7' >&2")
    bad = program(tmp_path, "bad_fuzz", "exit 77")
    done = subprocess.run([ROOT / "scripts/run-fuzz", "1", good, bad], text=True, check=False,
                          capture_output=True, env={"B": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed" and "7 runs" in done.stdout
