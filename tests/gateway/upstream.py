"""A gRPC server in Python for the gateway to call: answers as a test says, and remembers calls."""
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.health.v1 import health_pb2, health_pb2_grpc
from omnidata.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc


def fail(context, code, message, *details, trailers=()):
    """Ends the call with a status and, when there are details, grpc-status-details-bin."""
    metadata = list(trailers)
    if details:
        status = status_pb2.Status(code=code.value[0], message=message)
        for detail in details:
            packed = detail
            if not isinstance(detail, any_pb2.Any):
                packed = any_pb2.Any()
                packed.Pack(detail)
            status.details.append(packed)
        metadata.append(("grpc-status-details-bin", status.SerializeToString()))
    context.set_trailing_metadata(metadata)
    context.abort(code, message)


def error_info(reason, **metadata):
    return error_details_pb2.ErrorInfo(reason=reason, domain="omnidata", metadata=metadata)


def events(text):
    """A stream without the signs of life that a slow machine has in it."""
    return text.replace(":\n\n", "")


class Upstream(user_pb2_grpc.UserServiceServicer, analytics_pb2_grpc.AnalyticsServiceServicer,
               health_pb2_grpc.HealthServicer):
    """`on["GetUser"] = function(request, context)`; `calls` is a list of (method, request, dict)."""

    def __init__(self):
        self.on = {}
        self.calls = []
        self.cancelled = threading.Event()
        self.serving = True
        self.port = 0
        self._start()

    def _start(self):
        self._server = grpc.server(futures.ThreadPoolExecutor(16),
                                   options=[("grpc.so_reuseport", 0)])
        user_pb2_grpc.add_UserServiceServicer_to_server(self, self._server)
        analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self):
        self._server.stop(0).wait()

    def restart(self):
        self._start()

    def reset(self):
        self.on.clear()
        self.calls.clear()
        self.cancelled.clear()
        self.serving = True

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def last(self, method):
        return [call for call in self.calls if call[0] == method][-1]

    def Check(self, request, context):
        return health_pb2.HealthCheckResponse(status=1 if self.serving else 2)

    def _unary(self, method, default, request, context):
        self.calls.append((method, request, dict(context.invocation_metadata())))
        return self.on.get(method, default)(request, context)

    def _user(self, request, context):
        return user_pb2.User(id="u1", email="a@example.org", etag="e1")

    def CreateUser(self, request, context):
        return self._unary("CreateUser", self._user, request, context)

    def GetUser(self, request, context):
        return self._unary("GetUser", lambda r, c: user_pb2.User(id=r.id, etag="e1"), request, context)

    def UpdateUser(self, request, context):
        return self._unary("UpdateUser", self._user, request, context)

    def DeleteUser(self, request, context):
        return self._unary("DeleteUser", lambda r, c: empty_pb2.Empty(), request, context)

    def BatchGetUsers(self, request, context):
        return self._unary("BatchGetUsers", lambda r, c: user_pb2.BatchGetUsersResponse(), request,
                           context)

    def ListUsers(self, request, context):
        return self._unary("ListUsers", lambda r, c: user_pb2.ListUsersResponse(), request, context)

    def SearchUsers(self, request, context):
        return self._unary("SearchUsers", lambda r, c: user_pb2.SearchUsersResponse(), request,
                           context)

    def GetSummary(self, request, context):
        return self._unary("GetSummary", lambda r, c: analytics_pb2.GetSummaryResponse(), request,
                           context)

    def QueryTimeSeries(self, request, context):
        return self._unary("QueryTimeSeries", lambda r, c: analytics_pb2.QueryTimeSeriesResponse(),
                           request, context)

    def TopSearches(self, request, context):
        return self._unary("TopSearches", lambda r, c: analytics_pb2.TopSearchesResponse(), request,
                           context)

    def GetPipelineStatus(self, request, context):
        return self._unary("GetPipelineStatus",
                           lambda r, c: analytics_pb2.GetPipelineStatusResponse(), request, context)

    def TailEvents(self, request, context):
        self.calls.append(("TailEvents", request, dict(context.invocation_metadata())))
        context.add_callback(self.cancelled.set)
        yield from self.on["TailEvents"](request, context)
