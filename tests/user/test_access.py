"""API keys, plans, quotas and snapshots, seen by an independent client."""
import concurrent.futures
import hashlib
import random
import sqlite3
import time
import uuid

import grpc
import pytest
from access import DAY, MONTH, Access
from google.protobuf import timestamp_pb2

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


@pytest.fixture
def begin(serve):
    """begin(**settings) -> (Program, Access)."""
    clients = []

    def start(**settings):
        program, _ = serve(**settings)
        clients.append(Access(program.address))
        return program, clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def access(begin):
    return begin()[1]


def in_seconds(seconds):
    return timestamp_pb2.Timestamp(seconds=int(time.time()) + seconds)


# --- keys and plans ---

def test_a_key_and_its_secret(access):
    access.plan(quota=5, period=DAY)
    made = access.create("José's shop", expire_time=in_seconds(3600))
    key, secret = made.api_key, made.secret
    assert uuid.UUID(key.id).version == 7
    assert secret.startswith("omni_") and len(secret) == 48
    assert key.prefix == secret[:11] and not key.disabled and not key.public
    assert key.create_time == key.rotate_time and not key.HasField("old_secret_expire_time")
    assert access.get(key.id) == key
    assert list(access.list().api_keys) == [key]
    snapshot = access.snapshot()
    assert [(k.id, k.plan_id, k.public, k.expire_time) for k in snapshot.keys] == [
        (key.id, "p", False, key.expire_time)]
    assert list(snapshot.keys[0].secret_hashes) == [hashlib.sha256(secret.encode()).digest()]
    assert list(snapshot.plans) == access.plans()
    assert access.create().secret != secret


# Rule 25.
def test_no_secret_is_stored_or_logged(begin, tmp_path):
    program, access = begin()
    access.plan()
    made = access.create()
    secrets = [made.secret, access.rotate(made.api_key.id, 60).secret]
    program.stop()
    kept = b"".join(p.read_bytes() for p in (tmp_path / "data").iterdir())
    for secret in secrets:
        assert secret.encode() not in kept and secret not in program.stderr
        assert secret[11:].encode() not in kept
        assert hashlib.sha256(secret.encode()).digest() in kept


def test_changes_are_in_the_audit_log(begin):
    program, access = begin()
    access.plan()
    key = access.create().api_key
    access.rotate(key.id)
    access.disable(key.id)
    access.get(key.id)
    assert [(e["method"].split("/")[-1], e["about"], e["peer"]) for e in program.events("audit")] \
        == [("PutPlan", "p", "operator"), ("CreateApiKey", key.id, "operator"),
            ("RotateApiKey", key.id, "operator"), ("DisableApiKey", key.id, "operator")]


def test_what_only_the_server_says_is_ignored(access):
    access.plan()
    key = access.create(id=UNKNOWN, disabled=True, prefix="mine", public=True).api_key
    assert key.id != UNKNOWN and not key.disabled and key.prefix != "mine" and key.public


