"""omnictl import: every line once, whatever happens in between."""
import json
import signal
import subprocess

import fakes
import grpc
import pytest
from support.programs import wait_until


def write_users(path, count, **changes):
    with path.open("w") as file:
        for i in range(1, count + 1):
            user = {"email": f"u{i}@example.com", "displayName": f"User {i}"}
            user.update(changes.get(f"line{i}", {}))
            file.write(json.dumps(user) + "\n")
    return path


def test_random_unavailability_is_retried(omnictl, user_server, users, tmp_path):
    made = omnictl("gen", 5000)
    (tmp_path / "u.ndjson").write_text(made.stdout)
    users.trouble = fakes.sometimes(0.1)
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 0, done.stderr
    assert "5,000 imported, 0 failed" in done.stderr
    wanted = [json.loads(line) for line in made.stdout.splitlines()]
    assert sorted(users.users) == sorted(u["email"].lower() for u in wanted)
    for user in wanted:
        got = users.users[user["email"].lower()]
        assert (got.display_name, got.given_name, got.family_name) == (
            user["displayName"], user.get("givenName", ""), user.get("familyName", ""))
        assert dict(got.labels) == user["labels"]
    assert users.calls > 5200
    assert not (tmp_path / "u.ndjson.omni-progress").exists()


def test_a_lost_answer_makes_no_second_user(omnictl, user_server, users, tmp_path):
    """The work is done, the answer is UNAVAILABLE: the retry has the same request id."""
    lost = set()

    def trouble(call, request, context):
        if request.user.email not in lost and call % 3 == 0:
            lost.add(request.user.email)
            users.create(request, context)
            fakes.abort(context, grpc.StatusCode.UNAVAILABLE, "the answer is lost")
    users.trouble = trouble
    write_users(tmp_path / "u.ndjson", 300)
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 0, done.stderr
    assert len(users.users) == 300
    assert users.repeats == len(lost) > 50


