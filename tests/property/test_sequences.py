"""Sequences of the machine that are too rare to be left to chance."""

from tests.property.fuzz import InMemory
from tests.property.memory_queues import EVENTS


def begun(kind: str) -> InMemory:
    """One commit has been pushed and built, and both are on its record."""
    machine = InMemory()
    machine.begin(kind, shipped=0, is_swept=False, in_order=False, together=False)
    machine.push(number=0, elsewhere=0, paths=2, is_told=True)
    machine.build(number=0, elsewhere=0, status="success")
    for _ in range(2):
        machine.record(number=0, at=0, happens="")
    return machine


def test_a_freeze_that_ends_while_another_pipeline_is_seen_to() -> None:
    machine = begun("monorepo")
    machine.close(number=2, what="freeze until", at=0, happens="")
    machine.sweep(at=-2, happens="pause")  # front is claimed, and not yet published
    assert machine.world.calls.paused
    machine.wait(seconds=100)
    machine.go_on(number=0, at=0, happens="")
    machine.check_invariants()
    machine.teardown()


def test_an_approval_that_expires_while_an_earlier_claim_is_finished() -> None:
    machine = begun("chain")
    machine.promote(number=0, most=8, at=-4, happens="die before")  # of the mark: both releases are published
    for _ in range(2):
        machine.install(number=0, helm="deployed", at=0, happens="")
    while machine.world.queues.visible(EVENTS):
        machine.record(number=0, at=0, happens="")
    machine.approve(number=0, value="expires")
    machine.wait(seconds=61)
    machine.promote(number=0, most=1, at=2, happens="pause")  # production is decided, staging to be finished first
    assert machine.world.calls.paused
    machine.wait(seconds=30)
    machine.go_on(number=0, at=0, happens="")
    machine.check_invariants()
    machine.teardown()
