"""Which rows of the fleet are shown, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.dashboard.fleet_behind import Late, behind, place_of
from pipeline_state.cli.dashboard.fleet_memory import Pace, row_of
from pipeline_state.cli.dashboard.fleet_rows import ORDERS, PAGE, SHOWS, Row, Wanted, find
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.order import Place as Pushed
from pipeline_state.model.pipelines import Environment, Pipeline, Release
from pipeline_state.model.record import Record
from pipeline_state.table.models import to_raw

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
STAGING = Environment("staging", releases=(Release("web", "shop", "charts/web"),))
SHOP = Pipeline("shop", "acme/Shop", environments=(STAGING,))
HEAD = "a" * 40


def row(pipeline: str = "shop", **item: Any) -> Row:
    place = Place(replace(SHOP, name=pipeline), STAGING)
    return row_of(place, {name: to_raw(value) for name, value in item.items()}, {}, NOW)


def deployed(pipeline: str = "shop", at: str = "2026-07-01T10:00:00Z", **item: Any) -> Row:
    given = {"generation": 2, "head": HEAD, "branch": "main", "promoted_at": at, "sequence": 10, "done:web": 2}
    return row(pipeline, **{**given, "outcome:web": '{"kind": "deployed", "chart": "web-1.2.3"}', **item})


FAILED = {"outcome:web": '{"kind": "failed", "reason": "no such image"}'}


def nobody(_: Row) -> bool:
    return False


@pytest.mark.parametrize(
    "given, word, tone",
    [
        (row(), "empty", "none"),
        (deployed(), "deployed", "good"),
        (deployed(**FAILED), "failed", "bad"),
        (deployed(generation=3), "under way", "wait"),
        (deployed(**{"parked:web": "…"}), "under way", "wait"),
    ],
)
def test_a_row_says_how_far_its_head_got_with_a_shape_a_word_and_a_tone(given: Row, word: str, tone: str) -> None:
    assert (given.mark.word, given.mark.tone) == (word, tone)
    assert given.mark.symbol


def test_a_row_says_why_it_failed_and_what_it_waits_for() -> None:
    assert deployed(**FAILED).reasons == ["no such image"]
    assert deployed(**{"parked:web": "…"}).reasons == ["web: to be installed once the way is free"]
    assert deployed().charts == ["web-1.2.3"]


def test_a_row_says_who_closed_it_until_when_and_why() -> None:
    frozen = {"frozen_by": "ann", "frozen_until": "2026-07-01T13:00:00Z", "frozen_reason": "a demo"}
    held = {"held_by": "bo", "held_reason": "look first"}
    assert deployed(**frozen, **held).closures == [
        ("❄", "frozen by ann until 2026-07-01T13:00:00Z: a demo"),
        ("⚑", "held by bo: look first"),
    ]
    over = deployed(**{**frozen, "frozen_until": "2026-07-01T11:00:00Z"})
    assert not over.closures
    assert not over.is_closed


ROWS = [
    deployed("api", at="2026-07-01T11:00:00Z"),
    deployed("web", at="2026-07-01T11:00:00.500Z", **FAILED),
    deployed("worker", held_by="ann"),
    deployed("mailer", generation=3),
    row("ledger"),
]


@pytest.mark.parametrize(
    "show, found",
    [
        ("all", ["api", "web", "worker", "mailer", "ledger"]),
        ("failing", ["web"]),
        ("closed", ["worker"]),
        ("moving", ["mailer"]),
        ("behind", ["api"]),
    ],
)
def test_rows_are_shown_by_their_state_and_counted_by_all_of_them(show: str, found: list[str]) -> None:
    page = find(ROWS, Wanted(show=show), lambda each: each.key[0] == "api")
    assert [each.key[0] for each in page.rows] == found
    counts = {"all": 5, "failing": 1, "closed": 1, "moving": 1} | ({"behind": 1} if show == "behind" else {})
    assert page.counts == counts


@pytest.mark.parametrize(
    "words, found",
    [("", 5), ("acme/shop", 5), ("WEB", 1), ("staging aaaa", 4), ("main worker", 1), ("web worker", 0), ("  api ", 1)],
)
def test_a_row_is_found_by_words_that_are_all_in_it_in_any_casing(words: str, found: int) -> None:
    assert find(ROWS, Wanted(find=words), nobody).total == found


def test_the_latest_come_first_to_the_fraction_of_a_second_and_empty_ones_last() -> None:
    page = find(ROWS, Wanted(order="latest"), nobody)
    assert [each.key[0] for each in page.rows] == ["web", "api", "worker", "mailer", "ledger"]


@given(st.integers(0, 3 * PAGE), st.integers(1, 99))
def test_every_row_is_on_one_page_and_a_page_too_far_is_the_last_one(number: int, page: int) -> None:
    rows = [row(f"p{at:03}") for at in range(number)]
    pages = find(rows, Wanted(), nobody).pages
    shown = [each.key for at in range(1, pages + 1) for each in find(rows, Wanted(page=at), nobody).rows]
    assert shown == [each.key for each in rows]
    assert find(rows, Wanted(page=page), nobody).page == min(page, pages)


@given(
    st.builds(
        Wanted,
        find=st.text().map(str.strip),
        show=st.sampled_from([*SHOWS, "behind"]),
        order=st.sampled_from([*ORDERS]),
        page=st.integers(1, 10**6),
    )
)
def test_what_is_wanted_is_what_its_url_says(wanted: Wanted) -> None:
    assert Wanted.from_query(dict(parse_qsl(urlsplit(wanted.url()).query, keep_blank_values=True))) == wanted


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "²", "1e3", " 2", "9" * 5000])
def test_what_a_url_says_that_makes_no_sense_is_left_out(page: str) -> None:
    assert Wanted.from_query({"page": page, "show": "nonsense", "order": "?"}) == Wanted()


def pushed(commit: str, sequence: int, branch: str = "main") -> Record:
    return Record("acme/Shop", commit, branches={branch: Pushed(sequence)})


def late(records: list[Record], found: Row) -> int:
    """How many of the records come after the row's head, which may be among them."""
    head = next((record for record in records if record.commit == found.head["head"]), None)
    return behind(records, SHOP, place_of(head, SHOP, found))


