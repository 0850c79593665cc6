"""Tokens that must sign nobody in, as a table: what is sent, and the documented answer.

The gateway is open: nobody has to sign in, but a token that was sent must be good.
"""
import base64
import json
import time

import pytest
from conftest import settings
from support.issuer import DISCOVERY, KEYS, b64, compact, hs256, key, token

POOL = "/pool"
STRANGER = key("stranger")
WEAK = key("weak", "RSA", 1024)


def changed(text, part, function):
    """The token with one of its parts replaced."""
    parts = text.split(".")
    parts[part] = function(parts[part])
    return ".".join(parts)


def es256(function):
    """A token whose r and s went through function(r, s)."""
    def make(issuer):
        def sign(data):
            raw = issuer.keys[0].sign(data)
            return b"".join(function(raw[:32], raw[32:]))
        return token(None, {"alg": "ES256", "kid": "ec1"}, issuer.claims(), sign)
    return make


def header(**members):
    return lambda issuer: issuer.mint(header=members)


def claims(**members):
    return lambda issuer: issuer.mint(**{k: v(time.time()) if callable(v) else v
                                         for k, v in members.items()})


def pool(**members):
    """A token of the second issuer, which is a Cognito pool."""
    return lambda issuer: issuer.mint(iss=issuer.url + POOL, **{"aud": None, **members})


def signature(function):
    """A good token whose signature's bytes went through function."""
    return lambda issuer: changed(issuer.mint(), 2, lambda p: b64(
        function(base64.urlsafe_b64decode(p + "=="))))


def raw_header(text):
    return lambda issuer: token(issuer.keys[0], text, issuer.claims())


def raw_claims(function):
    return lambda issuer: token(issuer.keys[0], {"alg": "ES256", "kid": "ec1"},
                                function(json.dumps(issuer.claims())))


def unsigned(algorithm, signature=""):
    return lambda issuer: (f"{b64(compact({'alg': algorithm, 'kid': 'ec1'}))}."
                           f"{b64(compact(issuer.claims()))}.{signature}")


