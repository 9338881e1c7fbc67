"""Which version a range takes; that the rules are Helm's, a contract test asks Helm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.versions import is_exact, newest
from pipeline_state.faults import PermanentFault

numbers = st.tuples(*[st.integers(0, 3)] * 3).map(lambda parts: ".".join(map(str, parts)))


@pytest.mark.parametrize("version", ["1", "1.2", "1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3+build.5", "0.0.0-a+b"])
def test_a_version_is_no_range(version: str) -> None:
    assert is_exact(version)


@pytest.mark.parametrize("version", ["", "^1", "~1.2", "1.x", "*", ">=1", "1 - 2", "1.2.3.4", "1.2.3 || 2", "latest"])
def test_a_range_is_no_version(version: str) -> None:
    assert not is_exact(version)


@pytest.mark.parametrize(
    "wanted", ["latest", "^", "1.2.3.4", "^^1", "<>1", ">1 and <2", "^1 ||", "|| ^1", ",", "1..2", "^1;", "a - b", "-1"]
)
def test_what_is_neither_is_refused_as_it_was_written(wanted: str) -> None:
    with pytest.raises(PermanentFault) as caught:
        newest(["1.0.0"], wanted)
    assert caught.value.reason.startswith(f"chart version {wanted!r}: neither a version nor a range")


@given(st.text("0123456789.^~<>=!xX*-|, v+abc", max_size=20))
def test_whatever_is_wanted_has_an_answer_or_a_reason(wanted: str) -> None:
    try:
        told = newest(["0.1.0", "1.0.0", "1.2.3-rc.1"], wanted)
    except PermanentFault as fault:
        told = fault.reason
    assert told in {None, "0.1.0", "1.0.0", "1.2.3-rc.1"} or repr(wanted) in told


@given(st.sets(numbers), numbers)
def test_without_wishes_the_newest_is_taken_and_every_range_gets_the_newest_in_it(tags: set[str], low: str) -> None:
    def key(tag: str) -> tuple[int, ...]:
        return tuple(map(int, tag.split(".")))

    assert newest(tags, "") == max(tags, key=key, default=None)
    assert newest(tags, f">={low}") == max((tag for tag in tags if key(tag) >= key(low)), key=key, default=None)
    assert newest(tags, f"<{low}") == max((tag for tag in tags if key(tag) < key(low)), key=key, default=None)
    assert newest(tags, f"={low}") == (low if low in tags else None)
    same = [tag for tag in tags if key(tag) >= key(low) and key(tag)[:2] == key(low)[:2]]
    assert newest(tags, f"~{low}") == max(same, key=key, default=None)


def test_what_is_no_version_is_never_the_newest() -> None:
    assert newest(["latest", "v9.0.0", "9", "1.0.0"], "") == "1.0.0"
    assert newest(["latest"], "") is None


def test_what_came_before_a_release_counts_only_if_it_is_asked_for() -> None:
    tags = ["1.0.0", "1.1.0-rc.2", "1.1.0-rc.11", "1.1.0-rc.beta"]
    assert newest(tags, ">=1.0.0") == "1.0.0"
    assert newest(tags, ">=1.0.0-0") == "1.1.0-rc.beta"
    assert newest(tags[:3], ">=1.0.0-0") == "1.1.0-rc.11"
