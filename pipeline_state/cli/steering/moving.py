"""A person's own promotion, as a plan that is shown, agreed to, and carried out as it was shown or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline_state.cli import facts
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.steering.closures import Closures, closures_of, held_told
from pipeline_state.cli.steering.places import Place, pick_environment, pick_pipeline
from pipeline_state.cli.steering.promotions import Past, as_installed, pasts
from pipeline_state.cli.steering.wishes import Wish, repeated
from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Blocked, Decision, NotACandidate, Promote, Promoted, Superseded, Wait
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.gates import Gate, read_gate
from pipeline_state.model.pipelines import DEPLOYED_TO, Cluster, Release
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.times import parse_time
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.retry import ATTEMPTS, step_aside
from pipeline_state.table.snapshot import EVERYTHING, Reader, Snapshot, read_environments
from pipeline_state.table.transaction import ConflictError, RefusedError

_SHORT = 12

_UNDER_WAY = timedelta(minutes=30)
"""So long a promotion without a result may still come to one: the sweeper repeats it then."""

_Key = tuple[Cluster, str, str]
"""Of a release: where it is, its namespace, its name."""


class ClosedError(CommandError):
    """The environment is frozen or stopped, which whoever asks may override in their own name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to happen.

    moment: after everything was read. place: by the definitions as they were read. head: what is there. target: the
    promotion that is repeated; None for a commit that was never there. gates: those that had to be open, and are.
    despite: what closes the environment, a sentence each.
    """

    wish: Wish
    moment: datetime
    place: Place
    snapshot: Snapshot
    state: EnvironmentState
    decision: Promote
    order: Order
    head: Past | None
    target: Past | None
    gates: tuple[Gate, ...]
    despite: tuple[str, ...]

    @property
    def commit(self) -> str:
        """What is going to be there."""
        return self.snapshot.commit

    @property
    def agreed(self) -> tuple[str, int, Order, tuple[str, ...], tuple[str, ...]]:
        """What has to be the same still when it is carried out."""
        return self.commit, self.state.generation, self.order, self.decision.required, self.despite

    @property
    def mark(self) -> str:
        """Tells it from a plan that would do anything else, whatever the reason given for either."""
        commit, generation, order, required, despite = self.agreed
        same = (commit, generation, replace(order, reason=""), required, despite)
        return hashlib.sha256(repr(same).encode()).hexdigest()[:32]

    def under_way(self, now: datetime) -> str:
        """What to know before something is begun again that is young enough to come to a result; else empty."""
        head = self.head
        if self.wish.action is not Action.REDEPLOY or head is None or self.state.is_finished or self.state.parked:
            return ""
        since = parse_time(head.deployment.at)
        if since is None or now - since >= _UNDER_WAY:
            return ""
        return f"{self.commit[:_SHORT]} is on its way to {self.place.name} since {head.deployment.at}"

    @property
    def installs(self) -> tuple[tuple[Release, Cluster], ...]:
        """Each release, and where it goes."""
        if self.order.pinned:
            return tuple((each.release, each.cluster) for each in self.order.pinned)
        return tuple((each, self.place.environment.cluster) for each in self.place.environment.releases)

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Plain data."""
        return {
            **self.place.to_json(),
            "action": self.wish.action.value,
            "reason": self.wish.reason,
            "from": self.head.to_json(now) if self.head else None,
            "to": self.commit,
            "as_of_generation": self.target.deployment.generation if self.target and self.order.pinned else None,
            "releases": [
                {
                    "name": release.name,
                    "chart": release.chart,
                    "version": release.version,
                    "digest": release.digest or None,
                    "cluster": cluster.name,
                }
                for release, cluster in self.installs
            ],
            "gates": [facts.gate_data(gate) for gate in self.gates],
            "despite": list(self.despite),
            "holds": self.order.holds,
        }


