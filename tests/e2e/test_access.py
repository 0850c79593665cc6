"""Keys, plans and use through the gateway, with the real services behind it."""
import hashlib
import json
import uuid

import httpx
import pytest

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def http(module_stack):
    plan = {"rate": 1000, "burst": 1000, "quota": "1000", "quotaPeriod": "QUOTA_PERIOD_DAY"}
    put = module_stack.http.put("/v1/plans/basic", json=plan)
    assert put.status_code == 200 and put.json() == {"id": "basic", **plan}, put.text
    return module_stack.http


def create(http, **fields):
    answer = http.post("/v1/apiKeys", json={"displayName": "shop", "planId": "basic", **fields})
    assert answer.status_code == 201, answer.text
    return answer


def reason(answer):
    return answer.json()["error"]["details"][0]["reason"]


# Rules 10 and 20.
def test_an_administrators_way(http):
    assert "basic" in [p["id"] for p in http.get("/v1/plans").json()["plans"]]
    request = {"json": {"displayName": "Zoë's shop", "planId": "basic", "id": UNKNOWN},
               "headers": {"Idempotency-Key": str(uuid.uuid4())}}
    made = http.post("/v1/apiKeys", **request)
    assert made.status_code == 201 and made.headers["cache-control"] == "no-store", made.text
    key, secret = made.json()["apiKey"], made.json()["secret"]
    location = made.headers["location"]
    assert location == f"/v1/apiKeys/{key['id']}" and key["id"] != UNKNOWN
    again = http.post("/v1/apiKeys", **request)
    assert again.status_code == 409 and reason(again) == "KEY_CREATED_BEFORE"
    assert key["id"] in again.json()["error"]["message"] and secret not in again.text

    shown = http.get(location)
    assert shown.json() == key and shown.headers["etag"] == f'"{key["etag"]}"'
    assert http.get(location, headers={"If-None-Match": shown.headers["etag"]}).status_code == 304
    assert key in http.get("/v1/apiKeys", params={"pageSize": 1000}).json()["apiKeys"]
    changed = http.patch(location, json={"displayName": "Zoë"},
                         headers={"If-Match": shown.headers["etag"]})
    assert changed.json() == {**key, "displayName": "Zoë", "etag": changed.headers["etag"].strip('"')}
    late = http.patch(location, json={"displayName": "Z"}, headers={"If-Match": shown.headers["etag"]})
    assert (late.status_code, reason(late)) == (412, "ETAG_MISMATCH")
    late = http.patch(location, json={"displayName": "Z", "etag": key["etag"]})
    assert (late.status_code, reason(late)) == (409, "ETAG_MISMATCH")
    rotated = http.post(f"{location}:rotate", json={"overlapSeconds": 60})
    assert rotated.status_code == 200 and rotated.json()["secret"] != secret, rotated.text
    assert "oldSecretExpireTime" in rotated.json()["apiKey"]
    usage = http.get(f"{location}/usage").json()
    assert (usage["keyId"], usage["remaining"]) == (key["id"], "1000")
    gone = http.post(f"{location}:disable", json={})
    assert (gone.status_code, gone.content) == (204, b"")
    assert http.get(location).json()["disabled"] is True


def test_keys_in_pages(http):
    made = [create(http).json()["apiKey"]["id"] for _ in range(5)]
    seen, token = [], ""
    while True:
        page = http.get("/v1/apiKeys", params={"pageSize": 2, "pageToken": token}).json()
        seen += [k["id"] for k in page["apiKeys"]]
        token = page.get("nextPageToken")
        if not token:
            break
    assert seen == sorted(seen) and seen[-5:] == made


