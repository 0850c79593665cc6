"""Limits and quotas as a client meets them, with --access=policy."""
import re
import time

import grpc
import httpx
import pytest
from conftest import settings
from edge import Edge, reason, with_key
from fake_access import key, plan
from upstream import fail


def until_429(ask):
    """The first 429 of what ask(0), ask(1) … get, which is much faster than tokens come back."""
    return next(answer for i in range(200) if (answer := ask(i)).status_code == 429)


def items(text):
    """The list of a structured field: [(name, {parameter: integer})]."""
    found = []
    for member in text.split(", "):
        name, *parameters = member.split(";")
        assert re.fullmatch(r'"[a-z]+"', name)
        values = dict(p.split("=") for p in parameters)
        assert all(re.fullmatch(r"\d{1,15}", v) for v in values.values())
        found.append((name.strip('"'), {k: int(v) for k, v in values.items()}))
    return found


# --- rate ---

# Rules 25 and 26.
def test_rate_and_its_headers(edge):
    here = edge()
    for left in (2, 1, 0):
        answer = here.get("secret-small")
        assert answer.status_code == 200
        (name, values), = items(answer.headers["ratelimit"])
        assert (name, values["r"]) == ("rate", left)
        assert 100 * (2 - left) < values["t"] <= 100 * (3 - left)
        assert items(answer.headers["ratelimit-policy"]) == [("rate", {"q": 3, "w": 300})]
    answer = here.get("secret-small")
    assert (answer.status_code, reason(answer)) == (429, "RATE_EXCEEDED")
    (name, values), = items(answer.headers["ratelimit"])
    assert (name, values["r"]) == ("rate", 0)
    assert str(values["t"]) == answer.headers["retry-after"] and 0 < values["t"] <= 100
    assert f"again in {values['t']} s" in answer.json()["error"]["message"]
    assert answer.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


# Rules 18 and 26.
def test_after_retry_after_it_goes_on(edge):
    here = edge(plans=[plan("quick", rate=1, burst=1)], keys=[key("k", "quick", "s")])
    time.sleep(int(until_429(lambda i: here.get("s")).headers["retry-after"]))
    assert here.get("s").status_code == 200


# Rule 26.
def test_errors_carry_the_limits_too(edge, upstream):
    here = edge(max_body_bytes="1KiB")
    headers = here.signed_in("secret-free", **{"Content-Type": "application/json"})
    for answer in (here.get("secret-free", "/v1/users/u1?nonsense=1"),
                   here.http.post("/v1/users", headers=headers, content=iter([b"x" * 5000])),
                   here.http.post("/v1/users", headers=headers, content="{")):
        assert answer.status_code in (400, 413)
        assert items(answer.headers["ratelimit"])[0][0] == "rate"
    upstream.on["GetUser"] = lambda r, c: fail(c, grpc.StatusCode.NOT_FOUND, "no")
    answer = here.get("secret-free")
    assert answer.status_code == 404 and "ratelimit" in answer.headers


def test_a_services_own_429_keeps_its_words(edge, upstream):
    from google.protobuf import duration_pb2
    from google.rpc import error_details_pb2
    here = edge()
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=9))
    upstream.on["GetUser"] = lambda r, c: fail(c, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many",
                                               retry)
    answer = here.get("secret-free")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert answer.json()["error"]["message"] == "too many"
    assert items(answer.headers["ratelimit"])[0][1]["r"] > 0


def test_a_public_key_counts_by_network(edge):
    here = edge()

    def come_from(address):
        return here.get("secret-page", **{"X-Forwarded-For": address})

    assert [come_from("192.0.2.1").status_code for _ in range(3)] == [200, 200, 429]
    assert [come_from("192.0.2.2").status_code for _ in range(3)] == [200, 200, 429]
    network = [come_from(f"2001:db8:0:1::{i}").status_code for i in range(3)]
    assert network == [200, 200, 429]
    assert come_from("2001:db8:0:2::1").status_code == 200


