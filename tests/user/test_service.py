"""Every method of UserService, seen by an independent client."""
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from omnidata.user.v1 import user_pb2 as pb

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


def test_create_and_get(users):
    made = users.create("José@Example.com", "José Müller", given_name="José",
                        labels={"team": "a", "x.y": ""})
    assert uuid.UUID(made.id).version == 7
    assert made.status == pb.USER_STATUS_ACTIVE and made.etag
    assert made.create_time == made.update_time
    assert not made.HasField("owner")
    assert users.get(made.id) == made


def test_output_only_fields_are_ignored_on_create(users):
    made = users.create("a@example.com", id=UNKNOWN, etag="mine",
                        owner=pb.Owner(issuer="i", subject="s"))
    assert made.id != UNKNOWN and made.etag != "mine" and not made.HasField("owner")


@pytest.mark.parametrize("call, code, reason, fields", [
    (lambda u: u.get("7"), "INVALID_ARGUMENT", "INVALID_FIELD", {"id"}),
    (lambda u: u.get(""), "INVALID_ARGUMENT", "INVALID_FIELD", {"id"}),
    (lambda u: u.get(UNKNOWN), "NOT_FOUND", "USER_NOT_FOUND", set()),
    (lambda u: u.delete(UNKNOWN), "NOT_FOUND", "USER_NOT_FOUND", set()),
    (lambda u: u.update(UNKNOWN, display_name="x"), "NOT_FOUND", "USER_NOT_FOUND", set()),
    (lambda u: u.update("x", mask=["nick"]), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"user.id", "update_mask"}),
    (lambda u: u.create("nobody", "", labels={"A": "b"}), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"user.email", "user.display_name", "user.labels[A]"}),
    (lambda u: u.create("a@b", request_id="x" * 129), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"request_id"}),
    (lambda u: u.batch([UNKNOWN] * 101), "INVALID_ARGUMENT", "INVALID_FIELD", {"ids"}),
    (lambda u: u.list(-1), "INVALID_ARGUMENT", "INVALID_FIELD", {"page_size"}),
    (lambda u: u.list(0, "abc"), "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", {"page_token"}),
    (lambda u: u.search(""), "INVALID_ARGUMENT", "INVALID_FIELD", {"query"}),
    (lambda u: u.search("x" * 257), "INVALID_ARGUMENT", "INVALID_FIELD", {"query"}),
    (lambda u: u.search("x", -5), "INVALID_ARGUMENT", "INVALID_FIELD", {"page_size"}),
    (lambda u: u.search("x", 0, "e30"), "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", {"page_token"}),
])
def test_refusals(users, refused, call, code, reason, fields):
    with pytest.raises(refused) as error:
        call(users)
    assert (error.value.code, error.value.reason, set(error.value.fields)) == (code, reason, fields)


def test_missing_user_message(users):
    for call, request in ((users.stub.CreateUser, pb.CreateUserRequest()),
                          (users.stub.UpdateUser, pb.UpdateUserRequest())):
        with pytest.raises(grpc.RpcError) as error:
            call(request, timeout=60)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_nul_is_refused_by_name(users, refused):
    for call in (lambda: users.create("a@example.com", "a\0b"),
                 lambda: users.update(UNKNOWN, display_name="\0")):
        with pytest.raises(refused) as error:
            call()
        assert error.value.code == "INVALID_ARGUMENT"
        assert error.value.fields == {"user.display_name": "holds a NUL character"}
        assert error.value.message == "user.display_name: holds a NUL character"


