"""The gateway alone, in front of a Python upstream it has never seen."""
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="module")
def shared_upstream():
    from upstream import Upstream
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def upstream(shared_upstream):
    shared_upstream.reset()
    return shared_upstream


def settings(upstream, **more):
    """The command line of a gateway in front of `upstream`."""
    mapping = ",".join(f"omnidata.{name}.v1={upstream.target}" for name in ("user", "analytics"))
    values = {"listen": "127.0.0.1:0", "upstreams": mapping, "access": "open", "health-poll": "100ms",
              "linger": "0s", "grace": "5s",
              **{key.replace("_", "-"): value for key, value in more.items()}}
    return [f"--{key}={value}" for key, value in values.items()]


def policy(upstream, keyless):
    """Settings of a gateway that enforces the policies; no method needs a key."""
    mapping = ",".join(f"omnidata.{name}.v1={upstream.target}"
                       for name in ("user", "analytics", "access"))
    return {"access": "policy", "descriptor_set": keyless, "upstreams": mapping}


@pytest.fixture(scope="session")
def keyless(gen, tmp_path_factory):
    """Our descriptors with methods that need no API key: sign-in alone is what is tested here."""
    from google.protobuf import descriptor_pb2
    from omnidata.api.v1 import options_pb2
    every = descriptor_pb2.FileDescriptorSet.FromString((gen / "omnidata.binpb").read_bytes())
    for file in every.file:
        for service in file.service:
            for method in service.method:
                policy = method.options.Extensions[options_pb2.policy]
                if policy.access in (options_pb2.ACCESS_UNSPECIFIED, options_pb2.ACCESS_KEY,
                                     options_pb2.ACCESS_SIGNED_IN):
                    policy.access = options_pb2.ACCESS_PUBLIC
    path = tmp_path_factory.mktemp("set") / "keyless.binpb"
    path.write_bytes(every.SerializeToString())
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of files, with things beside it that must not be reached."""
    root = tmp_path_factory.mktemp("site")
    (root / "secret.txt").write_text("secret")
    public = root / "public"
    (public / "js").mkdir(parents=True)
    (public / "index.html").write_text("<!DOCTYPE html><title>t</title>" + "<p>text</p>" * 100)
    (public / "js" / "main.js").write_text("export const x = 1;\n" * 100)
    (public / "small.css").write_text("a{}")
    (public / "blob.bin").write_bytes(bytes(range(256)) * 8)
    (public / ".hidden").write_text("hidden")
    (public / "out.txt").symlink_to(root / "secret.txt")
    (public / "outdir").symlink_to(root)
    return public


@pytest.fixture(scope="module")
def gateway(module_start, shared_upstream, site):
    return module_start("omni-gateway", *settings(
        shared_upstream, frontend_dir=site, cors_origins="https://app.example,http://localhost:5173",
        deadline="60s", heartbeat="300ms", max_body_bytes="64KiB", max_header_bytes="8KiB",
        max_target_bytes="4KiB"))


@pytest.fixture(scope="module")
def http(gateway):
    with httpx.Client(base_url=f"http://{gateway.address}", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Issues certificates; one for localhost is there."""
    from support.certificates import Authority
    made = Authority(tmp_path_factory.mktemp("tls"))
    made.issue("localhost")
    return made


@pytest.fixture
def edge(start, upstream, tmp_path):
    """Makes gateways with keys, as many as are asked for."""
    from edge import KEYS, PLANS, Edge
    made = []

    def make(plans=PLANS, keys=KEYS, wait=True, **more):
        edge = Edge(start, upstream, tmp_path, **more)
        made.append(edge)
        if plans:
            edge.access.publish(plans, keys)
        return edge.start(wait)

    yield make
    for edge in made:
        edge.close()


@pytest.fixture(scope="module")
def shared(module_start, shared_upstream, tmp_path_factory):
    """One for all tests of a file."""
    from edge import KEYS, PLANS, Edge
    edge = Edge(module_start, shared_upstream, tmp_path_factory.mktemp("edge"))
    edge.access.publish(PLANS, KEYS)
    yield edge.start()
    edge.close()
