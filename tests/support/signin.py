"""The development sign-in as a running program, and a client that signs in as a browser would."""
import base64
import hashlib
import html
import json
import re
import secrets
import shutil
import urllib.parse

import httpx

from support.programs import page_dir

CLIENT = "omnidata-page"
SCOPE = "openid profile email users.write admin"


def sign_in_program():
    return page_dir().parent / "dev-signin" / "main.js"


def start_sign_in(start, data_dir, page="http://localhost:8080", **settings):
    """The program, listening; .issuer is its address as tokens name it."""
    values = {"listen": "localhost:0", "data-dir": data_dir, "pages": page,
              **{name.replace("_", "-"): value for name, value in settings.items()}}
    node = shutil.which("node")
    assert node and sign_in_program().is_file(), "make frontend"
    program = start(node, sign_in_program(), *(f"--{name}={value}" for name, value in values.items()))
    program.issuer = program.events("listening")[0]["issuer"]
    return program


def page_config(issuer, key):
    """What the page is told, as scripts/run tells it."""
    return {"apiKey": key, "signIn": {"authority": issuer, "clientId": CLIENT, "scope": SCOPE}}


def command_line_token(issuer, email, password):
    answer = httpx.post(issuer + "/token", data={"grant_type": "password", "client_id": "omnidata-cli",
                                                 "username": email, "password": password})
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def claims(token):
    """What a token says; nothing is verified."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


class Browser:
    """Follows the sign-in's pages with a cookie jar, as a person without scripts would."""

    def __init__(self, issuer, page="http://localhost:8080"):
        self.issuer = issuer
        self.page = page
        self.http = httpx.Client(timeout=60)
        self.discovered = self.http.get(issuer + "/.well-known/openid-configuration").json()

    def close(self):
        self.http.close()

    def authorize(self, **more):
        """Asks for a code; where that leads: the sign-in page, or the page's address with the answer."""
        self.verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        query = {"client_id": CLIENT, "response_type": "code", "redirect_uri": self.page + "/", "scope": SCOPE,
                 "state": "s1", "nonce": "n1", "code_challenge": challenge, "code_challenge_method": "S256", **more}
        url = self.discovered["authorization_endpoint"] + "?" + urllib.parse.urlencode(
            {name: value for name, value in query.items() if value is not None})
        return self.follow(self.http.get(url))

    def follow(self, answer):
        while answer.is_redirect:
            target = answer.headers["location"]
            if target.startswith(self.page):
                parts = urllib.parse.urlsplit(target)
                return dict(urllib.parse.parse_qsl(parts.query or parts.fragment))
            answer = self.http.get(urllib.parse.urljoin(str(answer.url), target))
        return answer

    def submit(self, answer, index=0, **fields):
        """Sends the index-th form of a page with what it holds and `fields`."""
        form = re.findall(r"<form.*?</form>", answer.text, re.S)[index]
        action = html.unescape(re.search(r'action="([^"]*)"', form).group(1))
        held = {re.search(r'name="([^"]*)"', field).group(1): html.unescape((re.search(r'value="([^"]*)"', field) or ["", ""])[1])
                for field in re.findall(r"<input[^>]*>", form)}
        return self.follow(self.http.post(urllib.parse.urljoin(str(answer.url), action), data={**held, **fields}))

    def token(self, **form):
        return self.http.post(self.discovered["token_endpoint"], data={"client_id": CLIENT, **form},
                              headers={"Origin": self.page})

    def sign_in(self, email="ada@example.org", password="ada-demo", **more):
        """All of it; the answer of the token endpoint."""
        result = self.authorize(**more)
        if not isinstance(result, dict):
            result = self.submit(result, email=email, password=password)
        assert isinstance(result, dict) and "code" in result, getattr(result, "text", result)
        answer = self.token(grant_type="authorization_code", code=result["code"], code_verifier=self.verifier,
                            redirect_uri=self.page + "/")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self, tokens):
        return self.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
