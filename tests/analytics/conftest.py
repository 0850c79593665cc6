"""A running omni-analytics with a client, in tests that need no more."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


from events import Analytics  # noqa: E402


@pytest.fixture
def analytics(start, tmp_path):
    """analytics(**settings) -> Analytics, running."""
    count = 0

    def make(**settings):
        nonlocal count
        count += 1
        return Analytics(start, tmp_path / f"analytics{count}", **settings)

    return make
