"""CORS and the files of the page."""
import gzip
import os

import httpx
import pytest

APP = "https://app.example"


# Rule 23.
def test_preflight(http, upstream):
    answer = http.options("/v1/users/x", headers={"Origin": APP,
                                                  "Access-Control-Request-Method": "PATCH",
                                                  "Access-Control-Request-Headers": "content-type"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
    assert {"authorization", "content-type", "if-match", "idempotency-key", "x-api-key"} <= set(allowed)
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["access-control-max-age"] == "600"
    assert not upstream.calls


# Rule 23.
def test_preflight_of_a_stranger_and_of_nothing(http):
    stranger = http.options("/v1/users", headers={"Origin": "https://evil.example",
                                                  "Access-Control-Request-Method": "GET"})
    assert not [name for name in stranger.headers if name.startswith("access-control")]
    assert stranger.headers["vary"] == "Origin"
    nothing = http.options("/nope", headers={"Origin": APP, "Access-Control-Request-Method": "GET"})
    assert nothing.status_code == 404
    assert nothing.headers["access-control-allow-origin"] == APP


# Rule 23.
@pytest.mark.parametrize("method, path, status", [
    ("GET", "/v1/users/x", 200), ("GET", "/nope", 404), ("PUT", "/v1/users", 405),
    ("GET", "/v1/users?x=1", 400), ("GET", "/healthz", 200), ("GET", "/", 200),
    ("GET", "/v1/users/%ff", 400), ("OPTIONS", "/v1/users", 204)])
def test_every_answer_allows_the_origin(http, upstream, method, path, status):
    answer = http.request(method, path, headers={"Origin": APP})
    assert answer.status_code == status
    assert "access-control-allow-methods" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == APP
    exposed = answer.headers["access-control-expose-headers"].lower()
    for name in ("etag", "location", "retry-after", "x-request-id"):
        assert name in exposed
    assert "Origin" in answer.headers["vary"]


# Rule 23.
def test_no_cors_unless_configured(start, upstream):
    from conftest import settings
    gateway = start("omni-gateway", *settings(upstream))
    for answer in (httpx.get(f"http://{gateway.address}/v1/users/x", headers={"Origin": APP}),
                   httpx.options(f"http://{gateway.address}/v1/users", headers={
                       "Origin": APP, "Access-Control-Request-Method": "GET"})):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "Origin" not in answer.headers.get("vary", "")


def test_files(http, site):
    answer = http.get("/", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.text == (site / "index.html").read_text()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    types = {"/js/main.js": "text/javascript; charset=utf-8", "/small.css": "text/css; charset=utf-8",
             "/blob.bin": "application/octet-stream"}
    for path, content_type in types.items():
        assert http.get(path).headers["content-type"] == content_type
    assert http.get("/blob.bin").content == (site / "blob.bin").read_bytes()
    assert http.get("/index.html").content == http.get("/").content


def test_gzip(http, site):
    raw = http.build_request("GET", "/js/main.js", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    answer = http.send(raw, stream=True)
    body = b"".join(answer.iter_raw())
    answer.close()
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == (site / "js/main.js").read_bytes()
    assert int(answer.headers["content-length"]) == len(body) < 2000
    assert "Accept-Encoding" in answer.headers["vary"]
    plain = http.get("/js/main.js", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["vary"]
    assert plain.headers["etag"] != answer.headers["etag"]
    assert "content-encoding" not in http.get("/small.css").headers


def test_revalidation(http, site, wait_until):
    first = http.get("/small.css")
    assert first.headers["cache-control"] == "no-cache"
    again = http.get("/small.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    (site / "small.css").write_text("b{}")
    seen = wait_until(lambda: (lambda a: a if a.text == "b{}" else None)(http.get("/small.css")))
    assert seen.headers["etag"] != first.headers["etag"]
    (site / "new.txt").write_text("new")
    assert http.get("/new.txt").text == "new"
    os.unlink(site / "new.txt")
    wait_until(lambda: http.get("/new.txt").status_code == 404)


# Rule 20.
def test_if_match_of_files(http):
    etags = [http.get("/js/main.js", headers={"Accept-Encoding": coding}).headers["etag"]
             for coding in ("gzip", "identity")]
    assert etags[0] != etags[1]
    for known in (*etags, "*", f'"x", {etags[0]}'):
        assert http.get("/js/main.js", headers={"If-Match": known}).status_code == 200, known
    for known in ('"x"', '""', f"W/{etags[1]}", "x", ""):
        answer = http.get("/js/main.js", headers={"If-Match": known, "If-None-Match": "*"})
        assert answer.status_code == 412, known
        assert answer.json()["error"]["details"][0]["reason"] == "ETAG_MISMATCH"
        assert http.head("/js/main.js", headers={"If-Match": known}).status_code == 412
    assert http.get("/nothing.js", headers={"If-Match": "*"}).status_code == 404
    both = http.get("/js/main.js", headers={"If-Match": "*", "If-None-Match": "*"})
    assert both.status_code == 304


def test_page_config(start, shared_upstream, site, tmp_path, wait_until):
    """One file from elsewhere, and other origins in the policy: that is all a page's set-up needs."""
    from conftest import settings
    config = tmp_path / "page.json"
    config.write_text('{"apiKey": "a"}')
    link = tmp_path / "link.json"
    link.symlink_to(config)
    gateway = start("omni-gateway", *settings(
        shared_upstream, frontend_dir=site, page_config=link,
        page_origins="https://issuer.example, http://localhost:9400"))
    with httpx.Client(base_url=f"http://{gateway.address}") as client:
        answer = client.get("/config.json")
        assert answer.json() == {"apiKey": "a"}
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-cache"
        policy = dict(part.strip().split(" ", 1) for part in
                      client.get("/").headers["content-security-policy"].split(";"))
        assert policy["connect-src"] == "'self' https://issuer.example http://localhost:9400"
        assert policy["script-src"] == "'self'"
        config.write_text('{"apiKey": "other"}')
        wait_until(lambda: client.get("/config.json").json() == {"apiKey": "other"})


def test_without_page_config(http, site):
    assert http.get("/config.json").status_code == 404
    assert "connect-src 'self';" in http.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("path", [
    "/../secret.txt", "/js/../../secret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt",
    "/..%2fsecret.txt", "/js/..%2f..%2fsecret.txt", "/.hidden", "/%2ehidden", "/out.txt",
    "/outdir/secret.txt", "/index.html%00.txt", "/index.html%00", "/js", "/js/", "//index.html",
    "/./index.html", "/js//main.js", "/index.html/", "/etc/passwd", "/%2fetc%2fpasswd",
    "/index.html%2f..%2f..%2fsecret.txt", "/" + "a" * 2000, "/\\..\\secret.txt", "/%5c..%5csecret.txt",
])
def test_nothing_else_can_be_reached(gateway, path):
    import json
    import socket
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) in (400, 404)
    assert b"secret" not in body and b"hidden" not in body
    assert "error" in json.loads(body)