def test_commits_are_behind_that_were_pushed_after_the_head_to_a_branch_that_is_taken() -> None:
    records = [
        pushed(HEAD, 10),
        pushed("b" * 40, 9),
        pushed("c" * 40, 11),
        pushed("d" * 40, 12, "fix"),
        Record("", "e"),
    ]
    assert late(records, deployed()) == 1


def test_where_somebody_went_back_the_head_itself_counts_and_not_the_latest_place() -> None:
    records = [pushed(HEAD, 10), pushed("b" * 40, 20)]
    assert late(records, deployed(sequence=20, newest="b" * 40)) == 1


def test_a_head_whose_record_has_left_is_where_it_was_claimed() -> None:
    assert late([pushed("b" * 40, 9), pushed("c" * 40, 11)], deployed()) == 1


def test_without_a_head_all_commits_are_still_to_come() -> None:
    assert late([pushed("b" * 40, 1), pushed("c" * 40, 2)], row()) == 2


@pytest.mark.parametrize(
    "count, told, is_some",
    [
        (Late(0), "0", False),
        (Late(3), "3", True),
        (Late(3, is_all=False), "3+", True),
        (Late(0, is_all=False), "0+", True),
    ],
)
def test_a_count_says_whether_there_may_be_more(count: Late, told: str, *, is_some: bool) -> None:
    assert (str(count), bool(count)) == (told, is_some)


def test_the_more_there_is_to_read_the_more_seldom_it_is_read() -> None:
    time = 1000.0
    pace = Pace(lambda: time)
    assert pace.is_due()
    pace.took(500)
    assert not pace.is_due()
    time += 4.9
    assert not pace.is_due()
    time += 0.2
    assert pace.is_due()
