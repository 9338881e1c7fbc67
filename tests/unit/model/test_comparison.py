"""What is told to be different: between two replays, and between a replay and what really happened."""

from dataclasses import replace
from datetime import timedelta

from pipeline_state.model.comparison import Difference, Kind, compare, unlike
from pipeline_state.model.history import Fact
from pipeline_state.model.pipelines import Pipeline
from tests.unit.model.histories import (
    CHAIN,
    PRODUCTION,
    SHOP,
    STAGING,
    A,
    B,
    at,
    built,
    claimed,
    edited,
    ended,
    played,
    pushed,
    time,
    with_environments,
)

READY = (pushed(0, "", A), built(60, A))
DEPLOYED = (*READY, claimed(60, A, 1), ended(90, A, 1))
APPROVED = (*DEPLOYED, edited(500, A, legal="TRUE"), claimed(501, A, 1, "production"))
CAREFUL = with_environments(replace(STAGING, gates=("build", "legal")))


def differences(*facts: Fact, old: Pipeline = SHOP, new: Pipeline) -> list[Difference]:
    return compare(played(*facts, pipeline=old), played(*facts, pipeline=new))


def test_the_same_definitions_decide_the_same() -> None:
    assert differences(*APPROVED, old=CHAIN, new=CHAIN) == []


def test_later_tells_how_much_and_what_is_waited_for() -> None:
    (found,) = differences(*APPROVED, new=CAREFUL)
    assert found == Difference("shop", "staging", A, at(60), at(500), "waits for legal")
    assert (found.kind, found.by, found.first) == (Kind.LATER, timedelta(seconds=440), at(60))


def test_earlier_tells_what_is_waited_for_as_it_is() -> None:
    (found,) = differences(*APPROVED, old=CAREFUL, new=SHOP)
    assert found == Difference("shop", "staging", A, at(500), at(60), "as it is: waits for legal")
    assert (found.kind, found.by) == (Kind.EARLIER, timedelta(seconds=440))


def test_not_at_all_tells_the_last_decision() -> None:
    (found,) = differences(*READY, new=CAREFUL)
    assert found == Difference("shop", "staging", A, at(60), None, "waits for legal")
    assert (found.kind, found.by) == (Kind.NOT_AT_ALL, None)


def test_what_comes_in_addition_tells_why_it_does_not_as_it_is() -> None:
    (found,) = differences(*READY, old=CAREFUL, new=SHOP)
    assert found == Difference("shop", "staging", A, None, at(60), "as it is: waits for legal")
    assert (found.kind, found.by, found.first) == (Kind.ADDED, None, at(60))


def test_a_commit_that_is_superseded_instead_says_by_which() -> None:
    facts = (*READY, pushed(100, A, B), edited(150, B, legal="TRUE"), built(160, B), edited(200, A, legal="TRUE"))
    (found,) = differences(*facts, new=CAREFUL)
    assert (found.kind, found.why) == (Kind.NOT_AT_ALL, f"superseded in staging by the newer commit {B[:12]}")


def test_an_environment_that_goes_or_comes_is_told() -> None:
    (gone,) = differences(*APPROVED, old=CHAIN, new=SHOP)
    assert (gone.environment, gone.kind) == ("production", Kind.NOT_AT_ALL)
    assert gone.why == "production is no environment of shop any more"
    (new,) = differences(*APPROVED, old=SHOP, new=CHAIN)
    assert (new.environment, new.kind, new.why) == ("production", Kind.ADDED, "production of shop is new")


def test_each_time_that_a_commit_is_promoted_counts_for_itself() -> None:
    again = (*READY, pushed(100, A, B), built(160, B), pushed(200, B, A))
    other = (*READY, pushed(100, A, B), built(160, B))
    (found,) = compare(played(*again), played(*other))
    assert (found.commit, found.before, found.kind) == (A, at(200), Kind.NOT_AT_ALL)
    assert found.why == f"deployed to staging at {time(60)}, followed by {B[:12]}"


def test_differences_stand_in_the_order_of_time() -> None:
    facts = (*READY, pushed(100, A, B), built(160, B))
    assert [each.commit for each in differences(*facts, new=CAREFUL)] == [A, B]


# against what really happened


def test_what_went_as_replayed_is_no_news_also_when_it_took_a_moment() -> None:
    assert unlike(APPROVED, played(*APPROVED, pipeline=CHAIN)) == []
    late = (*READY, claimed(60 + 120, A, 1))
    assert unlike(late, played(*late)) == []


def test_what_really_took_longer_happened_otherwise() -> None:
    late = (*READY, claimed(60 + 121, A, 1))
    assert unlike(late, played(*late)) == [Difference("shop", "staging", A, at(181), at(60))]


def test_what_really_happened_though_it_does_not_in_the_replay() -> None:
    facts = (*READY[:1], claimed(60, A, 1))
    assert unlike(facts, played(*facts)) == [Difference("shop", "staging", A, at(60), None)]


def test_what_did_not_really_happen() -> None:
    assert unlike(READY, played(*READY)) == [Difference("shop", "staging", A, None, at(60))]


def test_what_went_to_an_environment_there_is_not_any_more() -> None:
    facts = (*APPROVED,)
    (found,) = unlike(facts, played(*facts, pipeline=with_environments(STAGING)))
    assert (found.environment, found.after) == (PRODUCTION.name, None)