@pytest.mark.parametrize("call, code, reason, fields", [
    (lambda a: a.plan("Gold"), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.id"}),
    (lambda a: a.plan(""), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.id"}),
    (lambda a: a.plan("x" * 64), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.id"}),
    (lambda a: a.plan(rate=0, burst=0), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"plan.rate", "plan.burst"}),
    (lambda a: a.plan(rate=float("nan")), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.rate"}),
    (lambda a: a.plan(rate=float("inf")), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.rate"}),
    (lambda a: a.plan(burst=1000001), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.burst"}),
    (lambda a: a.plan(quota=5), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.quota_period"}),
    (lambda a: a.plan(quota=5, period=7), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"plan.quota_period"}),
    (lambda a: a.plan(period=DAY), "INVALID_ARGUMENT", "INVALID_FIELD", {"plan.quota"}),
    (lambda a: a.plan(quota=10**15 + 1, period=DAY), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"plan.quota"}),
    (lambda a: a.create("", "No"), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"api_key.display_name", "api_key.plan_id"}),
    (lambda a: a.create("x" * 201), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"api_key.display_name"}),
    (lambda a: a.create(plan="none"), "FAILED_PRECONDITION", "PLAN_NOT_FOUND",
     {"api_key.plan_id"}),
    (lambda a: a.create(expire_time=in_seconds(-1)), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"api_key.expire_time"}),
    (lambda a: a.create(expire_time=timestamp_pb2.Timestamp(seconds=2**62)), "INVALID_ARGUMENT",
     "INVALID_FIELD", {"api_key.expire_time"}),
    (lambda a: a.create(request_id="x" * 129), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"request_id"}),
    (lambda a: a.get("7"), "INVALID_ARGUMENT", "INVALID_FIELD", {"id"}),
    (lambda a: a.get(UNKNOWN), "NOT_FOUND", "KEY_NOT_FOUND", set()),
    (lambda a: a.update("7", display_name=""), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"api_key.id"}),
    (lambda a: a.update(UNKNOWN, display_name="x"), "NOT_FOUND", "KEY_NOT_FOUND", set()),
    (lambda a: a.update(UNKNOWN, ["public", "nick"]), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"update_mask"}),
    (lambda a: a.update(UNKNOWN, ["*"]), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"api_key.display_name", "api_key.plan_id"}),
    (lambda a: a.update(UNKNOWN, expire_time=in_seconds(-1)), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"api_key.expire_time"}),
    (lambda a: a.rotate(UNKNOWN), "NOT_FOUND", "KEY_NOT_FOUND", set()),
    (lambda a: a.rotate(UNKNOWN, 30 * 86400 + 1), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"overlap_seconds"}),
    (lambda a: a.disable(UNKNOWN), "NOT_FOUND", "KEY_NOT_FOUND", set()),
    (lambda a: a.list(-1), "INVALID_ARGUMENT", "INVALID_FIELD", {"page_size"}),
    (lambda a: a.list(0, "abc"), "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", {"page_token"}),
    (lambda a: a.lease("x", 0, "", ""), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"key_id", "gateway_id"}),
    (lambda a: a.lease(UNKNOWN, 1, "g", "mine"), "INVALID_ARGUMENT", "INVALID_FIELD",
     {"lease_id"}),
    (lambda a: a.lease(UNKNOWN, 0, "g", ""), "INVALID_ARGUMENT", "INVALID_FIELD", {"want"}),
    (lambda a: a.lease(UNKNOWN, 1, unspent=4), "INVALID_ARGUMENT", "INVALID_FIELD", {"unspent"}),
    (lambda a: a.lease(UNKNOWN, 1, need=2), "INVALID_ARGUMENT", "INVALID_FIELD", {"need"}),
    (lambda a: a.lease(UNKNOWN), "NOT_FOUND", "KEY_NOT_FOUND", set()),
    (lambda a: a.usage(subject="s"), "UNAUTHENTICATED", "KEY_REQUIRED", set()),
    (lambda a: a.usage_of(UNKNOWN), "NOT_FOUND", "KEY_NOT_FOUND", set()),
])
def test_refusals(access, refused, call, code, reason, fields):
    access.plan()
    with pytest.raises(refused) as error:
        call(access)
    assert (error.value.code, error.value.reason, set(error.value.fields)) == (code, reason, fields)


def test_the_same_request_makes_one_key_and_tells_its_secret_once(access, refused):
    access.plan()
    made = access.create("a", request_id="r1")
    with pytest.raises(refused) as error:
        access.create("a", request_id="r1")
    assert (error.value.code, error.value.reason) == ("ALREADY_EXISTS", "KEY_CREATED_BEFORE")
    assert made.api_key.id in error.value.message and "omni_" not in error.value.message
    with pytest.raises(refused) as error:
        access.create("b", request_id="r1")
    assert error.value.reason == "IDEMPOTENCY_KEY_REUSED"
    assert len(access.list().api_keys) == 1


