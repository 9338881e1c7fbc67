"""The invariants I1 to I7, over tables in memory: 2,000 examples of 40 steps, in chunks that processes can share."""

import os

import pytest

from tests.property.fuzz import CHUNK, chunk

CHUNKS = 2_000 // CHUNK


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(CHUNKS))
def test_the_invariants_hold_whatever_happens(number: int, request: pytest.FixtureRequest) -> None:
    """Other examples each time: by pytest-randomly's seed, or GATESTREAM_SEED."""
    base = os.environ.get("GATESTREAM_SEED") or request.config.getoption("randomly_seed", default=0)
    chunk(int(base) + number)
