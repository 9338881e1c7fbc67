"""Which waits a change has ended; times are seconds after START."""

from dataclasses import replace
from datetime import datetime

from pipeline_state.model.ended_waits import ended_waits
from pipeline_state.model.record import Claim, Record
from pipeline_state.model.waits import Wait
from tests.unit.model.histories import A, at, time

RECORD = Record("myOrg/myApp", A, claims={"staging": Claim("staging", 2, time(200), {}, published=True)})


def gate(name: str, start: float, end: float | None, what: str = "") -> Wait:
    return Wait(what or name, "people", "staging", at(start), None if end is None else at(end), gate=name)


def beside(what: str, start: float, end: float, environment: str = "staging") -> Wait:
    return Wait(what, "pipeline", environment, at(start), at(end))


def ended(
    *found: Wait,
    second: float,
    moved: tuple[str, ...] = (),
    record: Record = RECORD,
    applied: tuple[float, ...] = (),
    **claims: tuple[float | None, float],
) -> list[Wait]:
    made = {name: (None if before is None else at(before), at(now)) for name, (before, now) in claims.items()}
    told: dict[str, tuple[datetime | None, datetime]] = made
    return list(ended_waits(found, record, at(second), moved, told, {at(each) for each in applied}))


def test_of_a_gates_waits_it_is_the_one_that_ended_then_whatever_has_ended_since() -> None:
    first, mended, second = gate("legal", 0, 50), gate("legal", 50, 70, "legal to be mended"), gate("legal", 100, 150)
    others = gate("scan", 0, 50), gate("build", 0, None)
    found = (first, mended, second, *others)
    assert ended(*found, second=50.4, moved=("legal",)) == [first]
    assert ended(*found, second=70, moved=("legal",)) == [mended]
    assert ended(*found, second=150, moved=("legal", "build")) == [second]
    assert ended(*found, second=150) == []


def test_a_claim_ends_what_was_waited_for_beside_gates_since_the_claim_before() -> None:
    soak, turn = beside("the soak time", 10, 80), beside("its turn", 80, 100)
    before, elsewhere = beside("its turn", 1, 9), beside("its turn", 10, 100, "production")
    found = (before, soak, turn, elsewhere, beside("its turn", 100, 120))
    assert ended(*found, second=100, staging=(9, 100)) == [soak, turn]
    assert ended(*found, second=100, staging=(None, 100)) == [before, soak, turn]


def test_a_change_may_move_gates_and_be_a_claim() -> None:
    legal, turn = gate("legal", 0, 100), beside("its turn", 50, 100)
    assert ended(legal, turn, second=100, moved=("legal",), staging=(None, 100)) == [legal, turn]
    named_like_it = Record("myOrg/myApp", A, claims={"legal": Claim("legal", 1, time(0), {}, published=True)})
    free = beside("legal to be free", 10, 90, "legal")
    assert ended(legal, free, second=100, moved=("legal",), record=named_like_it) == [legal]


def test_a_claim_ends_the_wait_for_a_gate_only_where_the_gate_is_still_closed() -> None:
    wait = gate("legal", 0, 100)
    assert ended(wait, second=100, staging=(None, 100)) == [wait]
    opened = Record("myOrg/myApp", A, gates={"legal": "TRUE"})
    assert ended(wait, second=100, record=opened, staging=(None, 100)) == []
    expired = Record("myOrg/myApp", A, gates={"legal": {"status": "TRUE", "expires_at": time(50)}})
    assert ended(wait, second=100, record=expired, staging=(None, 100)) == [wait]
    assert ended(gate("legal", 0, 90), second=100, staging=(None, 100)) == []


def test_a_claim_tells_what_ended_when_pipelines_were_applied_that_need_a_gate_no_more() -> None:
    legal, elsewhere = gate("legal", 0, 90), replace(gate("scan", 0, 90), environment="production")
    assert ended(legal, elsewhere, second=100, applied=(90,), staging=(50, 100)) == [legal]
    assert ended(legal, second=100, applied=(90,), staging=(95, 100)) == [], "the claim before has told it"
    assert ended(gate("legal", 0, 110), second=100, applied=(110,), staging=(50, 100)) == []
    opened = Record("myOrg/myApp", A, gates={"legal": "TRUE"})
    assert ended(legal, second=100, applied=(90,), record=opened, staging=(50, 100)) == [], "that has told it"


def test_a_column_that_goes_when_pipelines_are_applied_leaves_its_wait_to_the_claim() -> None:
    legal = gate("legal", 0, 90)
    assert ended(legal, second=89, moved=("legal",), applied=(90,)) == []
    assert ended(legal, second=100, applied=(90,), staging=(None, 100)) == [legal]
    assert ended(legal, second=90, moved=("legal",), applied=(50,)) == [legal], "removed later: that has ended it"
    opened = Record("myOrg/myApp", A, gates={"legal": "TRUE"})
    assert ended(legal, second=95, moved=("legal",), applied=(90,), record=opened) == [legal], "set all the same"


def test_a_verdict_ends_what_the_installation_waited_for_after_its_claim() -> None:
    deployed, free, soak = (
        gate("deployed_to_staging", 200, 300),
        beside("staging to be free", 200, 260),
        beside("s", 9, 200),
    )
    assert ended(deployed, free, soak, second=300, moved=("deployed_to_staging",)) == [deployed, free]
    assert ended(deployed, second=300, moved=("deployed_to_production",)) == []
