"""Words that the tests of the user service share: stubs, errors with their details, users."""
import grpc
from google.rpc import error_details_pb2, status_pb2
from omnidata.event.v1 import source_pb2, source_pb2_grpc
from omnidata.user.v1 import user_pb2 as pb
from omnidata.user.v1 import user_pb2_grpc
from support import trust

TIMEOUT_S = 60


class Refused(Exception):
    """What the service said no with: code name, message, reason, {field: description}."""

    def __init__(self, error):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code = error.code().name
        self.message = error.details()
        self.reason, self.fields = details_of(dict(error.trailing_metadata() or ()))


def details_of(metadata):
    status = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b""))
    return details_of_status(status)


def details_of_status(status):
    reason, fields = "", {}
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            reason = error_details_pb2.ErrorInfo.FromString(detail.value).reason
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            for violation in error_details_pb2.BadRequest.FromString(detail.value).field_violations:
                fields[violation.field] = violation.description
    return reason, fields


class Users:
    """UserService and EventSourceService of one program."""

    def __init__(self, address):
        # No channel may be shared with one that saw an earlier process at this address.
        self.channel = trust.channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = user_pb2_grpc.UserServiceStub(self.channel)
        self.source = source_pb2_grpc.EventSourceServiceStub(self.channel)

    def _call(self, method, request, **kwargs):
        kwargs.setdefault("timeout", TIMEOUT_S)
        try:
            return method(request, **kwargs)
        except grpc.RpcError as error:
            raise Refused(error) from None

    def create(self, email, name="Somebody", request_id="", **fields):
        return self._call(self.stub.CreateUser, pb.CreateUserRequest(
            user=pb.User(email=email, display_name=name, **fields), request_id=request_id))

    def get(self, user_id, **kwargs):
        return self._call(self.stub.GetUser, pb.GetUserRequest(id=user_id), **kwargs)

    def batch(self, ids):
        return self._call(self.stub.BatchGetUsers, pb.BatchGetUsersRequest(ids=ids)).results

    def update(self, user_id, mask=None, request_id="", **fields):
        request = pb.UpdateUserRequest(user=pb.User(id=user_id, **fields), request_id=request_id)
        if mask is not None:
            request.update_mask.paths.extend(mask)
        return self._call(self.stub.UpdateUser, request)

    def delete(self, user_id, etag="", request_id=""):
        self._call(self.stub.DeleteUser,
                   pb.DeleteUserRequest(id=user_id, etag=etag, request_id=request_id))

    def list(self, page_size=0, page_token=""):
        return self._call(self.stub.ListUsers,
                          pb.ListUsersRequest(page_size=page_size, page_token=page_token))

    def all(self, page_size=1000):
        token, users = "", []
        while True:
            page = self.list(page_size, token)
            users.extend(page.users)
            token = page.next_page_token
            if not token:
                return users

    def search(self, query, page_size=0, page_token=""):
        return self._call(self.stub.SearchUsers, pb.SearchUsersRequest(
            query=query, page_size=page_size, page_token=page_token))

    def found(self, query):
        return [user.display_name for user in self.search(query, 100).users]

    def emitted(self, **kwargs):
        return self._call(self.source.GetEmitted, source_pb2.GetEmittedRequest(**kwargs))

    def close(self):
        self.channel.close()
