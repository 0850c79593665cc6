"""Signing in for real: the development sign-in, the gateway that believes it, and whose users are whose."""
import uuid

import httpx
import pytest

from support.signin import Browser, start_sign_in
from support.stack import Stack

ADA = ("ada@example.org", "ada-demo")
GRACE = ("grace@example.org", "grace-demo")


@pytest.fixture(scope="module")
def provider(module_start, tmp_path_factory):
    return start_sign_in(module_start, tmp_path_factory.mktemp("signin"))


@pytest.fixture(scope="module")
def stack(module_start, tmp_path_factory, provider):
    shared = Stack(module_start, tmp_path_factory.mktemp("stack"))
    shared.settings["gateway"]["issuers"] = f"{provider.issuer};audience=omnidata"
    yield shared.start()
    shared.close()


@pytest.fixture(scope="module")
def tokens(provider):
    """Of Ada and of Grace, each by a browser of her own."""
    browsers = [Browser(provider.issuer) for _ in range(2)]
    yield [browser.sign_in(*who) for browser, who in zip(browsers, (ADA, GRACE), strict=True)]
    for browser in browsers:
        browser.close()


@pytest.fixture
def clients(stack, tokens):
    """As Ada, and as Grace, who is an administrator."""
    both = [httpx.Client(base_url=stack.url, timeout=60, headers={
        "X-API-Key": stack.key, "Authorization": f"Bearer {token['access_token']}"}) for token in tokens]
    yield both
    for client in both:
        client.close()


def new_user():
    return {"displayName": "Somebody", "email": f"{uuid.uuid4().hex}@example.org"}


def reason(answer):
    return answer.json()["error"]["details"][0]["reason"]


def test_whoever_creates_a_user_owns_it(clients, provider):
    ada, grace = clients
    created = ada.post("/v1/users", json=new_user())
    assert created.status_code == 201, created.text
    user = created.json()
    assert user["owner"] == {"issuer": provider.issuer, "subject": "ada"}
    path = f"/v1/users/{user['id']}"
    assert ada.patch(path, json={"givenName": "Own"}).status_code == 200
    assert grace.patch(path, json={"familyName": "Admin"}).status_code == 200  # by her scope
    assert ada.get(path).json()["owner"]["subject"] == "ada"
    assert ada.delete(path).status_code == 204


def test_somebody_elses_user(clients):
    ada, grace = clients
    path = f"/v1/users/{grace.post('/v1/users', json=new_user()).json()['id']}"
    for refused in (ada.patch(path, json={"givenName": "Mine"}), ada.delete(path)):
        assert refused.status_code == 403 and refused.json()["error"]["status"] == "PERMISSION_DENIED"
    unknown = ada.delete(f"/v1/users/{uuid.uuid4()}")
    assert "givenName" not in ada.get(path).json()
    # What is not hers and what is not there look alike: existence is not told by refusals.
    assert (unknown.status_code, reason(unknown)) == (refused.status_code, reason(refused))


def test_what_is_missing(stack, clients, tokens):
    url, key = f"{stack.url}/v1/users", {"X-API-Key": stack.key}
    assert httpx.get(url, headers=key).status_code == 200
    keyless = httpx.get(url)
    assert (keyless.status_code, reason(keyless)) == (403, "API_KEY_MISSING")
    unsigned = httpx.post(url, headers=key, json=new_user())
    assert unsigned.status_code == 401 and unsigned.headers["www-authenticate"].startswith("Bearer")
    for wrong in (tokens[0]["id_token"], tokens[0]["refresh_token"], tokens[0]["access_token"][:-4] + "AAAA"):
        refused = httpx.post(url, headers={**key, "Authorization": f"Bearer {wrong}"}, json=new_user())
        assert refused.status_code == 401, refused.text
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    keyless = httpx.post(url, headers={"Authorization": clients[0].headers["Authorization"]}, json=new_user())
    assert (keyless.status_code, reason(keyless)) == (403, "API_KEY_MISSING")


def test_a_refreshed_token_is_as_good(stack, provider):
    browser = Browser(provider.issuer)
    tokens = browser.refresh(browser.sign_in(*ADA)).json()
    answer = httpx.post(f"{stack.url}/v1/users", json=new_user(), headers={
        "X-API-Key": stack.key, "Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.status_code == 201, answer.text
    browser.close()
