"""The development sign-in, by a plain HTTP client: what it issues, refuses, and remembers."""
import shutil

import httpx
import pytest

from support.signin import CLIENT, Browser, claims, sign_in_program, start_sign_in

PAGE = "http://localhost:8080"


@pytest.fixture(scope="module")
def signin(module_start, tmp_path_factory):
    return start_sign_in(module_start, tmp_path_factory.mktemp("signin") / "data", PAGE)


@pytest.fixture
def browser(signin):
    client = Browser(signin.issuer, PAGE)
    yield client
    client.close()


def test_code_and_pkce(browser, signin):
    tokens = browser.sign_in()
    access, identity = claims(tokens["access_token"]), claims(tokens["id_token"])
    assert (access["iss"], access["sub"], access["aud"], access["client_id"]) == (signin.issuer, "ada", "omnidata", CLIENT)
    assert access["scope"] == "users.write"  # admin was asked for and is not hers
    assert identity["aud"] == CLIENT and identity["nonce"] == "n1"
    assert (identity["name"], identity["email"]) == ("Ada Lovelace", "ada@example.org")
    assert 0 < access["exp"] - access["iat"] <= 3600
    keys = httpx.get(browser.discovered["jwks_uri"]).json()["keys"]
    assert [(key["kty"], key["alg"], key["use"]) for key in keys] == [("RSA", "RS256", "sig")]
    assert "d" not in keys[0]


def test_an_administrator_has_the_scope(browser):
    tokens = browser.sign_in("grace@example.org", "grace-demo")
    assert set(claims(tokens["access_token"])["scope"].split()) == {"users.write", "admin"}


def test_only_what_was_asked_for(browser):
    tokens = browser.sign_in("grace@example.org", "grace-demo", scope="openid users.write")
    assert claims(tokens["access_token"])["scope"] == "users.write"
    assert "email" not in claims(tokens["id_token"])


def test_wrong_password_is_told_and_can_be_repeated(browser):
    answer = browser.submit(browser.authorize(), email="ada@example.org", password="wrong")
    assert answer.status_code == 401
    assert "do not belong together" in answer.text and 'value="ada@example.org"' in answer.text
    assert "code" in browser.submit(answer, email="ADA@example.org ", password="ada-demo")


def test_texts_are_escaped(browser):
    answer = browser.submit(browser.authorize(), email='"><script>alert(1)</script>', password="x")
    assert "<script>alert" not in answer.text and "&lt;script&gt;alert" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_cancel_goes_back(browser):
    result = browser.submit(browser.authorize(), index=1)
    assert (result["error"], result["state"]) == ("access_denied", "s1")


def test_a_session_needs_no_second_password(browser):
    browser.sign_in()
    assert "code" in browser.authorize()
    assert browser.authorize(prompt="login").status_code == 200  # unless it is asked for


@pytest.mark.parametrize("wrong, error", [
    ({"redirect_uri": "http://evil.example/"}, "invalid_redirect_uri"),
    ({"client_id": "other"}, "invalid_client"),
])
def test_what_is_not_sent_back(browser, wrong, error):
    answer = browser.authorize(**wrong)
    assert answer.status_code == 400 and error in answer.text


@pytest.mark.parametrize("wrong, error", [
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"resource": "urn:other:api"}, "invalid_target"),
])
def test_what_is_refused(browser, wrong, error):
    answer = browser.authorize(**wrong)
    assert answer["error"] == error and "code" not in answer


def test_a_code_is_good_once_and_with_its_verifier(browser):
    code = browser.submit(browser.authorize(), email="ada@example.org", password="ada-demo")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": PAGE + "/"}
    assert browser.token(**form, code_verifier="x" * 50).json()["error"] == "invalid_grant"
    code = browser.authorize()["code"]
    form["code"] = code
    first = browser.token(**form, code_verifier=browser.verifier)
    assert first.status_code == 200
    assert browser.token(**form, code_verifier=browser.verifier).json()["error"] == "invalid_grant"
    # A code that comes twice was stolen: what it gave is taken back.
    assert browser.refresh(first.json()).json()["error"] == "invalid_grant"


def test_refresh_rotates(browser):
    tokens = browser.sign_in()
    second = browser.refresh(tokens).json()
    assert second["refresh_token"] != tokens["refresh_token"]
    assert claims(second["access_token"])["scope"] == "users.write"
    assert claims(second["access_token"])["jti"] != claims(tokens["access_token"])["jti"]
    assert browser.refresh(tokens).json()["error"] == "invalid_grant"
    assert browser.refresh(second).json()["error"] == "invalid_grant"  # the old one was used again: all end


