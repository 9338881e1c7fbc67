"""What is wanted of Helm, in the flags of either version. That Helm knows them: tests/contract/test_helm_flags."""

from __future__ import annotations

import pytest

from pipeline_state.deploy import dialect
from pipeline_state.deploy.dialect import Major, Wish

NOTHING = Wish()
ALL = Wish(waits=True, goes_back=True, force_conflicts=True, is_there=True)


@pytest.mark.parametrize(
    "wish,four,three",
    [
        (NOTHING, [], []),
        (Wish(waits=True), ["--wait", "--wait-for-jobs"], ["--wait", "--wait-for-jobs"]),
        (Wish(goes_back=True), ["--rollback-on-failure", "--debug"], ["--atomic"]),
        (Wish(force_conflicts=True), ["--server-side=true", "--force-conflicts"], []),
    ],
)
def test_an_upgrade_is_told_in_the_words_of_its_version(wish: Wish, four: list[str], three: list[str]) -> None:
    always = ["--disable-openapi-validation", "--install"]
    assert dialect.upgrade(4, wish) == always + four
    assert dialect.upgrade(3, wish) == always + three


@pytest.mark.parametrize(
    "wish,four,three",
    [
        (NOTHING, [], []),
        (Wish(waits=True), ["--wait", "--wait-for-jobs"], ["--wait", "--wait-for-jobs"]),
        (Wish(goes_back=True), [], []),
        (Wish(force_conflicts=True), ["--server-side=true", "--force-conflicts"], []),
    ],
)
def test_so_is_a_rollback(wish: Wish, four: list[str], three: list[str]) -> None:
    assert (dialect.rollback(4, wish), dialect.rollback(3, wish)) == (four, three)


@pytest.mark.parametrize("major", [3, 4])
def test_a_release_that_is_there_is_upgraded_and_never_installed(major: Major) -> None:
    assert "--install" not in dialect.upgrade(major, ALL)
    assert "--install" in dialect.upgrade(major, Wish(waits=True, goes_back=True, force_conflicts=True))


@pytest.mark.parametrize("major", [3, 4])
def test_an_uninstallation_can_wait(major: Major) -> None:
    assert dialect.uninstall(major, NOTHING) == []
    assert dialect.uninstall(major, ALL) == ["--wait"]


@pytest.mark.parametrize(
    "major,stderr,is_older",
    [
        (4, b"Error: unknown flag: --rollback-on-failure\n", True),
        (4, b"Error: unknown flag: --server-side\n", True),
        (4, b"Error: UPGRADE FAILED: context deadline exceeded\n", False),
        (4, b"", False),
        (3, b"Error: unknown flag: --atomic\n", False),
    ],
)
def test_a_flag_that_is_refused_gives_an_older_helm_away_once(major: Major, stderr: bytes, *, is_older: bool) -> None:
    assert dialect.is_older(major, stderr) is is_older