def test_keys_in_pages(access):
    access.plan()
    made = [access.create(f"k{i}").api_key for i in range(7)]
    seen, token = [], ""
    while True:
        page = access.list(3, token)
        seen += page.api_keys
        token = page.next_page_token
        if not token:
            break
    assert seen == made


# Rule 20.
def test_etags_guard_changes_of_keys(access, refused):
    access.plan(quota=10, period=DAY)
    made = access.create("a").api_key
    assert len(made.etag) == 16 and access.get(made.id).etag == made.etag
    assert access.update(made.id, display_name="a", etag=made.etag).etag == made.etag
    changed = access.update(made.id, ["display_name", "etag"], display_name="b", etag=made.etag)
    assert changed.etag != made.etag and access.get(made.id) == changed
    for fields in ({"display_name": "c"}, {}):
        with pytest.raises(refused) as error:
            access.update(made.id, etag=made.etag, **fields)
        assert (error.value.code, error.value.reason) == ("ABORTED", "ETAG_MISMATCH")
        assert set(error.value.fields) == {"api_key.etag"}
    rotated = access.rotate(made.id).api_key
    assert rotated.etag not in (made.etag, changed.etag) and access.get(made.id).etag == rotated.etag
    assert access.update(made.id, expire_time=in_seconds(60), etag=rotated.etag).etag != rotated.etag
    before = access.get(made.id).etag
    access.disable(made.id)
    assert access.get(made.id).etag != before


def test_a_key_is_changed_by_mask(access, refused):
    access.plan(quota=10, period=DAY)
    access.plan("big", quota=100, period=DAY)
    made = access.create("a", expire_time=in_seconds(3600)).api_key
    access.lease(made.id, 2)
    changed = access.update(made.id, display_name="b")
    assert (changed.display_name, changed.plan_id, changed.expire_time) == (
        "b", "p", made.expire_time)
    changed = access.update(made.id, ["plan_id", "expire_time", "prefix"], plan_id="big",
                            display_name="ignored", prefix="mine")
    assert (changed.display_name, changed.plan_id, changed.prefix) == ("b", "big", made.prefix)
    assert not changed.HasField("expire_time")
    assert access.get(made.id) == changed == access.update(made.id)
    assert [(k.plan_id, k.HasField("expire_time")) for k in access.snapshot().keys] == [
        ("big", False)]
    usage = access.usage_of(made.id)
    assert (usage.used, usage.remaining) == (2, 98)
    with pytest.raises(refused) as error:
        access.update(made.id, plan_id="none")
    assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", "PLAN_NOT_FOUND")
    access.disable(made.id)
    with pytest.raises(refused) as error:
        access.update(made.id, display_name="c")
    assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", "KEY_DISABLED")


def test_rotation_keeps_the_old_secret_as_long_as_said(access):
    access.plan()
    first = access.create()
    second = access.rotate(first.api_key.id, 3600)
    third = access.rotate(first.api_key.id, 60)
    assert third.api_key.prefix == third.secret[:11]
    key = access.snapshot().keys[0]
    digests = [hashlib.sha256(s.encode()).digest() for s in
               (third.secret, first.secret, second.secret)]  # the current one; then by their end
    assert list(key.secret_hashes) == digests
    ends = [t.seconds - time.time() for t in key.old_secret_expire_times]
    assert len(ends) == 2 and 3500 < ends[0] <= 3600 and 0 < ends[1] <= 60
    assert third.api_key.old_secret_expire_time == key.old_secret_expire_times[0]
    fourth = access.rotate(first.api_key.id)
    key = access.snapshot().keys[0]
    assert list(key.secret_hashes) == [hashlib.sha256(fourth.secret.encode()).digest()]


def test_at_most_four_secrets_are_good(access):
    access.plan()
    made = [access.create()]
    for overlap in (100, 200, 300, 400, 500):
        made.append(access.rotate(made[0].api_key.id, overlap))
    hashes = access.snapshot().keys[0].secret_hashes
    assert list(hashes) == [hashlib.sha256(made[i].secret.encode()).digest() for i in (5, 4, 3, 2)]


