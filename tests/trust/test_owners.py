"""Object by object: who created a user changes it, or who holds the scope; others learn nothing."""
import pytest
from omnidata.access.v1 import access_pb2, access_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc
from support import trust
from words import ADA, ADMIN, EVE, ISSUER, outcome

REFUSED = "PERMISSION_DENIED NOT_OWNER"
UNKNOWN_ID = "01a204db-4131-7018-8c10-7562bbbee435"


@pytest.fixture
def as_caller(user):
    """as_caller(**caller) -> stub, through the gateway; as_caller() is the operator."""
    channels = []

    def stub(kind=user_pb2_grpc.UserServiceStub, **caller):
        channels.append(trust.client_channel(user.address, **caller) if caller
                        else trust.channel(user.address))
        return kind(channels[-1])

    yield stub
    for channel in channels:
        channel.close()


def create(stub, email, **fields):
    request_id = fields.pop("request_id", "")
    return stub.CreateUser(user_pb2.CreateUserRequest(
        user=user_pb2.User(email=email, display_name="Somebody", **fields), request_id=request_id),
        timeout=60)


def update(user_id, etag="", **kwargs):
    return user_pb2.UpdateUserRequest(
        user=user_pb2.User(id=user_id, given_name="New", etag=etag), **kwargs)


def delete(user_id, etag=""):
    return user_pb2.DeleteUserRequest(id=user_id, etag=etag)


def test_the_owner_is_the_caller_whatever_he_says(as_caller):
    made = create(as_caller(**ADA), "owner@x.example",
                  owner=user_pb2.Owner(issuer=ISSUER, subject="eve"),
                  id=UNKNOWN_ID, etag="9-9")
    assert (made.owner.issuer, made.owner.subject) == (ISSUER, "ada")
    assert made.id != UNKNOWN_ID and made.etag != "9-9"
    request = update(made.id)
    request.user.owner.subject = "eve"
    request.update_mask.paths.extend(["owner", "owner.subject", "given_name"])
    changed = as_caller(**ADA).UpdateUser(request, timeout=60)
    assert changed.given_name == "New" and changed.owner.subject == "ada"
    assert not create(as_caller(), "imported@x.example").HasField("owner")


def test_who_may_change_whose(as_caller):
    mine = create(as_caller(**ADA), "mine@x.example").id
    nobodys = create(as_caller(), "nobodys@x.example").id
    elsewhere = {**ADA, "issuer": "https://other.example"}
    for caller, user_id, expected in (
            (EVE, mine, REFUSED), (elsewhere, mine, REFUSED), (ADA, nobodys, REFUSED),
            (ADA, UNKNOWN_ID, REFUSED), (EVE, UNKNOWN_ID, REFUSED),
            (ADMIN, UNKNOWN_ID, "NOT_FOUND USER_NOT_FOUND"),
            (ADA, mine, "OK"), (ADMIN, mine, "OK"), (ADMIN, nobodys, "OK"), ({}, mine, "OK")):
        assert outcome(as_caller(**caller).UpdateUser, update(user_id)) == expected
    for caller, user_id, expected in (
            (EVE, mine, REFUSED), (ADA, nobodys, REFUSED), (ADA, UNKNOWN_ID, REFUSED),
            (ADA, mine, "OK"), (ADA, mine, REFUSED), (ADMIN, nobodys, "OK"),
            (ADMIN, nobodys, "NOT_FOUND USER_NOT_FOUND")):
        assert outcome(as_caller(**caller).DeleteUser, delete(user_id)) == expected


def test_existence_is_not_revealed(as_caller):
    """Another's user, none at all, and another's with a wrong etag: the very same answer."""
    import grpc
    theirs = create(as_caller(**ADA), "hidden@x.example").id
    answers = set()
    for request in (update(theirs), update(UNKNOWN_ID), update(theirs, etag="1-0"),
                    update(theirs, request_id="r"), update(UNKNOWN_ID, request_id="r")):
        with pytest.raises(grpc.RpcError) as caught:
            as_caller(**EVE).UpdateUser(request, timeout=60)
        answers.add((caught.value.code(), caught.value.details(),
                     tuple(caught.value.trailing_metadata())))
    for request in (delete(theirs), delete(UNKNOWN_ID), delete(theirs, etag="1-0")):
        with pytest.raises(grpc.RpcError) as caught:
            as_caller(**EVE).DeleteUser(request, timeout=60)
        answers.add((caught.value.code(), caught.value.details(),
                     tuple(caught.value.trailing_metadata())))
    assert len(answers) == 1


