"""A gateway with --access=policy between an access service and an issuer that tests command."""
import httpx
from conftest import settings
from fake_access import Access, key, plan
from support.issuer import Issuer
from support.programs import wait_until

PLANS = [plan("free", rate=1000, burst=1000), plan("small", rate=0.01, burst=3),
         plan("daily", quota=40), plan("one", quota=1), plan("page", rate=0.01, burst=2),
         plan("page-daily", quota=5)]
KEYS = [key("k-free", "free", "secret-free", "secret-old"), key("k-small", "small", "secret-small"),
        key("k-page", "page", "secret-page", public=True),
        key("k-ended", "free", "secret-ended", expire_s=1000)]


def with_key(secret, **more):
    return {"X-API-Key": secret, **more}


def reason(answer):
    return answer.json()["error"]["details"][0]["reason"]


class Edge:
    """A gateway with an access service and an issuer of its own."""

    def __init__(self, start, upstream, tmp_path, **more):
        self.access = Access()
        self.issuer = Issuer()
        self.state = tmp_path / "state"
        self._start, self._upstream = start, upstream
        self.more = {"access": "policy", "state_dir": self.state, "ip_rate": "0",
                     "trusted_proxies": "127.0.0.0/8", "cors_origins": "https://app.example",
                     "issuers": self.issuer.setting,
                     **more}
        self._clients = []

    def start(self, wait=True):
        mapping = f"omnidata.access.v1={self.access.target}," + ",".join(
            f"omnidata.{name}.v1={self._upstream.target}" for name in ("user", "analytics"))
        self.gateway = self._start("omni-gateway", *settings(
            self._upstream, upstreams=mapping, **self.more))
        self.http = httpx.Client(base_url=f"http://{self.gateway.address}", timeout=60)
        self._clients.append(self.http)
        return self.await_keys() if wait else self

    def await_keys(self):
        wait_until(lambda: self.ready()["keys"]["version"] == self.access.snapshot.version)
        wait_until(lambda: self.ready()["issuers"][0]["keys"])
        return self

    def ready(self):
        return self.http.get("/readyz").json()

    def get(self, secret=None, path="/v1/users/u1", **headers):
        return self.http.get(path, headers=with_key(secret, **headers) if secret else headers)

    def signed_in(self, secret, **headers):
        """What a write needs: a key and a user."""
        return with_key(secret, **self.issuer.bearer(), **headers)

    def close(self):
        for client in self._clients:
            client.close()
        self.access.stop()
        self.issuer.stop()