def test_invalid_utf8_is_refused(users):
    # A User whose display_name is the single byte FF.
    raw = pb.CreateUserRequest(user=pb.User(email="a@b", display_name="?")).SerializeToString()
    call = users.channel.unary_unary("/omnidata.user.v1.UserService/CreateUser",
                                     request_serializer=lambda b: b,
                                     response_deserializer=lambda b: b)
    with pytest.raises(grpc.RpcError) as error:
        call(raw.replace(b"?", b"\xff"), timeout=60)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_email_is_unique_whatever_its_case(users, refused):
    users.create("José@Example.com")
    with pytest.raises(refused) as error:
        users.create("JOSÉ@eXAMPLE.com")
    assert (error.value.code, error.value.reason) == ("ALREADY_EXISTS", "EMAIL_TAKEN")
    assert set(error.value.fields) == {"user.email"}


# Rule 9.
def test_update_masks(users):
    made = users.create("a@example.com", "Anna", given_name="A", labels={"k": "1", "l": "2"})
    same = users.update(made.id, display_name="Anna B")  # no mask: what is not empty
    assert (same.display_name, same.given_name, same.email) == ("Anna B", "A", "a@example.com")
    assert same.etag != made.etag
    cleared = users.update(made.id, mask=["given_name"], display_name="ignored")
    assert (cleared.display_name, cleared.given_name) == ("Anna B", "")
    labelled = users.update(made.id, mask=["labels.k", "labels.l", "labels.m"],
                            labels={"k": "9", "m": "3"})
    assert dict(labelled.labels) == {"k": "9", "m": "3"}
    replaced = users.update(made.id, mask=["*"], email="b@example.com", display_name="B")
    assert dict(replaced.labels) == {} and replaced.status == pb.USER_STATUS_ACTIVE
    assert users.get(made.id) == replaced
    assert replaced.create_time == made.create_time


@pytest.mark.parametrize("change", [
    {}, {"mask": ["create_time"]}, {"mask": ["display_name"], "display_name": "Anna"},
    {"mask": ["labels.k"], "labels": {"k": "1"}}, {"mask": ["labels.l"]},
])
def test_update_that_changes_nothing(users, change):
    made = users.create("a@example.com", "Anna", labels={"k": "1"})
    assert users.update(made.id, **change) == made
    assert users.update(made.id, request_id="r", **change) == made
    assert users.get(made.id) == made


# Rule 20.
def test_etag_mismatch(users, refused):
    made = users.create("a@example.com")
    users.update(made.id, display_name="B", etag=made.etag)
    for call, field in (
            (lambda: users.update(made.id, display_name="C", etag=made.etag), "user.etag"),
            (lambda: users.delete(made.id, made.etag), "etag"),
            (lambda: users.delete(made.id, "nonsense"), "etag")):
        with pytest.raises(refused) as error:
            call()
        assert (error.value.code, error.value.reason) == ("ABORTED", "ETAG_MISMATCH")
        assert set(error.value.fields) == {field}
    users.delete(made.id, users.get(made.id).etag)


def test_batch_get_keeps_order_and_reports_each(users):
    from users import details_of_status
    a, b = users.create("a@example.com"), users.create("b@example.com")
    results = users.batch([b.id, "7", UNKNOWN, a.id, b.id])
    assert [r.user.id for r in results] == [b.id, "", "", a.id, b.id]
    assert [r.error.code for r in results] == [0, 3, 5, 0, 0]
    assert details_of_status(results[1].error) == ("INVALID_FIELD", {"id": "is not a UUID"})
    assert details_of_status(results[2].error)[0] == "USER_NOT_FOUND"
    assert len(users.batch([])) == 0


# Rule 22.
def test_pages(users, refused):
    ids = [users.create(f"u{i:03}@example.com", f"Same {i % 3}").id for i in range(25)]
    assert [user.id for user in users.all(7)] == sorted(ids)
    assert len(users.list().users) == 25
    first = users.search("same", 10)
    token, found = first.next_page_token, list(first.users)
    assert token and all(c.isalnum() or c in "-_" for c in token)
    while token:
        page = users.search("SAME", 4, token)  # another size and spelling, the same query
        found.extend(page.users)
        token = page.next_page_token
    assert [user.id for user in found] == [
        user.id for user in sorted(found, key=lambda user: (user.display_name, user.id))]
    assert sorted(user.id for user in found) == sorted(ids)
    for call in (lambda: users.search("sam", 10, first.next_page_token),
                 lambda: users.list(10, first.next_page_token),
                 lambda: users.search("same", 10, first.next_page_token[:-1] + "!")):
        with pytest.raises(refused) as error:
            call()
        assert error.value.reason == "PAGE_TOKEN_INVALID"


