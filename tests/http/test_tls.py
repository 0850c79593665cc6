"""TLS: versions, certificates that change, tickets, client certificates, broken handshakes."""
import contextlib
import socket
import ssl
import subprocess
import threading

import httpx
import pytest

import tls_keys
from h2_client import Client
from support.raw_client import Closed, Raw
from support.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(module_start, authority):
    certificate, key = authority.issue("localhost")
    return module_start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}",
                        "--header-time=500ms")


def context_of(authority, *protocols, version=None):
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.set_alpn_protocols(list(protocols) or ["http/1.1"])
    if version:
        context.minimum_version = context.maximum_version = version
    return context


# Rule 5.
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(server, authority, version):
    with Raw(server.port, tls=context_of(authority, version=version)) as raw:
        assert raw.get("/hello").response().body == b"hello, world\n"


# Rule 5.
def test_old_versions_are_refused(server, authority):
    context = context_of(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Raw(server.port, tls=context)


@pytest.mark.parametrize("offered, chosen", [
    (["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"),
    (["http/1.0", "http/1.1"], "http/1.1")])
def test_protocol_is_agreed_on(server, authority, offered, chosen):
    with Raw(server.port, tls=context_of(authority, *offered)) as raw:
        assert raw.socket.selected_alpn_protocol() == chosen


def test_without_alpn_it_is_http_1_1(server, authority):
    context = ssl.create_default_context(cafile=str(authority.ca))
    with Raw(server.port, tls=context) as raw:
        assert raw.get("/hello").response().status == 200


def test_foreign_protocols_are_refused(server, authority):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Raw(server.port, tls=context_of(authority, "spdy/3"))


def test_what_is_no_tls_is_closed(server):
    with Raw(server.port) as raw:
        raw.get("/hello")
        with pytest.raises((Closed, ConnectionResetError)):
            raw.response()


def test_a_slow_handshake_is_closed(server):
    with Raw(server.port) as raw:
        raw.send(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello, and no more
        assert raw.rest() == b""


def test_good_byes_are_said(server, authority):
    """A missing close_notify would be an SSLEOFError: the client asked to be told."""
    with Raw(server.port, tls=context_of(authority)) as raw:
        raw.get("/hello", headers="Connection: close\r\n")
        assert raw.response().body == b"hello, world\n"
        raw.expect_close()


def test_large_bodies_both_ways(server, authority):
    body = bytes(range(256)) * 4000
    with httpx.Client(verify=str(authority.ca), base_url=f"https://localhost:{server.port}") as http:
        assert http.post("/echo", content=body).json()["body_hex"] == body.hex()
        assert len(http.get("/big?size=20000000").content) == 20000000
        assert len(http.get("/stream?n=100&size=5000").content) == 500000


def test_a_reader_that_pauses_gets_all(server, authority):
    """The socket fills up while records wait: nothing is lost or written twice."""
    with Raw(server.port, receive_buffer=4096, tls=context_of(authority)) as raw:
        for i in range(20):
            raw.get(f"/big?size={100000 + i}")
        for i in range(20):
            assert len(raw.response().body) == 100000 + i


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_an_idle_connection_keeps_nothing_of_a_large_answer(start, authority, protocol):
    certificate, key = authority.issue("localhost")
    server = start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}", "--threads=1",
                   env={"ASAN_OPTIONS": "quarantine_size_mb=1"})
    context = context_of(authority, protocol)

    def get(client, path):
        answer = client.get(path) if protocol == "h2" else client.get(path).response()
        assert answer.status == 200

    kept = [(Client if protocol == "h2" else Raw)(server.port, tls=context) for _ in range(150)]
    for size in (1, 100_000):
        get(kept[0], f"/big?size={size}")
    for client in kept[1:]:
        get(client, "/hello")
    before = server.rss_kib("RssAnon")
    for client in kept[1:]:
        get(client, "/big?size=100000")
    grown = (server.rss_kib("RssAnon") - before) / len(kept)
    for client in kept:
        client.socket.close()
    assert grown < 40, f"{grown:.0f} KiB a connection"


def test_clients_that_leave_in_the_middle(start, authority):
    """What is still to be read and what is still to be written meet a socket that is gone."""
    certificate, key = authority.issue("localhost")
    server = start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}", "--threads=1")
    context = context_of(authority)

    def leave_often(count):
        for i in range(count):
            with contextlib.suppress(OSError):
                raw = Raw(server.port, tls=context)
                raw.get("/big?size=200000").get("/big?size=200000").get("/big?size=200000")
                if i % 2:
                    raw.socket.recv(10)
                if i % 3:
                    raw.close()
                else:
                    raw.reset()

    threads = [threading.Thread(target=leave_often, args=(80,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Raw(server.port, tls=context) as raw:
        raw.expect_open()


# Rule 5.
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_resume_sessions(server, authority, version):
    context = context_of(authority, version=version)
    with Raw(server.port, tls=context) as raw:
        raw.expect_open()
        session = raw.socket.session
    again = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                server_hostname="localhost", session=session)
    assert again.session_reused
    again.close()


# --- new keys within a connection ---

@pytest.fixture
def begin(start, authority):
    certificate, key = authority.issue("localhost")
    return lambda *limits: start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}",
                                 *limits).port


