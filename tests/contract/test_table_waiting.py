"""Commits on their way: noted by what makes them wait, found by repository, struck off unless noted again."""

from typing import Any

import pytest

from pipeline_state.table import waiting
from pipeline_state.table.models import EnvironmentItem
from tests.contract.table_room import A, B, C, TableRoom, pipeline


@pytest.fixture
def shop(room: TableRoom) -> TableRoom:
    room.define(pipeline())
    return room


def commits(room: TableRoom) -> str:
    return "".join(each.commit[0] for each in waiting.of_repo(room.repo))


def item(room: TableRoom, commit: str) -> dict[str, Any]:
    return room.read("environments", pipeline=waiting.PARTITION, environment=f"{room.repo}#{commit}")


def test_pushed_candidates_wait_and_results_alone_do_not(shop: TableRoom) -> None:
    shop.push("", A, 0)
    shop.push(A, B, 10)
    shop.push("", C, 20, branch="feature")
    shop.result("d" * 40)
    assert commits(shop) == "ab"


def test_what_is_noted_says_whose_it_is_and_by_what(shop: TableRoom) -> None:
    shop.push("", A, 0, id_="delivery")
    (found,) = waiting.of_repo(shop.repo)
    assert (found.repo, found.commit, found.mark) == (shop.repo, A, "delivery")


def test_a_repository_is_not_another_whose_name_goes_on(shop: TableRoom) -> None:
    shop.push("", A, 0)
    waiting.ask(f"{shop.repo}-more", [B], "mark")
    assert commits(shop) == "a"
    assert {(each.repo, each.commit) for each in waiting.everywhere()} >= {(shop.repo, A), (f"{shop.repo}-more", B)}


def test_a_claim_notes_the_commit_anew(shop: TableRoom) -> None:
    shop.ready()
    (pushed,) = waiting.of_repo(shop.repo)
    shop.promote(A)
    (claimed,) = waiting.of_repo(shop.repo)
    assert (claimed.commit, claimed.mark) == (A, "staging-1")
    waiting.forget(pushed)
    assert commits(shop) == "a", "what was noted since the look is not forgotten"
    waiting.forget(claimed)
    assert commits(shop) == ""
    waiting.forget(claimed)


def test_asking_marks_every_commit_and_says_how_many(shop: TableRoom) -> None:
    assert waiting.ask(shop.repo, [A, B], "please") == 2
    assert waiting.ask(shop.repo, [], "nobody") == 0
    assert [each.mark for each in waiting.of_repo(shop.repo)] == ["please", "please"]
    asked = {"repo": shop.repo, "commit": A, "mark": "please", "asked": "please"}
    assert item(shop, A).items() >= asked.items()
    waiting.ask(shop.repo, [A], "again")
    assert (item(shop, A)["asked"], item(shop, B)["asked"]) == ("again", "please")


def test_records_are_read_by_commit_and_those_that_are_gone_are_left_out(shop: TableRoom) -> None:
    shop.push("", A, 0)
    shop.push(A, B, 10)
    found = waiting.records(shop.repo, [A, C, B])
    assert set(found) == {A, B}
    assert {raw["commit"]["S"] for raw in found.values()} == {A, B}
    assert waiting.records(shop.repo, []) == {}


def test_what_somebody_made_of_an_item_is_no_commit_but_still_listed(shop: TableRoom) -> None:
    shop.write("environments", pipeline=waiting.PARTITION, environment=f"{shop.repo}#odd")
    (found,) = waiting.of_repo(shop.repo)
    assert (found.repo, found.commit, found.mark) == ("", "", "")
    EnvironmentItem(waiting.PARTITION, f"{shop.repo}#odd").delete()
