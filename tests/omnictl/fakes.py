"""The services as omnictl sees them, in Python, with switches for bad days."""
import random
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from omnidata.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from omnidata.event.v1 import source_pb2, source_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc


def abort(context, code, message, reason="", fields=(), retry_after_s=None):
    """Ends the call as the real services do, with google.rpc.Status in the trailers."""
    status = status_pb2.Status(code=code.value[0], message=message)
    details = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain="omnidata"))
    if fields:
        bad = error_details_pb2.BadRequest()
        for path, text in fields:
            bad.field_violations.add(field=path, description=text)
        details.append(bad)
    if retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(code, message)


class Users(user_pb2_grpc.UserServiceServicer):
    """Keeps users in memory; a request id is carried out once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.users = {}       # by address, case-folded, in the order of creation
        self.answers = {}     # by request id
        self.calls = 0
        self.repeats = 0      # calls whose request id had been carried out
        self.in_flight = 0
        self.most_in_flight = 0
        self.times = {}       # by address: when it was asked for
        self.trouble = lambda call, request, context: None
        self.delay_s = 0
        self.page_limit = 1000

    def CreateUser(self, request, context):
        with self.lock:
            self.calls += 1
            call = self.calls
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.times.setdefault(request.user.email, []).append(time.monotonic())
        try:
            if self.delay_s:
                time.sleep(self.delay_s)
            self.trouble(call, request, context)
            return self.create(request, context)
        finally:
            with self.lock:
                self.in_flight -= 1

    def create(self, request, context):
        user = request.user
        if "@" not in user.email:
            abort(context, grpc.StatusCode.INVALID_ARGUMENT, "user.email: must be an address",
                  "INVALID_FIELD", [("user.email", "must be an address")])
        with self.lock:
            if request.request_id and request.request_id in self.answers:
                self.repeats += 1
                return self.answers[request.request_id]
            taken = user.email.lower() in self.users
            if not taken:
                made = user_pb2.User()
                made.CopyFrom(user)
                made.id = f"01900000-0000-7000-8000-{len(self.users):012x}"
                made.etag = "1"
                made.create_time.FromMilliseconds(1_790_000_000_123 + len(self.users))
                made.update_time.CopyFrom(made.create_time)
                self.users[user.email.lower()] = made
                self.answers[request.request_id] = made
        if taken:
            abort(context, grpc.StatusCode.ALREADY_EXISTS, "the address is taken", "EMAIL_TAKEN")
        return made

    def ListUsers(self, request, context):
        with self.lock:
            self.calls += 1
            call = self.calls
        self.trouble(call, request, context)
        with self.lock:
            users = list(self.users.values())
        start = int(request.page_token or 0)
        end = start + min(request.page_size or 50, self.page_limit)
        return user_pb2.ListUsersResponse(users=users[start:end],
                                          next_page_token=str(end) if end < len(users) else "")


class Source(source_pb2_grpc.EventSourceServiceServicer):
    def __init__(self):
        self.response = source_pb2.GetEmittedResponse()
        self.requests = []

    def GetEmitted(self, request, context):
        self.requests.append(request)
        return self.response


class Analytics(analytics_pb2_grpc.AnalyticsServiceServicer):
    def __init__(self):
        self.status = analytics_pb2.GetPipelineStatusResponse()
        self.statuses = []    # answered one after the other first, then `status`
        self.summary = analytics_pb2.GetSummaryResponse()
        self.series = analytics_pb2.QueryTimeSeriesResponse()
        self.searches = analytics_pb2.TopSearchesResponse()
        self.hang_s = 0
        self.refuse = None    # the text of an OUT_OF_RANGE

    def GetPipelineStatus(self, request, context):
        if self.refuse:
            abort(context, grpc.StatusCode.OUT_OF_RANGE, self.refuse)
        time.sleep(self.hang_s)
        return self.statuses.pop(0) if self.statuses else self.status

    def GetSummary(self, request, context):
        return self.summary

    def QueryTimeSeries(self, request, context):
        return self.series

    def TopSearches(self, request, context):
        return self.searches


class Server:
    """A gRPC server on a port of its own; can go away and come back on the same port."""

    def __init__(self, *servicers):
        self.servicers = servicers
        self.port = 0
        self.start()

    def start(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(32),
                                  options=[("grpc.so_reuseport", 0)])
        for servicer in self.servicers:
            if isinstance(servicer, Users):
                user_pb2_grpc.add_UserServiceServicer_to_server(servicer, self.server)
            elif isinstance(servicer, Source):
                source_pb2_grpc.add_EventSourceServiceServicer_to_server(servicer, self.server)
            else:
                analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server(servicer, self.server)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        assert self.port
        self.server.start()

    def stop(self):
        self.server.stop(0).wait()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


def sometimes(share, code=grpc.StatusCode.UNAVAILABLE, seed=7, **more):
    """A trouble that strikes a share of the calls, half of them after the work was done."""
    dice = random.Random(seed)
    lock = threading.Lock()

    def trouble(call, request, context):
        with lock:
            strikes = dice.random() < share
        if strikes:
            abort(context, code, "not now", **more)
    return trouble