def test_keys_are_renewed_both_ways(server):
    with tls_keys.Client(server.port) as client:
        for times in (1, 20, 2000):
            client.renew(times).write(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").renew(times)
            client.socket.sendall(client.made())
            assert client.read(b"hello, world\n").startswith(b"HTTP/1.1 200 OK\r\n")


# Rule 2: replies that TLS makes by itself keep no connection.
def test_who_renews_keys_and_says_nothing_is_idle(begin):
    with tls_keys.Client(begin("--idle-time=300ms")) as client:
        client.renew(3)
        client.socket.sendall(client.made())  # with the handshake's end, in one piece
        while client.feed():
            pass


# Rule 2: nothing is read from a client that does not take what its bytes make the server send.
def test_who_renews_keys_and_takes_no_replies_is_not_read_from(begin):
    with tls_keys.Client(begin(), receive_buffer=4096) as client:
        client.write(b"GET /big?size=20000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.socket.sendall(client.made())
        client.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            for _ in range(2000):
                client.socket.sendall(client.renew(200).made())


# Rule 5.
def test_ticket_keys_are_renewed(start, authority, wait_until):
    certificate, key = authority.issue("localhost")
    server = start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}", "--tls-ticket-time=1s")
    context = context_of(authority, version=ssl.TLSVersion.TLSv1_2)
    with Raw(server.port, tls=context) as old:
        old.expect_open()
        session = old.socket.session

        def resumes():
            with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                     server_hostname="localhost", session=session) as again:
                return again.session_reused

        wait_until(lambda: not resumes())
        old.expect_open()
    assert "tls.tickets" not in server.stderr and "tls.reloaded" not in server.stderr


# Rule 5.
def test_certificates_change_without_a_restart(start, wait_until, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("first", stem="server")
    server = start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}")
    context = context_of(authority, version=ssl.TLSVersion.TLSv1_2)

    def subject():
        with Raw(server.port, tls=context) as raw:
            raw.expect_open()
            return raw.socket.getpeercert()["subject"][0][0][1]

    assert subject() == "first"
    with Raw(server.port, tls=context) as old:
        session = old.socket.session
        authority.issue("second", stem="server")
        wait_until(lambda: subject() == "second")
        old.expect_open()  # who is connected stays connected
    again = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                server_hostname="localhost", session=session)
    assert again.session_reused  # tickets outlive the certificate
    again.close()
    key.write_text("no key")
    wait_until(lambda: "tls.reload" in server.stderr and '"level":"warn"' in server.stderr)
    assert subject() == "second"  # what cannot be read does not replace what can


# Rule 5.
@pytest.mark.parametrize("required", [False, True])
def test_client_certificates(start, tmp_path, required):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    server = start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}",
                   f"--tls-client-ca={authority.ca}", f"--tls-client-required={str(required).lower()}")
    context = context_of(authority)
    context.load_cert_chain(*authority.issue("alice"))
    with Raw(server.port, tls=context) as raw:
        raw.get("/echo")
        assert '"client":"CN=alice"' in raw.response().body.decode()
    (tmp_path / "other").mkdir()
    stranger = context_of(authority)
    stranger.load_cert_chain(*Authority(tmp_path / "other", "a stranger").issue("mallory"))
    for context in [stranger] + ([context_of(authority)] if required else []):
        with pytest.raises((ssl.SSLError, ConnectionResetError, Closed)):
            Raw(server.port, tls=context).get("/echo").response()
    if not required:
        with Raw(server.port, tls=context_of(authority)) as raw:
            raw.get("/echo")
            assert '"client":""' in raw.response().body.decode()


# Rule 5.
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_do_not_outlive_an_authority(start, wait_until, tmp_path, version):
    """Who resumes shows no certificate again: what was trusted once must not be trusted for ever."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "the next authority")
    clients = tmp_path / "clients.pem"
    clients.write_bytes(authority.ca.read_bytes())
    server = start("http_peer", f"--tls-cert={certificate}", f"--tls-key={key}",
                   f"--tls-client-ca={clients}", "--tls-client-required=true")
    context = context_of(authority, version=version)
    context.load_cert_chain(*authority.issue("alice"))
    with Raw(server.port, tls=context) as raw:
        raw.expect_open()
        session = raw.socket.session

    def comes_in():
        try:
            with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                     server_hostname="localhost", session=session) as again:
                again.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                return again.recv(100) != b""
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            return False

    assert comes_in()
    clients.write_bytes(other.ca.read_bytes())
    wait_until(lambda: "tls.reloaded" in server.stderr)
    assert not comes_in()


@pytest.mark.parametrize("cert, key, text", [
    ("missing.pem", "localhost.key", "missing.pem: no certificate could be read"),
    ("localhost.pem", "missing.key", "missing.key: no key could be read"),
    ("localhost.pem", "ca.key", "ca.key: no key could be read that fits the certificate"),
    ("localhost.pem", "", "needs a certificate file and a key file")])
def test_wrong_files_are_named(authority, out, cert, key, text):
    authority.issue("localhost")
    done = subprocess.run([out / "tests/programs/http_peer", f"--tls-cert={authority.folder / cert}",
                           f"--tls-key={authority.folder / key if key else ''}"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert text in done.stderr


def test_nothing_was_left_behind(server, authority):
    context = context_of(authority)
    with Raw(server.port, tls=context) as raw:
        raw.get("/stats", headers="Connection: close\r\n")
        seen = raw.response().body.decode()
    assert '"in_flight":1,' in seen
