"""omni-user with its users on DynamoDB: bad days, and several of it on one table."""
import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "user"))


@pytest.fixture
def table(run, proxy):
    place = f"dynamodb://u{uuid.uuid4().hex[:12]}?endpoint={proxy.url}"
    done = run("omnictl", "aws", "init", f"--user-store={place}", env=proxy.environment())
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def refused():
    from users import Refused
    return Refused


@pytest.fixture
def serve(start, tmp_path, table, proxy):
    """serve(name) -> (Program, Users): a replica of its own."""
    from users import Users  # generated code is found when a test runs
    clients = []

    def begin(name="one", **more):
        program = start("omni-user", "--listen=127.0.0.1:0", f"--data-dir={tmp_path / name}",
                        f"--user-store={table}", f"--access-store={table}", "--events=none:",
                        env={**proxy.environment(), **more})
        clients.append(Users(program.address))
        return program, clients[-1]

    yield begin
    for client in clients:
        client.close()


def test_what_one_replica_writes_another_reads(serve, refused):
    _, one = serve("one")
    _, two = serve("two")
    ada = one.create("ada@example.com", "Ada Lovelace")
    assert two.get(ada.id) == ada
    assert [user.id for user in two.search("love").users] == [ada.id]
    with pytest.raises(refused) as answer:
        two.create("ADA@example.com", "Another")
    assert answer.value.reason == "EMAIL_TAKEN"
    two.delete(ada.id)
    with pytest.raises(refused) as answer:
        one.get(ada.id)
    assert answer.value.reason == "USER_NOT_FOUND"


# Rule 39.
@pytest.mark.parametrize("fault", ["500", "503", "throttle", "lose_reply"])
def test_bad_answers_cost_no_write_and_make_none_twice(serve, proxy, fault):
    _, users = serve()
    for operation in ("TransactWriteItems", "BatchGetItem", "Query"):
        proxy.inject(fault, service="dynamodb", operation=operation, count=2)
    made = [users.create(f"u{i}@example.com", f"User {i}", request_id=f"r{i}") for i in range(4)]
    assert len({user.id for user in made}) == 4
    assert [user.id for user in users.search("user").users] == [user.id for user in made]
    for i in range(4):
        again = users.create(f"u{i}@example.com", f"User {i}", request_id=f"r{i}")
        assert again.id == made[i].id


def test_killed_it_has_lost_nothing(serve):
    program, users = serve("one")
    made = [users.create(f"u{i}@example.com", f"User {i}") for i in range(5)]
    program.kill9()
    _, users = serve("two")
    assert [user.id for user in users.list().users] == [user.id for user in made]


def test_keys_of_one_replica_are_known_to_another(serve, run, proxy):
    one, _ = serve("one")
    two, _ = serve("two")

    def ctl(program, *words):
        done = run("omnictl", *words, f"--users={program.address}", env=proxy.environment())
        assert done.returncode == 0, done.stderr
        return done.stdout

    ctl(one, "plans", "put", "basic", "--rate=10", "--burst=20", "--quota=1000", "--per=day")
    assert "omni_" in ctl(two, "keys", "create", "the shop", "--plan=basic")
    assert "the shop" in ctl(one, "keys", "list")


def test_a_missing_table_is_named(start, tmp_path, proxy):
    program = start("omni-user", "--listen=127.0.0.1:0", f"--data-dir={tmp_path / 'x'}",
                    f"--user-store=dynamodb://nowhere?endpoint={proxy.url}", "--events=none:",
                    env=proxy.environment(), listening=False)
    assert program.wait_exit() == 2
    assert 'there is no table "nowhere"; `omnictl aws init` makes it' in program.stderr