def test_a_disabled_key_is_over(access, refused):
    access.plan(quota=10, period=DAY)
    key = access.create().api_key
    access.lease(key.id, 1)
    access.disable(key.id)
    access.disable(key.id)
    got = access.get(key.id)
    assert got.disabled and got.HasField("disable_time")
    assert not access.snapshot().keys
    for call in (access.rotate, access.lease):
        with pytest.raises(refused) as error:
            call(key.id)
        assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", "KEY_DISABLED")


def test_an_expired_key_is_over(access, refused, wait_until):
    access.plan(quota=10, period=DAY)
    key = access.create(expire_time=in_seconds(2)).api_key
    wait_until(lambda: time.time() > key.expire_time.seconds + 0.1)
    for call in (access.rotate, access.lease):
        with pytest.raises(refused) as error:
            call(key.id)
        assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", "KEY_EXPIRED")
    access.plan("other")
    assert not access.snapshot().keys


def test_everything_survives_a_restart(begin):
    program, access = begin()
    access.plan(quota=100, period=MONTH)
    key = access.create().api_key
    lease = access.lease(key.id, 10)
    version = access.snapshot().version
    program.kill9()
    program, access = begin()
    assert access.get(key.id) == key
    assert access.snapshot().version == version
    assert access.usage_of(key.id).used == 10
    access.give_back(key.id, lease.lease_id, 4)
    assert access.usage_of(key.id).used == 6


# --- snapshots ---

def test_watchers_hear_of_every_change(access):
    watchers = [access.watch() for _ in range(10)]
    first = [w.next() for w in watchers]
    assert all(s == first[0] and s.version for s in first)
    access.plan("a")
    for watcher in watchers:
        assert watcher.next().version > first[0].version
        watcher.call.cancel()


def test_a_watcher_that_is_up_to_date_hears_nothing(access):
    version = access.snapshot().version
    watcher = access.watch(version)
    access.plan("a")
    assert watcher.next().version > version  # the first that came
    ahead = access.watch(2**63)  # of another database, or one that was restored
    assert ahead.next().plans[0].id == "a"
    for one in (watcher, ahead):
        one.call.cancel()


def test_watching_ends_when_the_server_stops(begin):
    program, access = begin()
    watchers = [access.watch(v) for v in (0, 0)]
    for watcher in watchers:
        watcher.next()
    program.stop()
    assert {w.end() for w in watchers} == {grpc.StatusCode.UNAVAILABLE}
    assert program.events("stopped")[0]["clean"]  # nobody had to be cut off


def test_watchers_that_go_leave_their_place(access, wait_until):
    """More than may be open at once, one after the other; those that went may not be noticed yet."""
    def watched():
        try:
            return access.snapshot().version
        except AssertionError as full:
            assert "RESOURCE_EXHAUSTED" in str(full)
            return None

    for _ in range(300):
        wait_until(watched)


def test_many_watchers_and_changes_at_once(access, wait_until):
    """For ThreadSanitizer as much as for itself."""
    watchers = [access.watch() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: access.plan(f"p{i % 7}", rate=i + 1), range(60)))
    last = access.snapshot()
    for watcher in watchers:
        versions = []
        while not versions or versions[-1] < last.version:
            versions.append(watcher.next().version)
        assert versions == sorted(set(versions))
        watcher.call.cancel()


# --- quotas ---

def test_leases_shrink_and_never_exceed(access):
    access.plan(quota=100, period=DAY)
    key = access.create().api_key
    granted = []
    while True:
        lease = access.lease(key.id, 1000)
        if not lease.granted:
            break
        assert 0 < lease.valid_for.seconds <= 60
        assert lease.remaining == 100 - sum(granted) - lease.granted
        granted.append(lease.granted)
    assert granted[0] == 25 and granted == sorted(granted, reverse=True) and sum(granted) == 100
    assert (lease.remaining, lease.leased, lease.quota, lease.lease_id) == (0, 100, 100, "")
    assert 0 < lease.retry_after.seconds <= 60
    usage = access.usage(key_id=key.id)
    assert (usage.key_id, usage.used, usage.remaining, usage.leased) == (key.id, 100, 0, 100)
    assert usage.plan == access.plans()[0] and usage.reset_time == lease.reset_time
    assert usage.start_time.seconds % 86400 == 0
    assert usage.reset_time.seconds - usage.start_time.seconds == 86400


