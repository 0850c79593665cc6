"""The three programs wired together on empty directories and free ports."""
import httpx

from support import trust
from support.programs import page_dir, run_program


class Stack:
    """user, analytics and gateway: each a Program; .url is the gateway's, .http a client of it."""

    def __init__(self, start, directory):
        self._start = start
        self.directory = directory
        self.user_dir = directory / "user"
        self.analytics_dir = directory / "analytics"
        self.user = self.analytics = self.gateway = None
        self._ports = {}
        self._clients = []
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
        served_by = {"user": "user", "access": "user", "event": "user", "analytics": "analytics"}
        upstreams = ",".join(f"omnidata.{package}.v1=127.0.0.1:{self._ports[name]}"
                             for package, name in served_by.items())
        self.gateway = self._launch("gateway", upstreams=upstreams, frontend_dir=page_dir())
        return self.gateway

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
        if not self._clients:
            self._clients.append(httpx.Client(base_url=self.url, timeout=20))
        return self._clients[0]

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
