"""The gateway behind TLS: HTTP/2 and HTTP/1.1 say the same, certificates are named when wrong."""
import json
import subprocess

import httpx
import pytest


@pytest.fixture(scope="module")
def secure(module_start, shared_upstream, site, authority):
    from conftest import settings
    return module_start("omni-gateway", *settings(
        shared_upstream, frontend_dir=site, heartbeat="300ms",
        tls_cert=authority.folder / "localhost.pem", tls_key=authority.folder / "localhost.key"))


@pytest.fixture(scope="module", params=[False, True], ids=["http1", "http2"])
def client(request, secure, authority):
    with httpx.Client(http2=request.param, verify=str(authority.ca), timeout=60,
                      base_url=f"https://localhost:{secure.port}") as made:
        made.version = "HTTP/2" if request.param else "HTTP/1.1"
        yield made


def test_calls(client, upstream):
    answer = client.get("/v1/users/x")
    assert (answer.status_code, answer.http_version) == (200, client.version)
    assert answer.headers["x-request-id"] and answer.json()
    refused = client.get("/v1/users?nope=1")
    assert refused.status_code == 400 and refused.json()["error"]["status"] == "INVALID_ARGUMENT"


# Rule 4.
def test_errors_of_the_engine_look_like_all_others(client):
    answer = client.get("/v1/users/x", headers={"X-Long": "a" * 40000})
    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == 431 and answer.headers["x-request-id"]


def test_files(client, site):
    answer = client.get("/js/main.js")
    assert answer.text == (site / "js" / "main.js").read_text()
    assert client.get("/js/main.js",
                      headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_bodies(client, upstream):
    answer = client.post("/v1/users", json={"email": "a@b.c", "displayName": "x" * 50000})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_bodies_that_are_too_large(secure, authority, tmp_path, version):
    """curl, since httpx on HTTP/2 does not read an answer that comes before its request's end."""
    (tmp_path / "body").write_bytes(b" " * (2 << 20))
    done = subprocess.run(
        ["curl", "-sS", version, "--cacert", authority.ca, f"https://localhost:{secure.port}/v1/users",
         "-H", "Content-Type: application/json", "--data-binary", f"@{tmp_path}/body"],
        capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout)["error"]["code"] == 413


# Rule 5.
def test_client_certificates(start, shared_upstream, authority):
    from conftest import settings
    gateway = start("omni-gateway", *settings(
        shared_upstream, tls_cert=authority.folder / "localhost.pem",
        tls_key=authority.folder / "localhost.key", tls_client_ca=authority.ca, tls_client_auth="required"))
    url = f"https://localhost:{gateway.port}/healthz"
    cert, key = authority.issue("alice")
    assert httpx.get(url, verify=str(authority.ca), cert=(str(cert), str(key))).status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=str(authority.ca))


@pytest.mark.parametrize("settings_, named", [
    ({"tls_cert": "nowhere.pem", "tls_key": "nowhere.key"}, "nowhere.pem"),
    ({"tls_key": "only.key"}, "needs a certificate file and a key file")])
def test_wrong_files_are_named(run, shared_upstream, settings_, named):
    from conftest import settings
    done = run("omni-gateway", *settings(shared_upstream, **settings_))
    assert done.returncode == 2
    assert "--tls-cert" in done.stderr and named in done.stderr
