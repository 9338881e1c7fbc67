"""Sequences of the machine that are too rare to be left to chance."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.definitions.applying import Change, apply
from pipeline_state.cli.steering import moving
from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.wishes import Wish
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.promotion import Action
from pipeline_state.model.times import format_time
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.waiting import ask
from tests.property import reading
from tests.property.fuzz import InMemory
from tests.property.memory_queues import EVENTS, INSTALLS, ROLLOUTS, Message
from tests.property.promotion_machine import COMMITS
from tests.property.topologies import SHOP, SOAK
from tests.property.workers import Worker
from tests.property.world import World


def begun(kind: str) -> InMemory:
    """One commit has been pushed and built, and both are on its record."""
    machine = InMemory()
    machine.begin(kind, shipped=0, is_swept=False, in_order=False, together=False)
    machine.push(number=0, elsewhere=0, paths=2, is_told=True)
    machine.build(number=0, elsewhere=0, status="success")
    for _ in range(2):
        machine.record(number=0, at=0, happens="")
    return machine


def test_a_freeze_that_ends_while_another_pipeline_is_seen_to() -> None:
    machine = begun("monorepo")
    machine.close(number=2, what="freeze until", at=0, happens="")
    machine.sweep(at=-2, happens="pause")  # front is claimed, and not yet published
    assert machine.world.calls.paused
    machine.wait(seconds=100)
    machine.go_on(number=0, at=0, happens="")
    machine.check_invariants()
    machine.teardown()


def test_an_approval_that_expires_while_an_earlier_claim_is_finished() -> None:
    machine = begun("chain")
    machine.promote(number=0, most=8, at=-4, happens="die before")  # of the mark: both releases are published
    for _ in range(2):
        machine.install(number=0, helm="deployed", at=0, happens="")
    while machine.world.queues.visible(EVENTS):
        machine.record(number=0, at=0, happens="")
    machine.approve(number=0, value="expires")
    machine.wait(seconds=61)
    machine.promote(number=0, most=1, at=2, happens="pause")  # production is decided, staging to be finished first
    assert machine.world.calls.paused
    machine.wait(seconds=30)
    machine.go_on(number=0, at=0, happens="")
    machine.check_invariants()
    machine.teardown()


def applied(machine: InMemory, *after: Pipeline) -> None:
    """The shop's pipelines, as `pipelines apply` does it: whatever may go on by them is looked at again."""
    world = machine.world
    world.calls.run(world.person(lambda: apply(Change(load_definitions(SHOP), after), "ann", world.now)))
    assert load_definitions(SHOP).version == 2
    world.pipelines = world.checks.pipelines = (*after, *(each for each in world.pipelines if each.repo != SHOP))
    for repo, commit in sorted(world.checks.records, reverse=True):
        world.calls.run(world.person(lambda key=(repo, commit): ask(key[0], [key[1]], "applied")))  # type: ignore[misc]


def renamed(pipeline: Pipeline, what: str) -> Pipeline:
    staging, *others = pipeline.environments
    if what == "environment":
        after = tuple(replace(each, after=("stage",)) for each in others)
        return replace(pipeline, environments=(replace(staging, name="stage"), *after))
    return replace(pipeline, name="web", shared=what == "shared pipeline")


def done(machine: InMemory) -> None:
    """Whatever is to be done, is; but what the sweeper does."""
    for _ in range(20):
        while machine.world.queues.visible(EVENTS):
            machine.record(number=0, at=0, happens="")
        if any(machine.world.lanes.values()):
            machine.promote(number=0, most=50, at=0, happens="")
        machine._get_done(0, 12)  # noqa: SLF001 - as the machine itself does


def skipped() -> InMemory:
    """`a` was superseded by `b`, which is in staging, and is ready now as well."""
    machine = InMemory()
    machine.begin("chain", shipped=0, is_swept=False, in_order=False, together=False)
    for _ in range(2):
        machine.push(number=0, elsewhere=0, paths=2, is_told=True)
        done(machine)
    for number in (1, 0):
        machine.build(number=number, elsewhere=0, status="success")
        done(machine)
    assert reading.text(machine.world.checks.environments["shop", "staging"], "head")[:1] == "b"
    return machine


