"""Claims: the one transaction that promotes a commit to an environment, and the mark that it was published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pynamodb.exceptions import DoesNotExist, PynamoDBException
from pynamodb.expressions.operand import Path

from pipeline_state.faults import PermanentFault
from pipeline_state.model.decide import EnvironmentState
from pipeline_state.model.decision import Promote
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.promotion import Promotion, promotion_id
from pipeline_state.model.record import BRANCHES, CLAIM
from pipeline_state.model.times import format_time
from pipeline_state.table import journal
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import (
    SCHEMA,
    EnvironmentItem,
    GateRecord,
    PipelinesItem,
    all_of,
    as_read,
    at,
    set_all,
    to_plain,
    to_raw,
)
from pipeline_state.table.results import with_note
from pipeline_state.table.snapshot import Snapshot
from pipeline_state.table.transaction import Transaction, fault


def claim(snapshot: Snapshot, pipeline: Pipeline, decision: Promote, now: datetime) -> list[Promotion]:
    """Claim an environment for a commit; what is to be published, one promotion a release.

    All or nothing, on condition that every required gate still has the value that was read (I1), that the environment
    is as it was read (I3), and that the definitions are. Raises RefusedError otherwise, and TemporaryFault and
    PermanentFault.
    """
    state = snapshot.state(pipeline.name, decision.environment)
    promotions = _promotions(snapshot, pipeline, decision, state.generation + 1)
    moment = format_time(now)
    claimed = {
        "generation": state.generation + 1,
        "at": moment,
        "promotions": {promotion.release.name: promotion.id for promotion in promotions},
        "published": False,
        "pushed_at": snapshot.record.branches[decision.branch].pushed_by,
    }
    transaction = Transaction()
    definitions = at("version") == to_raw(snapshot.definitions.version)
    transaction.check("pipelines", PipelinesItem, snapshot.repo.lower(), definitions)
    _claim_record(transaction, snapshot, pipeline, decision, claimed)
    _move_head(transaction, state, decision, snapshot.commit, moment)
    deployment = _deployment_item(pipeline.name, decision.environment, state.generation + 1)
    told = {"repo": snapshot.repo, "commit": snapshot.commit, "at": moment}
    kept = {**told, "promotions": json.dumps([promotion.to_dict() for promotion in promotions])}
    transaction.update("deployment", deployment, set_all(kept), at("pipeline").does_not_exist())
    journal.append(transaction, _happening(snapshot, pipeline, decision, claimed))
    transaction.commit()
    return promotions


def claimed_promotions(pipeline: str, environment: str, generation: int) -> list[Promotion]:
    """What an earlier claim has to publish, exactly as it was claimed.

    Raises TemporaryFault, and PermanentFault when there was no such claim.
    """
    item = _deployment_item(pipeline, environment, generation)
    try:
        item.refresh(consistent_read=True)
    except DoesNotExist as error:
        told = f"the record claims promotion {generation} to {environment} of {pipeline}, which there never was"
        raise PermanentFault(f"{told}; remove the claim from the record") from error
    except PynamoDBException as error:
        raise fault(error) from error
    return [Promotion.from_dict(data) for data in json.loads(to_plain(item.raw)["promotions"])]


def mark_published(repo: str, commit: str, environment_key: str, generation: int) -> None:
    """Note that a claim's promotions are published; a claim that is gone is left alone. Raises TemporaryFault."""
    path = Path([CLAIM + environment_key, "published"])
    same = Path([CLAIM + environment_key, "generation"]) == to_raw(generation)
    try:
        GateRecord(repo, commit).update([path.set(to_raw(True))], condition=same)  # noqa: FBT003 - a plain value
    except PynamoDBException as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise fault(error) from error


def _promotions(snapshot: Snapshot, pipeline: Pipeline, decision: Promote, generation: int) -> list[Promotion]:
    environment = pipeline.environment(decision.environment)
    if environment is None:
        raise LookupError(f"{pipeline.name} has no environment {decision.environment}")
    return [
        Promotion(
            id=promotion_id(pipeline.name, snapshot.commit, environment.name, release.name, generation),
            repo=snapshot.repo,
            commit=snapshot.commit,
            branch=decision.branch,
            sequence=decision.sequence,
            pipeline=pipeline.name,
            pipeline_version=pipeline.version,
            environment=environment.name,
            environment_key=pipeline.key_of(environment.name),
            generation=generation,
            release=release,
            cluster=environment.cluster,
            releases=tuple(each.name for each in environment.releases),
        )
        for release in environment.releases
    ]


def _claim_record(
    transaction: Transaction, snapshot: Snapshot, pipeline: Pipeline, decision: Promote, claimed: Mapping[str, Any]
) -> None:
    """The claim on the record, which stands for the gates having been passed at that moment.

    A commit that has been there before, and was pushed again since, is not deployed there again yet.
    """
    name, gate = CLAIM + pipeline.key_of(decision.environment), pipeline.deployed_gate(decision.environment)
    values: dict[str, Any] = {name: claimed}
    if name in snapshot.item:
        pending = {"status": "", "at": claimed["at"], "by": "gatestream", "generation": claimed["generation"]}
        values |= with_note(gate, pending)
    unchanged = [as_read(snapshot.item, column) for column in (name, BRANCHES, *decision.required)]
    transaction.update("record", GateRecord(snapshot.repo, snapshot.commit), set_all(values), all_of(unchanged))


def _move_head(transaction: Transaction, state: EnvironmentState, decision: Promote, commit: str, moment: str) -> None:
    """The environment's head, forward only; generation, freeze and hold must be what the decision was made from."""
    moved = {
        "generation": state.generation + 1,
        "head": commit,
        "sequence": decision.sequence,
        "branch": decision.branch,
        "promoted_at": moment,
    }
    seen = {
        "generation": state.generation or None,
        "frozen_by": state.frozen_by or None,
        "frozen_until": state.frozen_until or None,
        "held_by": state.held_by or None,
    }
    conditions = [at(name) == to_raw(value) if value else at(name).does_not_exist() for name, value in seen.items()]
    item = EnvironmentItem(state.pipeline, state.name)
    transaction.update("environment", item, set_all({"_schema": SCHEMA, **moved}), all_of(conditions))


def _deployment_item(pipeline: str, environment: str, generation: int) -> EnvironmentItem:
    return EnvironmentItem(pipeline, f"{environment}#deployment#{generation:010d}")


def _happening(snapshot: Snapshot, pipeline: Pipeline, decision: Promote, claimed: Mapping[str, Any]) -> Happening:
    source = f"/gatestream/pipelines/{pipeline.name}"
    environment, generation = decision.environment, claimed["generation"]
    return Happening(
        repo=snapshot.repo,
        commit=snapshot.commit,
        time=claimed["at"],
        id=f"{environment}-{generation}",
        source=source,
        kind="claimed",
        by="gatestream",
        verified=True,
        what={"pipeline": pipeline.name, "environment": environment, "generation": generation},
    )
