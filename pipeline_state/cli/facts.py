"""What the commands tell about commits, as plain data: found, read and decided once, shown in several ways."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline_state import tracing
from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.steering.closures import Closures, closures_of, freeze_data, hold_data
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.decide import decide
from pipeline_state.model.decision import Decision, Frozen, Held, Promoted
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.gates import Gate, GateStatus, read_gate
from pipeline_state.model.order import NO_COMMIT
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.record import Record
from pipeline_state.model.times import from_epoch
from pipeline_state.table import waiting
from pipeline_state.table.definitions import all_definitions, load_definitions
from pipeline_state.table.listing import Listed, commits, environment_items, newest
from pipeline_state.table.models import Raw, to_plain
from pipeline_state.table.snapshot import PARKED, Definitions, Reader, Snapshot, read_state

_COMMIT = re.compile(r"[0-9a-f]{4,40}")
_WHOLE = 40
_SHOWN_CANDIDATES = 3


def find_commit(repo: str, prefix: str) -> tuple[str, str]:
    """The repository as its records spell it, and its one commit that begins so.

    Raises CommandError when the prefix is no commit or does not fit exactly one, TemporaryFault.
    """
    begin = prefix.lower()
    if not _COMMIT.fullmatch(begin):
        raise CommandError(f"{prefix!r} is not a commit; give 4 to 40 hex digits of its hash", USAGE)
    spelled = load_definitions(repo).repo
    found = [listed.commit for listed in commits(spelled, begin)]
    if not found:
        raise CommandError(f"{spelled} has no record of {prefix}; no webhook has told of it")
    if len(found) > 1:
        some = ", ".join(commit[:12] for commit in found[:_SHOWN_CANDIDATES])
        raise CommandError(f"{prefix} fits {len(found)} commits of {spelled} ({some}, …); give more digits", USAGE)
    return spelled, found[0]


def decisions_of(snapshot: Snapshot, now: datetime) -> list[tuple[Pipeline | None, Decision]]:
    """What decide() says of every environment of the commit's repository."""
    pipelines = snapshot.definitions.pipelines
    if not pipelines:
        return [(None, decision) for decision in decide(snapshot.record, {}, None, frozenset(), now)]
    return [(pipeline, decision) for pipeline in pipelines for decision in snapshot.decisions(pipeline, now)]


def gates_of(snapshot: Snapshot, now: datetime) -> list[Gate]:
    """The commit's gates: the declared ones in their order, what others added, and how far it has been deployed."""
    pipelines, found = snapshot.definitions.pipelines, snapshot.record.gates
    declared = [gate.name for pipeline in pipelines for gate in pipeline.gates]
    deployed = [pipeline.deployed_gate(each.name) for pipeline in pipelines for each in pipeline.environments]
    added = sorted(name for name in found if name not in {*declared, *deployed})
    names = dict.fromkeys([*declared, *added, *(name for name in deployed if name in found)])
    return [read_gate(name, found[name], now) if name in found else Gate(name, GateStatus.PENDING) for name in names]


def status_of(repo: str, commit: str, now: datetime) -> dict[str, Any]:
    """All that is known of a commit, as `gatestream status REPO COMMIT --json` prints it. Raises TemporaryFault."""
    return status(Reader().read(repo, commit), now)


