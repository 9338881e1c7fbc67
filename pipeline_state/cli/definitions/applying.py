"""What `gatestream pipelines apply` is about to change, and the change itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import unified_diff
from itertools import groupby
from typing import Any

from pipeline_state.cli.asking import happening
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.definitions import leaving
from pipeline_state.cli.definitions.pipelines_file import to_file
from pipeline_state.cli.definitions.pipelines_times import freeze_told, spelled
from pipeline_state.cli.happenings import APPLIED, PIPELINES
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from pipeline_state.model.succession import predecessors
from pipeline_state.model.times import format_time, from_epoch
from pipeline_state.table.definitions import ENVIRONMENT, load_definitions, save_definitions
from pipeline_state.table.leftovers import Leftover
from pipeline_state.table.snapshot import Definitions, read_environments, read_state
from pipeline_state.table.transaction import RefusedError


@dataclass(frozen=True, slots=True)
class Change:
    """A repository's pipelines, as they are and as they are to be.

    left: what commits on their way have of gates that are not to be declared any more. aside: the releases that go
    while a promotion of them is put aside, by pipeline and environment.
    """

    before: Definitions
    after: tuple[Pipeline, ...]
    left: tuple[Leftover, ...] = ()
    aside: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    @property
    def repo(self) -> str:
        """The repository."""
        return self.after[0].repo

    @property
    def is_same(self) -> bool:
        """Whether the pipelines are so already."""
        return tuple(replace(pipeline, version=1) for pipeline in self.before.pipelines) == self.after

    @property
    def is_empty(self) -> bool:
        """Whether everything is so already, and nothing is left of gates that went before."""
        return self.is_same and not any(each.empty for each in self.left)

    @property
    def diff(self) -> list[str]:
        """The lines of a unified diff of the definitions, as YAML."""
        old = to_file(self.before.pipelines).splitlines() if self.before.pipelines else []
        version = self.before.version
        names = (f"{self.repo} version {version}", f"{self.repo} version {version + 1}")
        return list(unified_diff(old, to_file(self.after).splitlines(), *names, lineterm=""))

    @property
    def sentences(self) -> list[str]:
        """What it means, one sentence each."""
        old, new = _named(self.before.pipelines), _named(self.after)
        return [
            *(f"pipeline {name} is new" for name in new if name not in old),
            *(f"pipeline {name} goes: its commits are promoted no more" for name in old if name not in new),
            *(text for name in new if name in old for text in _sentences(old[name], new[name])),
            *(
                f"{name} of {it} installs what {others} did: nothing older than what was promoted there goes to it"
                for (it, name), others in self._followed.items()
            ),
            *leaving.removals(self.left),
            *(
                f"{_listed(names)}: put aside in {environment} of {pipeline}, and goes no further there"
                for (pipeline, environment), names in self.aside.items()
            ),
        ]

    @property
    def unset(self) -> list[Leftover]:
        """The empty columns of gates that are declared now, and then are not."""
        declared = self.before.declared
        found = (replace(each, empty=tuple(gate for gate in each.empty if gate in declared)) for each in self.left)
        return [each for each in found if each.empty]

    @property
    def gone(self) -> dict[tuple[str, str], list[str]]:
        """The releases that are not to be installed there any more, by pipeline and environment."""
        old, new = _places(self.before.pipelines), _places(self.after)
        found = {key: _missing(releases, new.get(key, [])) for key, releases in old.items()}
        return {key: releases for key, releases in found.items() if releases}

    @property
    def _followed(self) -> dict[tuple[str, str], str]:
        """The environments that take over releases, and whose."""
        found = predecessors(self.before.pipelines, self.after)
        return {key: _listed([f"{name} of {it}" for it, name in others]) for key, others in found.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "repo": self.repo,
            "version": self.before.version if self.is_same else self.before.version + 1,
            "changed": not self.is_empty,
            "changes": [] if self.is_empty else self.sentences,
            "diff": [] if self.is_same else self.diff,
            "empty_gates": leaving.counted(each.empty for each in self.left),
            "closed_gates": leaving.counted(each.closed for each in self.left),
        }


def plan(pipelines: Iterable[Pipeline], now: datetime) -> list[Change]:
    """The change for each repository among the pipelines. Raises CommandError and TemporaryFault."""
    ordered = sorted(pipelines, key=lambda pipeline: pipeline.repo)
    changes = []
    for repo, group in groupby(ordered, key=lambda pipeline: pipeline.repo):
        before = load_definitions(repo)
        if before.version and before.repo != repo:
            raise CommandError(f"{repo} is spelled {before.repo} where it was applied before; spell it so in the file")
        after = tuple(group)
        change = Change(before, after, leaving.left_by(before, after, now))
        changes.append(replace(change, aside=_put_aside(change)))
    return changes


def apply(change: Change, by: str, now: datetime) -> Definitions:
    """Save the change in a person's name.

    Raises CommandError when somebody else was faster, or a release that goes has no verdict yet, and TemporaryFault.
    """
    check_under_way(change, now)
    version = change.before.version
    applied = happening((change.repo, PIPELINES), APPLIED, by, now, {"version": version + 1})
    try:
        return save_definitions(
            change.repo, change.after, after=version, by=by, at_time=format_time(now), happening=applied
        )
    except RefusedError as error:
        moved = error.labels == {ENVIRONMENT}
        what = "promoted where releases move from or to" if moved else f"applied pipelines of {change.repo}"
        who = "something has just been" if moved else "somebody else has just"
        raise CommandError(f"{who} {what}; look again, then apply again") from error


def check_under_way(change: Change, now: datetime) -> None:
    """A lease is its environment's: under another one's, a second Helm would work on the release.

    What is promoted and has no verdict may take its lease at any time: its message is on the way, or tried again later.
    It is a look: who claims the environment after it, or takes a release back beside one that failed, is not seen.
    Raises CommandError for a release that goes before its verdict, and TemporaryFault.
    """
    for (pipeline, environment), state in _states(change).items():
        for release in change.gone[pipeline, environment]:
            until = state.leased.get(release, 0)
            if until >= int(now.timestamp()):
                told = f"{environment} of {pipeline} is deploying {release}, until {from_epoch(until)} at the latest"
                raise CommandError(f"{told}; {_LATER}")
            if release in state.under_way and release not in state.parked:
                told = f"promotion {state.generation} to {environment} of {pipeline} has no verdict on {release} yet"
                raise CommandError(f"{told}; {_LATER}")


_LATER = "apply this when that has its verdict: gatestream status tells"


def _put_aside(change: Change) -> dict[tuple[str, str], list[str]]:
    """Nobody takes up what is put aside in an environment that no pipeline has."""
    found = {key: [each for each in change.gone[key] if each in it.parked] for key, it in _states(change).items()}
    return {key: releases for key, releases in found.items() if releases}


def _states(change: Change) -> dict[tuple[str, str], EnvironmentState]:
    """The environments where releases go, as they are. Raises TemporaryFault."""
    return {key: read_state(*key, raw) for key, raw in read_environments(list(change.gone)).items()}


def _places(pipelines: Iterable[Pipeline]) -> dict[tuple[str, str], list[str]]:
    return {
        (pipeline.name, environment.name): [release.name for release in environment.releases]
        for pipeline in pipelines
        for environment in pipeline.environments
    }


def _sentences(old: Pipeline, new: Pipeline) -> list[str]:
    name = new.name
    found = [
        f"{name} takes the {what} {_listed(after)} instead of {_listed(before)}"
        for what, before, after in (("branches", old.branches, new.branches), ("paths", old.paths, new.paths))
        if before != after
    ]
    if old.shared != new.shared:
        gates = (f"{old.deployed_gate(each.name)} → {new.deployed_gate(each.name)}" for each in new.environments)
        found.append(f"{name} shares its repository {'now' if new.shared else 'no more'}: {', '.join(gates)}")
        found.append(f"commits of {name} on their way stop where they are; push again what is to go on")
    environments, were = _named(new.environments), _named(old.environments)
    found += [f"environment {each} of {name} is new" for each in environments if each not in were]
    found += [f"environment {each} of {name} goes; what runs there stays" for each in were if each not in environments]
    both = (each for each in environments if each in were)
    found += [text for each in both for text in _environment_sentences(were[each], environments[each])]
    sources, old_sources = ({gate.name: gate.source for gate in each.gates} for each in (new, old))
    changed = [gate for gate in sources if sources[gate] != old_sources.get(gate, sources[gate])]
    return [*found, *(f"gate {gate} of {name} is opened by something else" for gate in changed)]


def _environment_sentences(old: Environment, new: Environment) -> list[str]:
    found = [f"{new.name} needs the gate {gate} now" for gate in _missing(new.gates, old.gates)]
    found += [f"{new.name} needs the gate {gate} no more" for gate in _missing(old.gates, new.gates)]
    found += [f"{new.name} comes after {name} now" for name in _missing(new.after, old.after)]
    found += [f"{new.name} comes after {name} no more" for name in _missing(old.after, new.after)]
    found += _rule_sentences(old, new)
    found += _install_sentences(old, new)
    if (old.cluster, old.releases) != (new.cluster, new.releases):
        found.append(f"{new.name} installs differently, from its next promotion on")
    return found


def _rule_sentences(old: Environment, new: Environment) -> list[str]:
    found = []
    if old.policy != new.policy:
        what = "every commit, in their order" if new.policy == Policy.EVERY else "the newest of several commits only"
        found.append(f"{new.name} now takes {what}")
    if old.soak != new.soak:
        needs = f"now needs commits to soak for {spelled(new.soak)}" if new.soak else "needs commits to soak no more"
        found.append(f"{new.name} {needs}")
    old_freezes, freezes = ([freeze_told(window) for window in each.freezes] for each in (old, new))
    found += [f"{new.name} is now frozen {told}" for told in _missing(freezes, old_freezes)]
    found += [f"{new.name} is no more frozen {told}" for told in _missing(old_freezes, freezes)]
    if old.freezes != new.freezes and set(old_freezes) == set(freezes):
        found.append(f"{new.name} tells another reason for a freeze")
    return found


def _install_sentences(old: Environment, new: Environment) -> list[str]:
    found = []
    if old.in_order != new.in_order:
        found.append(f"{new.name} now installs its releases {'one after the other' if new.in_order else 'all at once'}")
    if old.rollback_together != new.rollback_together:
        what = "takes back those deployed with it" if new.rollback_together else "leaves those deployed with it"
        found.append(f"a release of {new.name} that fails now {what}")
    if old.force_conflicts != new.force_conflicts:
        what = "takes over fields that others manage" if new.force_conflicts else "leaves others the fields they manage"
        found.append(f"{new.name} now {what}")
    return found


def _missing(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in others]


def _named(entries: Sequence[Any]) -> Mapping[str, Any]:
    return {entry.name: entry for entry in entries}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