# Rule 22.
def test_a_page_of_the_largest_users_fits_a_message(users):
    """Rule 22: it ends early and says so. A gRPC client takes 4 MiB unless told otherwise, the gateway too."""
    labels = {f"{i:063d}": "v" * 256 for i in range(32)}
    name = "\U0001F9D1" * 100
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda i: users.create(
            f"{'l' * 60}{i:04d}@{'d' * 63}.{'d' * 63}.{'d' * 61}", 2 * name, given_name=name, family_name=name,
            labels=labels), range(400)))
    page = users.list(1000)
    assert 2 << 20 >= page.ByteSize() > 1_900_000
    assert page.next_page_token and len(page.users) < 200
    assert [user.id for user in users.all()] == sorted(user.id for user in made)
    assert len(users.batch([user.id for user in made[:100]])) == 100
    assert len(users.search("d" * 32, 100).users) == 100


def test_page_tokens_survive_a_restart(serve):
    program, users = serve()
    for i in range(3):
        users.create(f"u{i}@example.com")
    page = users.list(2)
    program.stop()
    assert len(serve()[1].list(2, page.next_page_token).users) == 1


def test_search(users):
    users.create("jg@example.com", "José García")
    users.create("anna@example.org", "Anna Müller")
    users.create("tanaka@example.jp", "田中太郎")
    assert users.found("jose") == ["José García"]
    assert users.found("mul") == ["Anna Müller"]
    assert users.found("MÜL ann") == ["Anna Müller"]
    assert users.found("田中") == ["田中太郎"]
    assert users.found("exam") == ["Anna Müller", "José García", "田中太郎"]
    assert users.found("jose muller") == []
    assert users.found("?!") == []


# Rule 21.
def test_idempotency(serve, refused):
    program, users = serve()
    made = users.create("a@example.com", "A", request_id="one", labels={"x": "1", "y": "2"})
    users.update(made.id, display_name="B")
    program.kill9()
    program, users = serve()
    assert users.create("a@example.com", "A", request_id="one", labels={"y": "2", "x": "1"}) == made
    assert len(users.all()) == 1
    for call in (lambda: users.create("other@example.com", "A", request_id="one"),
                 lambda: users.delete(made.id, request_id="one")):
        with pytest.raises(refused) as error:
            call()
        assert (error.value.code, error.value.reason) == ("INVALID_ARGUMENT",
                                                          "IDEMPOTENCY_KEY_REUSED")
    first = users.update(made.id, display_name="C", request_id="two")
    users.update(made.id, display_name="D")
    assert users.update(made.id, display_name="C", request_id="two") == first
    for _ in range(2):
        users.delete(made.id, request_id="three")


# Rule 21.
def test_same_request_at_the_same_time_is_one_user(users):
    answers = []

    def create():
        answers.append(users.create("a@example.com", "A", request_id="one").id)

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16 and len(set(answers)) == 1


def test_health_and_reflection(serve):
    from grpc.health.v1 import health_pb2, health_pb2_grpc
    from grpc.reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
    _, users = serve()
    health = health_pb2_grpc.HealthStub(users.channel)
    for service in ("", "omnidata.user.v1.UserService", "omnidata.event.v1.EventSourceService"):
        assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=60).status == 1
    reflection = reflection_pb2_grpc.ServerReflectionStub(users.channel)
    answer = next(reflection.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=60))
    names = {service.name for service in answer.list_services_response.service}
    assert {"omnidata.user.v1.UserService", "omnidata.event.v1.EventSourceService"} <= names