def status(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    """The same of a commit that has been read."""
    record = snapshot.record
    branch, place = max(record.branches.items(), key=lambda item: item[1].sequence, default=(None, None))
    decided = decisions_of(snapshot, now)
    return {
        "repo": snapshot.repo,
        "commit": snapshot.commit,
        "branch": branch,
        "sequence": place.sequence if place else None,
        "gates": [gate_data(gate) for gate in gates_of(snapshot, now)],
        "environments": [_environment(pipeline, decision, record) for pipeline, decision in decided],
        "trace_id": tracing.trace_of(snapshot.repo, snapshot.commit).trace_id,
    }


@dataclass(frozen=True, slots=True)
class Row:
    """A commit in a list. status: as `status` tells it. pushed_at: RFC 3339, or empty."""

    commit: str
    pushed_at: str
    status: dict[str, Any]


def recent(repo: str, most: int, now: datetime) -> list[Row]:
    """A repository's newest commits, newest first. Raises CommandError when there is none, TemporaryFault."""
    spelled = load_definitions(repo).repo
    listed = newest(spelled, most).listed
    if not listed:
        raise CommandError(f"there is no record of {spelled}: no webhook has told of it, or it is spelled differently")
    return rows(snapshot_of(spelled, listed), listed, now)


def snapshot_of(repo: str, listed: Sequence[Listed]) -> Snapshot:
    """Commits of a repository, spelled as in its records, with what is decided about them from. Raises TemporaryFault.

    Environments first, the records after that: not all are of one moment, as they are where something is claimed.
    """
    snapshot = Reader().read(repo, listed[0].commit if listed else NO_COMMIT)
    return replace(snapshot, items={**waiting.records(repo, (each.commit for each in listed)), **snapshot.items})


def rows(snapshot: Snapshot, listed: Iterable[Listed], now: datetime) -> list[Row]:
    """The commits of a list, all of which are in the snapshot."""
    return [Row(each.commit, each.pushed_at, status(snapshot.of(each.commit), now)) for each in listed]


def heads(now: datetime) -> list[dict[str, Any]]:
    """What every environment of every repository has, and what keeps it closed. Raises TemporaryFault."""
    definitions = sorted(all_definitions(), key=lambda each: each.repo.lower())
    items = environment_items(pipeline for each in definitions for pipeline in each.pipelines)
    return [head for each in definitions for head in _heads_of(each, items, now)]


def _heads_of(definitions: Definitions, items: Mapping[tuple[str, str], Raw], now: datetime) -> list[dict[str, Any]]:
    places = [Place(pipeline, each) for pipeline in definitions.pipelines for each in pipeline.environments]
    closures = {place.key: closures_of(place, items, now) for place in places}
    is_closed = any(each.sentences for each in closures.values())
    ready = ready_behind(definitions.repo, now) if is_closed else Counter[tuple[str, str]]()
    return [head_of(place, items.get(place.key, {}), closures[place.key], ready[place.key]) for place in places]


def ready_behind(repo: str, now: datetime) -> Counter[tuple[str, str]]:
    """How many commits could go to each environment if it were open, by pipeline and environment.

    Raises TemporaryFault.
    """
    records = waiting.records(repo, (each.commit for each in waiting.of_repo(repo)))
    if not records:
        return Counter()
    snapshot = Reader().read(repo, next(iter(records)))
    whole = replace(snapshot, items={**records, **snapshot.items})
    decided = (each for commit in records for each in decisions_of(whole.of(commit), now))
    return Counter(
        (pipeline.name, decision.environment)
        for pipeline, decision in decided
        if pipeline and isinstance(decision, Frozen | Held)
    )


def head_of(place: Place, raw: Raw, closures: Closures, ready: int = 0) -> dict[str, Any]:
    """What an environment has by its raw item, and what keeps it closed. ready: how many commits that keeps waiting."""
    item = to_plain(raw)
    state, reason = state_of_head(place.environment, item)
    generation = item.get("generation", 0)
    return {
        **place.to_json(),
        **{name: item.get(name) for name in ("head", "branch", "promoted_at")},
        "generation": int(generation) if isinstance(generation, Decimal | int) else None,
        "state": state,
        "reason": reason,
        "frozen": freeze_data(closures.frozen),
        "held": hold_data(closures.hold),
        "stopped": freeze_data(closures.stop),
        "parked": sorted(name.removeprefix(PARKED) for name in item if name.startswith(PARKED)),
        "ready": ready,
        "rollouts": rollouts_of(place.environment, read_state(*place.key, raw)),
    }


def rollouts_of(environment: Environment, state: EnvironmentState) -> list[dict[str, Any]]:
    """What has been applied there and is watched until it has a verdict, by release; of an older promotion, too."""
    verify = {release.name: release.verify for release in environment.releases}
    return [
        {
            "release": name,
            "generation": state.holders.get(name),
            "phase": rollout.phase.value,
            "revision": rollout.revision,
            "since": from_epoch(int(rollout.since)) or None,
            "until": from_epoch(int(rollout.until)) or None,
            "reason": rollout.told(verify.get(name)),
        }
        for name, rollout in sorted(state.rollouts.items())
    ]


def state_of_head(environment: Environment, item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """How far the head got: "deployed", "failed" with why, "promoted" while it is on its way; None without a head."""
    if not item.get("head"):
        return None, None
    outcomes = [outcome_of(release.name, item) for release in environment.releases]
    failed = next((outcome for outcome in outcomes if outcome.get("kind") == "failed"), None)
    if failed is not None:
        return "failed", str(failed.get("reason") or "") or None
    return "deployed" if all(outcome.get("kind") == "deployed" for outcome in outcomes) else "promoted", None


def outcome_of(release: str, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came of a release of the head by the environment's plain item; empty while nothing has.

    table.leases keeps the last outcome, and which generation it was of.
    """
    if item.get(f"done:{release}") != item.get("generation"):
        return {}
    try:
        outcome = json.loads(item.get(f"outcome:{release}", "{}"))
    except (TypeError, ValueError):  # anybody may have written there
        return {}
    return outcome if isinstance(outcome, Mapping) else {}


def gate_data(gate: Gate) -> dict[str, Any]:
    """A gate as plain data."""
    return {
        "name": gate.name,
        "status": gate.status.value,
        "by": gate.by,
        "at": gate.at,
        "reason": gate.note or gate.reason,
    }


def _environment(pipeline: Pipeline | None, decision: Decision, record: Record) -> dict[str, Any]:
    promoted = decision if isinstance(decision, Promoted) else None
    deployed = promoted.deployed if promoted else None
    return {
        "pipeline": pipeline.name if pipeline else None,
        "name": decision.environment or None,
        "decision": decision.kind,
        "reason": decision.sentence,
        "promoted_at": promoted.at if promoted else None,
        "deployed_at": deployed.at if deployed and deployed.status is GateStatus.PASSED else None,
        "releases": _releases(pipeline, decision, record),
    }


def _releases(pipeline: Pipeline | None, decision: Decision, record: Record) -> list[dict[str, Any]]:
    """The environment's releases, each with what came of it for this commit."""
    environment = pipeline.environment(decision.environment) if pipeline else None
    if pipeline is None or environment is None:
        return []
    gate = record.gates.get(pipeline.deployed_gate(environment.name))
    kept = gate.get("releases") if isinstance(gate, Mapping) else None
    told: Mapping[str, Any] = kept if isinstance(kept, Mapping) else {}
    return [_release(release.name, release.namespace, told.get(release.name)) for release in environment.releases]


def _release(name: str, namespace: str, told: object) -> dict[str, Any]:
    """Read from a gate's column, so anybody may have written anything there."""
    known: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    revision = known.get("revision")
    keys = ("chart", "digest", "at", "reason")
    texts = {key: text if isinstance(text := known.get(key), str) else None for key in keys}
    return {
        "name": name,
        "namespace": namespace,
        "status": {"TRUE": "deployed", "FALSE": "failed"}.get(str(known.get("status"))),
        "revision": int(revision) if isinstance(revision, Decimal) and revision else None,
        **texts,
    }
