"""Chromium on the gateway's TLS: everything of the page travels by HTTP/2."""
import pytest

from chrome import chromium
from support.certificates import Authority

pytestmark = pytest.mark.browser


def test_the_page_travels_by_http2(new_stack, tmp_path):
    certificate, key = Authority(tmp_path).issue("localhost")
    stack = new_stack()
    stack.settings["gateway"].update({"tls-cert": certificate, "tls-key": key})
    stack.start()
    with chromium("--ignore-certificate-errors") as browser:
        browser.get(f"https://localhost:{stack.gateway.port}/")
        assert browser.title == "OmniData"
        protocols = browser.execute_script(
            "return performance.getEntries().filter((e) => e.nextHopProtocol !== undefined)"
            ".map((e) => [e.name, e.nextHopProtocol])")
        assert len(protocols) > 5 and {protocol for _, protocol in protocols} == {"h2"}, protocols
        status = browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "fetch('/v1/users', {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}})"
            ".then((answer) => done(answer.status), (error) => done(String(error)))")
        assert status == 403  # refused before its body was read, and yet the answer arrives
        assert not browser.execute_script("return window.violations")
