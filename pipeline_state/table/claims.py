"""Claims: the one transaction that promotes a commit to an environment, and the mark that it was published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import DoesNotExist, PynamoDBException
from pynamodb.expressions.operand import Path

from pipeline_state.faults import PermanentFault
from pipeline_state.model.decision import TAKEN_BACK, Promote
from pipeline_state.model.entries import CLAIMED, GATE_SET
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from pipeline_state.model.promotion import AUTOMATIC, Action, Promotion, promotion_id
from pipeline_state.model.record import BRANCHES, CLAIM
from pipeline_state.model.times import format_time
from pipeline_state.table import journal, waiting
from pipeline_state.table.deployments import PUSHED_AT, deployment_item
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import (
    SCHEMA,
    EnvironmentItem,
    GateRecord,
    PipelinesItem,
    Raw,
    all_of,
    as_read,
    at,
    set_all,
    to_plain,
    to_raw,
)
from pipeline_state.table.results import with_note
from pipeline_state.table.snapshot import CLOSING, IN_TURN, Snapshot
from pipeline_state.table.transaction import Transaction, fault, is_refusal

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action as Update


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants a promotion, and what is special about it.

    by: "gatestream", or the person who asked for it by name. pinned: what was installed when the commit was there
    before, one promotion for each release, to be installed again as it was; empty takes the definition as it is.
    override: whether it goes ahead although the environment is frozen. holds: whether the environment is held from then
    on, in the person's name and for their reason.
    """

    by: str = AUTOMATIC
    action: Action = Action.PROMOTE
    reason: str = ""
    override: bool = False
    holds: bool = False
    pinned: tuple[Promotion, ...] = ()


@dataclass(frozen=True, slots=True)
class _Claim:
    """A claim about to be made, with what it is made from."""

    snapshot: Snapshot
    pipeline: Pipeline
    environment: Environment
    state: EnvironmentState
    decision: Promote
    order: Order
    now: datetime

    @property
    def moment(self) -> str:
        return format_time(self.now)

    @property
    def generation(self) -> int:
        return self.state.generation + 1

    @property
    def raw(self) -> Raw:
        """The environment's item as it was read."""
        return self.snapshot.environments.get((self.pipeline.name, self.environment.name), {})


def claim(
    snapshot: Snapshot, pipeline: Pipeline, decision: Promote, now: datetime, order: Order | None = None
) -> list[Promotion]:
    """Claim an environment for a commit; what is to be published, one promotion a release.

    All or nothing, on condition that every required gate still has the value that was read (I1), that the environment
    is as it was read (I3), and, unless what is installed is pinned, that the definitions are. The commit that somebody
    goes back from is to be among those that were read. Raises RefusedError otherwise, and TemporaryFault and
    PermanentFault.
    """
    environment = pipeline.environment(decision.environment)
    if environment is None:
        raise LookupError(f"{pipeline.name} has no environment {decision.environment}")
    state = snapshot.state(pipeline, environment, now)
    if state.problem:
        raise PermanentFault(state.problem)
    it = _Claim(snapshot, pipeline, environment, state, decision, order or Order(), now)
    promotions = _promotions(it)
    transaction = Transaction()
    if not it.order.pinned:
        definitions = at("version") == to_raw(snapshot.definitions.version)
        transaction.check("pipelines", PipelinesItem, snapshot.repo.lower(), definitions)
    _claim_record(transaction, it, promotions)
    _move_head(transaction, it, promotions)
    _keep_deployment(transaction, it, promotions)
    _take_back(transaction, it)
    waiting.note(transaction, snapshot.repo, snapshot.commit, f"{decision.environment}-{it.generation}")
    journal.append(transaction, _happening(it, promotions[0].pipeline_version))
    transaction.commit()
    return promotions


def claimed_promotions(pipeline: str, environment: str, generation: int) -> list[Promotion]:
    """What an earlier claim has to publish, exactly as it was claimed.

    Raises TemporaryFault, and PermanentFault when there was no such claim.
    """
    item = deployment_item(pipeline, environment, generation)
    try:
        item.refresh(consistent_read=True)
    except DoesNotExist as error:
        told = f"the record claims promotion {generation} to {environment} of {pipeline}, which there never was"
        raise PermanentFault(f"{told}; remove the claim from the record") from error
    except PynamoDBException as error:
        raise fault(error) from error
    return [Promotion.from_dict(data) for data in json.loads(to_plain(item.raw)["promotions"])]


