"""`omnictl keys` and `omnictl plans` against the real user service."""
import hashlib
import json

import pytest

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


@pytest.fixture
def ctl(start, tmp_path, omnictl):
    """ctl(*args) -> CompletedProcess, against a service on empty data; ctl.service is its Program."""
    service = start("omni-user", "--listen=127.0.0.1:0", f"--data-dir={tmp_path / 'data'}",
                    "--events=none:")

    def run(*args, code=0):
        done = omnictl(*args, f"--users={service.address}")
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    run.service = service
    return run


def basic(ctl):
    ctl("plans", "put", "basic", "--rate=10", "--burst=20", "--quota=1000", "--per=day")


def created(ctl, *args):
    return json.loads(ctl("keys", "create", "shop", "--plan=basic", "--json", *args).stdout)


def test_plans(ctl):
    put = ctl("plans", "put", "basic", "--rate=0.5", "--burst=20", "--quota=1000", "--per=week")
    assert put.stdout.splitlines()[1].split() == ["basic", "0.5", "20", "1000", "a", "week"]
    done = ctl("plans", "put", "open", "--rate=100", "--burst=200", "--json")
    assert json.loads(done.stdout) == {"id": "open", "rate": 100, "burst": 200}
    assert json.loads(ctl("plans", "list", "--json").stdout) == [
        {"id": "basic", "rate": 0.5, "burst": 20, "quota": 1000,
         "quotaPeriod": "QUOTA_PERIOD_WEEK"},
        {"id": "open", "rate": 100, "burst": 200}]
    assert ctl("plans", "list").stdout.splitlines()[2].split() == ["open", "100", "200", "-"]


def test_a_secret_stands_alone_on_standard_output(ctl, tmp_path):
    basic(ctl)
    done = ctl("keys", "create", "Zoë's shop", "--plan=basic")
    secret = done.stdout.removesuffix("\n")
    assert len(secret) == 48 and secret.startswith("omni_")
    assert "only this once" in done.stderr and secret not in done.stderr
    listed = ctl("keys", "list").stdout.splitlines()
    assert listed[0].split() == ["id", "secret", "state", "expires", "plan", "name"]
    assert listed[1].endswith("Zoë's shop") and secret[:11] in listed[1]
    assert secret not in listed[1]
    assert hashlib.sha256(secret.encode()).digest() in b"".join(
        p.read_bytes() for p in (tmp_path / "data").iterdir())


def test_a_key_from_its_making_to_its_end(ctl):
    basic(ctl)
    key = created(ctl, "--expires=90d")
    assert set(key) == {"id", "displayName", "planId", "prefix", "public", "disabled",
                        "createTime", "rotateTime", "expireTime", "secret"}
    rotated = json.loads(ctl("keys", "rotate", key["id"], "--overlap=24h", "--json").stdout)
    assert rotated["secret"] != key["secret"] and "oldSecretExpireTime" in rotated
    shown = ctl("keys", "show", key["id"]).stdout
    assert "state     good" in shown and "used      0 of 1000 this day" in shown
    assert "an older secret is good until" in shown
    shown = json.loads(ctl("keys", "show", key["id"], "--json").stdout)
    assert (shown["used"], shown["remaining"]) == (0, 1000) and "secret" not in shown
    assert ctl("keys", "disable", key["id"]).stdout == "disabled\n"
    listed = ctl("keys", "list")
    assert key["id"] not in listed.stdout and "1 disabled or expired" in listed.stderr
    assert "  disabled  " in ctl("keys", "list", "--all").stdout
    assert json.loads(ctl("keys", "list", "--json").stdout) == []
    assert [k["disabled"] for k in json.loads(ctl("keys", "list", "--all", "--json").stdout)] == [
        True]
    assert "has been disabled" in ctl("keys", "rotate", key["id"], code=1).stderr


def test_an_overlap_of_less_than_a_second_is_none_of_0(ctl):
    """Which would end all the earlier secrets, whatever was promised to them."""
    basic(ctl)
    key = created(ctl)

    def ends(overlap):
        done = ctl("keys", "rotate", key["id"], f"--overlap={overlap}", "--json")
        return json.loads(done.stdout).get("oldSecretExpireTime")

    promised = ends("24h")
    assert promised and ends("1ms") == ends("900ms") == promised
    assert ends("0s") is None


