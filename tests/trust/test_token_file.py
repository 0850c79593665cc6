"""Tokens are replaced as SECURITY.md says, and nobody is refused on the way."""
import os
import secrets

import httpx
from omnidata.user.v1 import user_pb2, user_pb2_grpc
from support import trust
from words import outcome

LIST = user_pb2.ListUsersRequest()


def write(path, *generations):
    """A line for each name of each generation, the oldest first."""
    path.write_text("".join(f"{name} {token}\n" for tokens in generations
                            for name, token in tokens.items()))
    os.chmod(path, 0o600)


def restart(stack, *names):
    for name in names:
        getattr(stack, name).stop()
        getattr(stack, f"start_{name}")()


def served(stack):
    return httpx.get(f"{stack.url}/v1/users", headers=stack.headers, timeout=60).status_code == 200


def test_tokens_are_replaced_one_process_after_another(new_stack, tmp_path, wait_until):
    stack, path = new_stack(), tmp_path / "tokens"
    old = trust.TOKENS
    new = {name: secrets.token_urlsafe(32) for name in old}
    stack.env["OMNI_TOKEN_FILE"] = str(path)
    started = []

    def goes_on():
        wait_until(lambda: served(stack), what="the services believe the gateway")
        started.extend((stack.user, stack.analytics))

    write(path, old)
    stack.start()
    goes_on()
    write(path, old, new)
    restart(stack, "analytics", "user")
    goes_on()
    restart(stack, "gateway")
    goes_on()
    write(path, new)
    restart(stack, "analytics", "user")
    goes_on()
    refused = [line for program in started for line in program.events("audit")
               if line["code"] == "UNAUTHENTICATED"]
    assert not refused
    stub = user_pb2_grpc.UserServiceStub(stack.channel(stack.user))
    assert outcome(stub.ListUsers, LIST) == "UNAUTHENTICATED PEER_TOKEN_WRONG"  # the old one is no more
