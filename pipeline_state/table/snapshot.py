"""Reading a commit together with everything a decision about it needs, in one consistent call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import TransactGetError
from pynamodb.transactions import TransactGet

from pipeline_state.faults import PermanentFault
from pipeline_state.model.decide import EnvironmentState, declared_gates
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import Record, read_record
from pipeline_state.table.models import EnvironmentItem, GateRecord, PipelinesItem, Raw, connection, to_plain
from pipeline_state.table.transaction import fault

if TYPE_CHECKING:
    from pynamodb.models import Model


_MOST_ITEMS = 100
"""Of one TransactGetItems, by the API reference."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """A repository's pipelines. repo: its name as the definition spells it. version: 0 when there are none."""

    repo: str
    version: int = 0
    pipelines: tuple[Pipeline, ...] = ()

    @property
    def declared(self) -> frozenset[str]:
        """The gates any of the pipelines declares."""
        return declared_gates(self.pipelines)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit, as the tables had it at one moment.

    items: raw Gates items by commit, of the commits that were asked for and exist.
    states: by pipeline, then environment.
    """

    repo: str
    commit: str
    items: Mapping[str, Raw]
    definitions: Definitions
    states: Mapping[str, Mapping[str, EnvironmentState]]

    @property
    def item(self) -> Raw:
        """The commit's own raw item; empty when there is none."""
        return self.items.get(self.commit, {})

    @property
    def record(self) -> Record:
        """The commit's own record; one without anything when there is none."""
        return read_record(to_plain(self.item)) if self.item else Record(self.repo, self.commit)

    def state(self, pipeline: str, environment: str) -> EnvironmentState:
        """The environment's state; that of one that never had a commit when there is none."""
        return self.states.get(pipeline, {}).get(environment) or EnvironmentState(pipeline, environment)


class Reader:
    """Reads snapshots.

    It remembers each repository's pipelines, but only to know which keys to ask for: every snapshot carries the
    definitions as they are, and is read again when those lead to other keys.
    """

    def __init__(self) -> None:
        self._remembered: dict[str, Definitions] = {}

    def read(self, repo: str, commit: str, *others: str, environments: bool = True) -> Snapshot:
        """A commit of a repository, whatever its casing, and other commits beside it.

        environments: whether the states of its environments are wanted. Raises TemporaryFault.
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
        return Snapshot(definitions.repo, commit, items, definitions, _states(found[1 + len(keys) :]))


def read_definitions(repo: str, raw: Raw | None) -> Definitions:
    """The pipelines in a Pipelines item; none where there is no item. Raises PermanentFault for one that is none."""
    if not raw:
        return Definitions(repo)
    item = to_plain(raw)
    try:
        pipelines = tuple(Pipeline.from_dict(definition) for definition in json.loads(item["definitions"]))
        return Definitions(str(item["name"]), int(item["version"]), pipelines)
    except (KeyError, TypeError, ValueError) as error:
        mend = "restore its version before, `repo@version`, or remove it and run `gatestream pipelines apply`"
        raise PermanentFault(f"the pipelines of {repo} cannot be read ({type(error).__name__}); {mend}") from error


def read_state(raw: Raw) -> EnvironmentState:
    """The environment in an Environments item. Raises PermanentFault where its numbers are none."""
    item = to_plain(raw)
    if nonsense := [name for name in ("generation", "sequence") if not isinstance(item.get(name, 0), Decimal | int)]:
        wrong = " and ".join(nonsense)
        raise PermanentFault(f"{wrong} of {item['environment']} of {item['pipeline']}: not a number; restore it")
    return EnvironmentState(
        pipeline=item["pipeline"],
        name=item["environment"],
        generation=int(item.get("generation", 0)),
        head=str(item.get("head", "")),
        sequence=int(item.get("sequence", -1)),
        frozen_by=str(item.get("frozen_by", "")),
        frozen_until=str(item.get("frozen_until", "")),
        held_by=str(item.get("held_by", "")),
    )


def _environment_keys(definitions: Definitions) -> list[tuple[type[Model], tuple[str, ...]]]:
    return [
        (EnvironmentItem, (pipeline.name, environment.name))
        for pipeline in definitions.pipelines
        for environment in pipeline.environments
    ]


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


def _states(raws: Iterable[Raw | None]) -> dict[str, dict[str, EnvironmentState]]:
    states: dict[str, dict[str, EnvironmentState]] = {}
    for raw in raws:
        if raw:
            state = read_state(raw)
            states.setdefault(state.pipeline, {})[state.name] = state
    return states