@pytest.mark.parametrize("method, path, body, status, text", [
    ("POST", "/v1/apiKeys", {"planId": "basic"}, 400, "api_key.display_name"),
    ("POST", "/v1/apiKeys", {"displayName": "x", "planId": "none"}, 400, "api_key.plan_id"),
    ("POST", "/v1/apiKeys", {"displayName": "x", "planId": "basic", "expireTime": "2001-01-01T00:00:00Z"},
     400, "api_key.expire_time"),
    ("PUT", "/v1/plans/Basic", {"rate": 1, "burst": 1}, 400, "plan.id"),
    ("PUT", "/v1/plans/basic", {"rate": "NaN", "burst": 1}, 400, "plan.rate"),
    ("PUT", "/v1/plans/basic", {"rate": 1, "burst": 1, "quota": "5"}, 400, "plan.quota_period"),
    ("GET", "/v1/apiKeys/7", None, 400, "not a UUID"),
    ("GET", f"/v1/apiKeys/{UNKNOWN}", None, 404, "KEY_NOT_FOUND"),
    ("PATCH", f"/v1/apiKeys/{UNKNOWN}", {"displayName": "x"}, 404, "KEY_NOT_FOUND"),
    ("POST", f"/v1/apiKeys/{UNKNOWN}:rotate", {}, 404, "KEY_NOT_FOUND"),
    ("GET", f"/v1/apiKeys/{UNKNOWN}/usage", None, 404, "KEY_NOT_FOUND"),
    ("GET", "/v1/apiKeys?pageToken=abc", None, 400, "PAGE_TOKEN_INVALID"),
])
def test_refusals(http, method, path, body, status, text):
    answer = http.request(method, path, json=body)
    assert answer.status_code == status and text in answer.text, answer.text


def test_internal_methods_are_no_routes(http):
    for name in ("LeaseQuota", "WatchSnapshot"):
        assert http.post(f"/omnidata.access.v1.AccessService/{name}", json={}).status_code == 404


@pytest.fixture
def limited(new_stack, issuer):
    """Gateway and services ask for keys; the gateway believes what the test says of addresses."""
    stack = new_stack()
    stack.settings["gateway"].update({"trusted-proxies": "127.0.0.0/8", "issuers": issuer.setting})
    stack.start()
    stack.omnictl("plans", "put", "small", "--rate=100", "--burst=100", "--quota=12", "--per=day")
    return stack


def key_of(stack, *args):
    done = stack.omnictl("keys", "create", "k", "--plan=small", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("options, address", [
    ([], "192.0.2.7"), (["--public"], "192.0.2.7"), (["--public"], "::ffff:192.0.2.7"),
    (["--public"], "2001:db8:1:2:3:4:5:6")])
def test_a_client_sees_its_own_use_and_its_end(limited, wait_until, options, address):
    """The gateway's leases and the service's books are about the same quota."""
    secret = key_of(limited, *options)
    headers = {"X-API-Key": secret, "X-Forwarded-For": address}
    with httpx.Client(base_url=limited.url, headers=headers, timeout=60) as http:
        wait_until(lambda: http.get("/v1/usage").status_code == 200, 10, "the gateway knows the key")
        answers = [http.get("/v1/usage") for _ in range(20)]
        assert [a.status_code for a in answers] == [200] * 11 + [429] * 9
        usage = answers[10].json()
        assert (usage["plan"]["id"], usage["used"], usage.get("remaining", "0")) == (
            "small", "12", "0")
        refused = http.get("/v1/usage")
        assert int(refused.headers["retry-after"]) > 0
    found = limited.omnictl("keys", "list", "--json").stdout
    assert hashlib.sha256(secret.encode()).hexdigest() not in found and secret not in found


def test_a_user_of_a_public_key_counts_alone(limited, issuer, wait_until):
    secret = key_of(limited, "--public")

    def used(**headers):
        answer = httpx.get(f"{limited.url}/v1/usage", headers={"X-API-Key": secret, **headers})
        return answer.status_code == 200 and int(answer.json()["used"])

    wait_until(lambda: used(**issuer.bearer(sub="ada")), 10, "the gateway knows key and issuer")
    assert 0 < used(**issuer.bearer(sub="bea")) <= used(**issuer.bearer(sub="ada"))
    for _ in range(11):
        used(**issuer.bearer(sub="ada"))
    assert not used(**issuer.bearer(sub="ada"))  # 429
    assert used(**issuer.bearer(sub="bea")) and used()


def test_a_key_that_is_disabled_or_rotated_is_followed(limited, wait_until):
    secret = key_of(limited)
    key = json.loads(limited.omnictl("keys", "list", "--json").stdout)[-1]["id"]  # the newest

    def status(with_secret):
        return httpx.get(f"{limited.url}/v1/usage", headers={"X-API-Key": with_secret}).status_code

    wait_until(lambda: status(secret) == 200, 10, "the key is known")
    fresh = limited.omnictl("keys", "rotate", key).stdout.strip()
    wait_until(lambda: status(fresh) == 200, 10, "the new secret is known")
    assert status(secret) == 403
    limited.omnictl("keys", "disable", key)
    wait_until(lambda: status(fresh) == 403, 10, "the key is over")
