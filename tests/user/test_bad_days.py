"""What can go wrong around the user service, and what it says and keeps then."""
import os
import random
import sqlite3
import subprocess
import threading
import time

import pytest


@pytest.fixture
def fails(run, tmp_path):
    """fails(**settings) -> standard error of a start that ends with exit code 2."""
    def start(**settings):
        settings = {"listen": "127.0.0.1:0", "data-dir": tmp_path / "data", "events": "none:",
                    **{k.replace("_", "-"): v for k, v in settings.items()}}
        done = run("omni-user", *(f"--{k}={v}" for k, v in settings.items()))
        assert done.returncode == 2, done.stderr
        return done.stderr
    return start


@pytest.mark.parametrize("settings, said", [
    ({"workers": "many"}, "--workers"),
    ({"workers": "1025"}, "--workers"),
    ({"nonsense": "1"}, "--nonsense"),
    ({"user_store": "mongo:x"}, "--user-store"),
    ({"events": "kafka://x"}, "--events"),
    ({"log_level": "loud"}, "--log-level"),
    ({"data_dir": "/proc/omni"}, "--data-dir"),
    ({"data_dir": "/dev/null"}, "--data-dir"),
    ({"user_store": "sqlite:/nowhere/at/all.db"}, "--user-store"),
])
def test_wrong_setting_is_named(fails, settings, said):
    assert said in fails(**settings)


def test_port_in_use(serve, fails, tmp_path):
    program, _ = serve()
    said = fails(listen=program.address, data_dir=tmp_path / "other")
    assert "--listen" in said and program.address in said


def test_second_process_on_the_same_data(serve, fails, tmp_path):
    _, users = serve()
    made = users.create("a@example.com")
    assert "is in use by another process" in fails()
    assert users.get(made.id) == made


def test_newer_database_is_left_alone(serve, fails, tmp_path):
    program, users = serve()
    users.create("a@example.com")
    program.stop()
    path = tmp_path / "data" / "users.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    said = fails()
    assert "users.db" in said and "version 99" in said
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database " * 300, b"SQLite format 3\0" + b"\7" * 9000])
def test_corrupt_database_is_left_alone(fails, tmp_path, content):
    path = tmp_path / "data" / "users.db"
    path.parent.mkdir()
    path.write_bytes(content)
    assert "users.db" in fails()
    assert path.read_bytes() == content


def test_damaged_outbox_of_reads_is_put_aside(serve, tmp_path, wait_until):
    """All that is in it may be lost: the program serves, and counts on."""
    program, users = serve()
    made = users.create("a@example.com")
    users.get(made.id)
    wait_until(lambda: sum(hour.emitted for hour in users.emitted().hours) == 2, what="both count")
    program.stop()
    reads = tmp_path / "data" / "users.db-reads"
    reads.write_bytes(b"this is no database " * 300)
    program, users = serve()
    assert [line["path"] for line in program.events("read_outbox_damaged")] == [str(reads)]
    assert reads.with_name("users.db-reads.damaged").read_bytes() == b"this is no database " * 300
    assert users.get(made.id) == made
    wait_until(lambda: sum(hour.emitted for hour in users.emitted().hours) == 2, what="the new read counts")
    assert users.emitted().pending == 2  # the write's and the new read's


def test_foreign_database_is_left_alone(fails, tmp_path):
    path = tmp_path / "data" / "users.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE precious(x)")
    db.close()
    before = path.read_bytes()
    assert "is not a database of the user store" in fails()
    assert path.read_bytes() == before


def test_damaged_key_file_is_named(fails, tmp_path):
    path = tmp_path / "data" / "page-token.key"
    path.parent.mkdir()
    path.write_text("oops")
    assert "page-token.key" in fails()


def test_files_are_the_owners_alone(serve, tmp_path):
    serve()
    for path in (tmp_path / "data").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


# --- no room ---

def fill(users, refused, prefix="u"):
    """Creates users until one is refused; the emails of those that were taken, and the refusal."""
    taken = []
    for i in range(100000):
        email = f"{prefix}{i}@example.com"
        try:
            users.create(email, "N" * 150, labels={f"k{k}": "v" * 250 for k in range(8)})
        except refused as error:
            return taken, error
        taken.append(email)
    raise AssertionError("the disk never filled")


def check_full(users, refused):
    taken, error = fill(users, refused)
    assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", "DISK_FULL")
    assert error.message == "the disk is full"
    assert [user.email for user in users.all()] == taken
    assert users.found("u0") == ["N" * 150]
    return taken