def installed(machine: InMemory) -> str:
    return "".join(each.commit[0] for each in machine.world.helm.history["staging-of-all", "web"])


@pytest.mark.parametrize(
    "what, is_open, runs",
    [
        ("pipeline", True, "b"),
        ("shared pipeline", True, "bb"),
        ("environment", True, "bb"),
        ("shared pipeline", False, "b"),
        ("environment", False, "b"),
    ],
)
def test_what_was_skipped_does_not_come_back_by_another_name(what: str, is_open: bool, runs: str) -> None:  # noqa: FBT001
    """is_open: whether what runs there may still go there, as it has to where its record has it under that name."""
    machine = skipped()
    if not is_open:
        machine.world.edit(SHOP, "b" * 40, build="")
        done(machine)
    applied(machine, renamed(machine.world.pipelines[0], what))
    done(machine)
    machine.check_invariants()
    assert installed(machine) == runs
    machine.push(number=1, elsewhere=0, paths=2, is_told=True)
    machine.build(number=2, elsewhere=0, status="success")
    done(machine)
    assert installed(machine) == f"{runs}c"
    machine.check_invariants()
    machine.teardown()


def test_a_result_that_comes_after_its_pipeline_has_got_another_name() -> None:
    machine = begun("chain")
    machine.promote(number=0, most=8, at=0, happens="")
    while machine.world.queues.visible(EVENTS):
        machine.record(number=0, at=0, happens="")
    for _ in range(2):
        machine.install(number=0, helm="deployed", at=0, happens="")
    applied(machine, renamed(machine.world.pipelines[0], "pipeline"))
    assert machine.world.queues.visible(EVENTS)
    done(machine)
    machine.push(number=0, elsewhere=0, paths=2, is_told=True)
    machine.build(number=1, elsewhere=0, status="success")
    done(machine)
    assert installed(machine) == "ab"
    machine.check_invariants()
    machine.teardown()


def test_an_approval_that_expires_while_a_person_agrees_to_a_redeployment() -> None:
    machine = begun("chain")
    machine.work_on(number=0, most=12, which=0, at=0, happens="")
    world, shop = machine.world, machine.world.pipelines[0]
    world.edit(SHOP, "a" * 40, build={"status": "TRUE", "by": "ann", "expires_at": _in(world, 30)})
    place = Place(shop, shop.environments[0], frozenset(gate.name for gate in shop.gates))
    agreed = moving.plan(Wish(Action.REDEPLOY, place, "ann", "again"), world.time)
    refused: list[str] = []
    redeploy = world.person(lambda: refused.append(_refusal(lambda: moving.carry_out(agreed, world.time))))
    world.calls.run(redeploy, 1, "pause")  # of its readings: all of them last longer than the approval does
    machine.wait(seconds=31)
    machine.go_on(number=0, at=0, happens="")
    assert "waits for build (expired" in refused[0]
    machine.check_invariants()
    machine.teardown()


def test_an_approval_that_expires_between_two_claims_of_one_look() -> None:
    machine = begun("monorepo")
    world = machine.world
    world.edit(SHOP, "a" * 40, build={"status": "TRUE", "by": "ann", "expires_at": _in(world, 50)})
    told = [table for (table, _), left in world.lanes.items() if left]
    machine.promote(number=told.index("gates"), most=1, at=-3, happens="pause")  # front is claimed, not yet published
    assert world.calls.paused
    machine.wait(seconds=55)
    machine.go_on(number=0, at=0, happens="")
    machine.check_invariants()
    machine.teardown()


def _in(world: World, seconds: int) -> str:
    return format_time(world.now + timedelta(seconds=seconds))


def _refusal(act: Callable[[], object]) -> str:
    with pytest.raises(CommandError) as refusal:
        act()
    return str(refusal.value)


