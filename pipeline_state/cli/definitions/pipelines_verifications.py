"""Rules for `verify:` in pipelines.yaml: a gate must be able to open, and must not be open already.

A verification that waits for what was passed before its release was installed would be passed by every deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from pipeline_state.cli.definitions.raw_entries import (
    Placed,
    Problems,
    Raw,
    declared_gates,
    entries,
    near,
    order_of,
    texts,
)
from pipeline_state.cli.definitions.yaml_lines import Loc


def verification_problems(loc: Loc, pipeline: Raw) -> Problems:
    """Everything that breaks a rule in the verifications of the pipeline at a place."""
    environments = list(entries(pipeline, "environments", loc))
    for place, environment in environments:
        for where, release in entries(environment, "releases", place):
            verify = release.get("verify")
            if not isinstance(verify, Mapping):
                continue
            here = (*where, "verify")
            yield from _choice_problems(here, verify)
            gate = verify.get("gate")
            if isinstance(gate, str):
                known = declared_gates(pipeline)
                if gate not in known:
                    yield (*here, "gate"), f"{gate} is not among the gates of this pipeline; {near(gate, known)}"
                why = next(_opened_before(gate, environment, where, environments), "")
                if why:
                    told = f"{gate} {why}, so that it is open before {release.get('name')} is installed"
                    yield (*here, "gate"), f"{told}; verify by another gate"


def _choice_problems(loc: Loc, verify: Raw) -> Problems:
    if verify.get("url") and verify.get("gate"):
        yield (*loc, "gate"), "is a second way to verify beside url; keep one of them"
    if verify.get("url") is None and verify.get("gate") is None:
        yield loc, "names nothing that says whether it works; give url or gate"


def _opened_before(gate: str, environment: Raw, release: Loc, environments: Sequence[Placed]) -> Iterator[str]:
    """Why the gate is open whenever the release, at its place in the environment, begins to be installed."""
    if gate in texts(environment, "gates"):
        yield f"is needed by {environment.get('name')} itself"
    for each in _before(environment, environments):
        if gate in texts(each, "gates"):
            yield f"is needed by {each.get('name')}, which comes before"
        if any(gate == _gate_of(other) for _, other in entries(each, "releases", ())):
            yield f"verifies {each.get('name')}, which comes before"
    if environment.get("releases_in_order"):
        releases = entries(environment, "releases", release[:-2])
        for _, other in takewhile(lambda placed: placed[0] != release, releases):
            if gate == _gate_of(other):
                yield f"verifies {other.get('name')}, which comes before"


def _before(environment: Raw, environments: Sequence[Placed]) -> list[Raw]:
    """The environments that have a commit before it has, near and far; also where their order goes in a circle."""
    raws = [raw for _, raw in environments]
    after = {str(raw.get("name")): names for raw, names in zip(raws, order_of(raws), strict=True)}
    found: set[str] = set()
    todo = list(after[str(environment.get("name"))])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += after.get(name, [])
    return [raw for raw in raws if raw is not environment and str(raw.get("name")) in found]


def _gate_of(release: Raw) -> object:
    verify = release.get("verify")
    return verify.get("gate") if isinstance(verify, Mapping) else None