def mark_published(first: Promotion, now: datetime) -> bool:
    """Note that a claim's promotions are published, by the first of them; whether nobody had noted it before.

    A claim that is gone is left alone. Raises TemporaryFault.
    """
    unmarked = Path([CLAIM + first.environment_key, "published"]) != to_raw(True)  # noqa: FBT003 - the attribute's value
    return _mark(first, {"published": True, "told_at": format_time(now)}, unmarked)


def mark_repeated(first: Promotion, now: datetime, repeats: int = 0) -> None:
    """Note that they are published once more, as `mark_published` does.

    repeats: how often that was because nothing came of them; 0 where they had been put aside.
    """
    _mark(first, {"published": True, "told_at": format_time(now)} | ({"repeats": repeats} if repeats else {}))


def _mark(first: Promotion, told: Mapping[str, Any], condition: Condition | None = None) -> bool:
    name = CLAIM + first.environment_key
    marks: list[Update] = [Path([name, key]).set(to_raw(value)) for key, value in told.items()]
    same = Path([name, "generation"]) == to_raw(first.generation)
    try:
        GateRecord(first.repo, first.commit).update(marks, condition=same if condition is None else same & condition)
    except PynamoDBException as error:
        if not is_refusal(error):
            raise fault(error) from error
        return False
    return True


def _promotions(it: _Claim) -> list[Promotion]:
    """One for each release: of the definition as it is, or as it was when the commit was there before."""
    pinned = it.order.pinned
    releases = tuple(each.release for each in pinned) if pinned else it.environment.releases
    return [
        Promotion(
            id=promotion_id(it.pipeline.name, it.snapshot.commit, it.environment.name, release.name, it.generation),
            repo=it.snapshot.repo,
            commit=it.snapshot.commit,
            branch=it.decision.branch,
            sequence=it.decision.sequence,
            pipeline=it.pipeline.name,
            pipeline_version=pinned[0].pipeline_version if pinned else it.pipeline.version,
            environment=it.environment.name,
            environment_key=it.pipeline.key_of(it.environment.name),
            generation=it.generation,
            release=release,
            cluster=pinned[0].cluster if pinned else it.environment.cluster,
            releases=tuple(each.name for each in releases),
            by=it.order.by,
            action=it.order.action,
            reason=it.order.reason,
            override=it.order.override,
            freezes=it.environment.freezes,
            in_order=it.environment.in_order,
            rollback_together=it.environment.rollback_together,
            force_conflicts=it.environment.force_conflicts,
        )
        for release in releases
    ]


def _claim_record(transaction: Transaction, it: _Claim, promotions: Sequence[Promotion]) -> None:
    """The claim on the record, which stands for the gates having been passed at that moment.

    A commit that has been there before is not deployed there again yet; and a gate that verifies it and has failed says
    so of the deployment before, and is not to fail this one as well. One that has passed goes on to count.
    """
    name, gate = CLAIM + promotions[0].environment_key, it.pipeline.deployed_gate(it.environment.name)
    claimed: dict[str, Any] = {
        "generation": it.generation,
        "at": it.moment,
        "promotions": {promotion.release.name: promotion.id for promotion in promotions},
        "published": False,
        "pushed_at": it.snapshot.record.branches[it.decision.branch].pushed_by,
        **_told(it.order),
    }
    values, looked_at = {name: claimed}, [name, BRANCHES, *it.decision.required]
    if name in it.snapshot.item:
        pending = {"status": "", "at": it.moment, "by": "gatestream", "generation": it.generation}
        values |= with_note(gate, pending)
        verifying = {each.release.verify.gate: None for each in promotions if each.release.verify}
        for each in filter(None, verifying):
            values |= _verified_anew(transaction, it, each)
            looked_at.append(each)
    unchanged = [as_read(it.snapshot.item, column) for column in looked_at]
    record = GateRecord(it.snapshot.repo, it.snapshot.commit)
    transaction.update("record", record, set_all(values), all_of(unchanged))


