"""The invariants I1 to I5, over tables in memory."""

from hypothesis import settings

from tests.property.memory_room import MemoryRoom
from tests.property.promotion_machine import PromotionMachine


class InMemory(PromotionMachine):
    @classmethod
    def new_room(cls) -> MemoryRoom:
        return MemoryRoom()


TestInvariants = InMemory.TestCase
TestInvariants.settings = settings(stateful_step_count=50)
