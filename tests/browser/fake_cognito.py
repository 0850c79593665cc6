"""Amazon Cognito's hosted sign-in in memory, with the quirks that matter to a page.

Two origins, as there: the issuer, which has the discovery document and nothing else, and the
domain, which has the pages and the token endpoint. There is no end_session_endpoint, and /logout
wants client_id and logout_uri and nothing of OpenID Connect's. Access tokens have no audience; both
kinds of token say what they are in token_use. Scopes that the client has not are refused, offline_access
included, and so are parameters that are not known. A refresh gives no new refresh token.
"""
import base64
import hashlib
import html
import json
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLIENT = "7kq0cognitoclient"
SCOPES = {"openid", "email", "profile", "phone", "omnidata/users.write"}
KNOWN = {"client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method", "nonce"}


def jwt(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return f"{part({'alg': 'RS256', 'kid': 'k1'})}.{part(claims)}.{base64.urlsafe_b64encode(b'signature').decode().rstrip('=')}"


class FakeCognito:
    def __init__(self, page):
        self.page = page
        self.codes = {}
        self.refresh_tokens = {}
        self.signed_in = False
        self.refused = []  # what a real one would have refused
        self.refreshes = 0
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cognito": self, "part": part}))
                        for part in ("issuer", "domain")]
        self.issuer, self.domain = (f"http://127.0.0.1:{server.server_address[1]}" for server in self.servers)
        self.issuer += "/eu-central-1_Pool"
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def discovery(self):
        return {"issuer": self.issuer, "authorization_endpoint": self.domain + "/oauth2/authorize",
                "token_endpoint": self.domain + "/oauth2/token", "userinfo_endpoint": self.domain + "/oauth2/userInfo",
                "jwks_uri": self.issuer + "/.well-known/jwks.json", "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}

    def tokens(self, nonce, scope, auth_time, **more):
        now = int(time.time())
        shared = {"sub": "1f2e-ada", "iss": self.issuer, "iat": now, "auth_time": auth_time, "exp": now + 3600,
                  "origin_jti": "o", "jti": secrets.token_hex(8), "event_id": "e"}
        identity = {**shared, "aud": CLIENT, "token_use": "id", "email": "ada@example.org", "email_verified": True,
                    "cognito:username": "ada", "given_name": "Ada", **({"nonce": nonce} if nonce else {})}
        access = {**shared, "client_id": CLIENT, "token_use": "access", "version": 2, "scope": scope, "username": "ada"}
        return {"id_token": jwt(identity), "access_token": jwt(access), "expires_in": 3600, "token_type": "Bearer", **more}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cognito = None
    part = None

    def log_message(self, *args):
        pass

    def send(self, status, body=b"", content_type="application/json", **headers):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, what):
        self.cognito.refused.append(what)
        self.send(400, {"error": what})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if self.part == "issuer":
            if url.path == "/eu-central-1_Pool/.well-known/openid-configuration":
                self.send(200, self.cognito.discovery(), Access_Control_Allow_Origin="*")
            else:
                self.send(404)
        elif url.path == "/oauth2/authorize":
            self.authorize(query)
        elif url.path == "/login":
            fields = "".join(f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in query.items())
            page = f'<!DOCTYPE html><title>Cognito</title><form action="/done">{fields}<button id="cognito-go">Sign in</button></form>'
            self.send(200, page.encode(), "text/html")
        elif url.path == "/done":
            self.cognito.signed_in = True
            self.give_code(query)
        elif url.path == "/logout":
            if query.get("client_id") != CLIENT or query.get("logout_uri") != self.cognito.page + "/":
                self.refuse(f"logout {query}")
                return
            self.cognito.signed_in = False
            self.send(302, Location=query["logout_uri"])
        elif url.path != "/favicon.ico":
            self.refuse(url.path)
        else:
            self.send(404)

    def authorize(self, query):
        problems = [f"parameter {name}" for name in query.keys() - KNOWN]
        problems += [f"scope {scope}" for scope in set(query.get("scope", "").split()) - SCOPES]
        if query.get("client_id") != CLIENT or query.get("redirect_uri") != self.cognito.page + "/":
            problems.append("redirect_mismatch")
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            problems.append("not code with PKCE")
        if problems:
            self.refuse(", ".join(problems))
        elif self.cognito.signed_in:
            self.give_code(query)
        else:
            self.send(302, Location=f"{self.cognito.domain}/login?{urllib.parse.urlencode(query)}")

    def give_code(self, query):
        code = secrets.token_hex(8)
        self.cognito.codes[code] = query
        self.send(302, Location=f"{query['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': query['state']})}")

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        cors = {"Access_Control_Allow_Origin": "*"}
        if self.path != "/oauth2/token" or form.get("client_id") != CLIENT:
            self.refuse(self.path)
        elif form["grant_type"] == "refresh_token" and form.get("refresh_token") in self.cognito.refresh_tokens:
            self.cognito.refreshes += 1
            self.send(200, self.cognito.tokens(None, *self.cognito.refresh_tokens[form["refresh_token"]]), **cors)
        elif form["grant_type"] == "authorization_code" and form.get("code") in self.cognito.codes:
            query = self.cognito.codes.pop(form["code"])
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
            if challenge != query["code_challenge"]:
                self.send(400, {"error": "invalid_grant"}, **cors)
                return
            token = secrets.token_hex(16)
            first = (query["scope"], int(time.time()))
            self.cognito.refresh_tokens[token] = first
            self.send(200, self.cognito.tokens(query.get("nonce"), *first, refresh_token=token), **cors)
        else:
            self.send(400, {"error": "invalid_grant"}, **cors)
