"""An OpenID Connect issuer for tests: discovery, a key set, tokens of every kind, and bad days.

Signatures are made by python3-cryptography, which shares no code with the gateway. Use the `issuer`
fixture (tests/conftest.py), or Issuer() and .stop().
"""
import base64
import functools
import json
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from support.certificates import Authority

AUDIENCE = "omnidata"
DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def compact(value):
    """JSON text of a dict; text and bytes are what they are."""
    if isinstance(value, (bytes, str)):
        return value if isinstance(value, bytes) else value.encode()
    return json.dumps(value, separators=(",", ":")).encode()


class Key:
    """A private key with an id: RS256, ES256 or EdDSA by its kind."""

    def __init__(self, kid, kind="EC", bits=2048):
        self.kid, self.kind = kid, kind
        self.algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[kind]
        if kind == "RSA":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        elif kind == "EC":
            self.private = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()

    def jwk(self, **more):
        public = self.private.public_key()
        if self.kind == "RSA":
            numbers = public.public_numbers()
            jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif self.kind == "EC":
            numbers = public.public_numbers()
            jwk = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        else:
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        return {**jwk, "kid": self.kid, "alg": self.algorithm, "use": "sig", **more}

    def pem(self):
        """The public key as it is used when an RSA key is mistaken for an HMAC secret."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data):
        if self.kind == "RSA":
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if self.kind == "EC":
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(data)


@functools.lru_cache(maxsize=None)
def key(kid, kind="EC", bits=2048):
    """Keys are made once a run: RSA keys take their time."""
    return Key(kid, kind, bits)


def token(signer, header, claims, sign=None):
    """header.claims.signature of anything: dicts, texts, bytes."""
    signed = f"{b64(compact(header))}.{b64(compact(claims))}"
    return f"{signed}.{b64((sign or signer.sign)(signed.encode()))}"


def hs256(secret):
    """A `sign` for token(): HMAC with these bytes."""
    def sign(data):
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(data)
        return mac.finalize()
    return sign


class Issuer:
    """.url and .setting for the gateway; .mint() a token; .keys, .status, .body, .delay_s to change
    what it answers; .asked counts requests by path; .stop() and .start() keep the port."""

    def __init__(self, keys=None, tls_dir=None):
        self.keys = keys or [key("ec1"), key("rsa1", "RSA"), key("ed1", "OKP")]
        self.status, self.body, self.delay_s = {}, {}, 0  # by path
        self.asked = {}
        self.agents = set()
        self.name = None  # what the discovery document says; None: the truth
        self.ca_file = None
        self._context = self._certify(tls_dir) if tls_dir else None
        self._server = self._thread = None
        self._connections = []
        self._port = 0
        self._released = threading.Event()
        self.start()

    # --- the server ---

    def start(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                issuer._answer(self)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

            def process_request(self, request, client_address):
                issuer._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, request, client_address):
                pass  # clients that go away in the middle are part of the tests

        self._released.clear()
        self._connections = []
        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        if self._context:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self):
        if self._server:
            self._released.set()
            self._server.shutdown()
            self._server.server_close()
            for connection in self._connections:  # kept ones would go on being answered
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # closed already
            self._thread.join()
            self._server = None

    @property
    def url(self):
        return f"{'https' if self._context else 'http'}://localhost:{self._port}"

    @property
    def setting(self):
        """For --issuers."""
        return f"{self.url};audience={AUDIENCE}"

    def _answer(self, handler):
        path = handler.path
        self.asked[path] = self.asked.get(path, 0) + 1
        self.agents.add(handler.headers.get("User-Agent"))
        self._released.wait(self.delay_s)
        documents = {DISCOVERY: {"issuer": self.name or self.url, "jwks_uri": self.url + KEYS},
                     KEYS: {"keys": [k.jwk() for k in self.keys]}}
        status = self.status.get(path, 200 if path in documents else 404)
        body = self.body.get(path, documents.get(path, {}))
        body = body if isinstance(body, bytes) else compact(body)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        if status in (301, 302, 307, 308):
            handler.send_header("Location", self.url + KEYS)
        handler.end_headers()
        handler.wfile.write(body)

    def _certify(self, directory):
        """A certificate for localhost; .ca_file is what trusts it."""
        authority = Authority(directory)
        self.ca_file = authority.ca
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("localhost"))
        return context

    # --- tokens ---

    def claims(self, **more):
        """The claims of a good access token for five minutes; None takes a claim out."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": "ada", "aud": AUDIENCE, "iat": now, "exp": now + 300,
                  "scope": "openid users.write", **more}
        return {name: value for name, value in claims.items() if value is not None}

    def mint(self, signer=None, header=None, **more):
        """A signed token: mint(sub="bob", scope="admin"); header= replaces members of the header."""
        signer = signer or self.keys[0]
        first = {"alg": signer.algorithm, "kid": signer.kid, "typ": "at+jwt", **(header or {})}
        first = {name: value for name, value in first.items() if value is not None}
        return token(signer, first, self.claims(**more))

    def bearer(self, *args, **more):
        """The header of a request: httpx.post(…, headers=issuer.bearer(scope="admin"))."""
        return {"Authorization": f"Bearer {self.mint(*args, **more)}"}
