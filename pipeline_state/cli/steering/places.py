"""Where a command is to do something: a pipeline and one of its environments, by the names that people give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.model.decide import declared_gates
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.table.definitions import all_definitions

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Place:
    """One environment of one pipeline. declared: the gates that any pipeline of its repository declares."""

    pipeline: Pipeline
    environment: Environment
    declared: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        """Of its item in the Environments table, and of its entries in the journal."""
        return self.pipeline.name, self.environment.name

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return f"{self.environment.name} of {self.pipeline.name}"

    @property
    def arguments(self) -> str:
        """What names it on the command line."""
        return f"{self.pipeline.name} {self.environment.name}"

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {"repo": self.pipeline.repo, "pipeline": self.pipeline.name, "environment": self.environment.name}


def find_place(pipeline: str, environment: str) -> Place:
    """The environment of these names. Raises CommandError when there is none, TemporaryFault."""
    pipelines = [each for definitions in all_definitions() for each in definitions.pipelines]
    found = pick_pipeline(pipelines, pipeline)
    declared = declared_gates(each for each in pipelines if each.repo == found.repo)
    return Place(found, pick_environment(found, environment), declared)


def pick_pipeline(pipelines: Iterable[Pipeline], wanted: str) -> Pipeline:
    """The pipeline of a name, or a repository's only one, in whatever casing. Raises CommandError where none is."""
    known = {pipeline.name: pipeline for pipeline in pipelines}
    if name := _named(known, wanted):
        return known[name]
    those = [each for each in known.values() if each.repo.lower() == wanted.lower()]
    if len(those) == 1:
        return those[0]
    if those:
        names = ", ".join(sorted(each.name for each in those))
        raise CommandError(f"{those[0].repo} has several pipelines; name one of them: {names}", USAGE)
    if not known:
        raise CommandError("there are no pipelines; define some and run `gatestream pipelines apply`")
    raise CommandError(f"there is no pipeline {wanted!r}; {_near(wanted, known)}", USAGE)


def pick_environment(pipeline: Pipeline, wanted: str) -> Environment:
    """The pipeline's environment of a name, in whatever casing. Raises CommandError when there is none."""
    known = {environment.name: environment for environment in pipeline.environments}
    if name := _named(known, wanted):
        return known[name]
    raise CommandError(f"{pipeline.name} has no environment {wanted!r}; {_near(wanted, known)}", USAGE)


def _named(known: Iterable[str], wanted: str) -> str | None:
    """The name that is wanted; one that differs by its casing alone only where there is no other such."""
    alike = [name for name in known if name.lower() == wanted.lower()]
    return wanted if wanted in alike else alike[0] if len(alike) == 1 else None


def _near(wanted: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(wanted.lower(), {name.lower(): name for name in names}, n=1)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])}?"
    more = ", …" if len(names) > _SHOWN else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names[:_SHOWN])}{more}"
