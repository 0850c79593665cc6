"""Tokens of a kept OpenID Connect provider (npm oidc-provider) at the real gateway."""
import httpx
import pytest

from support.signin import CLIENT, Browser, start_sign_in


@pytest.fixture(scope="module")
def signin(module_start, tmp_path_factory):
    return start_sign_in(module_start, tmp_path_factory.mktemp("signin") / "data")


@pytest.fixture
def browser(signin):
    client = Browser(signin.issuer)
    yield client
    client.close()


def gateway_of(new_stack, setting):
    stack = new_stack()
    stack.settings["gateway"]["issuers"] = setting
    return stack.start()


def status_of(stack, token):
    return httpx.get(f"{stack.url}/v1/users", timeout=60, headers={
        "X-API-Key": stack.key, "Authorization": f"Bearer {token}"}).status_code


def test_access_tokens(new_stack, signin, browser):
    stack = gateway_of(new_stack, f"{signin.issuer};audience=omnidata;client-id={CLIENT}")
    tokens = browser.sign_in()
    assert status_of(stack, tokens["access_token"]) == 200
    assert status_of(stack, browser.refresh(tokens).json()["access_token"]) == 200
    # the id token is for the page, and so is the refresh token
    assert status_of(stack, tokens["id_token"]) == 401
    assert status_of(stack, tokens["refresh_token"]) == 401


def test_id_tokens_where_they_are_wanted(new_stack, signin, browser):
    stack = gateway_of(new_stack, f"{signin.issuer};audience={CLIENT}")
    tokens = browser.sign_in()
    assert status_of(stack, tokens["id_token"]) == 200
    assert status_of(stack, tokens["access_token"]) == 401


def test_another_clients_tokens(new_stack, signin, browser):
    stack = gateway_of(new_stack, f"{signin.issuer};audience=omnidata;client-id=another")
    assert status_of(stack, browser.sign_in()["access_token"]) == 401