def test_a_lost_answer_is_asked_for_again(access):
    access.plan(quota=100, period=MONTH)
    key = access.create().api_key
    lease_id = str(uuid.uuid4())
    first = access.lease(key.id, 10, lease_id=lease_id)
    again = access.lease(key.id, 10, lease_id=lease_id)
    assert (again.lease_id, again.granted, again.expire_time) == (
        lease_id, 10, first.expire_time)
    assert again.remaining == 90
    other = access.lease(key.id, 10, "another-gateway", lease_id)
    assert other.granted == 10 and other.remaining == 80  # not the same lease


def test_returns_count_once(access):
    access.plan(quota=100, period=DAY)
    key = access.create().api_key
    lease = access.lease(key.id, 10)
    assert access.give_back(key.id, lease.lease_id, 6, "another-gateway").remaining == 90
    assert access.give_back(key.id, lease.lease_id, 6).remaining == 96
    assert access.give_back(key.id, lease.lease_id, 6).remaining == 96
    swapped = access.lease(key.id, 8, returned_lease_id=lease.lease_id, unspent=6)
    assert (swapped.granted, swapped.remaining) == (8, 88)
    swapped = access.lease(key.id, 20, returned_lease_id=swapped.lease_id, unspent=8)
    assert (swapped.granted, swapped.remaining) == (20, 76)


@pytest.mark.parametrize("wanting", (False, True))
def test_what_has_no_quota_now_still_takes_leases_back(access, refused, wait_until, wanting):
    """The key is good again, or its plan has a quota again, and nothing is lost meanwhile."""
    def give_back(key, lease, unspent, error_reason):
        if not wanting:
            assert access.give_back(key.id, lease.lease_id, unspent).granted == 0
            return
        with pytest.raises(refused) as error:
            access.lease(key.id, 1, returned_lease_id=lease.lease_id, unspent=unspent)
        assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", error_reason)

    access.plan(quota=100, period=MONTH)
    key = access.create().api_key
    first, second = access.lease(key.id, 10), access.lease(key.id, 10)
    key = access.update(key.id, expire_time=in_seconds(2))
    wait_until(lambda: time.time() > key.expire_time.seconds + 0.1)
    give_back(key, first, 7, "KEY_EXPIRED")
    assert access.usage_of(key.id).used == 13
    access.update(key.id, expire_time=in_seconds(1000))
    access.plan()
    give_back(key, second, 9, "PLAN_HAS_NO_QUOTA")
    give_back(access.create().api_key, second, 9, "PLAN_HAS_NO_QUOTA")  # of another key: ignored
    access.plan(quota=100, period=MONTH)
    assert access.usage_of(key.id).used == 4


def test_a_plan_that_changes_meanwhile(access, refused):
    access.plan(quota=100, period=DAY)
    key = access.create().api_key
    access.lease(key.id, 20)
    access.plan(quota=10, period=DAY)
    assert access.lease(key.id, 5).granted == 0
    usage = access.usage_of(key.id)
    assert (usage.used, usage.remaining) == (20, 0)
    access.plan(quota=25, period=MONTH)
    assert access.lease(key.id, 5).granted == 2
    access.plan()
    with pytest.raises(refused) as error:
        access.lease(key.id, 5)
    assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", "PLAN_HAS_NO_QUOTA")
    usage = access.usage_of(key.id)
    assert usage.used == 0 and not usage.HasField("reset_time")