def test_a_public_key_counts_by_user(edge):
    here = edge()
    ada, grace = here.issuer.bearer(sub="ada"), here.issuer.bearer(sub="grace")
    assert [here.get("secret-page", **ada).status_code for _ in range(3)] == [200, 200, 429]
    assert [here.get("secret-page", **grace).status_code for _ in range(3)] == [200, 200, 429]
    # Nor do they use up what others at their address have.
    assert here.get("secret-page").status_code == 200
    # A token that is not good is nobody's: it neither takes from a limit nor is it limited by one.
    wrong = {"Authorization": "Bearer a.b.c"}
    assert [here.get("secret-page", **wrong).status_code for _ in range(5)] == [401] * 5
    assert here.get("secret-page").status_code == 200
    # Another address does not help Ada.
    assert here.get("secret-page", **ada, **{"X-Forwarded-For": "192.0.2.77"}).status_code == 429


def test_a_secret_key_counts_as_a_whole(edge):
    here = edge()
    asked = [here.get("secret-small", **here.issuer.bearer(sub=sub), **{"X-Forwarded-For": address})
             for sub, address in (("ada", "192.0.2.1"), ("grace", "192.0.2.2"),
                                  ("ada", "192.0.2.3"), ("eve", "192.0.2.4"))]
    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]


# --- addresses ---

def test_the_limit_of_an_address(edge, upstream):
    here = edge(ip_rate="1", ip_burst="4", trusted_proxies="")
    asked = [here.get("secret-free") for _ in range(4)]
    assert [answer.status_code for answer in asked] == [200] * 4
    # Nobody believes the header.
    until_429(lambda i: here.get("secret-free", **{"X-Forwarded-For": f"192.0.2.{i}"}))
    for path in ("/v1/users/u1", "/nope", "/", "/openapi.json"):
        answer = until_429(lambda i: here.get(None, path, Origin="https://app.example"))
        assert reason(answer) == "ADDRESS_RATE_EXCEEDED"
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert items(answer.headers["ratelimit"])[0][0] == "address"
    assert here.http.get("/healthz").status_code == 200
    assert here.http.get("/readyz").status_code == 200
    preflight = here.http.options("/v1/users", headers={
        "Origin": "https://app.example", "Access-Control-Request-Method": "GET"})
    assert preflight.status_code == 204


def test_addresses_behind_a_proxy_are_apart(edge):
    here = edge(ip_rate="1", ip_burst="2")

    def come_from(address):
        return here.get("secret-free", **{"X-Forwarded-For": address})

    until_429(lambda i: come_from("192.0.2.1"))
    until_429(lambda i: come_from(f"6.6.6.{i}, 192.0.2.1"))  # what a client says counts for nothing
    assert come_from("192.0.2.2").status_code == 200


@pytest.mark.parametrize("setting, value", [("trusted-proxies", "10.0.0.0/40"),
                                            ("trusted-proxies", "proxy.example"),
                                            ("ip-rate", "-1"), ("ip-burst", "0"),
                                            ("state-dir", "/proc/nothing")])
def test_wrong_settings_are_named(upstream, setting, value):
    from support.programs import run_program
    mapping = f"omnidata.access.v1={upstream.target}"
    done = run_program("omni-gateway", *settings(upstream, upstreams=mapping, access="policy"),
                       f"--{setting}={value}")
    assert done.returncode == 2 and f"--{setting}" in done.stderr


def test_policy_needs_an_access_service(upstream):
    from support.programs import run_program
    done = run_program("omni-gateway", *settings(upstream, access="policy"))
    assert done.returncode == 2 and "omnidata.access.v1" in done.stderr


# --- quotas ---

# Rules 25 and 26.
def test_a_quota_from_its_first_request_to_its_last(edge):
    here = edge(plans=[plan("daily", quota=10)], keys=[key("k", "daily", "s")])
    lefts = []
    for _ in range(10):
        answer = here.get("s")
        assert answer.status_code == 200, answer.text
        limits = dict(items(answer.headers["ratelimit"]))
        lefts.append(limits["day"]["r"])
        assert list(limits) == ["day", "rate"]  # the tightest first
        assert dict(items(answer.headers["ratelimit-policy"]))["day"] == {"q": 10, "w": 86400}
    assert lefts == sorted(lefts, reverse=True) and lefts[0] <= 9 and lefts[-1] == 0
    answer = here.get("s")
    assert (answer.status_code, reason(answer)) == (429, "QUOTA_EXCEEDED")
    assert items(answer.headers["ratelimit"]) == [("day", {"r": 0, "t": 77})]
    assert answer.headers["retry-after"] == "77"
    assert "quota of this day" in answer.json()["error"]["message"]
    assert here.access.used == {("k", ""): 10}


