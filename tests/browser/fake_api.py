#!/usr/bin/python3
"""A gateway in memory, for developing and testing the page without the services.

It serves the built page with the gateway's content security policy and answers the REST API as
proto/ defines it: pages, prefix search without case and accents, field violations, etags,
idempotency keys, analytics with a live tail; a key and a sign-in when FakeApi.config says so (what
a token says is read, not verified: the gateway's tests do that). `--demo` fills it with users and an hour of history
and keeps making events. Faults are switched on through FakeApi's attributes.
"""
import argparse
import base64
import datetime
import json
import queue
import random
import re
import threading
import time
import unicodedata
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
       "connect-src 'self'{origins}; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2",
         ".txt": "text/plain; charset=utf-8"}
STATUSES = ("USER_STATUS_ACTIVE", "USER_STATUS_INVITED", "USER_STATUS_SUSPENDED")
WRITABLE = ("email", "displayName", "givenName", "familyName", "status", "labels")
OUTPUT_ONLY = ("id", "createTime", "updateTime", "etag", "owner")
KINDS = {"created": "EVENT_KIND_USER_CREATED", "updated": "EVENT_KIND_USER_UPDATED",
         "deleted": "EVENT_KIND_USER_DELETED", "read": "EVENT_KIND_USER_READ",
         "listed": "EVENT_KIND_USERS_LISTED", "searched": "EVENT_KIND_USERS_SEARCHED"}
GRPC_CODES = {"INVALID_ARGUMENT": 3, "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "ABORTED": 10}
SEAL_AFTER_S = 3.0


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fold(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def words(text):
    return [word for word in re.split(r"[\W_]+", fold(text)) if word]


class Refused(Exception):
    """An answer that is not success."""

    def __init__(self, http, status, message, reason=None, violations=(), headers=()):
        super().__init__(message)
        self.headers = headers
        self.http = http
        self.status = status
        details = []
        if reason:
            details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "omnidata"})
        if violations:
            details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [
                {"field": field, "description": description} for field, description in violations]})
        self.body = {"error": {"code": http, "message": message, "status": status, "details": details}}


