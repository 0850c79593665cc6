"""The model of the archive protocol holds, and finds what is broken on purpose."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import archive_protocol  # noqa: E402


# Rule 30.
def test_the_protocol_holds():
    found, steps, states = archive_protocol.check(crashes=1)
    assert found is None, steps
    assert states > 50000  # it did look around


@pytest.mark.parametrize("world", archive_protocol.WORLDS[1:], ids=lambda world: "-".join(world.folders))
def test_it_holds_for_a_batch_and_the_word_that_it_is_lost(world):
    found, steps, states = archive_protocol.check(crashes=1, world=world)
    assert found is None, steps
    assert states > 500


@pytest.mark.parametrize("mutation", archive_protocol.MUTATIONS)
def test_a_broken_protocol_is_found(mutation):
    worlds = reversed(archive_protocol.WORLDS)  # the small ones first
    assert any(archive_protocol.check(mutation, world=world)[1] for world in worlds)
