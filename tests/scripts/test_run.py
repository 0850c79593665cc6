"""scripts/run keeps to itself: one run per data folder, and settings that cannot be are refused."""
import json
import os
import signal
import socket
import subprocess

import pytest

from support.programs import ROOT, wait_until

LISTENING = "#!/bin/sh\nmkdir -p ${2#--data-dir=}\necho '{\"event\":\"listening\"}{\"event\":\"keys_followed\"}{\"event\":\"issuer_keys\"}' >&2\nexec sleep 600\n"


# Says what it was asked for, and fails if OMNICTL_FAILS says so.
OMNICTL = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/asked"
[ "$1" != "$OMNICTL_FAILS" ] || { echo "no $1 today" >&2; exit 1; }
echo "omni_of-${3#the }"
"""


def free_ports(names=("GATEWAY", "USER", "ANALYTICS", "SIGNIN")):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {f"OMNI_{name}_PORT": str(s.getsockname()[1])
             for name, s in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return ports


@pytest.fixture
def run(tmp_path):
    """run(**settings) -> the script, started on programs that only say that they listen."""
    folder = tmp_path / "build/release/bin"
    folder.mkdir(parents=True)
    for name in ("omni-user", "omni-analytics", "omni-gateway"):
        (folder / name).write_text(LISTENING)
        (folder / name).chmod(0o755)
    (folder / "omnictl").write_text(OMNICTL)
    (folder / "omnictl").chmod(0o755)
    (tmp_path / "build/dev-signin").mkdir()
    (tmp_path / "build/dev-signin/main.js").write_text(
        "console.error('{\"event\":\"listening\"}'); setTimeout(() => {}, 600_000);\n")
    started = []

    def start(**settings):
        env = {"PATH": os.environ["PATH"], "OMNI_DATA": str(tmp_path / "data"),
               "OMNI_FIRST_USERS": "0", **free_ports(), **settings}
        started.append(subprocess.Popen([ROOT / "scripts/run", tmp_path / "build"], env=env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.send_signal(signal.SIGTERM)
            one.communicate(timeout=30)


def runs(script):
    wait_until(lambda: "Ctrl-C" in script.stdout.readline(), 30, "it runs")
    return script


def test_one_run_per_data_folder(run, tmp_path):
    first = runs(run())
    log = tmp_path / "data/log/user.log"
    before = log.stat().st_ino
    second = run(OMNI_FIRST_USERS="5")
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 2
    assert str(tmp_path / "data") in errors and "in use" in errors
    assert log.stat().st_ino == before and not log.with_name("user.log.1").exists()
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    assert first.returncode == 0
    runs(run())  # the folder is free again


def test_keys_are_made_once_and_shown_every_time(run, tmp_path):
    for _ in range(2):
        script = run()
        lines = []
        wait_until(lambda: "Ctrl-C" in (lines.append(script.stdout.readline()) or lines[-1]), 30)
        assert any("curl -H 'X-API-Key: omni_of-demo' " in line for line in lines)
        config = json.loads((tmp_path / "data/page-config.json").read_text())
        assert config["apiKey"] == "omni_of-page"
        script.send_signal(signal.SIGTERM)
        script.communicate(timeout=30)
    for name in ("demo.key", "page.key"):
        assert (tmp_path / "data/user" / name).stat().st_mode & 0o777 == 0o600
    asked = (tmp_path / "build/release/bin/asked").read_text().splitlines()
    assert [line.split()[:3] for line in asked] == [
        ["plans", "put", "demo"], ["keys", "create", "the"], ["plans", "put", "page"],
        ["keys", "create", "the"]]


@pytest.mark.parametrize("what", ["plans", "keys"])
def test_keys_that_cannot_be_made(run, tmp_path, what):
    script = run(OMNICTL_FAILS=what)
    _, errors = script.communicate(timeout=30)
    assert script.returncode == 1 and f"no {what} today" in errors
    assert not (tmp_path / "data/user/demo.key").exists()
    runs(run())  # the next start makes up for it


@pytest.mark.parametrize("name,value", [
    ("OMNI_FIRST_USERS", "abc"),
    ("OMNI_FIRST_USERS", "-1"),
    ("OMNI_FIRST_USERS", "1e6"),
    ("OMNI_FIRST_USERS", "99999999999999999999"),
    ("OMNI_GATEWAY_PORT", "http"),
    ("OMNI_USER_PORT", "0"),
    ("OMNI_USER_PORT", "65536"),
    ("OMNI_ANALYTICS_PORT", "1x"),
    ("OMNI_SIGNIN_PORT", "0x10"),
])
def test_settings_that_cannot_be(run, tmp_path, name, value):
    script = run(**{name: value})
    out, errors = script.communicate(timeout=30)
    assert script.returncode == 2, errors
    assert len(errors.splitlines()) == 1 and errors.startswith(f"{name}={value}:")
    assert not out and not (tmp_path / "data").exists(), "nothing was begun"
