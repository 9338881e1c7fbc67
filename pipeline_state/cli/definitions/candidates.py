"""Commits that new definitions may take further, and the request to look at each of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pipeline_state.model.decide import candidate_place
from pipeline_state.model.pipelines import Pipeline, Policy
from pipeline_state.model.record import Record
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.listing import environment_items, places
from pipeline_state.table.snapshot import read_state
from pipeline_state.table.waiting import ask

MOST = 500
"""How many commits of a repository are looked at again."""

MANY = 20
"""How many take so long that people want to see it move."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Commits in the order in which they are to be looked at. left_out: how many older ones there are."""

    commits: tuple[str, ...]
    left_out: int = 0


def of_repo(repo: str) -> Candidates:
    """What may go on by a repository's pipelines as they are. Raises TemporaryFault and PermanentFault."""
    definitions = load_definitions(repo)
    items = environment_items(definitions.pipelines)
    states = {key: read_state(*key, raw) for key, raw in items.items()}
    latest = {key: state.sequence for key, state in states.items() if state.head}
    return choose(places(definitions.repo), definitions.pipelines, latest)


def choose(
    records: Iterable[Record], pipelines: Sequence[Pipeline], latest: Mapping[tuple[str, str], int], most: int = MOST
) -> Candidates:
    """The candidates that are not older than what some environment of their pipeline has.

    latest: the latest place that each environment ever had a commit of, by pipeline and environment. The newest comes
    first, so that those behind it need not be promoted; the oldest, where environments that are in use take each.
    """
    lowest = {pipeline.name: min(_latest_of(pipeline, latest), default=-1) for pipeline in pipelines}
    found: dict[str, int] = {}
    for record, pipeline in product(records, pipelines):
        place = candidate_place(record, pipeline)
        if not isinstance(place, str) and place[1].sequence >= lowest[pipeline.name]:
            found[record.commit] = max(place[1].sequence, found.get(record.commit, -1))
    newest = sorted(found, key=lambda commit: found[commit], reverse=True)
    kept, left_out = newest[:most], len(newest[most:])
    return Candidates(tuple(reversed(kept) if _in_turn(pipelines, latest) else kept), left_out)


def look_again(repo: str, candidates: Candidates) -> Iterator[str]:
    """Ask for one commit after the other; those that have been asked for. Raises TemporaryFault."""
    mark = str(uuid.uuid4())
    for commit in candidates.commits:
        ask(repo, [commit], mark)
        yield commit


def _latest_of(pipeline: Pipeline, latest: Mapping[tuple[str, str], int]) -> Iterator[int]:
    keys = ((pipeline.name, environment.name) for environment in pipeline.environments)
    return (latest[key] for key in keys if key in latest)


def _in_turn(pipelines: Iterable[Pipeline], latest: Mapping[tuple[str, str], int]) -> bool:
    return any(
        environment.policy is Policy.EVERY and (pipeline.name, environment.name) in latest
        for pipeline in pipelines
        for environment in pipeline.environments
    )
