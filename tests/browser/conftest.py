"""One browser for all tests of the page, and the systems under it.

`memory` is fake_api.py; `real` is OMNI_BASE_URL (a `make run`), or the three programs when they are
built (`make browser` builds them), with the development sign-in. A module that names SYSTEMS runs on
those only. On the real system an administrator is signed in, unless a test asks for `guarded`.
"""
import json
import os
import pathlib
import sys
import urllib.parse
import urllib.request
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import fake_api  # noqa: E402
from chrome import chromium, set_view  # noqa: E402
from page_steps import ADMINISTRATOR, knows_who, sign_in, unique  # noqa: E402


BASE_URL = os.environ.get("OMNI_BASE_URL")
OUT = pathlib.Path(os.environ.get("OMNI_OUT", "build/release"))
PAGE = pathlib.Path(os.environ.get("OMNI_PAGE", OUT.parent / "frontend"))


def pytest_generate_tests(metafunc):
    if "running" in metafunc.fixturenames:
        real = BASE_URL or (OUT / "bin" / "omni-gateway").is_file()
        systems = getattr(metafunc.module, "SYSTEMS", ("memory", "real") if real else ("memory",))
        metafunc.parametrize("running", systems, indirect=True, scope="module")


class System:
    """What the page talks to, and a second client that talks to it behind the page's back."""

    def __init__(self, url, fake=None):
        self.url = url.rstrip("/")
        self.fake = fake
        self.headers = {}  # of the second client

    def call(self, method, path, body=None, headers=None):
        request = urllib.request.Request(self.url + path, method=method, headers={**self.headers, **(headers or {})},
                                         data=None if body is None else json.dumps(body).encode())
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=15) as response:
            text = response.read()
        return json.loads(text) if text else None

    def create(self, name, email, **more):
        return self.call("POST", "/v1/users", {"displayName": name, "email": email, **more})

    def find(self, query):
        return self.call("GET", "/v1/users:search?query=" + urllib.parse.quote(query)).get("users", [])


@pytest.fixture(scope="session")
def driver():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def running(request):
    assert (PAGE / "index.html").is_file(), f"{PAGE} is not there: make frontend"
    if request.param == "real":
        yield from real_system(request)
        return
    fake = fake_api.FakeApi(seed=3)
    fake.fill(users=120)
    server = fake_api.start(PAGE, fake)
    yield System(f"http://127.0.0.1:{server.server_address[1]}", fake)
    server.shutdown()


def start_real_system(request):
    """The programs, guarded as `make run` guards them; the gateway's address."""
    import socket
    from support.signin import page_config, start_sign_in
    from support.stack import Stack
    start = request.getfixturevalue("module_start")
    stack = Stack(start, request.getfixturevalue("tmp_path_factory").mktemp("page"))
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    provider = start_sign_in(start, stack.directory / "signin", f"http://127.0.0.1:{port}")
    stack.start_analytics()
    stack.start_user()
    stack.key = stack.make_key(public=True)
    config = stack.directory / "page-config.json"
    config.write_text(json.dumps(page_config(provider.issuer, stack.key)))
    stack.settings["gateway"].update({
        "listen": f"127.0.0.1:{port}", "frontend-dir": PAGE, "page-config": config, "page-origins": provider.issuer,
        "issuers": f"{provider.issuer};audience=omnidata"})
    stack.start_gateway()
    request.addfinalizer(stack.close)
    return stack.url


def real_system(request):
    from support.signin import command_line_token
    url = BASE_URL or start_real_system(request)
    system = System(url)
    config = system.call("GET", "/config.json")
    system.headers = {"X-API-Key": config["apiKey"], "Authorization": "Bearer " + command_line_token(
        config["signIn"]["authority"], *ADMINISTRATOR)}
    # The page needs more than two pages of users, and trends that have something to show.
    for i in range(60 - len(system.call("GET", "/v1/users?pageSize=60").get("users", []))):
        word = uuid.uuid4().hex[:8]
        system.create(f"Anna {word.capitalize()}", f"{word}@example.org", labels={"seed": str(i)})
    for query in ("anna", "nobody-of-this-name"):
        system.find(query)
    yield system


@pytest.fixture(scope="module")
def signing_in(module_start, tmp_path_factory, running):
    """`running`, set up for signing in, as the real system is from the start."""
    if running.fake:
        from support.signin import page_config, start_sign_in
        provider = start_sign_in(module_start, tmp_path_factory.mktemp("signin"), running.url)
        running.fake.origins = [provider.issuer]
        running.fake.config = page_config(provider.issuer, "page-key")
    return running


@pytest.fixture
def guarded(signing_in, page):
    """A system with a key and a sign-in, where nobody is signed in: neither here nor at the provider."""
    page.execute_cdp_cmd("Network.clearBrowserCookies", {})
    page.execute_script("sessionStorage.clear()")
    page.get("about:blank")
    page.get(signing_in.url + "/")
    yield signing_in
    if signing_in.fake:
        signing_in.fake.refuse_tokens = False
        signing_in.fake.limit_left = 0


@pytest.fixture
def person(system):
    """A user of this test's own, and the word that finds it."""
    word = unique("pat")
    return system.create(f"Pát {word.capitalize()}", f"{word}@example.org", labels={"team": "data"}), word


@pytest.fixture
def system(running):
    yield running
    if running.fake:
        running.fake.analytics_down = False
        running.fake.lose_next_answer = False
        running.fake.search_delay_s.clear()


@pytest.fixture
def page(driver, system, request):
    set_view(driver, 1440, 1000)
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get(system.url + "/")
    if not system.fake and "guarded" not in request.fixturenames and not knows_who(driver):
        sign_in(driver, *ADMINISTRATOR)
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(system.url + "/")
    return driver
