"""The invariants I1 to I7, over tables in memory: 2,000 examples of 50 steps, in parts that processes can share."""

import os

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.memory_room import MemoryRoom
from tests.property.promotion_machine import PromotionMachine


class InMemory(PromotionMachine):
    @classmethod
    def new_store(cls) -> MemoryRoom:
        return MemoryRoom()


PARTS = 4
EXAMPLES = int(os.environ.get("GATESTREAM_EXAMPLES", "2000"))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_invariants_hold_whatever_happens(part: int) -> None:
    run_state_machine_as_test(InMemory, settings=settings(max_examples=EXAMPLES // PARTS, stateful_step_count=50))
