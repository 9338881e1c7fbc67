from datetime import timedelta

import pytest

from pipeline_state.cli.traces.durations import duration_text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.1324, "132 ms"),
        (1.239, "1.24 s"),
        (125, "2 min 5 s"),
        (120, "2 min"),
        (12000, "3 h 20 min"),
        (86400 * 5 + 7200, "5 d 2 h"),
    ],
)
def test_durations_are_told_in_units_people_use(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text
