"""AccessService as a gateway and an operator see it."""
import queue
import threading
import uuid

import grpc
from google.protobuf import field_mask_pb2
from omnidata.access.v1 import access_pb2 as pb
from omnidata.access.v1 import access_pb2_grpc
from omnidata.api.v1 import caller_pb2
from support import trust

from users import TIMEOUT_S, Refused

DAY, MONTH = pb.QUOTA_PERIOD_DAY, pb.QUOTA_PERIOD_MONTH


class Watcher:
    """A WatchSnapshot that is open: .next() waits for a snapshot, .end() for its status code."""

    def __init__(self, stub, version):
        self.call = stub.WatchSnapshot(pb.WatchSnapshotRequest(version=version))
        self.queue = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for snapshot in self.call:
                self.queue.put(snapshot)
            self.queue.put(grpc.StatusCode.OK)
        except grpc.RpcError as error:
            self.queue.put(error.code())

    def next(self, timeout_s=TIMEOUT_S):
        got = self.queue.get(timeout=timeout_s)
        assert isinstance(got, pb.Snapshot), got
        return got

    def end(self, timeout_s=TIMEOUT_S):
        got = self.queue.get(timeout=timeout_s)
        assert isinstance(got, grpc.StatusCode), got
        return got


class Access:
    """AccessService of one program."""

    def __init__(self, address):
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channels = {peer: trust.channel(address, peer, options=options)
                         for peer in ("operator", "gateway")}
        self.stub = access_pb2_grpc.AccessServiceStub(self.channels["operator"])
        self.gateway = access_pb2_grpc.AccessServiceStub(self.channels["gateway"])

    def _call(self, method, request, **kwargs):
        kwargs.setdefault("timeout", TIMEOUT_S)
        try:
            return method(request, **kwargs)
        except grpc.RpcError as error:
            raise Refused(error) from None

    def plan(self, plan_id="p", rate=10, burst=20, quota=0, period=0):
        return self._call(self.stub.PutPlan, pb.PutPlanRequest(plan=pb.Plan(
            id=plan_id, rate=rate, burst=burst, quota=quota, quota_period=period)))

    def plans(self):
        return list(self._call(self.stub.ListPlans, pb.ListPlansRequest()).plans)

    def create(self, name="key", plan="p", request_id="", **fields):
        return self._call(self.stub.CreateApiKey, pb.CreateApiKeyRequest(
            api_key=pb.ApiKey(display_name=name, plan_id=plan, **fields), request_id=request_id))

    def get(self, key_id):
        return self._call(self.stub.GetApiKey, pb.GetApiKeyRequest(id=key_id))

    def list(self, size=0, token=""):
        return self._call(self.stub.ListApiKeys,
                          pb.ListApiKeysRequest(page_size=size, page_token=token))

    def update(self, key_id, mask=(), **fields):
        return self._call(self.stub.UpdateApiKey, pb.UpdateApiKeyRequest(
            api_key=pb.ApiKey(id=key_id, **fields),
            update_mask=field_mask_pb2.FieldMask(paths=mask)))

    def rotate(self, key_id, overlap=0):
        return self._call(self.stub.RotateApiKey,
                          pb.RotateApiKeyRequest(id=key_id, overlap_seconds=overlap))

    def disable(self, key_id):
        return self._call(self.stub.DisableApiKey, pb.DisableApiKeyRequest(id=key_id))

    def lease(self, key_id, want=1, gateway="g", lease_id=None, **fields):
        return self._call(self.gateway.LeaseQuota, pb.LeaseQuotaRequest(
            key_id=key_id, want=want, gateway_id=gateway,
            lease_id=str(uuid.uuid4()) if lease_id is None else lease_id, **fields))

    def give_back(self, key_id, lease_id, unspent, gateway="g", **fields):
        return self.lease(key_id, 0, gateway, "", returned_lease_id=lease_id, unspent=unspent,
                          **fields)

    def usage(self, **caller):
        metadata = [("omni-caller-bin", caller_pb2.Caller(**caller).SerializeToString())]
        return self._call(self.gateway.GetUsage, pb.GetUsageRequest(), metadata=metadata)

    def usage_of(self, key_id, subject=""):
        return self._call(self.stub.GetApiKeyUsage,
                          pb.GetApiKeyUsageRequest(id=key_id, subject=subject))

    def watch(self, version=0):
        return Watcher(self.gateway, version)

    def snapshot(self):
        watcher = self.watch()
        snapshot = watcher.next()
        watcher.call.cancel()
        return snapshot

    def close(self):
        for channel in self.channels.values():
            channel.close()