def test_nobody_waits_for_the_store_but_the_first(edge, wait_until):
    """While the store does not answer, what is leased goes on being spent."""
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    assert here.get("s").status_code == 200
    here.access.hold.clear()
    assert [here.get("s").status_code for _ in range(14)] == [200] * 14
    here.access.hold.set()


def test_the_first_request_waits_for_its_lease(edge, wait_until):
    import threading
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    here.access.hold.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(httpx.get(
        f"http://{here.gateway.address}/v1/users/u1", headers=with_key("s"), timeout=60)))
        for _ in range(8)]
    for thread in threads:
        thread.start()
    assert here.http.get("/healthz").status_code == 200  # the loop goes on
    here.access.hold.set()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [200] * 8
    assert all("ratelimit" in a.headers for a in answers)
    assert sum(1 for r in here.access.asked if r.want) <= 2


def test_the_wait_over_http2(edge, authority, wait_until):
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")], wait=False,
                tls_cert=authority.folder / "localhost.pem",
                tls_key=authority.folder / "localhost.key")
    with httpx.Client(http2=True, verify=str(authority.ca), timeout=60,
                      base_url=f"https://localhost:{here.gateway.port}") as http:
        wait_until(lambda: http.get("/readyz").json()["keys"]["version"])
        for _ in range(3):
            answer = http.get("/v1/users/u1", headers=with_key("s"))
            assert (answer.http_version, answer.status_code) == ("HTTP/2", 200), answer.text


def test_a_body_is_read_before_the_wait_and_answered_after_it(edge):
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    answer = here.http.post("/v1/users", headers=here.signed_in("s"),
                            json={"email": "a@example.org"})
    assert answer.status_code == 201
    assert "ratelimit" in answer.headers and answer.headers["location"] == "/v1/users/u1"


