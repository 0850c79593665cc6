"""omnictl top: the picture, as JSON, as text and on a real (pseudo) terminal."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest
from omnidata.event.v1 import event_pb2
from support import programs

TIOCGPTN = 0x80045430  # the number of a master's terminal


@pytest.fixture
def pipeline(source, analytics):
    source.response.pending = 1234
    source.response.oldest_pending_ms = 1500
    analytics.status.queued_batches = 3
    analytics.status.queued_events = 2500
    analytics.status.open_events = 77
    analytics.status.archived_events = 1_000_001
    analytics.status.archived_objects = 12
    analytics.status.quarantined_events = 2
    analytics.summary.kinds.add(kind=event_pb2.EVENT_KIND_USER_READ, count=999, failures=4)
    for minute in range(60):
        point = analytics.series.points.add(events=minute)
        point.time.seconds = 1_790_000_000 + 60 * minute
        point.kinds.add(kind=event_pb2.EVENT_KIND_USER_READ, count=minute)
    analytics.searches.searches.add(query="josé 佐藤", count=50, max_error=2)
    analytics.searches.searches.add(query="evil\x1b[2J\u202e", count=3)


class Terminal:
    """The program on a pseudo terminal."""

    def __init__(self, arguments, columns=80, rows=24):
        self.text = ""
        self.child, self.master = pty.fork()
        if self.child == 0:
            program = str(programs.find_program("omnictl"))
            os.execve(program, [program, *arguments], programs.environment({"TERM": "xterm"}))
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        """Line editing and echo are on; read through the master, which sees the same settings."""
        flags = termios.tcgetattr(self.master)[3]
        return bool(flags & termios.ICANON), bool(flags & termios.ECHO)

    def read_until(self, text, timeout_s=30):
        end = time.monotonic() + timeout_s
        while text not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} did not appear in {self.text[-2000:]!r}"
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                piece = b""
            assert piece, f"the program ended without {text!r}: {self.text[-2000:]!r}"
            self.text += piece.decode(errors="replace")
        return self.text

    def write(self, text):
        os.write(self.master, text.encode())

    def finish(self):
        """Reads to the end; the exit code."""
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            if not piece:
                break
            self.text += piece.decode(errors="replace")
        _, status = os.waitpid(self.child, 0)
        self.child = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        os.close(self.master)


@pytest.fixture
def terminal(user_server, analytics_server, pipeline):
    opened = []

    def start(*arguments, **size):
        opened.append(Terminal(["top", f"--users={user_server.address}",
                                f"--analytics={analytics_server.address}", "--interval=200ms",
                                *arguments], **size))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def test_once_json(omnictl, user_server, analytics_server, pipeline):
    done = omnictl("top", "--once", "--json", f"--users={user_server.address}",
                   f"--analytics={analytics_server.address}")
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["users"]["up"] and got["analytics"]["up"]
    assert got["outboxPending"] == 1234 and got["queuedEvents"] == 2500
    assert got["archivedEvents"] == 1_000_001 and got["quarantinedEvents"] == 2
    assert got["kinds"] == [{"kind": "USER_READ", "lastMinute": 58, "day": 999, "failures": 4}]
    assert got["perMinute"] == list(range(60))
    assert got["searches"][0] == {"query": "josé 佐藤", "count": 50, "maxError": 2}


def test_once_text(omnictl, user_server, analytics_server, pipeline):
    done = omnictl("top", "--once", f"--users={user_server.address}",
                   f"--analytics={analytics_server.address}")
    assert done.returncode == 0
    for wanted in ("1,234 events wait, the oldest 1.5 s", "3 batches, 2,500 events",
                   "1,000,001 events in 12 objects", "USER_READ", "josé 佐藤", "evil?[2J?"):
        assert wanted in done.stdout, done.stdout
    assert "\x1b" not in done.stdout


def test_one_service_down(omnictl, user_server, analytics_server, closed_port, pipeline):
    done = omnictl("top", "--once", f"--users={closed_port}",
                   f"--analytics={analytics_server.address}")
    assert done.returncode == 0
    assert f"{closed_port}  DOWN: UNAVAILABLE" in done.stdout
    assert "1,000,001 events" in done.stdout
    done = omnictl("top", "--once", f"--users={user_server.address}",
                   f"--analytics={closed_port}")
    assert done.returncode == 0
    assert f"{closed_port}  DOWN: UNAVAILABLE" in done.stdout
    assert "1,234 events wait" in done.stdout


def test_both_down(omnictl, closed_port):
    done = omnictl("top", "--once", "--json", f"--users={closed_port}",
                   f"--analytics={closed_port}")
    assert done.returncode == 3
    assert json.loads(done.stdout)["users"] == {
        "address": closed_port, "up": False, "code": "UNAVAILABLE",
        "error": json.loads(done.stdout)["users"]["error"]}


@pytest.mark.parametrize("ending", ["q", "\x03"])
def test_terminal_is_left_as_it_was(terminal, ending):
    screen = terminal()
    screen.read_until("1,000,001 events")
    assert screen.modes() == (False, False)
    screen.write(ending)
    assert screen.finish() == 0
    assert "\x1b[?1049h" in screen.text and screen.text.rstrip().endswith("\x1b[?1049l")
    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l")


def test_terminal_modes_come_back(terminal):
    """A second descriptor keeps the terminal alive, so its modes can be read after the end."""
    screen = terminal()
    number = struct.unpack("i", fcntl.ioctl(screen.master, TIOCGPTN, b"\0" * 4))[0]
    keep = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
    try:
        before = termios.tcgetattr(keep)
        screen.read_until("1,000,001 events")
        during = termios.tcgetattr(keep)
        assert not during[3] & termios.ICANON
        os.kill(screen.child, signal.SIGTERM)
        _, status = os.waitpid(screen.child, 0)
        screen.child = 0
        assert os.waitstatus_to_exitcode(status) == 0
        after = termios.tcgetattr(keep)
        assert after[3] & termios.ICANON and after[3] & termios.ECHO
        assert before[3] in (during[3], after[3])
    finally:
        os.close(keep)


def test_redraws_in_place_and_follows_the_size(terminal, analytics):
    screen = terminal(columns=120, rows=40)
    screen.read_until("1,000,001 events")
    analytics.status.archived_events = 2_000_002
    screen.read_until("2,000,002 events")
    screen.resize(30, 5)
    screen.text = ""
    screen.read_until("\x1b[J")
    screen.text = ""
    screen.read_until("\x1b[J")
    frame = screen.text.split("\x1b[J")[0].split("\x1b[H")[-1]
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).replace("\r", "").split("\n")
    assert len(lines) <= 5
    assert all(len(line) <= 30 for line in lines), lines
    screen.write("q")
    assert screen.finish() == 0


def test_a_hanging_service_does_not_take_the_keyboard(terminal, analytics):
    analytics.hang_s = 5
    screen = terminal()
    screen.read_until("\x1b[?1049h")
    screen.write("q")
    assert screen.finish() == 0
    assert "DOWN" not in screen.text
