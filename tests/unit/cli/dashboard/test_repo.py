"""The grid of a repository's commits."""

from typing import Any

import pytest

from pipeline_state.cli.dashboard.repo_view import PAGE, Wanted, find, grid_of
from pipeline_state.cli.facts import Row
from pipeline_state.model.record import Record
from pipeline_state.table.listing import Listed

A, B = "a" * 40, "b" * 40
KEY = ("shop", "staging")
RECORDS = {sha: Record("acme/shop", sha) for sha in (A, B)}


def gate(name: str, status: str = "passed", **known: str) -> dict[str, Any]:
    return {"name": name, "status": status, "by": None, "at": None, "reason": None, **known}


def place(decision: str, reason: str = "because", pipeline: str = "shop", **known: str | None) -> dict[str, Any]:
    given: dict[str, Any] = {"promoted_at": None, "deployed_at": None, "releases": []}
    return {"pipeline": pipeline, "name": "staging", "decision": decision, "reason": reason, **given, **known}


def commit(sha: str, gates: list[dict[str, Any]], places: list[dict[str, Any]]) -> Row:
    return Row(sha, "2026-07-01T10:00:00Z", {"branch": "main", "gates": gates, "environments": places})


def test_gates_and_environments_stand_in_one_order_for_all_commits() -> None:
    grid = grid_of(
        [
            commit(A, [gate("build"), gate("deployed_to_staging")], [place("Wait")]),
            commit(B, [gate("scan"), gate("build", "failed")], []),
        ],
        {},
        RECORDS,
    )
    assert (grid.gates, grid.places) == (["build", "scan"], ["staging"])
    words = [[cell and cell.mark.word for cell in [*line.gates, *line.places]] for line in grid.lines]
    assert words == [["passed", None, "wait"], ["failed", "passed", None]]


def test_environments_of_several_pipelines_bear_their_names() -> None:
    grid = grid_of([commit(A, [], [place("Wait"), place("Wait", pipeline="docs")])], {}, RECORDS)
    assert grid.places == ["shop staging", "docs staging"]


def test_a_pending_gate_has_the_age_of_its_push_unless_it_says_since_when() -> None:
    gates = [gate("build"), gate("scan", "pending"), gate("legal", "pending", at="2026-07-01T11:00:00Z")]
    (line,) = grid_of([commit(A, gates, [])], {}, RECORDS).lines
    assert [cell and cell.since for cell in line.gates] == ["", "2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z"]


@pytest.mark.parametrize(
    "note, since",
    [
        ({"value": "", "at": "2026-07-01T12:00:00Z"}, "2026-07-01T12:00:00Z"),
        ({"value": "TRUE", "at": "2026-07-01T12:00:00Z"}, "2026-07-01T10:00:00Z"),
        ({"value": "", "at": 5}, "2026-07-01T10:00:00Z"),
        ({}, "2026-07-01T10:00:00Z"),
    ],
    ids=["added later", "of an earlier value", "spoiled", "there since the push"],
)
def test_a_column_that_was_added_later_is_pending_since_then(note: dict[str, Any], since: str) -> None:
    record = Record("acme/shop", A, gates={"recall": ""}, written={"recall": note})
    (line,) = grid_of([commit(A, [gate("recall", "pending")], [])], {}, {A: record}).lines
    assert line.gates[0]
    assert line.gates[0].since == since


DEPLOYED = place("Promoted", deployed_at="2026-07-01T11:00:00Z")


@pytest.mark.parametrize(
    "decided, is_head, is_open",
    [
        (place("Wait"), False, True),
        (place("Blocked"), False, True),
        (place("Frozen"), False, True),
        (place("Queued"), False, True),
        (place("Superseded"), False, False),
        (place("NotACandidate"), False, False),
        (DEPLOYED, True, False),
        (DEPLOYED, False, False),
        (place("Promoted"), True, True),
        (place("Promoted"), False, False),
    ],
)
def test_the_sentence_is_open_where_something_is_still_to_come(
    decided: dict[str, Any], *, is_head: bool, is_open: bool
) -> None:
    (line,) = grid_of([commit(A, [], [decided])], {KEY: A if is_head else B}, RECORDS).lines
    (cell,) = line.places
    assert cell
    assert (cell.is_head, cell.is_open, cell.sentence) == (is_head, is_open, "because")


def listed(number: int, branch: str = "main") -> list[Listed]:
    return [Listed(f"{branch}{at}", branch, at, "") for at in range(number)]


def test_commits_are_shown_by_branch_and_page() -> None:
    commits = [*listed(PAGE + 3), *listed(2, "fix"), *listed(1, "")]
    everything = find(commits, Wanted("acme/shop"))
    assert (len(everything.listed), everything.total, everything.pages) == (PAGE, PAGE + 6, 2)
    assert everything.branches == {"main": PAGE + 3, "fix": 2}
    assert [each.branch for each in find(commits, Wanted("acme/shop", "fix")).listed] == ["fix", "fix"]
    assert len(find(commits, Wanted("acme/shop", "main", 2)).listed) == 3
    assert find(commits, Wanted("acme/shop", page=9)).page == 2
    assert find([], Wanted("acme/shop")).pages == 1


def test_of_many_branches_the_largest_are_offered_and_the_wanted_one() -> None:
    commits = [each for at in range(12) for each in listed(20 - at, f"b{at:02}")]
    wanted = Wanted("acme/shop", "b11")
    offered = find(commits, wanted).told_branches(wanted)
    assert [*offered] == [f"b{at:02}" for at in (*range(8), 11)]


def test_a_url_says_what_is_wanted_and_no_more() -> None:
    wanted = Wanted.from_query("acme/shop", {"branch": "fix/ä", "page": "2"})
    assert wanted.url("/repo/acme/shop") == "/repo/acme/shop?branch=fix%2F%C3%A4&page=2"
    assert wanted.url("/repo/acme/shop", branch="", page=1) == "/repo/acme/shop"
    assert Wanted.from_query("acme/shop", {"page": "-1"}).page == 1
    assert Wanted.from_query("acme/shop", {"page": "9" * 5000}).page == 1
