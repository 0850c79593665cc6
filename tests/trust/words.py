"""What the tests of trust share: outcomes of calls, and callers."""
import grpc
from google.rpc import error_details_pb2, status_pb2

ISSUER = "https://issuer.example"
KEY = {"key_id": "01a0-key", "address": "203.0.113.9", "request_id": "req-1"}
ADA = {**KEY, "issuer": ISSUER, "subject": "ada", "scopes": ["users.write"]}
EVE = {**ADA, "subject": "eve"}
ADMIN = {**ADA, "subject": "root", "scopes": ["users.write", "admin"]}


def reason_of(error):
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b""))
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            assert info.domain == "omnidata"
            return info.reason
    return ""


def outcome(method, request, **kwargs):
    """"OK", or the status and the reason: "PERMISSION_DENIED NOT_OWNER"."""
    kwargs.setdefault("timeout", 20)
    try:
        method(request, **kwargs)
        return "OK"
    except grpc.RpcError as error:
        return f"{error.code().name} {reason_of(error)}".strip()
