"""What stands between the programs and the AWS of the tests: it checks every signature, writes
down what was asked, and does on demand what real services do on bad days.

    proxy.inject("lose_reply", service="s3", operation="PUT", count=1)

The faults:
    500, 503        such an answer, nothing is carried out
    throttle        an answer that asks to go slower, as the service words it
    conflict        a transaction is cancelled, since another one is at the same items
    unprocessed     of a BatchGetItem, every key is left for another time
    lose_reply      carried out, but the connection is cut before the answer
    cut_upload      the connection is cut in the middle of the request's body, on both sides
    hang            no answer; the connection stays open for a while
    part_fails      of a batch, every second entry is in the list of the failed
    part_missing    of a batch, every second entry is in no list
    refuse_entry    of a batch, the first entry is the sender's own fault
    twice           carried out twice, answered once
    wrong_digest    an answer whose MD5 is of something else
It also hands out credentials with a token (GET /credentials), which expire_tokens() ends, and takes
those for good that STS hands out.

What was signed by the static key goes on as it came, for a service that checks it once more. What
was signed by credentials that only the proxy knows, or by a clock that is wrong on purpose, is
signed anew.
"""
import http.client
import json
import re
import select
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sigv4
from counterparts import REGION, STATIC_KEY

# No keys lie anywhere.
NO_KEYS = {"AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
           "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}


class Fault:
    def __init__(self, kind, service, operation, count, after):
        self.kind, self.service, self.operation = kind, service, operation
        self.left, self.after = count, after

    def fits(self, service, operation):
        if not self.left or self.service not in (None, service) or \
                self.operation not in (None, operation):
            return False
        if self.after:
            self.after -= 1
            return False
        self.left -= 1
        return True


class Proxy:
    def __init__(self, upstreams, lenient):
        """upstreams: service -> port. lenient: they believe everybody and change their tables in
        several steps (moto): they get one request at a time, as AWS would have it."""
        self.upstreams = upstreams
        self.lenient = lenient
        self.skew_s = 0  # what our clock is ahead of the world's
        self._lock = threading.Lock()
        self._faults = []
        self._log = []
        self._tokens = 0
        self._credentials_asked = 0
        self.secrets = {STATIC_KEY[0]: (STATIC_KEY[1], None)}
        self._expired = set()
        self.transactions = {}  # ClientRequestToken -> the body that was carried out
        self.hang_until = threading.Event()
        self.hanging = 0  # requests that wait for an answer in vain
        self.turns = {name: threading.Lock() for name in upstreams}
        proxy = self

        class Bound(Handler):
            owner = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.hang_until.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self):
        return self.server.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def environment(self):
        """For programs that use static keys."""
        return {"AWS_ACCESS_KEY_ID": STATIC_KEY[0], "AWS_SECRET_ACCESS_KEY": STATIC_KEY[1],
                "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
                "OMNI_TEST_AWS": self.url}

    def token_environment(self):
        """For programs that ask for credentials, which end when expire_tokens() says so."""
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials", **NO_KEYS}

    def web_identity_environment(self, token_file):
        """For programs that show STS a token, as those do that run in a cluster."""
        return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "AWS_ENDPOINT_URL_STS": self.url,
                "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/omnidata", **NO_KEYS}

    # --- what a test does ---

    def inject(self, kind, service=None, operation=None, count=1, after=0):
        fault = Fault(kind, service, operation, count, after)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self):
        with self._lock:
            self._faults.clear()
            self._log.clear()
        self.skew_s = 0
        self.hang_until.set()  # who hangs is cut off
        self.hang_until = threading.Event()

    def hang(self):
        with self._lock:
            self.hanging += 1
        self.hang_until.wait(30)
        with self._lock:
            self.hanging -= 1

    def expire_tokens(self):
        with self._lock:
            self._expired |= set(self.secrets) - {STATIC_KEY[0]}

    def seen(self, service=None, operation=None):
        """(service, operation, status, fault) of each request, in order."""
        with self._lock:
            return [entry for entry in self._log
                    if service in (None, entry[0]) and operation in (None, entry[1])]

    @property
    def credentials_asked(self):
        return self._credentials_asked

    # --- what a handler asks ---

    def now_s(self):
        return time.time() + self.skew_s

    def fault_for(self, service, operation):
        with self._lock:
            for fault in self._faults:
                if fault.fits(service, operation):
                    return fault.kind
        return None

    def note(self, *entry):
        with self._lock:
            self._log.append(entry)

    def is_expired(self, key_id):
        with self._lock:
            return key_id in self._expired

    def new_credentials(self):
        with self._lock:
            self._credentials_asked += 1
            valid = [key for key in self.secrets
                     if key != STATIC_KEY[0] and key not in self._expired]
            if not valid:
                self._tokens += 1
                valid = [f"ASIATOKEN{self._tokens}"]
                self.secrets[valid[0]] = (f"secret-key-{self._tokens:08}", f"session-token-{self._tokens:08}")
            secret, token = self.secrets[valid[0]]
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return {"AccessKeyId": valid[0], "SecretAccessKey": secret, "Token": token,
                "Expiration": until}

    def believe(self, answer):
        """The credentials in an answer of STS."""
        key_id, secret, token = (re.search(f"<{name}>([^<]+)</{name}>", answer).group(1) for name in
                                 ("AccessKeyId", "SecretAccessKey", "SessionToken"))
        with self._lock:
            self.secrets[key_id] = (secret, token)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "interop"
    connections = threading.local()

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(timestamp or self.owner.now_s())

    def handle_any(self):
        try:
            self.serve()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    # --- a request ---

    def serve(self):
        if self.path == "/credentials":
            self.answer(200, json.dumps(self.owner.new_credentials()).encode())
            return
        size = int(self.headers.get("Content-Length", 0))
        path, _, query = self.path.partition("?")
        if self.command == "POST" and "Authorization" not in self.headers:
            self.assume_role(self.rfile.read(size))
            return
        service, operation = self.service_and_operation(query)
        fault = self.owner.fault_for(service, operation)
        if fault == "cut_upload":
            self.pass_half_on(service, self.rfile.read(size // 2))
            self.cut(service, operation, fault)
            return
        body = self.rfile.read(size)
        if service in ("sns", "sts"):
            operation = dict(part.split("=", 1) for part in body.decode().split("&")).get("Action")
            fault = fault or self.owner.fault_for(service, operation)
        try:
            key_id, _, _ = sigv4.check(self.command, path, query, list(self.headers.items()), body,
                                       self.owner.secrets, self.owner.now_s())
            self.as_it_came = key_id == STATIC_KEY[0] and not self.owner.skew_s
            if self.owner.is_expired(key_id):
                raise sigv4.Refused("ExpiredToken" if service != "dynamodb" and service != "sqs"
                                    else "ExpiredTokenException", "The token has expired")
        except sigv4.Refused as refused:
            self.owner.note(service, operation, 403, refused.name)
            self.refuse(service, 400 if service in ("dynamodb", "sqs") else 403, refused.name,
                        refused.text)
            return
        self.act(service, operation, fault, body)

    def service_and_operation(self, query):
        scope = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        service = scope[3] if len(scope) > 3 else ""
        target = self.headers.get("X-Amz-Target", "")
        if target:
            return service, target.rpartition(".")[2]
        if service == "s3":
            part = query.partition("=")[0]
            return service, f"{self.command} {part}" if part in ("uploads", "uploadId",
                                                                 "partNumber") else self.command
        return service, ""

    def act(self, service, operation, fault, body):
        if fault in ("500", "503"):
            name = "InternalError" if fault == "500" else "ServiceUnavailable"
            self.owner.note(service, operation, int(fault), fault)
            self.refuse(service, int(fault), name, "a fault of the test")
        elif fault == "throttle":
            status, name = {"s3": (503, "SlowDown"),
                            "dynamodb": (400, "ProvisionedThroughputExceededException"),
                            "sqs": (400, "RequestThrottled")}.get(service, (400, "Throttling"))
            self.owner.note(service, operation, status, fault)
            self.refuse(service, status, name, "a fault of the test")
        elif fault == "conflict":
            self.owner.note(service, operation, 400, fault)
            reasons = [{"Code": "TransactionConflict", "Message": "a fault of the test"}
                       for _ in json.loads(body)["TransactItems"]]
            self.refuse(service, 400, "TransactionCanceledException", "Transaction cancelled",
                        CancellationReasons=reasons)
        elif fault == "unprocessed":
            self.owner.note(service, operation, 200, fault)
            self.answer(200, json.dumps({"Responses": {}, "UnprocessedKeys":
                                         json.loads(body)["RequestItems"]}).encode())
        elif fault == "hang":
            self.owner.note(service, operation, 0, fault)
            self.owner.hang()
            self.close_connection = True
        else:
            self.carry_out(service, operation, fault, body)

    def carry_out(self, service, operation, fault, body):
        held_back = None
        if fault in ("part_fails", "part_missing", "refuse_entry"):
            body, held_back = self.take_entries(fault, body)
        if held_back and body is None:
            status, headers, answer = 200, [], b"{}"
        else:
            status, headers, answer = self.forward(service, operation, body)
        if fault == "twice":
            self.forward(service, operation, body)
        self.owner.note(service, operation, status, fault)
        if fault == "lose_reply":
            self.cut(service, operation, fault)
            return
        if held_back is not None:
            answer = self.add_failed(fault, answer, held_back)
        if fault == "wrong_digest":
            answer = answer.replace(b'"MD5OfMessageBody": "', b'"MD5OfMessageBody": "0')
        self.answer(status, answer, headers)

    # --- batches of SQS ---

    @staticmethod
    def take_entries(fault, body):
        request = json.loads(body)
        entries = request["Entries"]
        held_back = entries[:1] if fault == "refuse_entry" else entries[1::2]
        request["Entries"] = [entry for entry in entries if entry not in held_back]
        left = json.dumps(request).encode() if request["Entries"] else None
        return left, [entry["Id"] for entry in held_back]

    @staticmethod
    def add_failed(fault, answer, ids):
        reply = json.loads(answer)
        if fault != "part_missing":
            own = fault == "refuse_entry"
            reply.setdefault("Failed", []).extend(
                {"Id": key, "SenderFault": own, "Message": "a fault of the test",
                 "Code": "InvalidMessageContents" if own else "InternalError"} for key in ids)
        return json.dumps(reply).encode()

    # --- both ends ---

    def assume_role(self, form):
        """The one request that nobody signs."""
        operation = "AssumeRoleWithWebIdentity"
        fault = self.owner.fault_for("sts", operation)
        if fault:
            self.act("sts", operation, fault, b"")
            return
        sts = http.client.HTTPConnection("127.0.0.1", self.owner.upstreams["sts"], timeout=60)
        sts.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"})
        response = sts.getresponse()
        answer = response.read()
        sts.close()
        self.owner.note("sts", operation, response.status, None)
        if response.status == 200:
            self.owner.believe(answer.decode())
        self.answer(response.status, answer)

    def transact(self, body):
        """moto knows no ClientRequestToken: a transaction that was carried out is not again."""
        token = json.loads(body).get("ClientRequestToken")
        if token and self.owner.transactions.get(token) == body:
            return 200, [], b"{}"
        status, headers, answer = self.pass_on("dynamodb", body)
        if token and status == 200:
            self.owner.transactions[token] = body
        return status, headers, answer

    def forward(self, service, operation, body):
        if operation == "ReceiveMessage":
            return self.poll(body)
        if not self.owner.lenient:
            return self.pass_on(service, body)
        with self.owner.turns[service]:
            if operation == "TransactWriteItems":
                return self.transact(body)
            return self.pass_on(service, body)

    def poll(self, body):
        """A long poll that nobody waits for any more takes no messages; those of the services behind
        go on and take them."""
        request = json.loads(body)
        until = time.monotonic() + request.pop("WaitTimeSeconds", 0)
        body = json.dumps({**request, "WaitTimeSeconds": 0}).encode()
        while True:
            if self.client_is_gone():
                raise ConnectionResetError
            with self.owner.turns["sqs"]:
                status, headers, answer = self.pass_on("sqs", body)
            if status != 200 or b"ReceiptHandle" in answer or time.monotonic() >= until:
                return status, headers, answer
            time.sleep(0.05)

    def client_is_gone(self):
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def headers_for(self, service, body):
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in HOP | {"content-length"}}
        if self.as_it_came or self.owner.lenient:
            return headers
        headers = {name: value for name, value in headers.items()
                   if name.lower() not in ("authorization", "x-amz-date", "x-amz-security-token")}
        return sigv4.sign(self.command, self.path, headers, body, STATIC_KEY, REGION, service)

    def pass_on(self, service, body):
        known = self.connections.__dict__
        headers = self.headers_for(service, body)
        for attempt in (1, 2):
            if attempt == 2 or service not in known:
                known[service] = http.client.HTTPConnection(
                    "127.0.0.1", self.owner.upstreams[service], timeout=60)
            try:
                known[service].request(self.command, self.path, body=body, headers=headers)
                response = known[service].getresponse()
                return response.status, response.getheaders(), response.read()
            except (http.client.HTTPException, ConnectionError):
                known.pop(service).close()
                if attempt == 2:
                    raise
        return None

    def pass_half_on(self, service, half):
        """The service sees the connection break as well."""
        with socket.create_connection(("127.0.0.1", self.owner.upstreams[service])) as upstream:
            head = [f"{self.command} {self.path} HTTP/1.1"]
            head += [f"{name}: {value}" for name, value in self.headers.items()
                     if name.lower() != "expect"]
            upstream.sendall("\r\n".join([*head, "", ""]).encode() + half)

    def answer(self, status, body, headers=()):
        self.send_response_only(status)
        length = len(body)
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = int(value)
            elif name.lower() not in HOP | {"content-length", "server", "date"}:
                self.send_header(name, value)
        self.send_header("Date", self.date_time_string())
        if status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, service, status, name, text, **more):
        if service in ("dynamodb", "sqs"):
            body = json.dumps({"__type": f"com.amazonaws.{service}#{name}", "message": text, **more})
        elif service == "s3":
            body = f"<?xml version=\"1.0\"?><Error><Code>{name}</Code><Message>test</Message></Error>"
        else:
            body = f"<ErrorResponse><Error><Code>{name}</Code><Message>test</Message></Error>" \
                   "</ErrorResponse>"
        self.answer(status, body.encode())

    def cut(self, service, operation, fault):
        if fault == "cut_upload":
            self.owner.note(service, operation, 0, fault)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
