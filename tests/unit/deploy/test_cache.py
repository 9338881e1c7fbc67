"""Files that are kept: found again, whole, and never too many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.cache import MAX_BYTES, Cache


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "charts", size=10)


def names(cache: Cache) -> set[str]:
    return {path.name for path in cache.folder.iterdir()}


def age(cache: Cache, name: str, seconds: int) -> None:
    """As if the file had been used so long ago."""
    when = (cache.folder / name).stat().st_mtime - seconds
    os.utime(cache.folder / name, (when, when))


def test_what_is_kept_is_found(cache: Cache) -> None:
    assert cache.find("a") is None
    path = cache.keep("a", b"content")
    assert cache.find("a") == path == cache.folder / "a"
    assert path.read_bytes() == b"content"


def test_what_is_kept_again_is_replaced(cache: Cache) -> None:
    cache.keep("a", b"old")
    assert cache.keep("a", b"new").read_bytes() == b"new"
    assert names(cache) == {"a"}


def test_the_longest_unused_goes_when_there_is_no_room(cache: Cache) -> None:
    for name, seconds in [("a", 30), ("b", 20), ("c", 10)]:
        cache.keep(name, b"123")
        age(cache, name, seconds)
    cache.find("a")
    cache.keep("d", b"1234")
    assert names(cache) == {"a", "c", "d"}


def test_what_is_larger_than_the_whole_room_is_kept_alone(cache: Cache) -> None:
    cache.keep("a", b"123")
    assert cache.keep("b", bytes(11)).exists()
    assert names(cache) == {"b"}


def test_what_a_killed_process_left_goes_in_its_turn(cache: Cache) -> None:
    cache.keep("a", b"123")
    (cache.folder / "tmp_left").write_bytes(bytes(9))
    age(cache, "tmp_left", 60)
    cache.keep("b", b"123")
    assert names(cache) == {"a", "b"}


@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_there_is_never_more_than_fits_and_the_newest_is_always_there(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"), size=10)
    for number, size in enumerate(sizes):
        newest = cache.keep(str(number), bytes(size))
        rest = sum(path.stat().st_size for path in cache.folder.iterdir() if path != newest)
        assert rest <= max(0, 10 - size)
        assert newest.stat().st_size == size


def test_half_of_what_lambda_has_is_never_used() -> None:
    assert MAX_BYTES < 512 * 1024 * 1024 / 2
