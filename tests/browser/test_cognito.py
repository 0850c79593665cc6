"""The page with Amazon Cognito's hosted sign-in, by configuration alone (see fake_cognito.py)."""
import pytest

from fake_cognito import CLIENT, FakeCognito
from page_steps import create, css, expire_token, loaded, text, unique, until, until_text, visible
from support.signin import claims

pytestmark = pytest.mark.browser
SYSTEMS = ("memory",)


@pytest.fixture(params=["access", "id"])
def cognito(request, page, system):
    provider = FakeCognito(system.url)
    system.fake.origins = [provider.issuer.rsplit("/", 1)[0], provider.domain]
    system.fake.config = {"apiKey": "page-key", "signIn": {
        "authority": provider.issuer, "clientId": CLIENT, "scope": "openid email profile omnidata/users.write",
        "token": request.param, "signOut": f"{provider.domain}/logout?client_id={CLIENT}&logout_uri={{page}}"}}
    page.execute_script("sessionStorage.clear()")
    page.get("about:blank")
    page.get(system.url + "/")
    provider.kind = request.param
    yield provider
    provider.stop()
    system.fake.config = None
    system.fake.origins = []


def test_cognito(page, system, cognito):
    loaded(page)
    css(page, "#sign-in").click()
    until(page, lambda d: d.find_elements("id", "cognito-go"), "Cognito's page")
    css(page, "#cognito-go").click()
    until_text(page, "#who-name", "Ada")
    loaded(page)
    create(page, unique("cognito"))
    posts = [headers for method, _, headers in system.fake.requests if method == "POST"]
    said = claims(posts[-1]["Authorization"].removeprefix("Bearer "))
    assert said["token_use"] == cognito.kind and said["iss"] == cognito.issuer

    expire_token(page, renewable=True)
    create(page, unique("renewed"))
    expire_token(page, renewable=True)  # the refresh token is still the first one
    create(page, unique("again"))
    assert cognito.refreshes >= 2

    css(page, "#sign-out").click()
    until_text(page, "#notice", "You are signed out.")
    assert visible(page, "#sign-in") and not cognito.signed_in
    assert cognito.refused == []
    assert page.execute_script("return window.violations") == []
    css(page, "#sign-in").click()
    until(page, lambda d: d.find_elements("id", "cognito-go"), "Cognito asks again")
    assert text(page, "title") == "Cognito"