def flow(machine: InMemory, slow: str = "none") -> None:
    """Everything goes its way until nothing is left but rollouts. slow: the release that is not ready at once."""
    queues = machine.world.queues
    while any(machine.world.lanes.values()) or queues.visible(EVENTS) or queues.visible(INSTALLS):
        while queues.visible(EVENTS):
            machine.record(number=0, at=0, happens="")
        while any(machine.world.lanes.values()):
            machine.promote(number=0, most=8, at=0, happens="")
        for message in queues.visible(INSTALLS):
            helm = "slow" if f"charts/{slow}" in message.body else "deployed"
            machine.install(number=queues.queues[INSTALLS].index(message), helm=helm, at=0, happens="")


def watched(machine: InMemory) -> None:
    """Rollouts are looked at until all have a verdict."""
    while machine.world.queues.queues[ROLLOUTS]:
        while machine.world.queues.visible(ROLLOUTS):
            machine.observe(number=0, helm="deployed", at=0, happens="")
        machine.wait(seconds=10)


def install(machine: InMemory, release: str) -> None:
    """The one promotion of a release."""
    messages = machine.world.queues.queues[INSTALLS]
    (number,) = [number for number, each in enumerate(messages) if f"charts/{release}" in each.body]
    machine.install(number=number, helm="deployed", at=0, happens="")


def test_what_failed_a_deployment_does_not_fail_the_one_that_somebody_asks_for_after_it() -> None:
    machine = begun("chain")
    environments = machine.world.checks.environments
    machine.approve(number=0, value="TRUE")
    machine.world.edit(SHOP, COMMITS[0], smoke="FALSE")
    flow(machine)
    watched(machine)
    flow(machine)
    assert reading.outcomes(environments["shop", "production"], 1)["shop"]["kind"] == "failed"
    machine.go_back(number=1, which=0, action=Action.REDEPLOY, pinned=False, at=0, happens="")
    flow(machine)
    for _ in range(2):  # it becomes ready, and is to be verified
        machine.wait(seconds=10)
        machine.observe(number=0, helm="deployed", at=0, happens="")
    machine.world.edit(SHOP, COMMITS[0], smoke="TRUE")
    watched(machine)
    assert reading.outcomes(environments["shop", "production"], 2)["shop"]["kind"] == "deployed"
    machine.check_invariants()
    machine.teardown()


def test_a_soak_counts_from_the_release_that_ended_last_although_that_was_recorded_first() -> None:
    machine = begun("graph")
    machine.approve(number=0, value="TRUE")
    machine.world.edit(SHOP, COMMITS[0], smoke="TRUE")
    machine.promote(number=0, most=8, at=0, happens="")
    install(machine, "tests")
    watched(machine)
    while machine.world.queues.visible(EVENTS):
        machine.record(number=0, at=0, happens="")
    install(machine, "web")
    late = machine.world.queues.visible(EVENTS)
    machine.wait(seconds=SOAK)
    install(machine, "db")
    watched(machine)
    for message in [each for each in machine.world.queues.visible(EVENTS) if each not in late]:
        machine.record(number=machine.world.queues.visible(EVENTS).index(message), at=0, happens="")
    flow(machine)
    assert ("shop", "production") not in machine.world.checks.environments
    machine.check_invariants()
    machine.teardown()


def test_a_watch_that_is_prolonged_after_somebody_has_looked_is_left_to_its_holder() -> None:
    machine = begun("chain")
    queues, environments = machine.world.queues, machine.world.checks.environments
    machine.approve(number=0, value="TRUE")
    flow(machine, slow="shop")
    for _ in range(3):
        machine.wait(seconds=1000)  # nobody looks at it until the watch is over
    machine.push(number=0, elsewhere=0, paths=2, is_told=True)
    machine.build(number=1, elsewhere=0, status="success")
    machine.world.edit(SHOP, COMMITS[1], legal="TRUE")
    while reading.number(environments["shop", "production"], "generation", 0) == 1:
        while queues.visible(EVENTS):
            machine.record(number=0, at=0, happens="")
        while any(machine.world.lanes.values()):
            machine.promote(number=0, most=8, at=0, happens="")
        for release in ("web", "worker") if len(queues.queues[INSTALLS]) > 1 else ():
            install(machine, release)
    machine.install(number=0, helm="deployed", at=-1, happens="pause")  # it has seen that the watch is over
    assert machine.world.calls.paused
    machine.observe(number=0, helm="deployed", at=0, happens="")
    machine.go_on(number=0, at=0, happens="")
    assert reading.text(environments["shop", "production"], "lease:shop").startswith("watch of")
    machine.check_invariants()
    machine.teardown()