def test_kill_and_resume(omnictl, start_omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 5000)
    progress = tmp_path / "u.ndjson.omni-progress"

    def kept():
        lines = progress.read_text().splitlines() if progress.exists() else []
        return sum(int(line.split()[1]) for line in lines if line.startswith("done "))
    users.delay_s = 0.02
    for until in (800, 2000):
        process = start_omnictl("import", f"--users={user_server.address}", "--parallel=64",
                                "u.ndjson", stderr=subprocess.DEVNULL)
        wait_until(lambda: kept() >= until, 60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    users.delay_s = 0
    calls = users.calls
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 0, done.stderr
    assert "going on after" in done.stderr
    assert "5,000 imported, 0 failed" in done.stderr
    assert len(users.users) == 5000
    assert users.calls - calls <= 5000 - 2000, "what was finished is not sent again"
    assert not progress.exists()


def test_ctrl_c_saves_and_says_how_to_go_on(omnictl, start_omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 4000)
    users.delay_s = 0.01
    process = start_omnictl("import", f"--users={user_server.address}", "--parallel=16",
                            "u.ndjson", stderr=subprocess.PIPE)
    wait_until(lambda: len(users.users) >= 200, 60)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130, stderr
    assert "u.ndjson.omni-progress" in stderr and "same command" in stderr
    sent = users.calls
    assert len(users.users) == sent, "what was under way was finished, not cut"
    users.delay_s = 0
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 0, done.stderr
    assert users.calls == 4000 and users.repeats == 0


def test_errors_per_line(omnictl, user_server, users, tmp_path):
    (tmp_path / "u.ndjson").write_text("\n".join([
        '{"email":"a@example.com","displayName":"A"}',
        '{"email":"nobody","displayName":"B"}',
        '{"email":"c@example.com","displayName":',
        '',
        '{"email":"d@example.com","displayName":"D","nick":"d"}',
        '{"email":"e@example.com","displayName":7}',
        '{"email":"A@EXAMPLE.com","displayName":"again"}',
        '{"email":"f@example.com","display_name":"F","labels":{"x":null}}',
        '{"email":"g@example.com","display_name":"G","displayName":"G"}',
        '{"email":"h@example.com","displayName":"H","status":"GONE"}',
        '[]',
        '{"email":"z@example.com","display_name":"Z","status":"USER_STATUS_INVITED"}',
    ]))
    done = omnictl("import", f"--users={user_server.address}", "--parallel=1", "u.ndjson")
    assert done.returncode == 1
    assert sorted(users.users) == ["a@example.com", "z@example.com"]
    for wanted in ("u.ndjson:2: field user.email: must be an address",
                   "u.ndjson:3: INVALID_JSON: ",
                   "u.ndjson:5: UNKNOWN_FIELD: user.nick: there is no such field",
                   "u.ndjson:6: field user.display_name: must be a string, not number",
                   "u.ndjson:7: EMAIL_TAKEN: the address is taken",
                   "u.ndjson:8: field user.labels.x: must be a string, not null",
                   "u.ndjson:9: field user.display_name: is there twice",
                   'u.ndjson:10: field user.status: "GONE" is none of',
                   "u.ndjson:11: INVALID_JSON: a user is a JSON object, not array",
                   "2 imported, 9 failed"):
        assert wanted in done.stderr, (wanted, done.stderr)


def test_many_errors_are_counted_not_shown(omnictl, user_server, tmp_path):
    (tmp_path / "u.ndjson").write_text('{"nick":1}\n' * 50)
    done = omnictl("import", f"--users={user_server.address}", "--max-errors=3", "u.ndjson")
    assert done.returncode == 1
    assert done.stderr.count("UNKNOWN_FIELD") == 3
    assert "0 imported, 50 failed" in done.stderr


def test_strict_stops(omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 2000, line5={"email": "nobody"})
    done = omnictl("import", f"--users={user_server.address}", "--strict", "--parallel=2",
                   "u.ndjson")
    assert done.returncode == 1
    assert users.calls < 50
    assert "u.ndjson:5: field user.email" in done.stderr


def test_skip_existing(omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "a.ndjson", 10)
    with (tmp_path / "b.ndjson").open("w") as file:
        for i in range(1, 13):
            file.write(json.dumps({"email": f"U{i}@Example.com", "displayName": "other"}) + "\n")
    assert omnictl("import", f"--users={user_server.address}", "a.ndjson").returncode == 0
    done = omnictl("import", f"--users={user_server.address}", "--skip-existing", "b.ndjson")
    assert done.returncode == 0, done.stderr
    assert "2 imported, 0 failed, 10 there already" in done.stderr
    assert len(users.users) == 12


def test_another_import_of_the_same_file_is_another(omnictl, user_server, users, tmp_path):
    """Request ids do not outlive the import: deleted users are created again, taken addresses
    are said to be taken."""
    write_users(tmp_path / "u.ndjson", 10)
    assert omnictl("import", f"--users={user_server.address}", "u.ndjson").returncode == 0
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 1
    assert "0 imported, 10 failed" in done.stderr and "EMAIL_TAKEN" in done.stderr
    users.users.clear()
    assert omnictl("import", f"--users={user_server.address}", "u.ndjson").returncode == 0
    assert len(users.users) == 10


def test_service_away_is_exit_3_and_resumable(omnictl, user_server, users, closed_port, tmp_path):
    write_users(tmp_path / "u.ndjson", 20)
    done = omnictl("import", f"--users={closed_port}", "--retry-for=1s", "u.ndjson")
    assert done.returncode == 3
    assert f"the user service at {closed_port}: UNAVAILABLE" in done.stderr
    assert (tmp_path / "u.ndjson.omni-progress").exists()
    assert omnictl("import", f"--users={user_server.address}", "u.ndjson").returncode == 0
    assert len(users.users) == 20


def test_service_that_comes_back_is_waited_for(omnictl, start_omnictl, user_server, users,
                                               tmp_path):
    write_users(tmp_path / "u.ndjson", 3000)
    users.delay_s = 0.005
    process = start_omnictl("import", f"--users={user_server.address}", "--parallel=64",
                            "u.ndjson", stderr=subprocess.PIPE)
    wait_until(lambda: len(users.users) >= 500, 60)
    user_server.stop()
    users.delay_s = 0
    user_server.start()
    stderr = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0, stderr
    assert len(users.users) == 3000


def test_retry_after_is_honoured(omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 40)
    refused = set()

    def trouble(call, request, context):
        if request.user.email not in refused:
            refused.add(request.user.email)
            fakes.abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down",
                        "OVERLOADED", retry_after_s=0.7)
    users.trouble = trouble
    done = omnictl("import", f"--users={user_server.address}", "--parallel=40", "u.ndjson")
    assert done.returncode == 0, done.stderr
    for email, times in users.times.items():
        assert len(times) == 2 and times[1] - times[0] >= 0.7, email


def test_pushing_back_narrows_the_window(omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 400)
    users.delay_s = 0.01

    def trouble(call, request, context):
        if users.in_flight > 4:
            fakes.abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
    users.trouble = trouble
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 0, done.stderr
    assert len(users.users) == 400
    assert users.calls < 1800, "backing off alone takes more than 2,100 calls"


def test_other_errors_are_not_retried(omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 5)
    users.trouble = fakes.sometimes(1.0, grpc.StatusCode.INTERNAL)
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 1
    assert users.calls == 5
    assert "u.ndjson:1: INTERNAL: not now" in done.stderr


