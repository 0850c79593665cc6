"""Runs this project's programs for tests: start, wait until they listen, stop, kill, pause.

A program's standard error goes to a file: nothing is lost when it dies, and nothing can block it.
"""
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from support import trust

ROOT = Path(__file__).resolve().parents[2]
START_S = 60
STOP_S = 60
SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*")
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"suppressions={ROOT}/tests/support/tsan.supp",
}


def out_dir():
    return Path(os.environ.get("OMNI_OUT", ROOT / "build" / "asan")).resolve()


def gen_dir():
    return Path(os.environ.get("OMNI_GEN", ROOT / "build" / "gen")).resolve()


def page_dir():
    return Path(os.environ.get("OMNI_PAGE", out_dir().parent / "frontend")).resolve()


def find_program(name):
    """`omni-user` is in bin/, `programs/x` or `x_fuzz` in tests/; a path is itself."""
    path = Path(name)
    candidates = [path] if path.is_absolute() else [
        out_dir() / "bin" / name, out_dir() / name, out_dir() / "tests" / "programs" / name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise AssertionError(f"program {name} is not built: none of {', '.join(map(str, candidates))}")


def wait_until(condition, timeout_s=60, what=None, every_s=0.02):
    """Polls until condition() is truthy and returns that; AssertionError at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition}: not so within {timeout_s} s")
        time.sleep(every_s)


def environment(extra=None):
    """The test's environment without settings of the programs that happen to be exported."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("OMNI_") or k in ("OMNI_OUT", "OMNI_GEN", "OMNI_PAGE")}
    for key, value in SANITIZER_OPTIONS.items():
        env.setdefault(key, value)
    # What programs are to each other is not every test's matter: they believe the same tokens,
    # unless a test says otherwise.
    env["OMNI_TOKEN_FILE"] = str(trust.token_file())
    env.update({k: str(v) for k, v in (extra or {}).items()})
    return env


class Program:
    """One running program. Use the `start` fixture, which also stops it."""

    def __init__(self, name, args, directory, env=None, cwd=None):
        self.name = Path(name).name
        self.args = [str(a) for a in args]
        self.stderr_path = directory / f"{self.name}-{time.monotonic_ns()}.stderr"
        self.port = None
        self._checked = False
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                [str(find_program(name)), *self.args], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=stderr, env=environment(env), cwd=cwd,
                start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def log(self):
        """The JSON lines written so far."""
        lines = []
        for line in self.stderr.splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                try:
                    lines.append(json.loads(line))
                except ValueError:
                    raise AssertionError(f"{self.name} logged a line that is no JSON: {line!r}")
        return lines

    def events(self, event):
        return [line for line in self.log if line.get("event") == event]

    def running(self):
        return self.process.poll() is None

    def wait_listening(self, timeout_s=START_S):
        def listening():
            found = self.events("listening")
            if not found and not self.running():
                raise AssertionError(
                    f"{self.name} {' '.join(self.args)} exited with {self.process.returncode} "
                    f"before it listened:\n{self.stderr}")
            return found

        self.port = wait_until(listening, timeout_s, f"{self.name} listens")[0]["port"]
        return self

    def wait_exit(self, timeout_s=STOP_S):
        """Its exit code, when it ends by itself."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} still ran after {timeout_s} s:\n{self.stderr}")
        self.check_sanitizers()
        return code

    def stop(self, timeout_s=STOP_S):
        """SIGTERM; it must exit with 0 in time, and no sanitizer may have complained."""
        if self.process.returncode is None:
            self.resume()
            self.process.send_signal(signal.SIGTERM)
            code = self.wait_exit(timeout_s)
            assert code == 0, f"{self.name} exited with {code} on SIGTERM:\n{self.stderr}"

    def kill9(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        self.check_sanitizers()

    def pause(self):
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self):
        if self.running():
            os.kill(self.pid, signal.SIGCONT)

    def check_sanitizers(self):
        found = SANITIZER.search(self.stderr)
        assert not found, f"{self.name}: {found.group(0)}\n{self.stderr}"

    def rss_kib(self, key="VmRSS"):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise AssertionError(f"{key} is not in /proc/{self.pid}/status")


def run_program(name, *args, env=None, stdin=None, timeout_s=60, cwd=None):
    """Runs to the end; a CompletedProcess with text. Sanitizer reports fail the test."""
    done = subprocess.run([str(find_program(name)), *map(str, args)], input=stdin, text=True,
                          capture_output=True, env=environment(env), timeout=timeout_s, cwd=cwd,
                          check=False)
    found = SANITIZER.search(done.stderr)
    assert not found, f"{name}: {found.group(0)}\n{done.stderr}"
    return done