def plan(wish: Wish, now: Callable[[], datetime]) -> Plan:
    """What the wish comes to as things are. Raises CommandError where it cannot be, TemporaryFault, PermanentFault.

    now: is asked after the last reading, which may take minutes on a bad line: what expires meanwhile has expired.
    """
    head = next(pasts(wish.place, 1), None)
    target = repeated(wish, head)
    repo = wish.place.pipeline.repo
    commit = target.deployment.commit if target else facts.find_commit(repo, wish.commit)[1]
    snapshot = Reader().read(repo, commit, *([head.deployment.commit] if head else []))
    if not snapshot.item:
        raise CommandError(f"the record of {commit[:_SHORT]} is gone, so nobody knows whether its gates are open")
    place = _again(wish.place, snapshot)
    then = _as_then(place, target) if target and not wish.is_current else place
    order = _order(wish, target)
    _check_moved(place, snapshot, order)
    closing = read_environments([place.key, EVERYTHING])
    moment = now()
    state = snapshot.state(place.pipeline, place.environment, moment)
    if state.problem:  # a claim would count on from nothing
        raise CommandError(f"nothing can go to {place.name}: {state.problem}")
    if wish.action is Action.OVERRIDE:
        _check_override(snapshot, place, _decision(snapshot, place, moment))
    decision = _permitted(place, then, snapshot, moment)
    despite = _despite(wish, closures_of(place, closing, moment), _decision(snapshot, place, moment))
    return Plan(
        wish=wish,
        moment=moment,
        place=place,
        snapshot=snapshot,
        state=state,
        decision=decision,
        order=order,
        head=head,
        target=target,
        gates=tuple(read_gate(name, snapshot.record.gates.get(name), moment) for name in decision.required),
        despite=despite,
    )


def carry_out(agreed: Plan, now: Callable[[], datetime]) -> list[Promotion]:
    """Claim the environment. Raises CommandError when it is not any more what was agreed to; else as `plan`.

    It is planned once more for that: while somebody thought about the question, a gate may have expired and a freeze
    window may have begun, and neither has changed an item.
    """
    for _ in range(ATTEMPTS):
        current = plan(agreed.wish, now)
        if current.agreed != agreed.agreed:
            break
        try:
            return claim(current.snapshot, current.place.pipeline, current.decision, current.moment, current.order)
        except RefusedError:
            continue
        except ConflictError:
            step_aside()
    raise CommandError(f"{agreed.place.name} has changed in this moment, and nothing was done; look and try again")


def _order(wish: Wish, target: Past | None) -> Order:
    return Order(
        by=wish.by,
        action=wish.action,
        reason=wish.reason,
        override=wish.override,
        holds=wish.action is Action.ROLLBACK,
        pinned=as_installed(target) if target and not wish.is_current else (),
    )


def _again(place: Place, snapshot: Snapshot) -> Place:
    """The same place by the definitions that the claim is made on."""
    pipeline = pick_pipeline(snapshot.definitions.pipelines, place.pipeline.name)
    return Place(pipeline, pick_environment(pipeline, place.environment.name), snapshot.definitions.declared)


def _decision(snapshot: Snapshot, place: Place, now: datetime) -> Decision:
    decided = snapshot.decisions(place.pipeline, now)
    return next(each for each in decided if each.environment == place.environment.name)


def _check_override(snapshot: Snapshot, place: Place, decision: Decision) -> None:
    """Raises CommandError for a commit that needs no override, or for which it is not the way."""
    commit, sentence = snapshot.commit[:_SHORT], decision.sentence
    match decision:
        case Promote():
            raise CommandError(f"there is nothing to override: by itself, {commit} {sentence}")
        case Superseded() | Promoted(barred=None):
            way = (
                f"`gatestream rollback {place.arguments} --to {commit}` goes back, `gatestream redeploy` does it again"
            )
            raise CommandError(f"{commit} is not newer than what {place.name} ever had: {sentence}; {way}")
        case _:
            return


