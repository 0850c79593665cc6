"""What goes wrong at start: each trouble is named, the exit code is 2, and nothing is damaged."""
import hashlib
import re
import socket
import sqlite3

import pytest

PROGRAMS = {
    "omni-user": lambda d: [f"--data-dir={d}", "--events=none:"],
    "omni-analytics": lambda d: [f"--data-dir={d}"],
    "omni-gateway": lambda d: [],
}
STORES = ["omni-user", "omni-analytics"]
LISTEN = "--listen=127.0.0.1:0"


@pytest.fixture
def refuse(run):
    """refuse(program, *args) -> what it said on standard error, after exit code 2."""
    def go(program, *args):
        done = run(program, *args, timeout_s=30)
        assert done.returncode == 2, f"exit code {done.returncode}\n{done.stderr}"
        assert '"listening"' not in done.stderr
        return done.stderr

    return go


def digests(folder):
    """Of every file that holds data: WAL indexes and locks may come and go."""
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock"))}


@pytest.fixture
def made(start, tmp_path):
    """made(program) -> its data folder after one clean run."""
    def go(program):
        folder = tmp_path / program
        start(program, LISTEN, *PROGRAMS[program](folder)).stop()
        return folder

    return go


@pytest.mark.parametrize("program", PROGRAMS)
def test_port_in_use(refuse, tmp_path, program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refuse(program, f"--listen=127.0.0.1:{port}", *PROGRAMS[program](tmp_path / "d"))
    assert str(port) in said and "listen" in said


@pytest.mark.parametrize("program", STORES)
def test_folder_that_cannot_be_made(refuse, tmp_path, program):
    (tmp_path / "file").write_text("in the way")
    said = refuse(program, LISTEN, *PROGRAMS[program](tmp_path / "file" / "data"))
    assert str(tmp_path / "file" / "data") in said
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("program", STORES)
def test_second_process_on_the_same_data(start, refuse, tmp_path, program):
    first = start(program, LISTEN, *PROGRAMS[program](tmp_path / "d"))
    said = refuse(program, LISTEN, *PROGRAMS[program](tmp_path / "d"))
    assert "in use" in said and str(tmp_path / "d") in said
    assert first.running()


def databases(folder):
    found = sorted(folder.rglob("*.db"))
    assert found, f"no database in {folder}"
    return found


@pytest.mark.parametrize("program", STORES)
def test_corrupt_database(made, refuse, program):
    folder = made(program)
    for database in databases(folder):
        whole = database.read_bytes()
        database.write_bytes(b"This was a database once. " * 400)
        before = digests(folder)
        said = refuse(program, LISTEN, *PROGRAMS[program](folder))
        assert database.name in said, said
        assert digests(folder) == before
        database.write_bytes(whole)


@pytest.mark.parametrize("program", STORES)
def test_newer_database(made, refuse, start, program):
    folder = made(program)
    for database in databases(folder):
        with sqlite3.connect(database) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            assert version > 0
            db.execute("PRAGMA user_version=999")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        before = digests(folder)
        said = refuse(program, LISTEN, *PROGRAMS[program](folder))
        assert database.name in said and "999" in said, said
        assert digests(folder) == before
        with sqlite3.connect(database) as db:
            db.execute(f"PRAGMA user_version={version}")
        db.close()
    start(program, LISTEN, *PROGRAMS[program](folder)).stop()


@pytest.mark.parametrize("program", STORES)
def test_somebody_elses_database(made, refuse, program):
    folder = made(program)
    for database in databases(folder):
        whole = database.read_bytes()
        database.unlink()
        with sqlite3.connect(database) as db:
            db.execute("CREATE TABLE theirs(x)")
            db.execute("INSERT INTO theirs VALUES(1)")
        db.close()
        before = digests(folder)
        said = refuse(program, LISTEN, *PROGRAMS[program](folder))
        assert database.name in said
        assert digests(folder) == before
        database.write_bytes(whole)


@pytest.mark.parametrize("program", PROGRAMS)
def test_wrong_settings_are_all_named(refuse, tmp_path, program):
    said = refuse(program, LISTEN, *PROGRAMS[program](tmp_path / "d"), "--log-level=loud",
                  "--grace=soon", "--nonsense=1")
    for name in ("--log-level", "--grace", "--nonsense"):
        assert name in said
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("program,setting", [
    *((p, "--listen=nowhere") for p in PROGRAMS),
    *((p, "--listen=127.0.0.1:99999") for p in PROGRAMS),
    ("omni-user", "--user-store=paper:"),
    ("omni-user", "--events=smoke://signals"),
    ("omni-analytics", "--queue=paper:"),
    ("omni-analytics", "--ledger=paper:"),
    ("omni-analytics", "--archive=paper:"),
    ("omni-gateway", "--upstreams=nothing"),
    ("omni-gateway", "--frontend-dir=/nonexistent/page"),
])
def test_wrong_value_names_its_setting(refuse, tmp_path, program, setting):
    name, value = re.fullmatch("--([^=]*)=(.*)", setting).groups()
    said = refuse(program, LISTEN, *PROGRAMS[program](tmp_path / "d"), setting)
    assert name in said and value.split(":")[0] in said, said


@pytest.mark.parametrize("program", [*PROGRAMS, "omnictl"])
def test_help(run, program):
    done = run(program, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert "--help" in done.stdout or "--listen" in done.stdout or "import" in done.stdout
