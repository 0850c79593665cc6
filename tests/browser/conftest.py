"""One browser for all tests of the page, and the system under it.

With OMNI_BASE_URL the tests run against a real gateway; without, against fake_api.py serving the
page that `make frontend` built ($OMNI_OUT/../frontend).
"""
import json
import os
import pathlib
import sys
import urllib.request

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import fake_api  # noqa: E402
from browser import chromium, set_view  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: drives the page in a real browser")


class System:
    """What the page talks to, and a second client that talks to it behind the page's back."""

    def __init__(self, url, fake=None):
        self.url = url.rstrip("/")
        self.fake = fake

    def call(self, method, path, body=None, headers=None):
        request = urllib.request.Request(self.url + path, method=method, headers=dict(headers or {}),
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


@pytest.fixture(scope="session")
def running():
    url = os.environ.get("OMNI_BASE_URL")
    if url:
        yield System(url)
        return
    out = pathlib.Path(os.environ.get("OMNI_OUT", "build/release"))
    root = out.parent / "frontend"
    assert (root / "index.html").is_file(), f"{root} is not there: make frontend"
    fake = fake_api.FakeApi(seed=3)
    fake.fill(users=120)
    server = fake_api.start(root, fake)
    yield System(f"http://127.0.0.1:{server.server_address[1]}", fake)
    server.shutdown()


@pytest.fixture
def system(running):
    yield running
    if running.fake:
        running.fake.analytics_down = False
        running.fake.lose_next_answer = False
        running.fake.search_delay_s.clear()


@pytest.fixture
def page(driver, system):
    set_view(driver, 1440, 1000)
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get(system.url + "/")
    return driver