def two_releases() -> InMemory:
    """One commit is claimed for the only environment there is; both of its releases are published."""
    machine = begun("pair")
    machine.promote(number=0, most=8, at=0, happens="")
    assert len(machine.world.queues.visible(INSTALLS)) == 2
    return machine


def work(machine: InMemory, worker: Worker, at: int = 0, happens: str = "") -> None:
    machine._work(worker, at, happens)  # noqa: SLF001 - as the machine itself does


def message_of(machine: InMemory, release: str) -> Message:
    return next(each for each in machine.world.queues.visible(INSTALLS) if f"charts/{release}" in each.body)


def parked(machine: InMemory, environment: str = "live") -> list[str]:
    return sorted(reading.releases(machine.world.checks.environments["shop", environment], "parked:"))


@pytest.mark.parametrize("is_struck_off", [False, True])
def test_a_release_that_is_put_aside_beside_one_that_failed_goes_on_when_the_way_is_free(is_struck_off: bool) -> None:  # noqa: FBT001
    machine = two_releases()
    work(machine, machine.world.install_one(message_of(machine, "web"), "failed"))
    if is_struck_off:
        done_but_installs(machine)
        machine.sweep(at=0, happens="")
        assert not machine.world.checks.waiting
    machine.close(number=0, what="freeze", at=0, happens="")
    install(machine, "worker")
    flow(machine)
    machine.sweep(at=0, happens="")
    assert parked(machine) == ["worker"]
    machine.check_invariants()
    machine.teardown()


def done_but_installs(machine: InMemory) -> None:
    while machine.world.queues.visible(EVENTS) or any(machine.world.lanes.values()):
        while machine.world.queues.visible(EVENTS):
            machine.record(number=0, at=0, happens="")
        while any(machine.world.lanes.values()):
            machine.promote(number=0, most=50, at=0, happens="")


def test_what_was_carried_out_since_a_freeze_was_seen_is_not_put_aside() -> None:
    machine = two_releases()
    machine.close(number=0, what="freeze", at=0, happens="")
    message = message_of(machine, "web")
    work(machine, machine.world.install_one(message), -1, "pause")  # it is about to be put aside
    machine.open(number=0, at=0, happens="")
    work(machine, machine.world.install_one(message))
    flow(machine)
    machine.sweep(at=0, happens="")
    assert not machine.world.checks.waiting
    machine.go_on(number=0, at=0, happens="")
    assert parked(machine) == []
    machine.check_invariants()
    machine.teardown()


def shipped(machine: InMemory, number: int) -> str:
    """One more commit, up to its claim."""
    machine.push(number=number, elsewhere=0, paths=2, is_told=True)
    commit = machine.tips[SHOP, "main"]
    machine._built(SHOP, commit, "success")  # noqa: SLF001 - as the machine itself does
    done_but_installs(machine)
    return commit


def told(machine: InMemory, commit: str, release: str) -> set[str]:
    """What was told of a release's promotion to live."""
    ids = {
        each["id"]
        for each in machine.world.checks.promotions.values()
        if (each["commit"], each["release"]["name"]) == (commit, release)
    }
    journal = machine.world.store.told(SHOP, commit)
    return {id_.rpartition("-")[2] for id_ in journal if id_.rpartition("-")[0] in ids} - {"started", "applied"}