def test_a_key_is_changed(ctl):
    basic(ctl)
    ctl("plans", "put", "gold", "--rate=100", "--burst=200")
    key = created(ctl, "--expires=90d")
    changed = json.loads(ctl("keys", "update", key["id"], "--plan=gold", "--expires=never",
                             "--json").stdout)
    assert (changed["planId"], changed["displayName"]) == ("gold", "shop")
    assert "expireTime" not in changed
    shown = ctl("keys", "update", key["id"], "--name=Zoë", "--expires=2100-01-31T00:00:00Z").stdout
    assert "name      Zoë" in shown and "expires   2100-01-31T00:00:00Z" in shown
    assert "nothing to change" in ctl("keys", "update", key["id"], code=2).stderr
    assert "no plan \"none\"" in ctl("keys", "update", key["id"], "--plan=none", code=1).stderr


def test_public_keys(ctl):
    basic(ctl)
    key = created(ctl, "--public", "--expires=2100-01-31T00:00:00Z")
    assert key["public"] and key["expireTime"] == "2100-01-31T00:00:00Z"
    assert "counted by user and network" in ctl("keys", "show", key["id"]).stdout
    assert "  public  " in ctl("keys", "list").stdout


def test_more_keys_than_a_page_holds(ctl):
    import grpc
    from omnidata.access.v1 import access_pb2, access_pb2_grpc
    from support import trust
    basic(ctl)
    with trust.channel(ctl.service.address) as channel:
        stub = access_pb2_grpc.AccessServiceStub(channel)
        calls = [stub.CreateApiKey.future(access_pb2.CreateApiKeyRequest(
            api_key=access_pb2.ApiKey(display_name=f"k{i}", plan_id="basic")), timeout=60)
            for i in range(1003)]
        for call in calls:
            assert call.code() == grpc.StatusCode.OK
    assert len(json.loads(ctl("keys", "list", "--json").stdout)) == 1003


@pytest.mark.parametrize("args, code, said", [
    (["keys"], 2, "an argument is missing"),
    (["keys", "make"], 2, "there is no `make`"),
    (["keys", "create"], 2, "usage: omnictl keys create NAME --plan=PLAN"),
    (["keys", "create", "a", "b", "--plan=basic"], 2, "one argument too many"),
    (["keys", "create", "a"], 2, "a key needs a --plan"),
    (["keys", "create", "a", "--plan=gold"], 1, "there is no plan \"gold\""),
    (["keys", "create", "", "--plan=Gold"], 1, "api_key.display_name: is required"),
    (["keys", "create", "a", "--plan=basic", "--expires=soon"], 2, "--expires: \"soon\""),
    (["keys", "create", "a", "--plan=basic", "--expires=2001-01-01T00:00:00Z"], 1,
     "api_key.expire_time: has passed already"),
    (["keys", "create", "a", "--plan=basic", "--overlap=1h"], 2, "--overlap is not for `create`"),
    (["keys", "list", "--public"], 2, "--public is not for `list`"),
    (["keys", "rotate", UNKNOWN, "--overlap=31d"], 2, "overlap"),
    (["keys", "rotate", UNKNOWN], 1, "there is no such key"),
    (["keys", "show", UNKNOWN], 1, "there is no such key"),
    (["keys", "show", "7"], 1, "id: is not a UUID"),
    (["keys", "disable", UNKNOWN], 1, "there is no such key"),
    (["plans", "put", "x"], 2, "a plan needs --rate and --burst"),
    (["plans", "put", "x", "--rate=nan", "--burst=1"], 2, "--rate: \"nan\""),
    (["plans", "put", "x", "--rate=0", "--burst=1"], 2, "--rate: \"0\""),
    (["plans", "put", "x", "--rate=1", "--burst=1.5"], 2, "--burst: \"1.5\""),
    (["plans", "put", "x", "--rate=1", "--burst=5000000000"], 1, "plan.burst"),
    (["plans", "put", "x", "--rate=1", "--burst=1", "--quota=5"], 2, "--quota and --per"),
    (["plans", "put", "x", "--rate=1", "--burst=1", "--per=day"], 2, "--quota and --per"),
    (["plans", "put", "x", "--rate=1", "--burst=1", "--quota=2000000000000000", "--per=day"], 1,
     "plan.quota: must be at most 10^15"),
    (["plans", "put", "No", "--rate=1", "--burst=1"], 1, "plan.id: must be"),
    (["plans", "list", "--rate=1"], 2, "--rate is not for `list`"),
])
def test_refusals(ctl, args, code, said):
    basic(ctl)
    done = ctl(*args, code=code)
    assert said in done.stderr and done.stdout == ""


def test_nobody_there(omnictl, closed_port):
    done = omnictl("keys", "list", f"--users={closed_port}")
    assert done.returncode == 3 and closed_port in done.stderr


def test_who_is_not_the_operator_is_refused(ctl, omnictl, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("operator not-the-right-one-not-the-right-one-123\n")
    done = omnictl("keys", "list", f"--users={ctl.service.address}", f"--token-file={tokens}")
    assert done.returncode == 1 and "UNAUTHENTICATED" in done.stderr
