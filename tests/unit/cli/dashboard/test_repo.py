"""The grid of a repository's commits."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pipeline_state.cli.dashboard.repo_view import WITHOUT_PUSH, Standing, Wanted, branches_of, grid_of
from pipeline_state.cli.facts import Row
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import Record
from pipeline_state.table.listing import Cursor, Listed

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
        Standing({}),
        RECORDS,
    )
    assert (grid.gates, grid.places) == (["build", "scan"], ["staging"])
    words = [[cell and cell.mark.word for cell in [*line.gates, *line.places]] for line in grid.lines]
    assert words == [["passed", None, "wait"], ["failed", "passed", None]]


def test_environments_of_several_pipelines_bear_their_names() -> None:
    grid = grid_of([commit(A, [], [place("Wait"), place("Wait", pipeline="docs")])], Standing({}), RECORDS)
    assert grid.places == ["shop staging", "docs staging"]


def test_a_pending_gate_has_the_age_of_its_push_unless_it_says_since_when() -> None:
    gates = [gate("build"), gate("scan", "pending"), gate("legal", "pending", at="2026-07-01T11:00:00Z")]
    (line,) = grid_of([commit(A, gates, [])], Standing({}), RECORDS).lines
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
    (line,) = grid_of([commit(A, [gate("recall", "pending")], [])], Standing({}), {A: record}).lines
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
    (line,) = grid_of([commit(A, [], [decided])], Standing({KEY: A if is_head else B}), RECORDS).lines
    (cell,) = line.places
    assert cell
    assert (cell.is_head, cell.is_here, cell.is_open, cell.sentence) == (is_head, is_head, is_open, "because")


def test_what_runs_where_a_promotion_has_failed_is_here_and_the_head_is_not() -> None:
    decided = [commit(A, [], [place("Promoted")]), commit(B, [], [DEPLOYED])]
    lines = grid_of(decided, Standing({KEY: A}, {KEY: B}), RECORDS).lines
    cells = [cell for line in lines for cell in line.places if cell]
    assert [(cell.is_head, cell.is_here, cell.is_open) for cell in cells] == [(True, False, True), (False, True, False)]


def test_branches_are_offered_that_pipelines_name_or_the_page_shows() -> None:
    pipelines = [Pipeline("shop", "acme/shop", branches=("main", "release/*")), Pipeline("docs", "acme/shop")]
    listed = [Listed(A, "fix", 2, ""), Listed(B, "", -1, "")]
    assert branches_of(pipelines, listed, Wanted("acme/shop", "old")) == ["main", "old", "fix"]
    assert branches_of([], [], Wanted("acme/shop")) == []


def test_a_url_says_what_is_wanted_and_no_more() -> None:
    wanted = Wanted.from_query("acme/shop", {"branch": "fix/ä", "after": f"1700-{A}"})
    assert wanted.after == Cursor(1700, A)
    assert wanted.url("/repo/acme/shop") == f"/repo/acme/shop?branch=fix%2F%C3%A4&after=1700-{A}"
    assert wanted.url("/repo/acme/shop", branch="", after=None) == "/repo/acme/shop"


@pytest.mark.parametrize("after", [WITHOUT_PUSH, Cursor(None, A), Cursor(0, A), Cursor(-5, B), Cursor(10**37, A)])
def test_where_a_page_ended_is_what_its_url_says(after: Cursor) -> None:
    query = urlsplit(Wanted("acme/shop", after=after).url("/")).query
    assert Wanted.from_query("acme/shop", dict(parse_qsl(query))).after == after


@pytest.mark.parametrize("text", ["", "x", "5", "5-", "5-abc", "--", "٣-" + A, "9" * 5000 + "-" + A, f"5-{A}\n", A])
def test_where_no_page_can_have_ended_the_newest_are_shown(text: str) -> None:
    assert Wanted.from_query("acme/shop", {"after": text}).after is None