def _verified_anew(transaction: Transaction, it: _Claim, gate: str) -> dict[str, Any]:
    """The attributes that make a gate pending if it has failed, which the journal tells, too; none otherwise."""
    if read_gate(gate, it.snapshot.record.gates.get(gate, ""), it.now).status is not GateStatus.FAILED:
        return {}
    value = {"status": "", "at": it.moment, "by": AUTOMATIC, "reason": f"{it.environment.name} is deployed again"}
    told = _happening(it, it.pipeline.version)
    what = {"gate": gate, **value}
    journal.append(transaction, replace(told, id=f"{told.id}-{gate}", kind=GATE_SET, by=AUTOMATIC, what=what))
    return with_note(gate, value)


def _move_head(transaction: Transaction, it: _Claim, promotions: Sequence[Promotion]) -> None:
    """The environment's head; its latest place ever moves forward only, also where somebody goes back."""
    moved: dict[str, Any] = {
        "_schema": SCHEMA,
        "repo": it.snapshot.repo,
        "generation": it.generation,
        "head": it.snapshot.commit,
        "branch": it.decision.branch,
        "promoted_at": it.moment,
        "releases": [promotion.release.name for promotion in promotions],
        IN_TURN: it.environment.policy is Policy.EVERY,
    }
    if it.decision.sequence > it.state.sequence:
        moved |= {"sequence": it.decision.sequence, "newest": it.snapshot.commit}
    if it.order.holds:
        moved |= {"held_by": it.order.by, "held_reason": it.order.reason}
    conditions = [as_read(it.raw, name) for name in ("generation", *CLOSING)]
    item = EnvironmentItem(it.pipeline.name, it.environment.name)
    transaction.update("environment", item, set_all(moved), all_of(conditions))


def _keep_deployment(transaction: Transaction, it: _Claim, promotions: Sequence[Promotion]) -> None:
    """What was promoted, whole, and when it was pushed: to be published from, to go back to, and to be counted."""
    kept = {
        "repo": it.snapshot.repo,
        "commit": it.snapshot.commit,
        "at": it.moment,
        PUSHED_AT: it.snapshot.record.branches[it.decision.branch].pushed_by,
        "promotions": json.dumps([promotion.to_dict() for promotion in promotions]),
        **_told(it.order),
    }
    item = deployment_item(it.pipeline.name, it.environment.name, it.generation)
    transaction.update("deployment", item, set_all(kept), at("pipeline").does_not_exist())


def _take_back(transaction: Transaction, it: _Claim) -> None:
    """The commit that somebody goes back from is deployed there no more, so that it goes no further either.

    Its own journal tells so, too.
    """
    left = it.state.head
    if it.order.action is not Action.ROLLBACK or left == it.snapshot.commit or left not in it.snapshot.items:
        return
    value = {
        "status": "FALSE",
        "at": it.moment,
        "by": it.order.by,
        "reason": f"{TAKEN_BACK}: {it.order.reason}" if it.order.reason else TAKEN_BACK,
        "generation": it.generation,  # results of its own promotion that come late do not count any more
    }
    gate = it.pipeline.deployed_gate(it.environment.name)
    record = GateRecord(it.snapshot.repo, left)
    transaction.update("record taken back", record, set_all(with_note(gate, value)), at("repo").exists())
    told = _happening(it, it.pipeline.version)
    journal.append(transaction, replace(told, commit=left, kind=TAKEN_BACK, what={"gate": gate, **value}))


def _told(order: Order) -> dict[str, str]:
    """Who wanted it and why; nothing where nobody asked."""
    asked = {"by": order.by, "action": order.action.value, "reason": order.reason}
    return {name: value for name, value in asked.items() if value} if order.by != AUTOMATIC else {}


def _happening(it: _Claim, version: int) -> Happening:
    what: Mapping[str, Any] = {
        "pipeline": it.pipeline.name,
        "environment": it.environment.name,
        "generation": it.generation,
        "pipeline_version": version,
        **_told(it.order),
        **({"holds": True} if it.order.holds else {}),
    }
    return Happening(
        repo=it.snapshot.repo,
        commit=it.snapshot.commit,
        time=it.moment,
        id=f"{it.environment.name}-{it.generation}",
        source=f"/gatestream/pipelines/{it.pipeline.name}",
        kind=CLAIMED,
        by=it.order.by,
        verified=True,
        written_at=it.moment,
        what=what,
        is_kept=True,
    )
