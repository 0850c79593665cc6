"""The user service alone, without anybody to send its events to."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture
def serve(start, tmp_path):
    """serve(**settings) -> (Program, Users); data-dir is the test's own unless given."""
    from users import Users
    clients = []

    def begin(**settings):
        settings = {"listen": "127.0.0.1:0", "data-dir": tmp_path / "data", "events": "none:",
                    **{k.replace("_", "-"): v for k, v in settings.items()}}
        program = start("omni-user", *(f"--{k}={v}" for k, v in settings.items()))
        clients.append(Users(program.address))
        return program, clients[-1]

    yield begin
    for client in clients:
        client.close()


@pytest.fixture
def users(serve):
    return serve()[1]


@pytest.fixture
def refused():
    from users import Refused
    return Refused
