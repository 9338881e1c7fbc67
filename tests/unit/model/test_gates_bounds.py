"""How much of what somebody wrote into a gate is shown again."""

from datetime import UTC, datetime

import pytest

from pipeline_state.model.gates import read_gate

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("length, shown", [(79, 79), (80, 80), (81, 80), (5000, 80)])
def test_of_a_long_value_the_beginning_is_shown(length: int, shown: int) -> None:
    assert read_gate("scan", "x" * length, NOW).note == (
        f"unrecognised value '{'x' * shown}'; use TRUE, FALSE or an empty string"
    )
    gate = read_gate("scan", {"status": "TRUE", "expires_at": "x" * length}, NOW)
    assert gate.note == f"unrecognised expires_at '{'x' * shown}'"
