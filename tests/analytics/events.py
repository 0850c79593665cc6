"""An independent producer of events, a client, and a reader of the archive, for tests of omni-analytics."""
import base64
import io
import json
import os
import time
import uuid

import zstandard
from google.protobuf import timestamp_pb2

from omnidata.analytics.v1 import analytics_pb2 as api
from omnidata.analytics.v1 import analytics_pb2_grpc
from omnidata.event.v1 import event_pb2 as ev
from support import trust

HOUR = 3600


def uuid7(when=None):
    ms = int((time.time() if when is None else when) * 1000)
    value = ms << 80 | 7 << 76 | int.from_bytes(os.urandom(2), "big") >> 4 << 64
    value |= 2 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    return str(uuid.UUID(int=value))


def stamp(seconds):
    whole = int(seconds // 1)
    return timestamp_pb2.Timestamp(seconds=whole, nanos=int((seconds - whole) * 1e6) * 1000)


def hour_of(when):
    return int(when) // HOUR * HOUR


def event(when, kind=ev.EVENT_KIND_USER_READ, **fields):
    return ev.Event(id=fields.pop("id", None) or uuid7(when), schema_version=1, time=stamp(when),
                    kind=kind, **fields)


def search(when, query, results=1, **fields):
    return event(when, ev.EVENT_KIND_USERS_SEARCHED, query=query, result_count=results, **fields)


def batch(events, hour=None, batch_id=None):
    """Of events, or of bytes that are to be an event."""
    raw = [e if isinstance(e, bytes) else e.SerializeToString() for e in events]
    if hour is None:
        hour = hour_of(events[0].time.seconds)
    return ev.EventBatch(id=batch_id or uuid7(), hour=stamp(hour), count=len(raw), events=raw)


class Client:
    def __init__(self, program):
        self.channel = trust.channel(program.address)
        self.stub = analytics_pb2_grpc.AnalyticsServiceStub(self.channel)

    def record(self, *batches, timeout=60):
        return self.stub.RecordEvents(api.RecordEventsRequest(batches=batches), timeout=timeout)

    def status(self, **fields):
        return self.stub.GetPipelineStatus(api.GetPipelineStatusRequest(**fields), timeout=60)

    def settled(self):
        """Nothing waits, nothing is open."""
        status = self.status()
        return status if not status.queued_batches and not status.open_events else None

    def close(self):
        self.channel.close()


class Analytics:
    """One data directory; the program on it can be started, killed and started again."""

    def __init__(self, start, directory, **settings):
        self._start, self.directory = start, directory
        self.settings = {"segment_age": "300ms", "retry": "100ms", "lease": "3s",
                         "grace": "20s", **settings}
        self.program = self.client = None
        self.up()

    def up(self):
        args = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        self.program = self._start("omni-analytics", "--listen=127.0.0.1:0",
                                   f"--data-dir={self.directory}", *args)
        self.client = Client(self.program)
        return self

    def down(self):
        self.client.close()
        self.program.stop()

    def kill(self):
        self.client.close()
        self.program.kill9()


def archived(data_dir, kind):
    """All rows under archive/KIND, with `_key` of the object."""
    return archived_under(data_dir / "archive", kind)


def archived_under(root, kind="events"):
    rows = []
    for path in sorted((root / kind).rglob("*.ndjson.zst")):
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            text = io.TextIOWrapper(reader, encoding="utf-8").read()
        assert not text or text.endswith("\n"), path
        rows += [{**json.loads(line), "_key": str(path.relative_to(root))}
                 for line in text.splitlines()]
    return rows


def raw_of(row):
    return base64.b64decode(row["raw"], validate=True)
