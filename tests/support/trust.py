"""Who the tests are to the services: tokens of the peers, and channels that send them."""
import atexit
import os
import secrets
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import grpc

TOKENS = {name: secrets.token_urlsafe(32) for name in ("gateway", "user", "operator")}
_file = None


def token_file():
    """The file that all programs under test are given, for the owner's eyes only."""
    global _file
    if not _file:
        folder = Path(tempfile.mkdtemp(prefix="omni-tokens-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _file = write_tokens(folder / "tokens", TOKENS)
    return _file


def write_tokens(path, tokens):
    path.touch(mode=0o600)
    path.write_text("".join(f"{name} {token}\n" for name, token in tokens.items()))
    os.chmod(path, 0o600)
    return path


class _Details(namedtuple("_Details", ("method", "timeout", "metadata", "credentials",
                                       "wait_for_ready", "compression")),
               grpc.ClientCallDetails):
    pass


class _WithMetadata(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor,
                    grpc.StreamUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    def __init__(self, metadata):
        self.metadata = metadata

    def _call(self, proceed, details, request):
        return proceed(_Details(details.method, details.timeout,
                                list(details.metadata or ()) + self.metadata, details.credentials,
                                details.wait_for_ready, details.compression), request)

    intercept_unary_unary = intercept_unary_stream = _call
    intercept_stream_unary = intercept_stream_stream = _call


def with_metadata(channel, *metadata):
    """The channel, with these pairs sent with every call."""
    return grpc.intercept_channel(channel, _WithMetadata(list(metadata)))


def channel(address, peer="operator", **kwargs):
    """A channel in plaintext that says, and proves, to be `peer`."""
    return with_metadata(grpc.insecure_channel(address, **kwargs),
                         ("omni-peer-token", TOKENS[peer]))


def client_channel(target, /, **caller):
    """A channel as the gateway's, that speaks for a client: fields of omnidata.api.v1.Caller."""
    from omnidata.api.v1.caller_pb2 import Caller
    return with_metadata(channel(target, "gateway"),
                         ("omni-caller-bin", Caller(**caller).SerializeToString()))