def test_a_public_key_counts_by_user_and_network(access, refused):
    access.plan(quota=8, period=DAY)
    key = access.create(public=True).api_key
    for subject in ("", "somebody"):
        with pytest.raises(refused) as error:
            access.lease(key.id, 1, subject=subject)
        assert set(error.value.fields) == {"subject"}
    with pytest.raises(refused) as error:
        access.lease(access.create().api_key.id, 1, subject="ip:127.0.0.1")
    assert set(error.value.fields) == {"subject"}
    for subject, caller in [
            ("user:https://issuer\nada", {"issuer": "https://issuer", "subject": "ada",
                                          "address": "127.0.0.1"}),
            ("ip:192.0.2.7", {"address": "192.0.2.7"}),
            ("ip:192.0.2.8", {"address": "::ffff:192.0.2.8"}),
            ("ip:2001:db8:1:2::", {"address": "2001:db8:1:2:3:4:5:6"}),
    ]:
        assert access.lease(key.id, 100, subject=subject).granted == 2
        assert access.usage(key_id=key.id, **caller).used == 2
        assert access.usage_of(key.id, subject).used == 2
    with pytest.raises(refused):
        access.usage(key_id=key.id, address="no address")


# Rule 25.
def test_three_gateways_at_once_and_a_kill(begin, wait_until):
    """The service is killed in the middle; gateways retry; not one request too many is granted."""
    quota = 400
    program, access = begin(quota_lease="1h")
    port = program.port
    access.plan(quota=quota, period=DAY)
    key = access.create().api_key
    spent = {}

    def gateway(name):
        own = Access(f"127.0.0.1:{port}")
        rng = random.Random(name)
        try:
            while True:
                lease_id = str(uuid.uuid4())
                while True:
                    try:
                        lease = own.lease(key.id, rng.randint(1, 20), name, lease_id)
                        break
                    except Exception as error:  # the server is down: the same lease again
                        assert getattr(error, "code", "") == "UNAVAILABLE", error
                        time.sleep(0.02)
                if not lease.granted:
                    return
                assert lease.lease_id not in spent
                spent[lease.lease_id] = lease.granted
        finally:
            own.close()

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        gateways = [pool.submit(gateway, f"g{i}") for i in range(3)]
        for kills in range(1, 4):
            wait_until(lambda least=8 * kills: len(spent) >= least)
            program.kill9()
            program, access = begin(quota_lease="1h", listen=f"127.0.0.1:{port}")
        for one in gateways:
            one.result(timeout=60)
    assert sum(spent.values()) == quota  # every lost answer was asked for again
    assert access.usage_of(key.id).used == quota


# --- bad days ---

def test_a_damaged_or_newer_database_is_refused(begin, run, tmp_path):
    program, access = begin()
    access.plan()
    program.stop()
    path = tmp_path / "data" / "access.db"
    good = path.read_bytes()

    def fails():
        done = run("omni-user", "--listen=127.0.0.1:0", f"--data-dir={tmp_path / 'data'}",
                   "--events=none:")
        assert done.returncode == 2 and str(path) in done.stderr, done.stderr
        return done.stderr

    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    newer = path.read_bytes()
    assert "use a newer program" in fails() and path.read_bytes() == newer
    path.write_bytes(b"no database at all" * 1000)
    assert "--access-store" in fails()
    path.write_bytes(good)
    program, access = begin()
    assert [p.id for p in access.plans()] == ["p"]


def test_a_damaged_row_is_named_and_harms_no_other(begin, refused, tmp_path):
    program, access = begin()
    access.plan(quota=10, period=DAY)
    good, bad = access.create().api_key, access.create().api_key
    access.lease(bad.id)
    program.stop()
    with sqlite3.connect(tmp_path / "data" / "access.db") as db:
        db.execute("UPDATE quotas SET bytes = x'01'")
    db.close()
    _, access = begin()
    with pytest.raises(refused) as error:
        access.lease(bad.id)
    assert error.value.code == "DATA_LOSS"
    assert access.lease(good.id).granted == 1