class FakeApi:
    """The state behind the server and its faults."""

    def __init__(self, seed=None):
        self.lock = threading.RLock()
        self.users = {}
        self.answers = {}  # idempotency key -> (request, answer)
        self.events = []
        self.tails = []
        self.requests = []  # (method, path, headers)
        self.analytics_down = False
        self.lose_next_answer = False  # of the next write: carried out, but the answer breaks off
        self.search_delay_s = {}  # query -> seconds
        self.config = None  # what /config.json holds; None: the page's own
        self.origins = []  # where the page may send requests to, beside here
        self.refuse_tokens = False
        self.limit_left = 0  # so many calls under `limit_path` are refused with 429
        self.limit_path = "/v1/"
        self.random = random.Random(seed)

    # --- events --------------------------------------------------------------------------------

    def emit(self, kind, status=0, user_id="", query="", result_count=0, moment=None):
        event = {"id": str(uuid.uuid4()), "schemaVersion": 1, "time": rfc3339(moment or now()), "kind": KINDS[kind]}
        optional = {"status": status, "userId": user_id, "query": query, "resultCount": result_count}
        event.update({name: value for name, value in optional.items() if value})
        with self.lock:
            self.events.append((moment or now(), event))
            if moment is None:
                for tail in self.tails:
                    tail.put(event)

    # --- who calls -----------------------------------------------------------------------------

    def caller(self, method, path, headers):
        """What the token says, {} without one; Refused when key or token are not good enough."""
        config = self.config or {}
        if self.limit_left and path.startswith(self.limit_path):
            self.limit_left -= 1
            raise Refused(429, "RESOURCE_EXHAUSTED", "The key's rate of 1 request a second is used up.",
                          "RATE_LIMITED", headers=[("Retry-After", "2")])
        if "apiKey" in config and headers.get("X-API-Key") != config["apiKey"]:
            raise Refused(403, "PERMISSION_DENIED", "The API key is missing or unknown.", "API_KEY_INVALID")
        if "signIn" not in config:
            return {}
        token = (headers.get("Authorization") or "").removeprefix("Bearer ")
        said = {}
        if token:
            body = token.split(".")[1]
            said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            if self.refuse_tokens or said["exp"] <= time.time() or said["iss"] != config["signIn"]["authority"]:
                raise Refused(401, "UNAUTHENTICATED", "The token is not good.", "TOKEN_INVALID",
                              headers=[("WWW-Authenticate", 'Bearer error="invalid_token"')])
        if method != "GET" and not said:
            raise Refused(401, "UNAUTHENTICATED", "Sign in first.", "SIGN_IN_REQUIRED", headers=[("WWW-Authenticate", "Bearer")])
        return said

    @staticmethod
    def may_change(user, caller):
        owner = user.get("owner", {})
        if caller and "admin" not in caller.get("scope", "").split() and owner.get("subject") != caller["sub"]:
            raise Refused(403, "PERMISSION_DENIED", "Only whoever created a user may change it.", "NOT_OWNER")

    # --- users ---------------------------------------------------------------------------------

    def check(self, fields):
        violations = []
        email = fields.get("email", "")
        if not email:
            violations.append(("user.email", "is required"))
        elif len(email.encode()) > 254 or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", email):
            violations.append(("user.email", "is not an email address"))
        if not 1 <= len(fields.get("displayName", "")) <= 200:
            violations.append(("user.display_name", "must have 1 to 200 characters"))
        for name, proto in (("givenName", "given_name"), ("familyName", "family_name")):
            if len(fields.get(name, "")) > 100:
                violations.append((f"user.{proto}", "must have at most 100 characters"))
        for key, value in fields.get("labels", {}).items():
            if not re.fullmatch(r"[a-z0-9_.-]{1,63}", key):
                violations.append((f"user.labels[{key}]", "must be 1 to 63 of a-z 0-9 _ . -"))
            if len(value.encode()) > 256:
                violations.append((f"user.labels[{key}]", "has more than 256 bytes"))
        if violations:
            raise Refused(400, "INVALID_ARGUMENT", "The user has invalid fields.", "INVALID_FIELD", violations)

    def only_known(self, body):
        if not isinstance(body, dict):
            raise Refused(400, "INVALID_ARGUMENT", "The body must be an object.", "INVALID_JSON")
        for name in body:
            if name not in WRITABLE + OUTPUT_ONLY:
                raise Refused(400, "INVALID_ARGUMENT", "Unknown field.", "UNKNOWN_FIELD", [(f"user.{name}", "unknown field")])
        return {name: body[name] for name in WRITABLE if name in body}

    def unique(self, email, but=None):
        for user in self.users.values():
            if user["id"] != but and user["email"].casefold() == email.casefold():
                raise Refused(409, "ALREADY_EXISTS", "Another user has this email address.", "EMAIL_TAKEN")

    def find(self, user_id):
        if user_id not in self.users:
            raise Refused(404, "NOT_FOUND", f"There is no user {user_id}.", "USER_NOT_FOUND")
        return self.users[user_id]

    def store(self, fields, old=None, moment=None):
        stamp = rfc3339(moment or now())
        user = {"id": old["id"] if old else str(uuid.uuid4()), "status": "USER_STATUS_ACTIVE", **fields,
                "createTime": old["createTime"] if old else stamp, "updateTime": stamp, "etag": uuid.uuid4().hex[:12]}
        self.users[user["id"]] = {name: value for name, value in user.items() if value not in ("", {})}
        return self.users[user["id"]]

    def create(self, body, moment=None, caller=None):
        fields = self.only_known(body)
        self.check(fields)
        self.unique(fields["email"])
        if caller:
            fields["owner"] = {"issuer": caller["iss"], "subject": caller["sub"]}
        user = self.store(fields, moment=moment)
        self.emit("created", user_id=user["id"], moment=moment)
        return user

    def match(self, user, if_match):
        if if_match not in (None, "*", f'"{user["etag"]}"'):
            raise Refused(412, "ABORTED", "The user has changed since.", "ETAG_MISMATCH")

    def update(self, user_id, body, mask, if_match, caller=None):
        user = self.find(user_id)
        self.may_change(user, caller)
        self.match(user, if_match)
        fields = self.only_known(body)
        names = mask.split(",") if mask else list(fields)
        merged = {name: user[name] for name in WRITABLE if name in user}
        for name in names:
            if name not in WRITABLE:
                raise Refused(400, "INVALID_ARGUMENT", "Unknown path.", "UNKNOWN_FIELD", [("update_mask", f"{name} is not a field")])
            merged[name] = fields.get(name, {} if name == "labels" else "")
        self.check(merged)
        self.unique(merged["email"], user_id)
        if "owner" in user:
            merged["owner"] = user["owner"]
        user = self.store(merged, user)
        self.emit("updated", user_id=user_id)
        return user

    def remove(self, user_id, if_match, caller=None):
        self.may_change(self.find(user_id), caller)
        self.match(self.find(user_id), if_match)
        del self.users[user_id]
        self.emit("deleted", user_id=user_id)

    def page(self, found, page_size, token):
        start = int(token) if token else 0
        answer = {"users": found[start:start + page_size]}
        if start + page_size < len(found):
            answer["nextPageToken"] = str(start + page_size)
        return answer

    def search(self, query, page_size, token):
        wanted = words(query)
        if len(query.encode()) > 256 or len(wanted) > 16:
            raise Refused(400, "INVALID_ARGUMENT", "The query is too long.", "INVALID_FIELD",
                          [("query", "must have at most 256 bytes and 16 words")])

        def hit(user):
            have = words(" ".join(user.get(name, "") for name in ("displayName", "givenName", "familyName", "email")))
            return all(any(word.startswith(want) for word in have) for want in wanted)

        found = sorted(filter(hit, self.users.values()), key=lambda u: (u["displayName"].casefold(), u["id"]))
        answer = self.page(found, page_size, token)
        self.emit("searched", query=query, result_count=len(answer["users"]))
        return answer

    # --- analytics -----------------------------------------------------------------------------

    def series(self):
        end = now().replace(second=0, microsecond=0)
        points = [{"time": rfc3339(end - datetime.timedelta(minutes=59 - i)), "events": 0, "failures": 0, "kinds": {}} for i in range(60)]
        for moment, event in self.events:
            i = 59 - int((end - moment.replace(second=0, microsecond=0)).total_seconds() // 60)
            if not 0 <= i < 60:
                continue
            points[i]["events"] += 1
            points[i]["failures"] += 1 if event.get("status") else 0
            points[i]["kinds"][event["kind"]] = points[i]["kinds"].get(event["kind"], 0) + 1
        return {"points": [{"time": p["time"], **({"events": str(p["events"])} if p["events"] else {}),
                            **({"failures": str(p["failures"])} if p["failures"] else {}),
                            "kinds": [{"kind": k, "count": str(n)} for k, n in p["kinds"].items()]} for p in points]}

    def top(self, without_result, limit):
        counts = {}
        for _, event in self.events:
            if event["kind"] == KINDS["searched"] and not (without_result and event.get("resultCount")):
                text = " ".join(event["query"].casefold().split())
                counts[text] = counts.get(text, 0) + 1
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        rows = [{"query": q, "count": str(n), **({"maxError": "2"} if i == 3 else {})} for i, (q, n) in enumerate(most[:limit])]
        return {"searches": rows, "maxError": "0", "total": str(sum(counts.values()))}

    def split(self):
        """Events that are archived, and those that are on the way yet."""
        sealed = now() - datetime.timedelta(seconds=SEAL_AFTER_S)
        archived = sum(1 for moment, _ in self.events if moment < sealed)
        return archived, len(self.events) - archived

    def hour(self):
        return rfc3339(now().replace(minute=0, second=0, microsecond=0))

    def pipeline(self):
        archived, queued = self.split()
        return {"queuedBatches": "1" if queued else "0", "queuedEvents": str(queued), "oldestQueuedMs": "900" if queued else "0",
                "archivedEvents": str(archived), "archivedObjects": str(1 + archived // 2000),
                "hours": [{"hour": self.hour(), "archived": str(archived)}]}

    def emitted(self):
        return {"hours": [{"hour": self.hour(), "emitted": str(len(self.events))}],
                **({"pending": str(self.split()[1]), "oldestPendingMs": "4000"} if self.analytics_down else {})}

    # --- demonstration -------------------------------------------------------------------------

    def fill(self, users=240):
        given = "Ada Grace José Zoë Anna Søren Linus Chloé Ngozi Yuki Mateo Ingrid Omar Priya Björn Amélie Kwame Sofia Tomás Leïla Hedy Alan Katherine Dennis".split()
        family = "Lovelace Hopper García Müller Kierkegaard Nguyễn Okafor Tanaka Silva Lindqvist Haddad Sharma Dubois Mensah Rossi Novák Lamarr Turing Johnson Ritchie O’Brien Ångström".split()
        other = [("山田 太郎", "taro.yamada"), ("محمد علي", "mohammed.ali"), ("Ольга Иванова", "olga.ivanova"), ("Νίκος Παππάς", "nikos.pappas"),
                 ("김민준", "minjun.kim"), ("Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine the Elder of Philadelphia", "hubert")]
        long_ago = now() - datetime.timedelta(days=40)
        for i in range(users):
            moment = long_ago + datetime.timedelta(hours=3 * i)
            if i % 41 == 7 and other:
                name, local = other.pop()
                parts = {}
            else:
                first, last = self.random.choice(given), self.random.choice(family)
                name, parts = f"{first} {last}", {"givenName": first, "familyName": last}
                local = ".".join(words(name))
            status = self.random.choices(STATUSES, (8, 1, 1))[0]
            labels = {"team": self.random.choice(("platform", "data", "design", "support"))} if i % 3 else {}
            self.store({"email": f"{local}{i}@example.org", "displayName": name, **parts, "status": status, "labels": labels}, moment=moment)
        for minute in range(59, 0, -1):
            for _ in range(int(self.random.gauss(46, 9) * (1.3 + 0.5 * ((minute // 11) % 3 - 1)))):
                self.demo_event(now() - datetime.timedelta(minutes=minute, seconds=self.random.random() * 50))

    def demo_event(self, moment=None):
        kind = self.random.choices(list(KINDS), (3, 4, 1, 30, 9, 26))[0]
        user = self.random.choice(list(self.users))
        if kind == "searched":
            hits = "anna müller,ada,garcia,jose,tanaka,sofia rossi,okafor,lindqvist,hedy,alan turing".split(",")
            misses = "jhon smith,anna@exmaple.org,müllerr,ceo,annna,hr department,+49 170".split(",")
            table = hits if self.random.random() < 0.88 else misses
            query = self.random.choices(table, range(len(table), 0, -1))[0]
            self.emit(kind, query=query, result_count=5 if table is hits else 0, moment=moment)
        elif kind == "listed":
            self.emit(kind, result_count=25, moment=moment)
        else:
            self.emit(kind, status=0 if self.random.random() < 0.985 else 5, user_id=user, moment=moment)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = None
    root = None

    def log_message(self, *args):
        pass

    def answer(self, http, body=None, headers=()):
        payload = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(http)
        if http != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def user_answer(self, http, user):
        headers = [("ETag", f'"{user["etag"]}"')]
        if http == 201:
            headers.append(("Location", f"/v1/users/{user['id']}"))
        self.answer(http, user, headers)

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        query = {name: values[-1] for name, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        self.api.requests.append((self.command, self.path, dict(self.headers)))
        try:
            if not url.path.startswith("/v1/"):
                self.serve_file(url.path)
                return
            self.caller = self.api.caller(self.command, url.path, self.headers)
            if self.command == "GET":
                self.read(url.path, query)
            else:
                self.write(url.path, query, raw)
        except Refused as refused:
            if self.command != "GET" and refused.http not in (401, 403, 429):
                kind = {"POST": "created", "PATCH": "updated", "DELETE": "deleted"}[self.command]
                self.api.emit(kind, status=GRPC_CODES.get(refused.status, 2))
            self.answer(refused.http, refused.body, refused.headers)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request

    def read(self, path, query):
        api = self.api
        if path.startswith("/v1/analytics/") and api.analytics_down:
            raise Refused(503, "UNAVAILABLE", "The analytics service is not reachable.", "UPSTREAM_UNAVAILABLE")
        if path == "/v1/analytics/events:tail":
            self.tail()
            return
        if path == "/v1/users:search":
            time.sleep(api.search_delay_s.get(query.get("query", ""), 0))
        size = int(query.get("pageSize") or 0)
        with api.lock:
            if path == "/v1/users":
                api.emit("listed")
                self.answer(200, api.page(list(api.users.values()), min(size or 50, 1000), query.get("pageToken")))
            elif path == "/v1/users:search":
                self.answer(200, api.search(query.get("query", ""), min(size or 20, 100), query.get("pageToken")))
            elif path.startswith("/v1/users/"):
                user = api.find(urllib.parse.unquote(path[len("/v1/users/"):]))
                api.emit("read", user_id=user["id"], result_count=1)
                self.user_answer(200, user)
            elif path == "/v1/analytics/timeseries":
                self.answer(200, api.series())
            elif path == "/v1/analytics/searches:top":
                self.answer(200, api.top(query.get("withoutResult") == "true", int(query.get("limit") or 10)))
            elif path == "/v1/analytics/pipeline":
                self.answer(200, api.pipeline())
            elif path == "/v1/events/emitted":
                self.answer(200, api.emitted())
            else:
                raise Refused(404, "NOT_FOUND", "There is nothing here.", "ROUTE_NOT_FOUND")

    def write(self, path, query, raw):
        api = self.api
        key = self.headers.get("Idempotency-Key")
        if_match = self.headers.get("If-Match")
        request = (self.command, path, query.get("updateMask"), raw, if_match)
        with api.lock:
            if key in api.answers:
                known, (http, user) = api.answers[key]
                if known != request:
                    raise Refused(422, "INVALID_ARGUMENT", "This key was used with another request.", "IDEMPOTENCY_KEY_REUSED")
            else:
                http, user = self.carry_out(path, query, raw, if_match)
                if key:
                    api.answers[key] = (request, (http, user))
            if api.lose_next_answer:
                api.lose_next_answer = False
                self.send_response(http)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.close_connection = True
                return
        if user:
            self.user_answer(http, user)
        else:
            self.answer(http)

    def carry_out(self, path, query, raw, if_match):
        try:
            body = json.loads(raw) if raw else None
        except ValueError as error:
            raise Refused(400, "INVALID_ARGUMENT", "The body is not JSON.", "INVALID_JSON") from error
        user_id = urllib.parse.unquote(path[len("/v1/users/"):])
        if self.command == "POST" and path == "/v1/users":
            return 201, self.api.create(body, caller=self.caller)
        if self.command == "PATCH" and user_id:
            return 200, self.api.update(user_id, body, query.get("updateMask"), if_match, self.caller)
        if self.command == "DELETE" and user_id:
            self.api.remove(user_id, if_match, self.caller)
            return 204, None
        raise Refused(405, "UNIMPLEMENTED", "This method is not allowed here.", "METHOD_NOT_ALLOWED")

    def tail(self):
        events = queue.Queue()
        self.api.tails.append(events)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while not self.api.analytics_down:
                try:
                    message = {"event": events.get(timeout=1)}
                except queue.Empty:
                    message = {}
                self.wfile.write(f"data: {json.dumps(message, ensure_ascii=False)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            self.api.tails.remove(events)
            self.close_connection = True

    def serve_file(self, path):
        if path == "/config.json" and self.api.config is not None:
            self.answer(200, self.api.config)
            return
        file = (self.root / path.lstrip("/")).resolve()
        if file.is_dir():
            file /= "index.html"
        if self.command != "GET" or not file.is_relative_to(self.root) or not file.is_file():
            raise Refused(404, "NOT_FOUND", "There is nothing here.", "ROUTE_NOT_FOUND")
        payload = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("Content-Security-Policy", CSP.format(origins="".join(f" {o}" for o in self.api.origins)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(payload)


def start(root, api, port=0):
    """Serves in the background; answers the server, whose server_address holds the port."""
    handler = type("BoundHandler", (Handler,), {"api": api, "root": Path(root).resolve()})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", help="the built page, build/frontend")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--demo", action="store_true", help="users, an hour of history, and events all the time")
    arguments = parser.parse_args()
    api = FakeApi(seed=7)
    if arguments.demo:
        api.fill()
    server = start(arguments.root, api, arguments.port)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    while True:
        time.sleep(api.random.expovariate(1.2))
        if arguments.demo:
            api.demo_event()


if __name__ == "__main__":
    main()
