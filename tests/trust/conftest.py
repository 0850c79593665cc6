"""The services with their policies enforced, asked by peers of all kinds."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="module")
def user(module_start, tmp_path_factory):
    return module_start("omni-user", "--listen=127.0.0.1:0", "--events=none:", "--access=policy",
                        f"--data-dir={tmp_path_factory.mktemp('user')}")


@pytest.fixture(scope="module")
def analytics(module_start, tmp_path_factory):
    return module_start("omni-analytics", "--listen=127.0.0.1:0", "--access=policy",
                        f"--data-dir={tmp_path_factory.mktemp('analytics')}")
