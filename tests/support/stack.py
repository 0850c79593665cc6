"""The three programs wired together on empty directories and free ports."""
import atexit
import functools
import time

import httpx
from omnidata.access.v1 import access_pb2, access_pb2_grpc

from support import trust
from support.issuer import Issuer, key
from support.programs import page_dir, run_program, wait_until

PLAN = access_pb2.Plan(id="tests", rate=1_000_000, burst=1_000_000)


@functools.lru_cache(maxsize=None)
def issuer():
    """Signs in everybody who uses a Stack of this run."""
    shared = Issuer(keys=[key("stack")])
    atexit.register(shared.stop)
    return shared


class Stack:
    """user, analytics and gateway: each a Program; .url is the gateway's, .http a client of it, with
    a key (unless the gateway is --access=open) and signed in as an administrator by .headers."""

    def __init__(self, start, directory):
        self._start = start
        self.directory = directory
        self.user_dir = directory / "user"
        self.analytics_dir = directory / "analytics"
        self.user = self.analytics = self.gateway = None
        self.key = None
        self._ports = {}
        self._clients = []
        self._http = None
        # Per program: settings that a test adds or changes before start().
        self.settings = {"user": {}, "analytics": {"segment-age": "1s"}, "gateway": {}}
        self.env = {}  # of all of them

    def start(self):
        self.start_analytics()
        self.start_user()
        self.start_gateway()
        return self

    def _launch(self, name, **defaults):
        settings = {"listen": f"127.0.0.1:{self._ports.get(name, 0)}", "grace": "5s",
                    **{k.replace("_", "-"): v for k, v in defaults.items()}, **self.settings[name]}
        program = self._start(f"omni-{name}", *(f"--{k}={v}" for k, v in settings.items()),
                              env=self.env)
        self._ports[name] = program.port
        return program

    # Restarts keep the port, as a deployment's address stays.
    def start_analytics(self):
        self.analytics = self._launch("analytics", data_dir=self.analytics_dir)
        return self.analytics

    def start_user(self):
        self.user = self._launch("user", data_dir=self.user_dir,
                                 events=f"grpc://127.0.0.1:{self._ports['analytics']}")
        return self.user

    def start_gateway(self):
        asks = self.settings["gateway"].get("access") != "open"
        if asks and not self.key:
            self.key = self.make_key()
        served_by = {"user": "user", "access": "user", "event": "user", "analytics": "analytics"}
        upstreams = ",".join(f"omnidata.{package}.v1=127.0.0.1:{self._ports[name]}"
                             for package, name in served_by.items())
        self.gateway = self._launch("gateway", upstreams=upstreams, frontend_dir=page_dir(),
                                    issuers=issuer().setting, state_dir=self.directory / "gateway")
        if asks:
            wait_until(lambda: self.gateway.events("keys_followed") or self.gateway.events("keys_from_disk"),
                       what="the gateway knows the keys")
        wait_until(lambda: self.gateway.events("issuer_keys"), what="the gateway knows its issuers' keys")
        return self.gateway

    def make_key(self, plan=PLAN, **fields):
        """The secret of a new API key, made as an operator makes it."""
        access = access_pb2_grpc.AccessServiceStub(self.channel(self.user))
        access.PutPlan(access_pb2.PutPlanRequest(plan=plan), timeout=60)
        return access.CreateApiKey(access_pb2.CreateApiKeyRequest(api_key=access_pb2.ApiKey(
            display_name="tests", plan_id=plan.id, **fields)), timeout=60).secret

    def signed_in(self, subject="tests", scope="users.write admin"):
        """The headers of somebody who has signed in for a day."""
        return {**({"X-API-Key": self.key} if self.key else {}),
                **issuer().bearer(sub=subject, scope=scope, exp=int(time.time()) + 86_400)}

    @functools.cached_property
    def headers(self):
        return self.signed_in()

    def stop(self):
        """In the order that a deployment stops: edge first."""
        for program in (self.gateway, self.user, self.analytics):
            if program:
                program.stop()

    @property
    def url(self):
        return f"http://{self.gateway.address}"

    @property
    def http(self):
        if not self._http:
            self._http = httpx.Client(base_url=self.url, timeout=60, headers=self.headers)
            self._clients.append(self._http)
        return self._http

    def channel(self, program):
        """A python3-grpcio channel to self.user or self.analytics."""
        channel = trust.channel(program.address)
        self._clients.append(channel)
        return channel

    def omnictl(self, *args, **kwargs):
        env = {"OMNI_USERS": f"127.0.0.1:{self._ports['user']}",
               "OMNI_ANALYTICS": f"127.0.0.1:{self._ports['analytics']}"}
        return run_program("omnictl", *args, env=env, **kwargs)

    def close(self):
        for client in self._clients:
            client.close()
        self._clients.clear()
        self._http = None