@pytest.mark.parametrize("name", ["u.csv", "-"])
def test_csv(omnictl, user_server, users, tmp_path, name):
    text = ('\ufeffemail,display_name,"givenName",status,label.team,label.note\r\n'
            'a@example.com,"Ann ""A"" Bee, Jr.",Ann,active,red,""\r\n'
            '\r\n'
            'b@example.com,"two\r\nlines",,USER_STATUS_SUSPENDED,,x\r\n'
            'c@example.com,C\r\n'
            'd@example.com,D"x,,,,\r\n'
            'nobody,N,,,,\r\n'
            'e@example.com,E,,,blue,').encode()
    (tmp_path / "u.csv").write_bytes(text)
    done = omnictl("import", f"--users={user_server.address}", name,
                   stdin=text if name == "-" else None)
    name = "stdin" if name == "-" else name
    assert done.returncode == 1, done.stderr
    assert sorted(users.users) == ["a@example.com", "b@example.com", "e@example.com"]
    a, b = users.users["a@example.com"], users.users["b@example.com"]
    assert (a.display_name, a.given_name, a.status) == ('Ann "A" Bee, Jr.', "Ann", 1)
    assert dict(a.labels) == {"team": "red", "note": ""}
    assert (b.display_name, b.status, dict(b.labels)) == ("two\r\nlines", 3, {"note": "x"})
    for wanted in (f"{name}:6: WRONG_FIELD_COUNT: 2 fields where the first line has 6",
                   f"{name}:7: INVALID_CSV: a quote in a field that does not begin with one",
                   f"{name}:8: field user.email: must be an address"):
        assert wanted in done.stderr, (wanted, done.stderr)


def test_csv_header_that_cannot_be_right(omnictl, user_server, users, tmp_path):
    for header, wanted in (("email,nick", 'column 2, "nick"'), ("display_name", "must be email"),
                           ("email,email", '"email" is there twice')):
        (tmp_path / "u.csv").write_text(header + "\na@example.com,x\n")
        done = omnictl("import", f"--users={user_server.address}", "u.csv")
        assert done.returncode == 2
        assert wanted in done.stderr
        assert not (tmp_path / "u.csv.omni-progress").exists()
    assert users.calls == 0


def test_a_changed_file_is_not_taken_up(omnictl, user_server, users, closed_port, tmp_path):
    path = write_users(tmp_path / "u.ndjson", 5)
    assert omnictl("import", f"--users={closed_port}", "--retry-for=0s",
                   "u.ndjson").returncode == 3
    write_users(path, 6)
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 2
    assert "u.ndjson has changed" in done.stderr and "--restart" in done.stderr
    assert users.calls == 0
    done = omnictl("import", f"--users={user_server.address}", "--restart", "u.ndjson")
    assert done.returncode == 0, done.stderr
    assert len(users.users) == 6


def test_damaged_progress_is_refused(omnictl, user_server, tmp_path):
    write_users(tmp_path / "u.ndjson", 5)
    (tmp_path / "u.ndjson.omni-progress").write_text("omni-progress 1\n")
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 2
    assert "u.ndjson.omni-progress is damaged" in done.stderr


def test_one_import_of_a_file_at_a_time(omnictl, start_omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 500)
    users.delay_s = 0.1
    start_omnictl("import", f"--users={user_server.address}", "--parallel=2", "u.ndjson",
                  stderr=subprocess.DEVNULL)
    wait_until(lambda: users.calls > 1)
    done = omnictl("import", f"--users={user_server.address}", "u.ndjson")
    assert done.returncode == 2
    assert "by another process" in done.stderr


def test_usage(omnictl, tmp_path):
    (tmp_path / "u.csv").write_text("")
    for arguments, wanted in (
            (["import"], "an argument is missing"),
            (["import", "nowhere.csv"], "nowhere.csv"),
            (["import", "a", "b"], "b: one argument too many"),
            (["import", "--paralel=3", "a"], "--paralel=3: no such option"),
            (["import", "--parallel=0", "a"], "--parallel: 0 is below the least, 1"),
            (["import", "."], "directory"),
            (["imprt"], 'did you mean "import"?'),
            ([], "no command")):
        done = omnictl(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert wanted in done.stderr, (arguments, done.stderr)


def test_help_and_version(omnictl):
    for arguments, wanted in ((["help"], "reconcile"), (["--help"], "reconcile"),
                              (["help", "import"], "--skip-existing"),
                              (["help", "import"], "same address"),
                              (["import", "--help"], "--skip-existing"),
                              (["--version"], "omnictl 0.")):
        done = omnictl(*arguments)
        assert done.returncode == 0 and wanted in done.stdout, arguments


def test_addresses_from_the_environment(omnictl, user_server, users, tmp_path):
    write_users(tmp_path / "u.ndjson", 3)
    done = omnictl("import", "u.ndjson", env={"OMNI_USERS": user_server.address})
    assert done.returncode == 0, done.stderr
    assert len(users.users) == 3
