"""What a value in a gate's column means, whatever people write there."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.model.gates import NAMED_ATTRIBUTES, Gate, GateStatus, is_gate, name_problem, read_gate

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
BEFORE, AFTER = "2026-07-01T11:59:59Z", "2026-07-01T12:00:01Z"
PASSED, FAILED, PENDING = GateStatus.PASSED, GateStatus.FAILED, GateStatus.PENDING

VALUES: list[tuple[Any, GateStatus]] = [
    ("TRUE", PASSED),
    ("true", PASSED),
    (" True\n", PASSED),
    (True, PASSED),
    ("FALSE", FAILED),
    ("false", FAILED),
    (False, FAILED),
    ("", PENDING),
    ("  ", PENDING),
    ({"status": "TRUE"}, PASSED),
    ({"status": True}, PASSED),
    ({"status": "False", "by": "scanner"}, FAILED),
    ({"status": ""}, PENDING),
]
NONSENSE: list[Any] = [
    {},
    {"statuss": "TRUE"},
    "yes",
    "1",
    "passed",
    1,
    0,
    Decimal(1),
    None,
    [],
    ["TRUE"],
    {"TRUE"},
    b"TRUE",
    {"status": "OK"},
    {"status": 1},
    {"status": {"status": "TRUE"}},
]


@pytest.mark.parametrize("value, status", VALUES, ids=repr)
def test_a_value_says_passed_failed_or_pending(value: Any, status: GateStatus) -> None:
    gate = read_gate("build", value, NOW)
    assert (gate.status, gate.note) == (status, None)


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_a_value_nobody_understands_is_pending_and_shown(value: Any) -> None:
    gate = read_gate("build", value, NOW)
    assert gate.status is PENDING
    assert gate.note
    assert gate.note.startswith("unrecognised value")


def test_a_long_value_is_shown_in_part() -> None:
    assert len(str(read_gate("build", "x" * 10_000, NOW).note)) < 200
    assert len(str(read_gate("build", {"status": "TRUE", "expires_at": "x" * 10_000}, NOW).note)) < 200


def test_a_map_brings_its_evidence() -> None:
    evidence = {"by": "ann", "at": BEFORE, "reason": "CVE-1", "url": "https://example.com/1"}
    assert read_gate("scan", {"status": "FALSE", **evidence, "more": 1}, NOW) == Gate("scan", FAILED, **evidence)


def test_evidence_that_is_no_text_is_left_out() -> None:
    value = {"status": "TRUE", "by": ["ann"], "at": Decimal(5), "reason": "", "url": None, "expires_at": 7}
    assert read_gate("scan", value, NOW) == Gate("scan", PASSED)


@pytest.mark.parametrize(
    "status, expires_at, found, note",
    [
        ("TRUE", AFTER, PASSED, None),
        ("TRUE", "2026-07-01T12:00:00Z", PENDING, "expired at 2026-07-01T12:00:00Z"),
        ("TRUE", BEFORE, PENDING, f"expired at {BEFORE}"),
        ("TRUE", "tomorrow", PENDING, "unrecognised expires_at 'tomorrow'"),
        ("TRUE", "2026-07-02T00:00:00", PENDING, "unrecognised expires_at '2026-07-02T00:00:00'"),
        ("FALSE", BEFORE, FAILED, None),
        ("", BEFORE, PENDING, None),
    ],
    ids=["not yet", "just now", "passed", "no time", "no offset", "of a failed one", "of a pending one"],
)
def test_an_approval_expires(status: str, expires_at: str, found: GateStatus, note: str | None) -> None:
    gate = read_gate("legal", {"status": status, "expires_at": expires_at}, NOW)
    assert (gate.status, gate.note, gate.expires_at) == (found, note, expires_at)


@pytest.mark.parametrize("name", ["build", "a.b-c/d:e", "9", "-", "A" * 200, "x_y"])
def test_a_usable_name(name: str) -> None:
    assert name_problem(name) is None
    assert is_gate(name)


@pytest.mark.parametrize("name", ["", "_mine", "with space", "a[0]", "[x]", "ünicode", "🚀", "new\nline", "a,b", "'"])
def test_a_name_that_cannot_be_used_is_pending_whatever_it_says(name: str) -> None:
    gate = read_gate(name, "TRUE", NOW)
    assert gate.status is PENDING
    assert gate.note == name_problem(name)
    assert "no leading underscore" in str(gate.note)


@pytest.mark.parametrize("name", sorted(NAMED_ATTRIBUTES))
def test_a_records_own_attributes_are_no_gates(name: str) -> None:
    assert not is_gate(name)
    assert "attribute of every record" in str(name_problem(name))


@pytest.mark.parametrize("name", ["_claim_production", "_branches", "_"])
def test_the_pipelines_own_attributes_are_no_gates(name: str) -> None:
    assert not is_gate(name)
