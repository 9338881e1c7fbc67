"""Environments that install what others have installed until now: renamed, split, merged, or given a release.

The order of pushes is the environment's, what runs is the release's. So whoever takes over a release begins where its
environment was: otherwise a commit that was skipped there could go over the one that runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.pipelines import Cluster, Pipeline

Place = tuple[str, str]
"""Pipeline and environment."""

_Install = tuple[Cluster, str, str]


def predecessors(before: Iterable[Pipeline], after: Iterable[Pipeline]) -> dict[Place, list[Place]]:
    """The environments that releases come to from others, and those others.

    A release is known by its cluster, namespace and name. A cluster that is spelled in another way counts as another
    one: a new region must not be kept from what the others have left behind.
    """
    old = _installs(before)
    owners: defaultdict[_Install, list[Place]] = defaultdict(list)
    for place, installs in old.items():
        for each in installs:
            owners[each].append(place)
    found = {
        place: sorted({owner for each in installs - old.get(place, set()) for owner in owners.get(each, ())})
        for place, installs in _installs(after).items()
    }
    return {place: others for place, others in found.items() if others}


def inherited(own: EnvironmentState, others: Iterable[EnvironmentState]) -> tuple[int, str] | None:
    """The latest place that counts as claimed, and its commit; None where the environment's own is as late already.

    The commit itself may still come, since it is not deployed there by that name: without it, nothing could go on from
    there. Not where somebody went back from it.
    """
    places = ((it.sequence - (it.head == it.newest), it.newest) for it in others)
    return max((place for place in places if place[0] > own.sequence), default=None)


def _installs(pipelines: Iterable[Pipeline]) -> dict[Place, set[_Install]]:
    return {
        (pipeline.name, environment.name): {
            (environment.cluster, release.namespace, release.name) for release in environment.releases
        }
        for pipeline in pipelines
        for environment in pipeline.environments
    }
