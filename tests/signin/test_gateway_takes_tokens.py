"""Tokens of a kept OpenID Connect provider (npm oidc-provider) at the real gateway."""
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


def gateway_of(new_stack, setting, wait_until):
    stack = new_stack()
    stack.settings["gateway"]["issuers"] = setting
    stack.start()
    wait_until(lambda: stack.http.get("/readyz").json()["issuers"][0]["keys"], what="its keys")
    return stack


def status_of(stack, token):
    return stack.http.get("/v1/users", headers={"Authorization": f"Bearer {token}"}).status_code


def test_access_tokens(new_stack, signin, browser, wait_until):
    stack = gateway_of(new_stack, f"{signin.issuer};audience=omnidata;client-id={CLIENT}", wait_until)
    tokens = browser.sign_in()
    assert status_of(stack, tokens["access_token"]) == 200
    assert status_of(stack, browser.refresh(tokens).json()["access_token"]) == 200
    # the id token is for the page, and so is the refresh token
    assert status_of(stack, tokens["id_token"]) == 401
    assert status_of(stack, tokens["refresh_token"]) == 401


def test_id_tokens_where_they_are_wanted(new_stack, signin, browser, wait_until):
    stack = gateway_of(new_stack, f"{signin.issuer};audience={CLIENT}", wait_until)
    tokens = browser.sign_in()
    assert status_of(stack, tokens["id_token"]) == 200
    assert status_of(stack, tokens["access_token"]) == 401


def test_another_clients_tokens(new_stack, signin, browser, wait_until):
    stack = gateway_of(new_stack, f"{signin.issuer};audience=omnidata;client-id=another", wait_until)
    assert status_of(stack, browser.sign_in()["access_token"]) == 401