def test_cors_for_the_page_only(browser):
    tokens = browser.sign_in()
    answer = browser.refresh(tokens)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert browser.http.get(browser.discovered["jwks_uri"], headers={"Origin": PAGE}).headers["access-control-allow-origin"]
    elsewhere = browser.http.post(browser.discovered["token_endpoint"], headers={"Origin": "http://evil.example"}, data={
        "client_id": CLIENT, "grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]})
    assert elsewhere.status_code == 400 and "access_token" not in elsewhere.text


def test_sign_out(browser):
    tokens = browser.sign_in()
    end = {"post_logout_redirect_uri": PAGE + "/", "state": "bye", "client_id": CLIENT}
    question = browser.http.get(browser.discovered["end_session_endpoint"], params=end)
    assert "Sign out?" in question.text and "sign-out.js" not in question.text  # a mere link is asked about
    known = browser.http.get(browser.discovered["end_session_endpoint"], params={**end, "id_token_hint": tokens["id_token"]})
    assert "sign-out.js" in known.text
    assert browser.submit(known) == {"state": "bye"}
    assert browser.refresh(tokens).json()["error"] == "invalid_grant"
    assert "Sign in" in browser.authorize().text
    away = browser.http.get(browser.discovered["end_session_endpoint"], params={**end, "post_logout_redirect_uri": "http://evil.example/"})
    assert away.status_code == 400


def test_a_restart_signs_nobody_out(start, tmp_path):
    first = start_sign_in(start, tmp_path)
    browser = Browser(first.issuer)
    tokens = browser.sign_in()
    keys = httpx.get(browser.discovered["jwks_uri"]).json()
    first.stop()
    second = start_sign_in(start, tmp_path, listen=f"localhost:{first.port}")
    assert second.issuer == first.issuer
    assert httpx.get(browser.discovered["jwks_uri"]).json() == keys
    assert browser.refresh(tokens).status_code == 200
    assert "code" in browser.authorize()
    browser.close()
    state = tmp_path / "state.json"
    assert state.stat().st_mode & 0o077 == 0 and tmp_path.stat().st_mode & 0o077 == 0


def test_a_kill_keeps_the_keys(start, tmp_path):
    first = start_sign_in(start, tmp_path)
    keys = httpx.get(first.issuer + "/jwks").json()
    first.kill9()
    assert httpx.get(start_sign_in(start, tmp_path).issuer + "/jwks").json() == keys


def test_tokens_for_the_command_line(signin):
    def ask(**form):
        return httpx.post(signin.issuer + "/token", data={"grant_type": "password", "client_id": "omnidata-cli", **form})
    token = ask(username="grace@example.org", password="grace-demo", scope="users.write").json()
    said = claims(token["access_token"])
    assert (said["sub"], said["scope"], said["aud"]) == ("grace", "users.write", "omnidata")
    assert "refresh_token" not in token
    refused = ask(username="ada@example.org", password="grace-demo")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert ask(client_id=CLIENT, username="ada@example.org", password="ada-demo").json()["error"] == "invalid_request"


def test_other_names_of_this_machine_are_refused(signin):
    """A site whose name is made to lead here (DNS rebinding) gets nothing."""
    answer = httpx.get(signin.issuer + "/.well-known/openid-configuration", headers={"Host": f"evil.example:{signin.port}"})
    assert answer.status_code == 421


@pytest.mark.parametrize("args, words", [
    (["--listen=0.0.0.0:0"], "0.0.0.0:0 is not on loopback"),
    (["--listen=[::]:0"], "[::]:0 is not on loopback"),
    (["--listen=192.0.2.1:80"], "is not on loopback"),
    (["--listen=example.org:80"], "is not on loopback"),
    (["--listen=127.evil.example:80"], "is not on loopback"),
    (["--listen=localhost"], "is not HOST:PORT"),
    (["--pages=http://localhost:8080/"], "--pages"),
    (["--access-ttl=soon", "--nonsense=1"], "--nonsense=1: there is no such setting"),
    (["--accounts=/no/such"], "/no/such"),
])
def test_wrong_settings(run, tmp_path, args, words):
    done = run(shutil.which("node"), sign_in_program(), f"--data-dir={tmp_path}/data", *args)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_broken_state_is_left_alone(run, tmp_path):
    (tmp_path / "state.json").write_text("{")
    done = run(shutil.which("node"), sign_in_program(), f"--data-dir={tmp_path}", "--listen=localhost:0")
    assert done.returncode == 2 and f"{tmp_path}/state.json cannot be read" in done.stderr
    assert (tmp_path / "state.json").read_text() == "{"