def test_a_store_that_is_away_is_no_used_up_quota(edge):
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    here.access.lease_error = grpc.StatusCode.UNAVAILABLE
    answer = here.get("s")
    assert (answer.status_code, reason(answer)) == (503, "QUOTA_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


def test_a_gateway_that_stops_gives_its_lease_back(edge):
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    for _ in range(5):
        assert here.get("s").status_code == 200
    here.gateway.stop()
    assert here.access.used == {("k", ""): 5}


# Rule 25.
def test_a_killed_gateway_gives_its_lease_back_when_it_is_there_again(edge, wait_until):
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    for _ in range(5):
        assert here.get("s").status_code == 200
    here.gateway.kill9()
    assert here.access.used[("k", "")] > 5
    here.start()
    wait_until(lambda: here.access.used == {("k", ""): 5})
    assert here.get("s").status_code == 200


def test_leases_that_nobody_uses_come_back(edge, wait_until):
    here = edge(plans=[plan("daily", quota=1000)], keys=[key("k", "daily", "s")])
    assert here.get("s").status_code == 200
    wait_until(lambda: here.access.used == {("k", ""): 1})


def test_public_keys_have_a_quota_each(edge):
    here = edge(keys=[key("k", "page-daily", "s", public=True)])

    def come_from(address):
        return here.get("s", **{"X-Forwarded-For": address}).status_code

    assert [come_from("192.0.2.1") for _ in range(6)] == [200] * 5 + [429]
    assert come_from("192.0.2.2") == 200
    assert {"ip:192.0.2.1", "ip:192.0.2.2"} <= {r.subject for r in here.access.asked}


# --- order, and what is told ---

# Rules 3 and 23.
@pytest.mark.parametrize("method, path, headers, status, why", [
    # a preflight needs nothing, whatever else is wrong
    ("OPTIONS", "/v1/users", {"Origin": "https://app.example",
                              "Access-Control-Request-Method": "POST",
                              "X-API-Key": "nonsense"}, 204, None),
    # what is refused by the path alone comes before the key
    ("GET", "/nope", {}, 404, "NO_SUCH_PATH"),
    ("PUT", "/v1/users", {}, 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/v1/users", {"Content-Encoding": "gzip"}, 415, "CONTENT_ENCODING"),
    # the key before the rate, the rate before what the request says
    ("POST", "/v1/users", {"Content-Type": "text/plain"}, 403, "API_KEY_MISSING"),
    ("POST", "/v1/users", {"Content-Type": "text/plain", "X-API-Key": "secret-empty"}, 429,
     "RATE_EXCEEDED"),
    # the user before the quota, which only those are charged whom nobody has refused
    ("POST", "/v1/users", {"Content-Type": "text/plain", "X-API-Key": "secret-used"}, 401,
     "TOKEN_MISSING"),
    ("POST", "/v1/users", {"X-API-Key": "secret-used", "Authorization": "Bearer a.b.c"}, 401,
     "TOKEN_MALFORMED"),
    ("POST", "/v1/users", {"X-API-Key": "secret-used", "Authorization": "users.read"}, 403,
     "SCOPE_MISSING"),
    ("POST", "/v1/users", {"X-API-Key": "secret-used", "Authorization": "users.write",
                           "Content-Type": "text/plain"}, 429, "QUOTA_EXCEEDED"),
    ("POST", "/v1/users", {"X-API-Key": "secret-free", "Authorization": "users.write",
                           "Content-Type": "text/plain"}, 415, "CONTENT_TYPE"),
    ("GET", "/v1/users?nonsense=1", {"X-API-Key": "secret-used"}, 429, "QUOTA_EXCEEDED"),
])
def test_which_refusal_wins(order, method, path, headers, status, why):
    scope = headers.get("Authorization", "")
    if scope.startswith("users."):  # a good token with this scope
        headers = {**headers, **order.issuer.bearer(scope=scope)}
    content = "{" if method == "POST" else None
    answer = order.http.request(method, path, headers=headers, content=content)
    assert answer.status_code == status, answer.text
    assert (reason(answer) if why else None) == why


@pytest.fixture(scope="module")
def order(module_start, shared_upstream, tmp_path_factory):
    """Its keys: one whose bucket is empty, one whose quota is used up, one that may."""
    edge = Edge(module_start, shared_upstream, tmp_path_factory.mktemp("order"))
    edge.access.publish(
        [plan("free"), plan("slow", rate=0.000001, burst=1), plan("none", quota=1)],
        [key("k1", "free", "secret-free"), key("k2", "slow", "secret-empty"),
         key("k3", "none", "secret-used")])
    edge.start()
    for secret in ("secret-empty", "secret-used"):
        assert edge.get(secret).status_code == 200
    yield edge
    edge.close()


# Rule 23.
def test_a_page_can_read_the_limits(shared):
    answer = shared.get("secret-free", Origin="https://app.example")
    exposed = answer.headers["access-control-expose-headers"].replace(" ", "").split(",")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After", "ETag", "Location",
            "X-Request-Id"} <= set(exposed)


def test_the_log_tells_who_and_why_and_no_secret(edge, wait_until):
    here = edge()
    here.get("secret-free", **{"X-Forwarded-For": "192.0.2.9"})
    here.get("a-secret-that-is-wrong")

    def lines():
        return [line for line in here.gateway.events("request")
                if line.get("route", "").startswith("/v1")]
    wait_until(lambda: len(lines()) == 2)
    admitted, refused = lines()
    assert (admitted["key_id"], admitted["client"]) == ("k-free", "192.0.2.9")
    assert "reason" not in admitted
    assert refused["reason"] == "API_KEY_INVALID" and "key_id" not in refused
    assert "secret-free" not in here.gateway.stderr and "a-secret" not in here.gateway.stderr
    wait_until((here.state / "keys").exists)
    assert b"secret-free" not in (here.state / "keys").read_bytes()


def test_open_mode_asks_nobody_and_says_so(start, upstream):
    gateway = start("omni-gateway", *settings(upstream))
    answer = httpx.get(f"http://{gateway.address}/v1/users/u1", headers=with_key("nonsense"))
    assert answer.status_code == 200 and "ratelimit" not in answer.headers
    assert gateway.events("access_open")
    assert "keys" not in httpx.get(f"http://{gateway.address}/readyz").json()


def test_usage_is_a_method_like_others(shared):
    assert shared.get(None, "/v1/usage").status_code == 403
    answer = shared.get("secret-free", "/v1/usage")
    assert (answer.status_code, answer.json()) == (200, {"keyId": "k"})
