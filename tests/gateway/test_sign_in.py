"""Signing in at the edge: what is asked for, how it is refused, and an issuer's bad days."""
import json
import time

import httpx
import pytest
from conftest import policy, settings
from support.certificates import Authority
from support.issuer import DISCOVERY, KEYS, Issuer, key
from support.programs import run_program, wait_until
from support.raw_client import Raw

CHALLENGE = 'Bearer realm="api"'


def reason_of(answer):
    return answer.json()["error"]["details"][0]["reason"]


@pytest.fixture(scope="module")
def gateway(module_start, shared_upstream, module_issuer, keyless):
    program = module_start("omni-gateway", *settings(
        shared_upstream, issuers=module_issuer.setting, **policy(shared_upstream, keyless),
        cors_origins="https://app.example"))
    wait_until(lambda: program.events("issuer_keys"), what="the issuer's keys")
    return program


def create(http, *args, **kwargs):
    return http.post("/v1/users", json={"email": "a@example.org"}, *args, **kwargs)


# --- what is asked for ---

# Rule 18.
def test_a_write_needs_a_user(http, upstream):
    answer = create(http)
    assert answer.status_code == 401 and reason_of(answer) == "TOKEN_MISSING"
    assert answer.headers["www-authenticate"] == CHALLENGE  # no error when no token was sent
    assert upstream.calls == []


def test_a_user_may_write(http, upstream, module_issuer):
    assert create(http, headers=module_issuer.bearer()).status_code == 201
    assert [call[0] for call in upstream.calls] == ["CreateUser"]


def test_a_read_needs_none_but_takes_no_wrong_one(http, upstream, module_issuer):
    assert http.get("/v1/users/x").status_code == 200
    assert http.get("/v1/users/x", headers=module_issuer.bearer()).status_code == 200
    answer = http.get("/v1/users/x", headers=module_issuer.bearer(exp=1))
    assert answer.status_code == 401 and reason_of(answer) == "TOKEN_EXPIRED"
    assert len(upstream.calls) == 2


# Rule 24.
def test_scopes(http, upstream, module_issuer):
    answer = create(http, headers=module_issuer.bearer(scope="openid users.read users.write2"))
    assert answer.status_code == 403 and reason_of(answer) == "SCOPE_MISSING"
    message = answer.json()["error"]["message"]
    assert answer.headers["www-authenticate"] == (
        f'{CHALLENGE}, error="insufficient_scope", error_description="{message}", '
        'scope="users.write"')
    assert upstream.calls == []


