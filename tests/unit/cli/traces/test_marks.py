"""A mark of two letters stands for a name, and for no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.traces.marks import marks


@pytest.mark.parametrize(
    "name, mark",
    [
        ("github_webhook", "gw"),
        ("the pipeline", "tp"),
        ("promoter", "pr"),
        ("CI", "CI"),
        ("x", "x"),
        ("", ""),
        ("-", "-"),
    ],
)
def test_a_mark_is_the_initials_or_the_beginning(name: str, mark: str) -> None:
    assert marks([name]) == {name: mark}


def test_those_that_would_be_alike_are_numbered() -> None:
    assert marks(["promoter", "printer", "press", "promoter"]) == {"promoter": "pr", "printer": "pr2", "press": "pr3"}


@given(st.lists(st.text("ab_ 23", max_size=5)))
def test_no_two_names_have_the_same_mark(names: list[str]) -> None:
    found = marks(names)
    assert found.keys() == set(names)
    assert len(set(found.values())) == len(found)
