"""What may be done, what is asked before, and that a form is carried out once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier, Event

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dashboard.actions import ACTS
from pipeline_state.cli.dashboard.acts import Case, SetGate
from pipeline_state.cli.dashboard.offers import Offer, gate_offers, place_offers
from pipeline_state.cli.dashboard.once import Once
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.steering.closures import Closures, Hold
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.decision import Decision, Frozen, Held, Promote, Promoted, Queued, Soaking, Superseded, Wait
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.gates import Gate, GateStatus
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.table.models import Tables

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SHA, OTHER = "a" * 40, "b" * 40
PLACE = Place(Pipeline("shop", "org/shop"), Environment("staging"))
STATE = EnvironmentState("shop", "staging", generation=2, head=OTHER)
THERE = Promoted("staging", "2026-07-01T11:00:00Z", 1, published=True, deployed=None, then=OTHER)


def case(**given: str) -> Case:
    stack = Stack("local", "us-east-1", Tables("gates"), {}, {}, lambda service: service)
    return Case(stack, "ann", "org/shop", SHA, given, lambda: NOW)


# what is offered


@pytest.mark.parametrize(
    "status, labels",
    [
        (GateStatus.PENDING, ["Open", "Fail"]),
        (GateStatus.PASSED, ["Fail", "Reset"]),
        (GateStatus.FAILED, ["Open", "Reset"]),
    ],
)
def test_a_gate_can_be_made_what_it_is_not(status: GateStatus, labels: list[str]) -> None:
    offers = gate_offers(Gate("legal", status))
    assert [offer.label for offer in offers] == labels
    assert all(offer.action == "gate" and offer.given["gate"] == "legal" for offer in offers)


@pytest.mark.parametrize("name", ["deployed_to_staging", "größe", "a b"])
def test_what_no_person_can_set_is_not_offered(name: str) -> None:
    assert gate_offers(Gate(name, GateStatus.PENDING)) == ()


def offered(decision: Decision, state: EnvironmentState = STATE, *, was_good: bool = True) -> list[str]:
    closures = Closures(PLACE)
    return [offer.label for offer in place_offers(decision, state, closures, SHA, was_good=was_good)][:-2]


@pytest.mark.parametrize(
    "decision, moves",
    [
        (Frozen("staging", "", "ben"), ["Promote all the same"]),
        (Held("staging", "ben"), ["Promote all the same"]),
        (Soaking("staging", "2026-07-01T13:00:00Z"), ["Promote all the same"]),
        (Queued("staging", OTHER, under_way=True), ["Promote all the same"]),
        (THERE, ["Go back to this commit"]),
        (Superseded("staging", OTHER), []),
        (Wait("staging", ()), []),
        (Promote("staging", "main", 1, ()), []),
    ],
)
def test_a_commit_is_moved_by_hand_only_where_it_does_not_go_by_itself(decision: Decision, moves: list[str]) -> None:
    assert offered(decision) == moves


def test_the_head_can_be_installed_again_and_left() -> None:
    assert offered(THERE, EnvironmentState("shop", "staging", generation=2, head=SHA)) == ["Redeploy", "Roll back"]


def test_nothing_moves_in_an_environment_that_cannot_be_read() -> None:
    assert offered(THERE, EnvironmentState("shop", "staging", generation=2, head=SHA, problem="no number")) == []


@pytest.mark.parametrize(
    "closures, labels",
    [
        (Closures(PLACE), ["Freeze", "Hold"]),
        (Closures(PLACE, freeze=Freeze("ben"), hold=Hold("zoe", "")), ["Unfreeze", "Release"]),
        (Closures(PLACE, window=Freeze("pipelines.yaml"), ended=Freeze("ben"), stop=Freeze("zoe")), ["Freeze", "Hold"]),
    ],
    ids=["open", "closed by people", "closed by the clock and by a stop"],
)
def test_a_person_ends_what_a_person_began(closures: Closures, labels: list[str]) -> None:
    offers = place_offers(Wait("staging", ()), STATE, closures, SHA, was_good=False)
    assert [offer.label for offer in offers] == labels


def test_what_an_offer_is_about_is_in_its_url() -> None:
    assert Offer("Fail", "gate", {"gate": "a/b", "value": "failed"}).query == "gate=a%2Fb&value=failed"


# what is asked


def test_a_gate_that_is_named_asks_for_the_reason_alone() -> None:
    form = SetGate(case(gate="legal", value="passed")).form()
    assert (form.title, form.confirm) == ("legal becomes passed", "Set legal to passed")
    assert [field.name for field in form.fields] == ["reason"]
    assert form.hidden == {"gate": "legal", "value": "passed"}


def test_a_new_gate_asks_for_its_name_and_value_as_well() -> None:
    form = SetGate(case()).form()
    assert [(field.name, field.options) for field in form.fields] == [
        ("gate", ()),
        ("value", ("passed", "failed", "pending")),
        ("reason", ()),
    ]


@pytest.mark.parametrize(
    "given, told",
    [
        ({"gate": "deployed_to_staging"}, "is not set by hand"),
        ({"gate": "commit"}, "is an attribute of every record"),
        ({"gate": "legal", "value": "maybe"}, "'maybe' is no value of a gate"),
    ],
)
def test_what_cannot_be_set_is_refused_before_it_is_asked_for(given: dict[str, str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        SetGate(case(**given)).form()


@pytest.mark.parametrize("reason", ["", " \t"])
@pytest.mark.parametrize("action", sorted(ACTS))
def test_nothing_is_done_without_a_reason(action: str, reason: str) -> None:
    given = {"gate": "legal", "value": "passed", "pipeline": "shop", "environment": "staging", "reason": reason}
    with pytest.raises(CommandError, match="there is no reason"):
        ACTS[action](case(**given)).carry_out()


# once


def test_a_form_is_carried_out_once_and_whoever_comes_again_is_told_the_same() -> None:
    once, done = Once(), []

    def act() -> str:
        done.append(1)
        return "done"

    assert [once.do("key", act), once.do("key", act)] == ["done", "done"]
    assert (done, once.said("key"), once.said("other")) == ([1], "done", "")


def test_two_at_once_do_it_once_and_the_second_waits_for_the_first() -> None:
    once, begun, go, ready = Once(), [], Event(), Barrier(2)

    def act() -> str:
        begun.append(1)
        assert go.wait(60)
        return "done"

    def send() -> str:
        ready.wait()
        return once.do("key", act)

    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(send) for _ in range(2)]
        go.set()
        assert [answer.result() for answer in answers] == ["done", "done"]
    assert begun == [1]


def test_a_refusal_is_the_answer_to_the_second_as_well() -> None:
    once = Once()

    def refuse() -> str:
        raise CommandError("no")

    acts: list[Callable[[], str]] = [refuse, lambda: "done"]
    for act in acts:
        with pytest.raises(CommandError, match="no"):
            once.do("key", act)
    assert once.said("key") == ""


def test_forms_of_long_ago_are_forgotten() -> None:
    once = Once()
    for number in range(1001):
        once.do(str(number), lambda: "done")
    assert (once.said("0"), once.said("1"), once.said("1000")) == ("", "done", "done")