def _check_moved(place: Place, snapshot: Snapshot, order: Order) -> None:
    """Raises CommandError for a release of back then that has moved: another environment's lease is for it now."""
    here, elsewhere = set[_Key](), dict[_Key, Place]()
    for pipeline in snapshot.definitions.pipelines:
        for environment in pipeline.environments:
            there = Place(pipeline, environment)
            keys = {_release_key(release, environment.cluster) for release in environment.releases}
            here |= keys if there.key == place.key else set()
            elsewhere |= dict.fromkeys(keys, there) if there.key != place.key else {}
    for each in order.pinned:
        key = _release_key(each.release, each.cluster)
        if key in elsewhere and key not in here:
            told = f"{place.name} had {each.release.name} then, which {elsewhere[key].name} has now"
            way = f"for {each.release.name} see `gatestream history {elsewhere[key].arguments}`"
            raise CommandError(f"{told}; --current-definition leaves it there, and {way}")


def _release_key(release: Release, cluster: Cluster) -> _Key:
    """What tells a release apart. Whatever role of an account leads to its clusters, they are the same."""
    account = (cluster.role or "").partition(":role/")[0]
    return replace(cluster, role=account), release.namespace, release.name


def _permitted(place: Place, then: Place, snapshot: Snapshot, now: datetime) -> Promote:
    """Raises CommandError where a gate is closed: by the definition that is installed, be it of back then."""
    declared = then.declared | place.declared  # since then, its record has got the columns of today's
    verdict = on_request(snapshot.record, then.pipeline, then.environment, declared, now)
    if isinstance(verdict, Promote):
        return verdict
    raise CommandError(
        f"{snapshot.commit[:_SHORT]} cannot go to {place.name}: {verdict.sentence}; {_fix(snapshot, verdict)}"
    )


def _as_then(place: Place, target: Past) -> Place:
    """The place by the definitions that a promotion was made by."""
    version = target.deployment.promotions[0].pipeline_version
    definitions = load_definitions(place.pipeline.repo, version)
    pipeline = next((each for each in definitions.pipelines if each.name == place.pipeline.name), None)
    environment = pipeline.environment(place.environment.name) if pipeline else None
    if pipeline is None or environment is None:
        told = f"version {version} of the pipelines of {place.pipeline.repo} is not to be found"
        raise CommandError(f"{told}; --current-definition goes by today's")
    return Place(pipeline, environment, definitions.declared)


def _fix(snapshot: Snapshot, verdict: Blocked | Wait | NotACandidate) -> str:
    if isinstance(verdict, NotACandidate):
        return "see `gatestream status`"
    closed = [gate.name for gate in (verdict.failed if isinstance(verdict, Blocked) else verdict.missing)]
    before = [name for name in closed if name.startswith(DEPLOYED_TO)]
    if before:
        return f"{before[0]} is opened by a deployment alone, so deploy it there first"
    name = closed[0] if len(closed) == 1 else "GATE"
    return f"`gatestream gate set {snapshot.repo} {snapshot.commit[:_SHORT]} {name} passed --reason …` opens it"


def _despite(wish: Wish, closures: Closures, decision: Decision) -> tuple[str, ...]:
    """What closes the environment. Raises CommandError where that keeps the wish from being fulfilled."""
    is_frozen = closures.frozen or closures.stop
    if is_frozen and not wish.override:
        told = "; ".join(replace(closures, hold=None).sentences)
        raise ClosedError(f"{told}; add --override to go ahead all the same, in your own name")
    sentences = [*replace(closures, hold=None).sentences]
    if closures.hold:
        passes = ", and from now on by you" if wish.action is Action.ROLLBACK else ""
        sentences.append(f"{closures.place.name} is {held_told(closures.hold)}{passes}")
    if wish.action is Action.OVERRIDE and decision.kind in {"Soaking", "Queued"}:
        sentences.append(decision.sentence)
    return tuple(sentences)