def test_nothing_of_a_body_is_read_first(gateway, upstream):
    with Raw(gateway.port) as raw:
        raw.send("POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                 "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n")
        answer = raw.response()
        assert answer.status == 401 and answer.interim == []
    with Raw(gateway.port) as raw:  # and without the client's waiting
        raw.send("POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                 "Content-Length: 500000\r\n\r\n{")
        assert raw.response().status == 401


def test_a_good_token_and_expect(gateway, upstream, module_issuer):
    with Raw(gateway.port) as raw:
        raw.send("POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                 f"Authorization: Bearer {module_issuer.mint()}\r\n"
                 "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        status, _ = raw.head()
        assert status == 100
        assert raw.send("{}").response().status == 201


# --- where a token may be ---

@pytest.mark.parametrize("value, status", [
    ("Bearer {}", 201), ("bearer {}", 201), ("BEARER {}", 201), ("Bearer   {}", 201),
    ("Basic YWRhOmFkYQ==", 401), ("DPoP {}", 401), ("Token {}", 401), ("{}", 401),
    ("Bearer", 401), ("Bearer:{}", 401), ("Bearer\t{}", 401), ("Bearer={}", 401),
])
def test_schemes(http, upstream, module_issuer, value, status):
    answer = create(http, headers={"Authorization": value.format(module_issuer.mint())})
    assert answer.status_code == status, answer.text
    # what is no Bearer is no token
    if status == 401:
        assert reason_of(answer) == ("TOKEN_MALFORMED" if value == "Bearer" else "TOKEN_MISSING")


def test_two_headers(http, upstream, module_issuer):
    good = f"Bearer {module_issuer.mint()}"
    for first, second in ((good, good), (good, "Basic YQ=="), ("Basic YQ==", good)):
        answer = create(http, headers=[("Authorization", first), ("authorization", second)])
        assert answer.status_code == 400 and reason_of(answer) == "TOKEN_TWICE"
        assert answer.headers["www-authenticate"].startswith(f'{CHALLENGE}, error="invalid_request"')
    assert upstream.calls == []


def test_other_places_do_not_count(gateway, http, upstream, module_issuer):
    text = module_issuer.mint(sub="only-here")
    answer = http.post("/v1/users", params={"access_token": text}, json={})
    assert answer.status_code == 401 and reason_of(answer) == "TOKEN_MISSING"
    answer = http.post("/v1/users", data={"access_token": text})
    assert answer.status_code == 401
    for name in ("X-Authorization", "Proxy-Authorization", "X-Forwarded-Access-Token", "Cookie"):
        assert create(http, headers={name: f"Bearer {text}"}).status_code == 401
    assert text.split(".")[2] not in gateway.stderr


# Rule 23.
def test_a_preflight_needs_nothing_and_refusals_can_be_read(http):
    origin = {"Origin": "https://app.example"}
    answer = http.options("/v1/users", headers={**origin, "Access-Control-Request-Method": "POST",
                                                "Access-Control-Request-Headers": "authorization"})
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    answer = create(http, headers=origin)
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]


def test_probes_need_nothing(http, module_issuer):
    assert http.get("/healthz").status_code == 200
    ready = http.get("/readyz", headers={"Authorization": "Bearer x"})
    assert ready.json()["issuers"][0]["issuer"] == module_issuer.url
    assert ready.json()["issuers"][0]["keys"] == 3


# --- issuers on bad days ---

def start_gateway(start, upstream, issuers, **more):
    program = start("omni-gateway", *settings(upstream, issuers=issuers, **{
        "issuer_keys_refetch": "1s", "access": "open", **more}))
    return program, httpx.Client(base_url=f"http://{program.address}", timeout=60)


def status_of(client, headers):
    return client.get("/v1/users/x", headers=headers).status_code


# Rule 24.
def test_an_issuer_that_comes_later(start, upstream, issuer):
    headers = issuer.bearer()
    issuer.stop()
    program, client = start_gateway(start, upstream, issuer.setting)
    with client:
        answer = client.get("/v1/users/x", headers=headers)
        assert answer.status_code == 503 and reason_of(answer) == "SIGN_IN_UNAVAILABLE"
        assert int(answer.headers["retry-after"]) > 0
        assert client.get("/v1/users/x").status_code == 200  # nobody else is kept waiting
        wait_until(lambda: program.events("issuer_keys_failed"))
        issuer.start()
        wait_until(lambda: status_of(client, headers) == 200, what="keys that come later")
        assert issuer.agents == {"omni-gateway"}  # some issuers refuse who does not say who it is


# Rule 24.
def test_an_issuer_that_goes_away(start, upstream, issuer):
    program, client = start_gateway(start, upstream, issuer.setting, issuer_keys_refresh="1s",
                                    issuer_keys_max_age="3s", token_cache_time="0s")
    with client:
        wait_until(lambda: status_of(client, issuer.bearer()) == 200, what="the keys")
        issuer.stop()
        wait_until(lambda: program.events("issuer_keys_failed"))
        assert status_of(client, issuer.bearer()) == 200  # stale keys are good
        wait_until(lambda: status_of(client, issuer.bearer()) == 503, what="keys that are too old")
        ready = client.get("/readyz").json()["issuers"][0]
        assert ready["keys"] == 3 and ready["failing"] is True
        assert "error" not in ready  # addresses and the like are for the log
        issuer.start()
        wait_until(lambda: status_of(client, issuer.bearer()) == 200, what="the keys again")


# Rule 24.
def test_rotation(start, upstream, issuer):
    """A new key is asked for when its first token comes; what an old one signed is good no more."""
    program, client = start_gateway(start, upstream, issuer.setting)
    with client:
        old = issuer.bearer()
        wait_until(lambda: status_of(client, old) == 200, what="the keys")
        issuer.keys = [key("ec2")]
        new = issuer.bearer()
        wait_until(lambda: status_of(client, new) == 200, what="the new key")
        answer = client.get("/v1/users/x", headers=old)
        assert answer.status_code in (401, 503), "a cached token outlived its key"
        wait_until(lambda: status_of(client, old) == 401, what="the old key is unknown")
        assert len(program.events("issuer_keys")) == 2


def test_a_key_that_was_exchanged_under_its_id(start, upstream, issuer):
    program, client = start_gateway(start, upstream, issuer.setting, issuer_keys_refresh="1s")
    with client:
        old = issuer.bearer(key("other"), {"kid": "ec1"})
        wait_until(lambda: status_of(client, issuer.bearer()) == 200, what="the keys")
        assert status_of(client, old) == 401
        exchanged = key("other")
        issuer.body[KEYS] = {"keys": [exchanged.jwk(kid="ec1")]}
        wait_until(lambda: len(program.events("issuer_keys")) == 2, what="the other key")
        assert status_of(client, old) == 200  # what was remembered as bad is looked at again


# Rule 24.
def test_a_flood_of_unknown_keys_asks_once(start, upstream, issuer):
    program, client = start_gateway(start, upstream, issuer.setting, issuer_keys_refetch="1h")
    with client:
        wait_until(lambda: status_of(client, issuer.bearer()) == 200, what="the keys")
        asked = dict(issuer.asked)
        statuses = {status_of(client, issuer.bearer(header={"kid": f"k{i}"})) for i in range(200)}
        assert statuses <= {401, 503}
        assert issuer.asked == asked  # the keys have just come: it is too early to ask again
        assert status_of(client, issuer.bearer()) == 200


def test_a_flood_of_bad_signatures_is_bounded(start, upstream, issuer):
    program, client = start_gateway(start, upstream, issuer.setting)
    with client:
        wait_until(lambda: status_of(client, issuer.bearer()) == 200, what="the keys")
        seen = issuer.bearer()
        assert status_of(client, seen) == 200
        bad = [issuer.bearer(key("other"), {"kid": "ec1"}, sub=f"s{i}") for i in range(120)]
        # How many exactly is for tests/unit/gateway/sign_in_test.c: here time passes.
        assert {status_of(client, headers) for headers in bad} <= {401, 429}
        assert status_of(client, bad[0]) == 401  # what is known to be bad costs nothing
        assert status_of(client, seen) == 200  # nor what is known to be good


def broken(issuer, path=KEYS, status=None, body=None, name=None, delay_s=0, keys=None):
    if status:
        issuer.status[path] = status
    if body is not None:
        issuer.body[path] = body
    issuer.name, issuer.delay_s = name, delay_s
    if keys is not None:
        issuer.keys = keys


# Rule 24.
@pytest.mark.parametrize("fault, words", [
    (dict(name="https://other.example"), "another issuer's"),
    (dict(path=DISCOVERY, body=b"<html>"), "discovery: JSON"),
    (dict(path=DISCOVERY, body={"issuer": 7}), "another issuer's"),
    (dict(path=DISCOVERY, status=500), "discovery: the issuer answered 500"),
    (dict(path=DISCOVERY, status=302), "discovery: the issuer answered 302"),
    (dict(status=404), "key set: the issuer answered 404"),
    (dict(status=302), "key set: the issuer answered 302"),
    (dict(body=b""), "key set: JSON"),
    (dict(body={"keys": {}}), "key set: the key set has no array"),
    (dict(body=b'{"keys":[' + b" " * 300_000 + b"]}"), "larger than it may be"),
], ids=lambda value: json.dumps(value, default=lambda v: type(v).__name__)[:40]
    if isinstance(value, dict) else None)
def test_answers_that_are_none(start, upstream, issuer, fault, words):
    broken(issuer, **fault)
    program, client = start_gateway(start, upstream, issuer.setting)
    with client:
        failed = wait_until(lambda: program.events("issuer_keys_failed"))[0]
        assert words in failed["error"]
        assert status_of(client, issuer.bearer()) == 503
        assert client.get("/v1/users/x").status_code == 200


# Rule 24.
@pytest.mark.parametrize("keys, words", [
    ([], ""),
    ([{"kty": "oct", "k": "AAAA", "kid": "ec1"}], "not RSA, EC or OKP"),
    ([key("weak", "RSA", 1024).jwk()], "less than 2048 bits"),
    ([key("ec1").jwk(d="AAAA")], "the private key is shown"),
], ids=["none", "oct", "weak", "private"])
def test_keys_that_are_withdrawn(start, upstream, issuer, keys, words):
    """A set without a usable key is the issuer's answer, and ends what its keys signed."""
    program, client = start_gateway(start, upstream, issuer.setting, issuer_keys_refresh="1s")
    with client:
        old = issuer.bearer()
        wait_until(lambda: status_of(client, old) == 200, what="the keys")
        issuer.body[KEYS] = {"keys": keys}
        withdrawn = wait_until(lambda: program.events("issuer_without_keys"))
        assert words in withdrawn[0]["reason"]
        for headers in (old, issuer.bearer(sub="another")):
            wait_until(lambda: status_of(client, headers) == 401, what="no key, no user")
        ready = client.get("/readyz")
        assert ready.status_code == 200  # who needs no token is served
        assert ready.json()["issuers"][0]["keys"] == 0
        assert ready.json()["issuers"][0]["failing"] is False
        del issuer.body[KEYS]
        wait_until(lambda: status_of(client, old) == 200, what="the keys again")
        assert len(program.events("issuer_without_keys")) == 1


@pytest.mark.parametrize("keys_url", [
    "http://example.org/keys", "http://localhost.example.org/keys", "http://localhost@example.org/",
    "file:///etc/passwd", "/keys", "https:///keys", "https://example.org/a b", 7])
def test_where_keys_may_be(start, upstream, issuer, keys_url):
    broken(issuer, DISCOVERY, body={"issuer": issuer.url, "jwks_uri": keys_url})
    program, client = start_gateway(start, upstream, issuer.setting)
    client.close()
    failed = wait_until(lambda: program.events("issuer_keys_failed"))[0]
    assert failed["error"] == "discovery: jwks_uri is no https address"


def test_a_slow_issuer_holds_up_nobody(start, upstream, issuer):
    with_fast = Issuer([key("fast")])
    issuer.delay_s = 60
    try:
        program, client = start_gateway(start, upstream,
                                        f"{issuer.setting},{with_fast.setting}")
        with client:
            wait_until(lambda: status_of(client, with_fast.bearer()) == 200, what="fast keys")
            assert status_of(client, issuer.bearer()) == 503
            failed = wait_until(lambda: program.events("issuer_keys_failed"))[0]
            assert failed["code"] == "DEADLINE_EXCEEDED"
        program.stop()  # in the middle of the next try
    finally:
        with_fast.stop()


def test_certificates_are_checked(start, upstream, tmp_path):
    (tmp_path / "other").mkdir()
    secure = Issuer([key("ec1")], tls_dir=tmp_path)
    try:
        for trusted in ("", Authority(tmp_path / "other").ca):
            program, client = start_gateway(start, upstream, secure.setting, issuer_ca_file=trusted)
            client.close()
            failed = wait_until(lambda: program.events("issuer_keys_failed"))[0]
            assert failed["code"] == "UNAVAILABLE" and "certificate" in failed["error"]
        program, client = start_gateway(start, upstream, secure.setting,
                                        issuer_ca_file=secure.ca_file)
        with client:
            wait_until(lambda: status_of(client, secure.bearer()) == 200, what="keys over TLS")
    finally:
        secure.stop()


# --- settings ---

@pytest.mark.parametrize("value, words", [
    ("http://issuer.example;audience=a", "is no https address"),
    ("issuer.example;audience=a", "is no https address"),
    ("http://localhost.issuer.example;audience=a", "is no https address"),
    ("http://127.0.0.1@issuer.example;audience=a", "is no https address"),
    ("http://127.0.0.2;audience=a", "is no https address"),
    ("https://;audience=a", "is no https address"),
    ("https://a@issuer.example;audience=a", "is no https address"),
    ("https://issuer.example/?x;audience=a", "is no https address"),
    ("https://issuer.example", "needs an audience"),
    ("https://issuer.example;client-id=a", "needs an audience"),
    ("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a;audience=a",
     "a Cognito pool needs a client-id"),
    ("https://issuer.example;audience=", "a parameter has no value"),
    ("https://issuer.example;audience", "a parameter has no value"),
    ("https://issuer.example;audiences=a", "parameters are audience, client-id"),
    ("https://issuer.example;audience=a;profile=x", "a profile is oidc or cognito"),
    ("https://issuer.example;audience=a,https://issuer.example;audience=b", "is listed twice"),
    (",".join(f"https://i{i}.example;audience=a" for i in range(9)), "more than 8 issuers"),
    ("https://issuer.example;" + ";".join(f"audience=a{i}" for i in range(17)),
     "more than 16 values"),
    ("https://issuer.example;audience=a,", "is no https address"),
])
def test_settings_that_are_refused(value, words):
    done = run_program("omni-gateway", "--listen=127.0.0.1:0", f"--issuers={value}")
    assert done.returncode == 2
    assert "--issuers: " in done.stderr and words in done.stderr


def test_a_policy_without_issuers(start, upstream, issuer, keyless):
    program = start("omni-gateway", *settings(upstream, **policy(upstream, keyless)))
    assert program.events("no_issuers")
    with httpx.Client(base_url=f"http://{program.address}", timeout=60) as client:
        assert create(client).status_code == 401
        answer = create(client, headers=issuer.bearer())
        assert answer.status_code == 401 and reason_of(answer) == "TOKEN_ISSUER"


def test_an_open_gateway_without_issuers_looks_at_no_token(start, upstream):
    program = start("omni-gateway", *settings(upstream, access="open"))
    with httpx.Client(base_url=f"http://{program.address}", timeout=60) as client:
        assert create(client, headers={"Authorization": "Bearer x"}).status_code == 201


def test_an_open_gateway_asks_for_nothing(start, upstream, issuer):
    program, client = start_gateway(start, upstream, issuer.setting, access="open")
    with client:
        wait_until(lambda: program.events("issuer_keys"))
        assert create(client).status_code == 201
        assert create(client, headers=issuer.bearer(scope="")).status_code == 201
        assert create(client, headers={"Authorization": "Bearer x"}).status_code == 401


def test_scopes_by_settings(start, upstream, issuer, keyless):
    setting = f"{issuer.setting};scope-claim=roles;scope-claim=scp;scope-prefix=omnidata/"
    program, client = start_gateway(start, upstream, setting, **policy(upstream, keyless))
    with client:
        wait_until(lambda: program.events("issuer_keys"))
        for members in ({"roles": ["users.write"]}, {"scp": "a users.write"},
                        {"scope": "omnidata/users.write"}, {"roles": ["omnidata/users.write"]}):
            answer = create(client, headers=issuer.bearer(**{"scope": None, **members}))
            assert answer.status_code == 201, members
        for members in ({"groups": ["users.write"]}, {"scope": "other/users.write"},
                        {"roles": {"users.write": True}}, {"roles": ["users.write x"]}):
            answer = create(client, headers=issuer.bearer(**{"scope": None, **members}))
            assert answer.status_code == 403, members


def test_client_ids_by_settings(start, upstream, issuer, keyless):
    program, client = start_gateway(start, upstream, f"{issuer.setting};client-id=web",
                                    **policy(upstream, keyless))
    with client:
        wait_until(lambda: program.events("issuer_keys"))
        for members, status in (({"client_id": "web"}, 201), ({"azp": "web"}, 201), ({}, 401),
                                ({"client_id": "other", "azp": "web"}, 401), ({"azp": "x"}, 401)):
            assert create(client, headers=issuer.bearer(**members)).status_code == status, members


def test_a_token_is_good_only_until_it_expires(start, upstream, issuer):
    program, client = start_gateway(start, upstream, issuer.setting, token_skew="0s")
    with client:
        wait_until(lambda: program.events("issuer_keys"))
        headers = issuer.bearer(exp=int(time.time()) + 2)
        assert status_of(client, headers) == 200
        wait_until(lambda: status_of(client, headers) == 401, what="expiry of a cached token")
