"""Reading a commit together with everything a decision about it needs, in one consistent call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import TransactGetError
from pynamodb.transactions import TransactGet

from pipeline_state.faults import PermanentFault
from pipeline_state.model.decide import decide, declared_gates
from pipeline_state.model.decision import Decision
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.pipelines import Environment, FreezeWindow, Pipeline, Policy
from pipeline_state.model.record import Record, read_record
from pipeline_state.model.rollout import Rollout
from pipeline_state.table import waiting
from pipeline_state.table.models import EnvironmentItem, GateRecord, PipelinesItem, Raw, connection, to_plain
from pipeline_state.table.transaction import fault
from pipeline_state.windows import freeze_by

if TYPE_CHECKING:
    from pynamodb.models import Model


EVERYTHING = ("#everything", "stop")
"""The key of the item that stops all environments at once; no pipeline's name begins with #."""

CLOSING = ("frozen_by", "frozen_until", "held_by")
"""The attributes by which people close an environment."""

OPENED_AT = "opened_at"
"""The attribute that says when somebody last ended a freeze or a hold."""

IN_TURN = "in_turn"
"""The attribute that says whether an environment takes every commit, so that one that is done lets the next one go."""

DONE, HOLDER, LEASED_UNTIL, PARKED, ROLLOUT = "done:", "lease_generation:", "lease_until:", "parked:", "rollout:"
"""What an environment's attributes about one of its releases begin with."""

_MOST_ITEMS = 100
"""Of one TransactGetItems, by the API reference."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """A repository's pipelines.

    repo: its name as the definition spells it. version: 0 when there are none. applied_at: RFC 3339, of that version.
    """

    repo: str
    version: int = 0
    pipelines: tuple[Pipeline, ...] = ()
    applied_at: str = field(default="", compare=False)

    @property
    def declared(self) -> frozenset[str]:
        """The gates any of the pipelines declares."""
        return declared_gates(self.pipelines)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit, as the tables had it at one moment.

    items: raw Gates items by commit, of the commits that were asked for and exist.
    environments: raw Environments items by pipeline and environment, and the one that stops everything.
    waiting: other commits on their way, where the turn of each counts.
    """

    repo: str
    commit: str
    items: Mapping[str, Raw]
    definitions: Definitions
    environments: Mapping[tuple[str, str], Raw] = field(default_factory=dict)
    waiting: tuple[Record, ...] = ()

    @property
    def item(self) -> Raw:
        """The commit's own raw item; empty when there is none."""
        return self.items.get(self.commit, {})

    @property
    def record(self) -> Record:
        """The commit's own record; one without anything when there is none."""
        return read_record(to_plain(self.item)) if self.item else Record(self.repo, self.commit)

    @property
    def places(self) -> list[tuple[Pipeline, Environment]]:
        """Every environment of every pipeline of the repository."""
        return [(pipeline, each) for pipeline in self.definitions.pipelines for each in pipeline.environments]

    def of(self, commit: str) -> Snapshot:
        """The same moment, for another of the commits that were read."""
        return replace(self, commit=commit)

    def state(self, pipeline: Pipeline, environment: Environment, now: datetime) -> EnvironmentState:
        """The environment's state at a time, what its definition and a stop of everything do to it included."""
        state = read_state(
            pipeline.name, environment.name, self.environments.get((pipeline.name, environment.name), {})
        )
        return with_windows(with_stop(state, self.environments.get(EVERYTHING, {})), environment.freezes, now)

    def decisions(self, pipeline: Pipeline, now: datetime) -> list[Decision]:
        """What is decided about the commit at a time."""
        states = {each.name: self.state(pipeline, each, now) for each in pipeline.environments}
        return decide(self.record, states, pipeline, self.definitions.declared, now, self.waiting)


class Reader:
    """Reads snapshots.

    It remembers each repository's pipelines, but only to know which keys to ask for: every snapshot carries the
    definitions as they are, and is read again when those lead to other keys.
    """

    def __init__(self) -> None:
        self._remembered: dict[str, Definitions] = {}

    def read(self, repo: str, commit: str, *others: str, environments: bool = True) -> Snapshot:
        """A commit of a repository, whatever its casing, and other commits beside it.

        environments: whether the states of its environments are wanted, and what waits for them where each commit has
        its turn. Raises TemporaryFault.
        """
        guess = self._remembered.get(repo.lower(), Definitions(repo))
        while True:
            keys = [(guess.repo, sha) for sha in dict.fromkeys((commit, *others))]
            wanted = _environment_keys(guess) if environments else []
            found = _get([(PipelinesItem, (repo.lower(),))], [(GateRecord, key) for key in keys], wanted)
            definitions = read_definitions(repo, found[0])
            needed = _environment_keys(definitions) if environments else []
            if (definitions.repo, needed) == (guess.repo, wanted):
                break
            guess = definitions
        self._remembered[repo.lower()] = definitions
        items = {key[1]: raw for key, raw in zip(keys, found[1:], strict=False) if raw}
        raws = zip((key for _, key in wanted), found[1 + len(keys) :], strict=True)
        states = {(pipeline, environment): raw for (pipeline, environment), raw in raws if raw}
        in_turn = environments and any(map(_has_turns, definitions.pipelines))
        return Snapshot(
            definitions.repo, commit, items, definitions, states, _waiting(definitions.repo) if in_turn else ()
        )