def test_request_ids_are_each_callers_own(as_caller):
    first = create(as_caller(**ADA), "once@x.example", request_id="same")
    again = create(as_caller(**{**ADA, "key_id": "another"}), "once@x.example", request_id="same")
    assert again == first
    request = user_pb2.CreateUserRequest(
        user=user_pb2.User(email="once@x.example", display_name="Somebody"), request_id="same")
    # Eve gets no answer that was Ada's; that the address is taken anybody may learn.
    assert outcome(as_caller(**EVE).CreateUser, request) == "ALREADY_EXISTS EMAIL_TAKEN"
    request.user.email = "other@x.example"
    assert outcome(as_caller(**EVE).CreateUser, request) == "OK"
    assert outcome(as_caller(**ADA).CreateUser, request) == "INVALID_ARGUMENT IDEMPOTENCY_KEY_REUSED"


def test_request_ids_of_keys_are_each_administrators_own(as_caller):
    def access(**caller):
        return as_caller(access_pb2_grpc.AccessServiceStub, **caller)

    access().PutPlan(access_pb2.PutPlanRequest(plan=access_pb2.Plan(id="p", rate=1, burst=1)),
                     timeout=60)
    request = access_pb2.CreateApiKeyRequest(
        api_key=access_pb2.ApiKey(display_name="nightly", plan_id="p"), request_id="same")
    other = access_pb2.CreateApiKeyRequest(
        api_key=access_pb2.ApiKey(display_name="daily", plan_id="p"), request_id="same")
    for caller in (ADMIN, {**ADMIN, "subject": "toor"}, {}):
        assert outcome(access(**caller).CreateApiKey, request) == "OK"
        assert outcome(access(**caller).CreateApiKey,
                       request) == "ALREADY_EXISTS KEY_CREATED_BEFORE"
        assert outcome(access(**caller).CreateApiKey,
                       other) == "INVALID_ARGUMENT IDEMPOTENCY_KEY_REUSED"


def test_writes_and_refusals_are_audited(as_caller, user, wait_until):
    made = create(as_caller(**ADA), "audited@x.example")
    outcome(as_caller(**EVE).DeleteUser, delete(made.id))
    outcome(as_caller(**{**EVE, "scopes": []}).DeleteUser, delete(made.id))
    as_caller().DeleteUser(delete(made.id), timeout=60, metadata=[("x-request-id", "op-7")])
    outcome(as_caller(**ADA).GetUser, user_pb2.GetUserRequest(id=made.id))

    def lines():
        return [line for line in user.events("audit") if made.id in line["about"]
                or line["reason"] == "SCOPE_REQUIRED"][-4:]

    wait_until(lambda: len(lines()) == 4, what="four lines")
    who = {"issuer": ISSUER, "key_id": ADA["key_id"], "address": ADA["address"],
           "request_id": ADA["request_id"], "peer": "gateway"}
    service = "/omnidata.user.v1.UserService/"
    keys = ("method", "code", "reason", "about", "subject")
    got = lines()
    assert [tuple(line[key] for key in keys) for line in got] == [
        (service + "CreateUser", "OK", "", made.id, "ada"),
        (service + "DeleteUser", "PERMISSION_DENIED", "NOT_OWNER", made.id, "eve"),
        (service + "DeleteUser", "PERMISSION_DENIED", "SCOPE_REQUIRED", "", "eve"),
        (service + "DeleteUser", "OK", "", made.id, ""),
    ]
    for line in got[:3]:
        assert {key: line[key] for key in who} == who
    assert got[3]["peer"] == "operator" and got[3]["request_id"] == "op-7"
    assert got[3]["address"].startswith("ipv4:127.0.0.1:")
    assert not any("audited@" in str(line) for line in user.log)  # never what was written
