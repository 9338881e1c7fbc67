"""The machine of `tests/property`, over the real tables: what holds in memory holds here, so the memory is honest."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.table_room import LocalTables, TableRoom
from tests.property.promotion_machine import PromotionMachine


def test_the_invariants_hold_over_real_tables(local_tables: LocalTables) -> None:
    class OverTables(PromotionMachine):
        @classmethod
        def new_room(cls) -> TableRoom:
            return TableRoom(local_tables)

    few = settings(max_examples=6, stateful_step_count=25, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(OverTables, settings=few)
