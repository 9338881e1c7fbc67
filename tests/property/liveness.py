"""What is to come of everything once nothing goes wrong any more: I5."""

from collections.abc import Callable, Iterator
from functools import partial

from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from pipeline_state.table import holds
from pipeline_state.table.journal import Happening
from pipeline_state.table.transaction import RefusedError
from tests.property import reading
from tests.property.checks import Kept
from tests.property.memory_queues import EVENTS, INSTALLS, ROLLOUTS
from tests.property.memory_tables import Item
from tests.property.workers import Worker
from tests.property.world import World

QUIET_ROUNDS = 2
MOST_ROUNDS = 60
STEP = 1980
"""Seconds, more or less: two rounds last longer than a promotion waits for its result until it is announced again."""


def settle(world: World) -> None:
    """No more faults: everything is delivered, everything is open, time passes, the sweeper comes.

    In some worlds the streams have nothing more to tell, apart from people's edits: there the sweeper does it all.
    """
    while world.calls.paused:
        world.calls.run(world.calls.paused[0])
    _open(world)
    quiet = 0
    for _ in range(MOST_ROUNDS):
        before = world.calls.ticks
        world.queues.redrive()
        _work(world)
        _between_windows(world)
        world.calls.run(world.sweep())
        quiet = quiet + 1 if world.calls.ticks == before and not any(world.queues.queues.values()) else 0
        if quiet == QUIET_ROUNDS:
            return
    world.checks.broken.append("I5: it never comes to rest")


def _between_windows(world: World) -> None:
    """A good while later, at a time that no freeze window covers."""
    past = world.moment() % 600
    world.pass_time(STEP + 300 - past)


def _work(world: World) -> None:
    while True:
        for lane in [*world.lanes] if world.is_swept else []:
            world.lose(lane, len(world.lanes[lane]))
        world.redrive()
        workers = list(_workers(world))
        if not workers:
            return
        for begin in workers:
            world.calls.run(begin())


def _workers(world: World) -> Iterator[Callable[[], Worker]]:
    for lane in (each for each, left in world.lanes.items() if left):
        yield partial(world.promote, lane, 100)
    for message in world.queues.visible(INSTALLS):
        yield partial(world.install_one, message)
    for message in world.queues.visible(ROLLOUTS):
        yield partial(world.observe_one, message)
    for message in world.queues.visible(EVENTS):
        yield partial(world.record, message)


def _open(world: World) -> None:
    """Every freeze ends, every hold is released."""
    for count, (pipeline, environment) in enumerate(_places(world)):
        told = Happening(
            pipeline.name, environment.name, world.now.isoformat(), f"end {count}", "test", "opened", "ann"
        )
        for act in (holds.unfreeze, holds.release):
            _do(lambda act=act, told=told: act(pipeline, environment.name, told))  # type: ignore[misc] # noqa: B023
            told = Happening(pipeline.name, environment.name, told.time, f"{told.id} again", "test", "opened", "ann")
    _do(lambda: holds.start(Happening("#everything", "stop", world.now.isoformat(), "end", "test", "started", "ann")))


def _do(act: Callable[[], None]) -> None:
    try:
        act()
    except RefusedError:  # it was open
        return


def check(world: World) -> None:
    """Everything that can be anywhere is there, and nothing waits for what will not come."""
    for pipeline, environment in _places(world):
        item = _item(world, pipeline, environment)
        where = f"{pipeline.name}/{environment.name}"
        _check_newest(world, pipeline, environment, item, where)
        _check_finished(item, where)
        _check_together(item, environment, where)
        _check_verified(world, item, environment, where)
        _check_head(world, pipeline, environment, item)
    assert world.checks.announced >= set(_ids(world)), "I5: a claim was never published"
    waits, noted = set(_really_waiting(world)), world.checks.waiting
    unnoted = waits - noted - set(_left_behind(world))
    assert not unnoted, f"I5: not noted as waiting: {unnoted}"
    for_nothing = noted - waits - world.checks.meddled
    assert not for_nothing, f"noted as waiting, but for nothing: {for_nothing}"
    assert not world.checks.broken, world.checks.broken


def _check_newest(world: World, pipeline: Pipeline, environment: Environment, item: Item, where: str) -> None:
    """No commit that is ready is newer than all that were ever there; one that is pushed again is a newer one."""
    sequence = reading.number(item, "sequence", -1)
    for (repo, commit), kept in world.checks.records.items():
        place = reading.place(kept.item, pipeline) if repo == pipeline.repo else None
        if place is None or place <= sequence or reading.was_there(kept.item, pipeline, environment):
            continue
        left_behind = _is_ready(world, pipeline, environment, kept) and not _has_to_wait(
            world, pipeline, environment, place, sequence
        )
        assert not left_behind, f"I5: {commit[:1]} is ready and does not get to {where}"


def _is_ready(world: World, pipeline: Pipeline, environment: Environment, kept: Kept) -> bool:
    now, gates = world.moment(), reading.required(kept.item, pipeline, environment, world.checks.of(pipeline.repo))
    passed = all(reading.verdict(kept.item.get(name), now) == "passed" for name in gates)
    return passed and reading.soaked(kept.item, pipeline, environment, now)