def test_store_at_its_limit_refuses_and_recovers(serve, refused):
    program, users = serve(store_bytes="600KiB")
    taken = check_full(users, refused)
    program.stop()
    _, users = serve(store_bytes="3MiB")
    users.create("more@example.com")
    assert len(users.all()) == len(taken) + 1


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MiB."""
    if os.geteuid() != 0:
        pytest.fail("mounting a small file system needs root")
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.root
def test_full_disk_refuses_and_recovers_without_a_restart(serve, refused, small_disk, wait_until):
    program, users = serve(data_dir=small_disk / "data")
    taken = check_full(users, refused)
    subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)

    def works():
        try:
            return users.create("more@example.com")
        except refused:
            return None

    wait_until(works, what="writes work again")
    assert [user.email for user in users.all()] == taken + ["more@example.com"]
    program.stop()


# --- killed ---

def writer(users, number, acknowledged, in_doubt, stop, refused):
    """Creates and updates; what was answered goes to `acknowledged`, the rest is in doubt."""
    i = 0
    while not stop.is_set():
        email = f"t{number}-{i}@example.com"
        in_doubt.add(email)
        try:
            user = users.create(email, f"Thread {number}", request_id=f"{number}-{i}")
            acknowledged[email] = user
            if i % 3 == 0:
                acknowledged[email] = users.update(user.id, display_name=f"Changed {number}")
        except refused:
            return
        in_doubt.discard(email)
        i += 1


@pytest.mark.parametrize("round_number", range(int(os.environ.get("OMNI_FAULT_ROUNDS", "2"))))
def test_kill_9_loses_no_acknowledged_write(serve, refused, round_number):
    dice = random.Random(round_number)
    program, users = serve()
    acknowledged, in_doubt, stop = {}, set(), threading.Event()
    threads = [threading.Thread(target=writer,
                                args=(users, n, acknowledged, in_doubt, stop, refused))
               for n in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(dice.uniform(0.3, 1.5))  # when to strike, not a synchronisation
    program.kill9()
    stop.set()
    for thread in threads:
        thread.join()
    assert acknowledged
    _, users = serve()
    stored = {user.email: user for user in users.all()}
    for email, user in acknowledged.items():
        if email not in in_doubt:
            assert stored.get(email) == user
    assert set(stored) <= set(acknowledged) | in_doubt
    for email in in_doubt:  # the retry that a client would make
        number, i = email[1:].split("@")[0].split("-")
        again = users.create(email, f"Thread {number}", request_id=f"{number}-{i}")
        if email in stored:
            assert again.id == stored[email].id
    assert not [line for line in program.log if line["level"] == "error"]


def test_events_of_killed_process_match_its_rows(serve, refused, tmp_path, wait_until):
    program, users = serve()
    acknowledged, in_doubt, stop = {}, set(), threading.Event()
    threads = [threading.Thread(target=writer,
                                args=(users, n, acknowledged, in_doubt, stop, refused))
               for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    program.kill9()
    stop.set()
    for thread in threads:
        thread.join()
    _, users = serve()
    emitted = users.emitted()
    stored = users.all()
    with sqlite3.connect(f"file:{tmp_path}/data/users.db?mode=ro", uri=True) as db:
        changes = db.execute("SELECT sum(version) FROM users").fetchone()[0]
    db.close()
    assert len(stored) >= len(set(acknowledged) - in_doubt)
    assert sum(hour.emitted for hour in emitted.hours) >= changes
    assert emitted.pending == sum(hour.pending for hour in emitted.hours)


def test_sigterm_finishes_what_runs(serve, refused):
    program, users = serve()
    acknowledged, in_doubt, stop = {}, set(), threading.Event()
    threads = [threading.Thread(target=writer,
                                args=(users, n, acknowledged, in_doubt, stop, refused))
               for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    program.stop()
    stop.set()
    for thread in threads:
        thread.join()
    assert program.events("stopped")
    _, users = serve()
    stored = {user.email: user for user in users.all()}
    for email, user in acknowledged.items():
        if email not in in_doubt:
            assert stored[email] == user


def test_overload_answers_at_once(serve, refused):
    """More calls than the server takes on are refused, not queued for ever."""
    _, users = serve(workers=1, calls_waiting=1)
    seen, lock = [], threading.Lock()

    def call(n):
        try:
            users.create(f"u{n}@example.com")
            answer = "OK"
        except refused as error:
            answer = error.code
        with lock:
            seen.append(answer)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {"OK", "RESOURCE_EXHAUSTED"} and "OK" in seen
    assert len(users.all()) == seen.count("OK")