def test_what_is_overtaken_while_it_is_put_aside_is_told_as_superseded_and_what_is_at_helm_is_not() -> None:
    machine = two_releases()
    first = machine.tips[SHOP, "main"]
    message = message_of(machine, "web")
    work(machine, machine.world.install_one(message), -3, "pause")  # at Helm
    second = shipped(machine, 0)
    flow(machine)
    third = shipped(machine, 1)
    flow(machine)
    assert parked(machine) == ["web"]
    work(machine, machine.world.install_one(message), 0, "")  # the same once more
    assert told(machine, first, "web") == set()
    assert told(machine, second, "web") == {"superseded"}
    machine.go_on(number=0, at=0, happens="")
    flow(machine)
    assert [told(machine, each, "web") for each in (first, second, third)] == [
        {"deployed"},
        {"superseded"},
        {"deployed"},
    ]
    machine.check_invariants()
    machine.teardown()


def test_what_is_overtaken_before_it_can_be_put_aside_is_told_as_superseded() -> None:
    machine = two_releases()
    flow(machine)
    second = shipped(machine, 0)
    machine.close(number=0, what="freeze", at=0, happens="")
    work(machine, machine.world.install_one(message_of(machine, "web")), -1, "pause")
    machine.open(number=0, at=0, happens="")
    shipped(machine, 1)
    machine.go_on(number=0, at=0, happens="")
    flow(machine)
    assert told(machine, second, "web") == {"superseded"}
    machine.check_invariants()
    machine.teardown()


def test_what_was_put_aside_in_a_window_goes_on_when_the_window_is_defined_no_more() -> None:
    machine = begun("turns")
    machine.wait(seconds=60 * 10 - machine.world.moment() % 600 - 5)  # the window is about to begin
    machine.promote(number=0, most=8, at=0, happens="")
    machine.wait(seconds=10)
    flow(machine)
    assert parked(machine, "staging") == ["api", "web"]
    (shop, _) = machine.world.pipelines
    staging, production = shop.environments
    applied(machine, replace(shop, environments=(replace(staging, freezes=()), production)))
    machine.sweep(at=0, happens="")
    flow(machine)
    assert machine.world.moment() % 600 < 180, "the window would not be over"
    assert reading.outcomes(machine.world.checks.environments["shop", "staging"], 1).keys() == {"api", "web"}
    machine.check_invariants()
    machine.teardown()


def test_what_is_put_aside_goes_no_further_where_its_release_goes_to_another_environment() -> None:
    machine = two_releases()
    machine.close(number=0, what="freeze", at=0, happens="")
    flow(machine)
    assert parked(machine) == ["web", "worker"]
    (shop, _) = machine.world.pipelines
    (live,) = shop.environments
    web, worker = live.releases
    environments = (replace(live, releases=(web,)), replace(live, name="jobs", releases=(worker,)))
    applied(machine, replace(shop, environments=environments))
    machine.sweep(at=0, happens="")
    flow(machine)
    assert parked(machine) == ["web"]
    outcomes = reading.outcomes(machine.world.checks.environments["shop", "live"], 1)
    assert outcomes["worker"]["reason"] == "not begun, since live does not install it any more"
    assert reading.outcomes(machine.world.checks.environments["shop", "jobs"], 1)["worker"]["kind"] == "deployed"
    machine.check_invariants()
    machine.teardown()


@pytest.mark.parametrize("is_moved", [False, True])
def test_what_a_person_asked_for_goes_on_although_its_release_is_gone_unless_it_is_elsewhere(is_moved: bool) -> None:  # noqa: FBT001
    machine = two_releases()
    flow(machine)
    machine.go_back(number=0, which=0, action=Action.REDEPLOY, pinned=True, at=0, happens="")
    machine.close(number=0, what="freeze", at=0, happens="")
    flow(machine)
    assert parked(machine) == ["web", "worker"]
    (shop, _) = machine.world.pipelines
    (live,) = shop.environments
    web, worker = live.releases
    jobs = (replace(live, name="jobs", releases=(worker,)),) if is_moved else ()
    applied(machine, replace(shop, environments=(replace(live, releases=(web,)), *jobs)))
    machine.open(number=0, at=0, happens="")
    flow(machine)
    outcomes = reading.outcomes(machine.world.checks.environments["shop", "live"], 2)
    assert {name: each["kind"] for name, each in outcomes.items()} == {
        "web": "deployed",
        "worker": "failed" if is_moved else "deployed",
    }
    machine.check_invariants()
    machine.teardown()