def _has_to_wait(world: World, pipeline: Pipeline, environment: Environment, place: int, sequence: int) -> bool:
    """For its turn: an older one may still come, and does not yet."""
    if environment.policy is not Policy.EVERY:
        return False
    for (repo, _), kept in world.checks.records.items():
        other = reading.place(kept.item, pipeline) if repo == pipeline.repo else None
        is_before = other is not None and sequence < other < place
        if is_before and world.checks.may_come(kept.item, pipeline, environment):
            return True
    return False


def _check_finished(item: Item, where: str) -> None:
    """Nothing is parked or leased, and every promotion that was not overtaken has a result."""
    assert not reading.releases(item, "parked:"), f"I5: something is parked at {where}"
    done = reading.releases(item, "done:")
    for release in item.get("releases", {}).get("L", []):
        finished = done.get(release["S"], 0) == reading.number(item, "generation", 0)
        assert finished, f"I5: {release['S']} was promoted to {where} and never installed"


def _check_together(item: Item, environment: Environment, where: str) -> None:
    """Releases that stand or fall together are all deployed, or all failed; in order, none comes after a failure."""
    outcomes = reading.outcomes(item, reading.number(item, "generation", 0))
    kinds = [outcomes[name]["kind"] for name in (each["S"] for each in item.get("releases", {}).get("L", []))]
    if environment.rollback_together:
        assert len({*kinds}) < 2, f"together: {outcomes} at {where}"
    if environment.in_order:
        assert kinds == sorted(kinds), f"order: {outcomes} at {where}"


def _check_verified(world: World, item: Item, environment: Environment, where: str) -> None:
    """The revision that counts as verified is the one that runs, where Helm could go back to it."""
    outcomes = reading.outcomes(item, reading.number(item, "generation", 0))
    for release in environment.releases:
        verified, site = reading.number(item, f"verified:{release.name}", 0), (release.namespace, release.name)
        is_left = "given up" in outcomes.get(release.name, {}).get("reason", "")
        if verified and not is_left:
            runs = world.helm.runs(site)
            assert world.helm.same(site, runs, verified), f"{release.name} at {where} runs {runs}, not {verified}"


def _check_head(world: World, pipeline: Pipeline, environment: Environment, item: Item) -> None:
    """The record of the head tells how its promotion went, unless somebody has written something else there."""
    head = (pipeline.repo, reading.text(item, "head"))
    if head in world.checks.records and head not in world.checks.meddled:
        told = world.checks.records[head].item.get(reading.gate_of(pipeline, environment.name), {}).get("M", {})
        where, generation = f"{pipeline.name}/{environment.name}", reading.number(item, "generation", 0)
        assert reading.text(told, "status"), f"I5: no result of {where}"
        for name, outcome in reading.outcomes(item, generation).items():
            said = reading.text(told.get("releases", {}).get("M", {}).get(name, {}).get("M", {}), "status")
            expected = "TRUE" if outcome["kind"] == "deployed" else "FALSE"
            assert said in {expected, ""}, f"I4: {name} at {where} is {outcome['kind']}, and its gate says {said}"


def _really_waiting(world: World) -> Iterator[tuple[str, str]]:
    for (repo, commit), kept in world.checks.records.items():
        for pipeline in world.checks.of(repo):
            if any(_waits(world, pipeline, each, commit, kept) for each in pipeline.environments):
                yield repo, commit
                break


def _waits(world: World, pipeline: Pipeline, environment: Environment, commit: str, kept: Kept) -> bool:
    """Whether something may still come of a commit: it can get here, or is here without a result."""
    item, place = _item(world, pipeline, environment), reading.place(kept.item, pipeline)
    if reading.was_there(kept.item, pipeline, environment):
        told = reading.verdict(kept.item.get(reading.gate_of(pipeline, environment.name)), world.moment())
        is_open = told == "pending" and (pipeline.repo, commit) not in world.checks.meddled
        return is_open and commit == reading.text(item, "head")
    is_newer = place is not None and place > reading.number(item, "sequence", -1)
    return is_newer and not world.checks.is_cut_off(kept.item, pipeline, environment)


def _left_behind(world: World) -> Iterator[tuple[str, str]]:
    """What failed only after another had followed: it was superseded until then, and somebody's edit notes it again."""
    for (repo, commit), kept in world.checks.records.items():
        for pipeline, environment in _places(world):
            claim = kept.item.get(f"_claim_{reading.key_of(pipeline, environment.name)}", {}).get("M", {})
            told = kept.item.get(reading.gate_of(pipeline, environment.name))
            last = reading.number(_item(world, pipeline, environment), "generation", 0)
            is_overtaken = pipeline.repo == repo and 0 < reading.number(claim, "generation", 0) < last
            if is_overtaken and reading.verdict(told, world.moment()) == "failed":
                yield repo, commit


def _item(world: World, pipeline: Pipeline, environment: Environment) -> Item:
    return world.checks.environments.get((pipeline.name, environment.name), {})


def _ids(world: World) -> Iterator[str]:
    """Of promotions that nobody has overtaken, and that were to begin."""
    for id_, promotion in world.checks.promotions.items():
        item = world.checks.environments[promotion["pipeline"], promotion["environment"]]
        if promotion["generation"] == reading.number(item, "generation", 0):
            outcome = reading.outcomes(item, promotion["generation"]).get(promotion["release"]["name"], {})
            if not outcome.get("reason", "").startswith("not begun"):
                yield id_


def _places(world: World) -> list[tuple[Pipeline, Environment]]:
    return [(each, environment) for each in world.pipelines for environment in each.environments]
