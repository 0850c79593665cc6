"""An access service in Python: keys and plans as a test says, and honest books of leases."""
import hashlib
import threading
from concurrent import futures

import grpc
from grpc.health.v1 import health_pb2, health_pb2_grpc
from google.protobuf import duration_pb2, timestamp_pb2
from omnidata.access.v1 import access_pb2, access_pb2_grpc

DAY = access_pb2.QUOTA_PERIOD_DAY


def plan(name, rate=1000.0, burst=1000, quota=0, period=DAY):
    return access_pb2.Plan(id=name, rate=rate, burst=burst, quota=quota,
                           quota_period=period if quota else 0)


def key(name, plan_id, *secrets, public=False, expire_s=None):
    made = access_pb2.SnapshotKey(
        id=name, plan_id=plan_id, public=public,
        secret_hashes=[hashlib.sha256(secret.encode()).digest() for secret in secrets])
    if expire_s is not None:
        made.expire_time.CopyFrom(timestamp_pb2.Timestamp(seconds=int(expire_s)))
    return made


class Access(access_pb2_grpc.AccessServiceServicer, health_pb2_grpc.HealthServicer):
    """`publish(plans, keys)`; `used[(key, subject)]`, `leases[id]` are its books."""

    def __init__(self, reset_s=4102444800):
        self.changed = threading.Condition()
        self.snapshot = None
        self.watchers = 0
        self.asked = []  # LeaseQuotaRequests, in order
        self.used, self.leases, self.returned = {}, {}, set()
        self.valid_s, self.retry_s, self.reset_s = 30, 77, reset_s
        self.lease_error = None  # a grpc.StatusCode
        self.hold = threading.Event()  # cleared: LeaseQuota waits
        self.hold.set()
        self.port = 0
        self.stopping = False
        self.start()

    def start(self):
        self.stopping = False
        self._server = grpc.server(futures.ThreadPoolExecutor(16),
                                   options=[("grpc.so_reuseport", 0)])
        access_pb2_grpc.add_AccessServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self):
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        self.hold.set()
        self._server.stop(0).wait()

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def publish(self, plans, keys):
        with self.changed:
            version = self.snapshot.version + 1 if self.snapshot else 1
            self.snapshot = access_pb2.Snapshot(version=version, plans=plans, keys=keys)
            self.changed.notify_all()

    def Check(self, request, context):
        return health_pb2.HealthCheckResponse(status=1)

    def WatchSnapshot(self, request, context):
        seen = request.version
        with self.changed:
            self.watchers += 1
            try:
                while not self.stopping and context.is_active():
                    if self.snapshot and self.snapshot.version != seen:
                        seen = self.snapshot.version
                        yield self.snapshot
                    else:
                        self.changed.wait(0.2)
            finally:
                self.watchers -= 1

    def LeaseQuota(self, request, context):
        self.hold.wait(60)
        with self.changed:
            self.asked.append(request)
            if self.lease_error:
                context.abort(self.lease_error, "as the test says")
            return self._lease(request)

    def _lease(self, request):
        whose = (request.key_id, request.subject)
        if request.returned_lease_id and request.returned_lease_id not in self.returned:
            granted = self.leases[request.returned_lease_id]
            assert request.unspent <= granted
            self.used[whose] -= request.unspent
            self.returned.add(request.returned_lease_id)
        quota = next(p.quota for p in self.snapshot.plans for k in self.snapshot.keys
                     if k.id == request.key_id and p.id == k.plan_id)
        left = quota - self.used.get(whose, 0)
        answer = access_pb2.LeaseQuotaResponse(
            quota=quota, reset_time=timestamp_pb2.Timestamp(seconds=self.reset_s))
        if request.want:
            if request.lease_id not in self.leases:
                most = max((left + 3) // 4, request.need)
                self.leases[request.lease_id] = min(request.want, most) if most <= left else 0
                self.used[whose] = self.used.get(whose, 0) + self.leases[request.lease_id]
            answer.granted = self.leases[request.lease_id]
        if answer.granted:
            answer.lease_id = request.lease_id
            answer.valid_for.CopyFrom(duration_pb2.Duration(seconds=self.valid_s))
        else:
            answer.retry_after.CopyFrom(duration_pb2.Duration(seconds=self.retry_s))
        answer.remaining = quota - self.used.get(whose, 0)
        assert answer.remaining >= 0
        return answer

    def GetUsage(self, request, context):
        return access_pb2.Usage(key_id="k")