def read_environments(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Raw]:
    """Items of the Environments table at one moment, by key; what is not there is left out. Raises TemporaryFault."""
    found = _get([(EnvironmentItem, key) for key in keys])
    return {key: raw for key, raw in zip(keys, found, strict=True) if raw}


def read_definitions(repo: str, raw: Raw | None) -> Definitions:
    """The pipelines in a Pipelines item; none where there is no item. Raises PermanentFault for one that is none."""
    if not raw:
        return Definitions(repo)
    item = to_plain(raw)
    try:
        pipelines = tuple(Pipeline.from_dict(definition) for definition in json.loads(item["definitions"]))
        return Definitions(str(item["name"]), int(item["version"]), pipelines, str(item.get("applied_at", "")))
    except (KeyError, TypeError, ValueError) as error:
        mend = "restore its version before, `repo@version`, or remove it and run `gatestream pipelines apply`"
        raise PermanentFault(f"the pipelines of {repo} cannot be read ({type(error).__name__}); {mend}") from error


def read_state(pipeline: str, name: str, raw: Raw) -> EnvironmentState:
    """The environment in an Environments item; in an empty one, an environment that never had a commit."""
    item = to_plain(raw)
    by = str(item.get("frozen_by", ""))
    freeze = Freeze(by, str(item.get("frozen_until", "")), str(item.get("frozen_reason", "")))
    freezes = (freeze,) if by else ()
    if nonsense := [key for key in ("generation", "sequence") if not isinstance(item.get(key, 0), Decimal | int)]:
        problem = f"{' and '.join(nonsense)} of {name} of {pipeline}: not a number; restore it"
        return EnvironmentState(pipeline, name, freezes=freezes, problem=problem)
    releases = item.get("releases")
    return EnvironmentState(
        pipeline=pipeline,
        name=name,
        generation=int(item.get("generation", 0)),
        head=str(item.get("head", "")),
        sequence=int(item.get("sequence", -1)),
        newest=str(item.get("newest") or item.get("head", "")),
        releases=tuple(map(str, releases)) if isinstance(releases, list) else (),
        done=_numbers(item, DONE),
        leased=_numbers(item, LEASED_UNTIL),
        holders=_numbers(item, HOLDER),
        rollouts=_rollouts(item),
        parked=tuple(sorted(name.removeprefix(PARKED) for name in item if name.startswith(PARKED))),
        freezes=freezes,
        held_by=str(item.get("held_by", "")),
        held_reason=str(item.get("held_reason", "")),
    )


def with_stop(state: EnvironmentState, stop: Raw) -> EnvironmentState:
    """The state with the stop of everything in its item, if there is one."""
    stopped = [replace(each, by=f"{each.by}, who stopped everything") for each in read_state(*EVERYTHING, stop).freezes]
    return replace(state, freezes=(*state.freezes, *stopped)) if stopped else state


def with_windows(state: EnvironmentState, windows: Sequence[FreezeWindow], now: datetime) -> EnvironmentState:
    """The state with the freeze of the window that a time lies in, if there is one."""
    freeze = freeze_by(windows, now)
    return replace(state, freezes=(*state.freezes, freeze)) if freeze else state


def _numbers(item: Mapping[str, Any], prefix: str) -> dict[str, int]:
    """The whole numbers of the attributes that begin so; what people have made of others is left out."""
    return {
        name.removeprefix(prefix): int(value)
        for name, value in item.items()
        if name.startswith(prefix) and isinstance(value, Decimal)
    }


def _rollouts(item: Mapping[str, Any]) -> dict[str, Rollout]:
    """What is being watched, by release; what people have made of others is left out."""
    texts = {name.removeprefix(ROLLOUT): text for name, text in item.items() if name.startswith(ROLLOUT)}
    return {release: rollout for release, text in texts.items() if (rollout := _rollout(text))}


def _rollout(text: object) -> Rollout | None:
    try:
        return Rollout.from_dict(json.loads(str(text)))
    except (KeyError, TypeError, ValueError):
        return None


def _has_turns(pipeline: Pipeline) -> bool:
    return any(environment.policy is Policy.EVERY for environment in pipeline.environments)


def _waiting(repo: str) -> tuple[Record, ...]:
    found = waiting.records(repo, [each.commit for each in waiting.of_repo(repo)])
    return tuple(read_record(to_plain(raw)) for raw in found.values())


def _environment_keys(definitions: Definitions) -> list[tuple[type[Model], tuple[str, ...]]]:
    keys = [
        (pipeline.name, environment.name) for pipeline in definitions.pipelines for environment in pipeline.environments
    ]
    return [(EnvironmentItem, key) for key in (*keys, EVERYTHING)]


def _get(*groups: Iterable[tuple[type[Model], tuple[str, ...]]]) -> list[Raw | None]:
    wanted = [key for group in groups for key in group]
    found: list[Raw | None] = []
    for start in range(0, len(wanted), _MOST_ITEMS):
        reading = TransactGet(connection=connection())
        futures = [reading.get(model, *key) for model, key in wanted[start : start + _MOST_ITEMS]]
        try:
            reading._commit()  # noqa: SLF001 - otherwise only reachable by leaving a with block
        except TransactGetError as error:
            raise fault(error) from error
        found += [_raw(future) for future in futures]
    return found


def _raw(future: Any) -> Raw | None:
    model = future._model  # noqa: SLF001 - asking politely raises where there is no item
    return model.raw if model else None