HOUR = 3600
# name, what makes the token, reason of the 401
TABLE = [
    # --- algorithms ---
    ("none", unsigned("none"), "TOKEN_MALFORMED"),
    ("none-with-a-signature", unsigned("none", "AAAA"), "TOKEN_ALGORITHM"),
    ("None", unsigned("None", "AAAA"), "TOKEN_ALGORITHM"),
    ("NONE", unsigned("NONE", "AAAA"), "TOKEN_ALGORITHM"),
    ("nOnE", unsigned("nOnE", "AAAA"), "TOKEN_ALGORITHM"),
    ("none-with-a-space", unsigned("none ", "AAAA"), "TOKEN_ALGORITHM"),
    ("empty-algorithm", unsigned("", "AAAA"), "TOKEN_ALGORITHM"),
    ("no-algorithm", header(alg=None), "TOKEN_MALFORMED"),
    ("algorithm-is-a-list", header(alg=["ES256"]), "TOKEN_MALFORMED"),
    ("algorithm-in-lower-case", header(alg="es256"), "TOKEN_ALGORITHM"),
    ("hs256-with-the-public-key",
     lambda issuer: token(None, {"alg": "HS256", "kid": "rsa1"}, issuer.claims(),
                          hs256(issuer.keys[1].pem())), "TOKEN_ALGORITHM"),
    ("hs256-with-the-public-key-called-rs256",
     lambda issuer: token(None, {"alg": "RS256", "kid": "rsa1"}, issuer.claims(),
                          hs256(issuer.keys[1].pem())), "TOKEN_SIGNATURE"),
    ("hs256-with-an-empty-secret",
     lambda issuer: token(None, {"alg": "HS256", "kid": "ec1"}, issuer.claims(), hs256(b"")),
     "TOKEN_ALGORITHM"),
    ("ps256", header(alg="PS256", kid="rsa1"), "TOKEN_ALGORITHM"),
    ("es256k", header(alg="ES256K"), "TOKEN_ALGORITHM"),
    # the key that the id names is of another kind: the issuer has no such key
    ("rs256-with-an-ec-key", header(alg="RS256"), "TOKEN_KEY"),
    ("es256-with-an-rsa-key", header(kid="rsa1"), "TOKEN_KEY"),
    # --- keys ---
    ("a-stranger's-key", lambda issuer: issuer.mint(STRANGER), "TOKEN_KEY"),
    ("a-stranger's-key-with-our-id", lambda issuer: issuer.mint(STRANGER, {"kid": "ec1"}),
     "TOKEN_SIGNATURE"),
    ("a-key-of-1024-bits", lambda issuer: issuer.mint(WEAK), "TOKEN_KEY"),
    ("no-key-id-and-two-keys", header(kid=None), "TOKEN_KEY"),
    ("key-id-is-a-path", header(kid="../../../../dev/null"), "TOKEN_KEY"),
    ("key-id-is-sql", header(kid="x' UNION SELECT 'key"), "TOKEN_KEY"),
    ("key-id-is-an-address", header(kid="http://127.0.0.1:9/keys"), "TOKEN_KEY"),
    ("key-id-with-nul", header(kid="ec1\0"), "TOKEN_KEY"),
    ("key-id-is-empty", header(kid=""), "TOKEN_MALFORMED"),
    ("key-id-is-a-number", header(kid=1), "TOKEN_MALFORMED"),
    ("key-id-is-long", header(kid="k" * 257), "TOKEN_MALFORMED"),
    ("embedded-jwk", lambda issuer: issuer.mint(STRANGER, {"jwk": STRANGER.jwk()}), "TOKEN_KEY"),
    ("embedded-jwk-with-our-id",
     lambda issuer: issuer.mint(STRANGER, {"kid": "ec1", "jwk": STRANGER.jwk(kid="ec1")}),
     "TOKEN_SIGNATURE"),
    ("jku", lambda issuer: issuer.mint(STRANGER, {"jku": f"{issuer.url}/evil"}), "TOKEN_KEY"),
    ("x5u", lambda issuer: issuer.mint(STRANGER, {"x5u": f"{issuer.url}/evil"}), "TOKEN_KEY"),
    ("x5c", lambda issuer: issuer.mint(STRANGER, {"x5c": ["MIIB"]}), "TOKEN_KEY"),
    ("critical-extension", header(crit=["exp"], exp=1), "TOKEN_MALFORMED"),
    ("unencoded-payload", header(b64=False, crit=["b64"]), "TOKEN_MALFORMED"),
    # --- types: what else the same keys sign ---
    ("logout-token", header(typ="logout+jwt"), "TOKEN_TYPE"),
    ("dpop-proof", header(typ="dpop+jwt"), "TOKEN_TYPE"),
    ("security-event", header(typ="secevent+jwt"), "TOKEN_TYPE"),
    ("bound-to-a-key", claims(cnf={"jkt": "x"}), "TOKEN_CLAIMS"),
    # --- issuer, audience ---
    ("another-issuer", claims(iss="https://other.example"), "TOKEN_ISSUER"),
    ("issuer-with-a-slash", lambda issuer: issuer.mint(iss=issuer.url + "/"), "TOKEN_ISSUER"),
    ("issuer-in-capitals", lambda issuer: issuer.mint(iss=issuer.url.upper()), "TOKEN_ISSUER"),
    ("no-issuer", claims(iss=None), "TOKEN_ISSUER"),
    ("issuers-in-a-list", lambda issuer: issuer.mint(iss=[issuer.url]), "TOKEN_ISSUER"),
    ("another-audience", claims(aud="other"), "TOKEN_AUDIENCE"),
    ("audience-with-a-tail", claims(aud="omnidata2"), "TOKEN_AUDIENCE"),
    ("other-audiences", claims(aud=["a", "b"]), "TOKEN_AUDIENCE"),
    ("audience-is-an-object", claims(aud={"omnidata": 1}), "TOKEN_AUDIENCE"),
    ("no-audience", claims(aud=None), "TOKEN_AUDIENCE"),
    # --- times ---
    ("expired", claims(exp=lambda now: now - 31), "TOKEN_EXPIRED"),
    ("expired-long-ago", claims(exp=1), "TOKEN_EXPIRED"),
    ("expiry-is-a-text", claims(exp=lambda now: str(now + HOUR)), "TOKEN_CLAIMS"),
    ("expiry-is-negative", claims(exp=-1), "TOKEN_CLAIMS"),
    ("expiry-is-huge", claims(exp=10 ** 30), "TOKEN_CLAIMS"),
    ("expiry-is-null", raw_claims(lambda text: text.replace('"exp"', '"exp": null, "x"')),
     "TOKEN_CLAIMS"),
    ("no-expiry", claims(exp=None), "TOKEN_CLAIMS"),
    ("not-yet-valid", claims(nbf=lambda now: now + 60), "TOKEN_NOT_YET_VALID"),
    ("not-before-is-a-text", claims(nbf="now"), "TOKEN_CLAIMS"),
    ("issued-in-the-future", claims(iat=lambda now: now + 60), "TOKEN_NOT_YET_VALID"),
    # --- subject, scopes ---
    ("no-subject", claims(sub=None), "TOKEN_CLAIMS"),
    ("empty-subject", claims(sub=""), "TOKEN_CLAIMS"),
    ("subject-is-a-number", claims(sub=7), "TOKEN_CLAIMS"),
    ("long-subject", claims(sub="s" * 256), "TOKEN_CLAIMS"),
    ("subject-with-a-line-end", claims(sub="ada\nadmin"), "TOKEN_CLAIMS"),
    ("too-many-scopes", claims(scope=" ".join(f"s{i}" for i in range(101))), "TOKEN_CLAIMS"),
    # --- Cognito: id tokens by aud, access tokens by client_id, and nothing else ---
    ("cognito-other-client", pool(token_use="access", client_id="other"), "TOKEN_AUDIENCE"),
    ("cognito-no-client", pool(token_use="access"), "TOKEN_AUDIENCE"),
    ("cognito-access-by-aud", pool(token_use="access", aud="web"), "TOKEN_AUDIENCE"),
    ("cognito-id-by-client", pool(token_use="id", client_id="web"), "TOKEN_AUDIENCE"),
    ("cognito-id-for-another", pool(token_use="id", aud="other"), "TOKEN_AUDIENCE"),
    ("cognito-refresh", pool(token_use="refresh", client_id="web", aud="web"), "TOKEN_AUDIENCE"),
    ("cognito-no-use", pool(client_id="web", aud="web"), "TOKEN_AUDIENCE"),
    ("cognito-bound-to-another-resource",
     pool(token_use="access", client_id="web", aud="https://other.example"), "TOKEN_AUDIENCE"),
    # --- texts ---
    ("empty", lambda issuer: "", "TOKEN_MALFORMED"),
    ("a-word", lambda issuer: "token", "TOKEN_MALFORMED"),
    ("two-parts", lambda issuer: issuer.mint().rsplit(".", 1)[0], "TOKEN_MALFORMED"),
    ("four-parts", lambda issuer: issuer.mint() + ".AAAA", "TOKEN_MALFORMED"),
    ("encrypted", lambda issuer: issuer.mint() + ".AAAA.AAAA", "TOKEN_MALFORMED"),
    ("a-part-is-empty", lambda issuer: changed(issuer.mint(), 1, lambda p: ""), "TOKEN_MALFORMED"),
    ("two-tokens", lambda issuer: f"{issuer.mint()}, {issuer.mint()}", "TOKEN_MALFORMED"),
    ("bearer-twice", lambda issuer: f"Bearer {issuer.mint()}", "TOKEN_MALFORMED"),
    ("quoted", lambda issuer: f'"{issuer.mint()}"', "TOKEN_MALFORMED"),
    ("padded", lambda issuer: changed(issuer.mint(), 2, lambda p: p + "=="), "TOKEN_MALFORMED"),
    ("standard-alphabet", lambda issuer: changed(issuer.mint(), 2, lambda p: "+/" + p[2:]),
     "TOKEN_MALFORMED"),
    ("slack-bits", lambda issuer: changed(
        issuer.mint(), 2, lambda p: p[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[p[-1]]),
     "TOKEN_MALFORMED"),
    ("impossible-length", lambda issuer: changed(issuer.mint(), 2, lambda p: p[:-1]),
     "TOKEN_MALFORMED"),
    ("header-is-no-json", raw_header("{alg:ES256}"), "TOKEN_MALFORMED"),
    ("header-with-a-tail", raw_header('{"alg":"ES256","kid":"ec1"}{}'), "TOKEN_MALFORMED"),
    ("algorithm-twice", raw_header('{"alg":"ES256","kid":"ec1","alg":"none"}'), "TOKEN_MALFORMED"),
    ("subject-twice", raw_claims(lambda text: text[:-1] + ', "sub": "admin"}'), "TOKEN_MALFORMED"),
    ("scope-twice-by-escapes", raw_claims(lambda text: text[:-1] + ', "sc\\u006fpe": "admin"}'),
     "TOKEN_MALFORMED"),
    ("claims-are-a-list", raw_claims(lambda text: f"[{text}]"), "TOKEN_MALFORMED"),
    ("claims-are-not-utf8", raw_claims(lambda text: text.encode().replace(b"ada", b"a\xffa")),
     "TOKEN_MALFORMED"),
    ("deep-claims", raw_claims(lambda text: text[:-1] + ', "x": ' + "[" * 50 + "]" * 50 + "}"),
     "TOKEN_MALFORMED"),
    ("oversized", claims(pad="x" * 9000), "TOKEN_TOO_LARGE"),
    # --- signatures ---
    ("truncated-signature", signature(lambda raw: raw[:-1]), "TOKEN_SIGNATURE"),
    ("half-a-signature", signature(lambda raw: raw[:32]), "TOKEN_SIGNATURE"),
    ("longer-signature", signature(lambda raw: raw + b"\0"), "TOKEN_SIGNATURE"),
    ("signature-of-another-token",
     lambda issuer: changed(issuer.mint(), 2, lambda p: issuer.mint(sub="eve").split(".")[2]),
     "TOKEN_SIGNATURE"),
    ("changed-claims", lambda issuer: changed(issuer.mint(), 1, lambda p: b64(
        base64.urlsafe_b64decode(p + "==").replace(b'"ada"', b'"eve"'))), "TOKEN_SIGNATURE"),
    ("r-and-s-are-zero", es256(lambda r, s: (bytes(32), bytes(32))), "TOKEN_SIGNATURE"),
    ("r-is-zero", es256(lambda r, s: (bytes(32), s)), "TOKEN_SIGNATURE"),
    ("s-is-zero", es256(lambda r, s: (r, bytes(32))), "TOKEN_SIGNATURE"),
    ("s-is-too-large", es256(lambda r, s: (r, b"\xff" * 32)), "TOKEN_SIGNATURE"),
    ("r-is-short", es256(lambda r, s: (r[:-1], s)), "TOKEN_SIGNATURE"),
    ("r-has-a-zero-in-front", es256(lambda r, s: (b"\0" + r, b"\0" + s)), "TOKEN_SIGNATURE"),
    ("rsa-signature-is-empty-of-bits", lambda issuer: token(
        None, {"alg": "RS256", "kid": "rsa1"}, issuer.claims(), lambda data: bytes(256)),
     "TOKEN_SIGNATURE"),
    ("rsa-signature-is-one", lambda issuer: token(
        None, {"alg": "RS256", "kid": "rsa1"}, issuer.claims(),
        lambda data: bytes(255) + b"\x01"), "TOKEN_SIGNATURE"),
    ("ed25519-signature-is-zero", lambda issuer: token(
        None, {"alg": "EdDSA", "kid": "ed1"}, issuer.claims(), lambda data: bytes(64)),
     "TOKEN_SIGNATURE"),
]


@pytest.fixture(scope="module")
def gateway(module_start, shared_upstream, module_issuer):
    """Two issuers with the same keys: one as OIDC has it, and one with Cognito's claims."""
    issuer = module_issuer
    issuer.keys = [key("ec1"), key("rsa1", "RSA"), key("ed1", "OKP"), WEAK, key("ec2")]
    cognito = f"{issuer.url}{POOL};profile=cognito;client-id=web"
    issuer.body[POOL + DISCOVERY] = {"issuer": issuer.url + POOL, "jwks_uri": issuer.url + KEYS}
    issuer.status[POOL + DISCOVERY] = 200
    return module_start("omni-gateway", *settings(
        shared_upstream, access="open", issuers=f"{issuer.setting},{cognito}"))


@pytest.fixture(scope="module")
def ready(gateway, http, module_issuer):
    """Once the keys have come, and an unknown key has been asked for: from now on it is unknown."""
    from support.programs import wait_until
    wait_until(lambda: len(gateway.events("issuer_keys")) == 2, what="both issuers' keys")

    def settled():
        answers = [http.get("/v1/users/x", headers=module_issuer.bearer(
            STRANGER, iss=module_issuer.url + path, aud=aud, token_use="id"))
                   for path, aud in (("", "omnidata"), (POOL, "web"))]
        return all(answer.status_code == 401 for answer in answers)

    wait_until(settled, what="the unknown key is known to be unknown")
    return http


# Rules 18 and 24.
@pytest.mark.parametrize("make, reason", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_refused(ready, upstream, module_issuer, make, reason):
    text = make(module_issuer)
    for method, body in (("POST", {}), ("GET", None)):
        path = "/v1/users" if method == "POST" else "/v1/users/x"
        answer = ready.request(method, path, json=body, headers={"Authorization": f"Bearer {text}".strip()})
        assert answer.status_code == 401, answer.text
        error = answer.json()["error"]
        assert error["status"] == "UNAUTHENTICATED"
        assert error["details"][0]["reason"] == reason, error
        assert answer.headers["www-authenticate"] == (
            f'Bearer realm="api", error="invalid_token", error_description="{error["message"]}"')
        assert not set(error["message"]) & set('"\\')
    assert upstream.calls == []


GOOD = [
    ("ec", lambda issuer: issuer.mint()),
    ("rsa", lambda issuer: issuer.mint(issuer.keys[1])),
    ("ed25519", lambda issuer: issuer.mint(issuer.keys[2])),
    ("ed25519-by-its-new-name", lambda issuer: issuer.mint(issuer.keys[2], {"alg": "Ed25519"})),
    ("no-key-id-and-one-key", lambda issuer: issuer.mint(issuer.keys[2], {"kid": None})),
    ("id-token", lambda issuer: issuer.mint(header={"typ": "JWT"})),
    ("no-type", lambda issuer: issuer.mint(header={"typ": None})),
    ("several-audiences", lambda issuer: issuer.mint(aud=["other", "omnidata"])),
    ("just-expired", claims(exp=lambda now: now - 5)),
    ("soon-valid", claims(nbf=lambda now: now + 5)),
    ("fractions", claims(exp=lambda now: now + 100.5)),
    ("cognito-access", pool(token_use="access", client_id="web", scope="users.write",
                            **{"cognito:groups": ["admin"]})),
    ("cognito-id", pool(token_use="id", aud="web", scope=None,
                        **{"cognito:groups": ["users.write", "with space"]})),
]


# Rule 24.
@pytest.mark.parametrize("make", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_taken(ready, upstream, module_issuer, make):
    """The other side of the table: what a small change would break, and twice, for the cache."""
    text = make(module_issuer)
    for _ in range(2):
        answer = ready.post("/v1/users", json={}, headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 201, answer.text
    assert len(upstream.calls) == 2
