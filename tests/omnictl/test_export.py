"""omnictl export: what was imported comes out, and can be imported again."""
import csv
import io
import json
import os
import stat
import subprocess

import fakes
import grpc
import pytest


@pytest.fixture
def filled(omnictl, user_server, users, tmp_path):
    """1,234 generated users and a few that CSV finds hard."""
    made = omnictl("gen", "1234", "--seed=5").stdout
    hard = [{"email": "hard1@example.com", "displayName": ' "a", b\nc ', "labels": {"empty": ""}},
            {"email": "hard2@example.com", "displayName": "\u202e\U0001f984",
             "labels": {"k.with-dots_1": "x,y", "quote": '"'}}]
    text = made + "".join(json.dumps(user) + "\n" for user in hard)
    done = omnictl("import", f"--users={user_server.address}", "-", stdin=text.encode())
    assert done.returncode == 0, done.stderr
    return users


def plain(user):
    return (user.email, user.display_name, user.given_name, user.family_name, user.status,
            tuple(sorted(user.labels.items())))


def test_what_is_no_file_is_written_into_and_a_link_is_kept(omnictl, user_server, filled, tmp_path):
    """A rename would replace a pipe, and run by root /dev/null, by a file."""
    pipe, target, link = tmp_path / "pipe", tmp_path / "target", tmp_path / "link"
    os.mkfifo(pipe)
    with open(tmp_path / "read", "wb") as read:
        reader = subprocess.Popen(["cat", pipe], stdout=read)
    done = omnictl("export", f"--users={user_server.address}", str(pipe))
    if not stat.S_ISFIFO(pipe.stat().st_mode):
        reader.kill()
    assert done.returncode == 0, done.stderr
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert reader.wait(timeout=60) == 0
    assert (tmp_path / "read").read_bytes().count(b"\n") == 1236
    target.write_text("old")
    link.symlink_to(target)
    done = omnictl("export", f"--users={user_server.address}", str(link))
    assert done.returncode == 0, done.stderr
    assert link.is_symlink() and target.read_bytes().count(b"\n") == 1236


@pytest.mark.parametrize("name", ["all.ndjson", "all.csv"])
def test_round_trip(omnictl, user_server, filled, tmp_path, name):
    filled.page_limit = 100
    done = omnictl("export", f"--users={user_server.address}", name)
    assert done.returncode == 0, done.stderr
    assert "1236 users" in done.stderr
    before = sorted(plain(user) for user in filled.users.values())
    filled.users.clear()
    filled.answers.clear()
    done = omnictl("import", f"--users={user_server.address}", name)
    assert done.returncode == 0, done.stderr
    assert sorted(plain(user) for user in filled.users.values()) == before
    assert [p.name for p in tmp_path.iterdir()] == [name], "no temporary file stays"


def test_ndjson_to_standard_output(omnictl, user_server, filled):
    done = omnictl("export", f"--users={user_server.address}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 1236
    wanted = filled.users[lines[0]["email"].lower()]
    assert lines[0]["id"] == wanted.id
    assert lines[0]["createTime"] == wanted.create_time.ToJsonString()


def test_csv_is_what_others_read(omnictl, user_server, filled):
    done = omnictl("export", f"--users={user_server.address}", "--format=csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert len(rows) == 1236
    for row in rows:
        user = filled.users[row["email"].lower()]
        assert row["display_name"] == user.display_name
        assert {k[6:]: v for k, v in row.items() if k.startswith("label.") and v} == {
            k: v for k, v in user.labels.items() if v}


def test_short_unavailability_is_waited_out(omnictl, user_server, filled):
    filled.page_limit = 50
    filled.trouble = fakes.sometimes(0.3)
    done = omnictl("export", f"--users={user_server.address}")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1236


def test_a_failed_export_leaves_the_old_file(omnictl, user_server, filled, tmp_path):
    (tmp_path / "all.csv").write_text("old")
    filled.page_limit = 100

    def trouble(call, request, context):
        if request.page_token:
            fakes.abort(context, grpc.StatusCode.INTERNAL, "broken", "BROKEN")
    filled.trouble = trouble
    done = omnictl("export", f"--users={user_server.address}", "all.csv")
    assert done.returncode == 1
    assert "INTERNAL: broken" in done.stderr
    assert (tmp_path / "all.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["all.csv"]


def test_service_away(omnictl, closed_port, tmp_path):
    done = omnictl("export", f"--users={closed_port}", "--retry-for=0s", "all.csv")
    assert done.returncode == 3
    assert closed_port in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(omnictl, closed_port):
    done = omnictl("export", f"--users={closed_port}", "nowhere/all.csv")
    assert done.returncode == 2
    assert "nowhere/all.csv" in done.stderr
