"""What the form of pipelines.yaml cannot say: names that must meet, and names that must not.

The rules read the data as it was written and skip what has not the right form, which the schema tells of: so that all
that is wrong with a file is told at once.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from pydantic import ValidationError

from pipeline_state.cli.definitions.pipelines_releases import release_problems
from pipeline_state.cli.definitions.pipelines_schema import FreezeEntry
from pipeline_state.cli.definitions.pipelines_verifications import verification_problems
from pipeline_state.cli.definitions.raw_entries import (
    Placed,
    Problems,
    Raw,
    declared_gates,
    entries,
    near,
    order_of,
    repeated,
    texts,
)
from pipeline_state.cli.definitions.yaml_lines import Loc
from pipeline_state.model.pipelines import FreezeWindow, SourceKind
from pipeline_state.windows import never_end

LARGEST = 150_000
"""Bytes of one repository's definitions: DynamoDB takes items up to 400 KB, SNS messages up to 256 KB."""


_ROLE = re.compile(r"arn:[^:]+:iam::(?P<account>\d+):")
_SECRET = re.compile(r"arn:[^:]+:secretsmanager:(?P<region>[^:]+):(?P<account>\d+):secret:(?P<name>.+)")
# Secrets Manager's own: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
_SUFFIX = re.compile(r"(?<=.)-[A-Za-z0-9]{6}$")

_Install = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """Where the stack is, and so every cluster and secret of which nothing else is said; empty where there is none."""

    region: str = ""
    account: str = ""


def rule_problems(data: object, applied: Sequence[Raw], home: Home) -> Problems:
    """Everything that breaks a rule: where, and what to do about it.

    applied: the pipelines of other repositories that are in the table already, as entries of a file.
    """
    pipelines = list(entries(data if isinstance(data, Mapping) else {}, "pipelines", ()))
    for loc, pipeline in pipelines:
        yield from _gate_problems(loc, pipeline)
        yield from _environment_problems(loc, pipeline)
        yield from _order_problems(loc, pipeline)
        yield from verification_problems(loc, pipeline)
    yield from _name_problems(pipelines, applied)
    yield from _repo_problems(pipelines)
    yield from _install_problems(pipelines, applied, home)


def pipeline_name(pipeline: Raw) -> str:
    """An entry's name: the repository's, unless given."""
    return str(pipeline.get("name") or pipeline.get("repo"))


def window_of(freeze: FreezeEntry) -> FreezeWindow:
    """The model's window for an entry under `freezes:`."""
    return FreezeWindow(freeze.cron, freeze.duration, freeze.timezone, tuple(freeze.exclude), freeze.reason or "")


def _gate_problems(loc: Loc, pipeline: Raw) -> Problems:
    declared = declared_gates(pipeline)
    for name, source in declared.items():
        kinds = [kind.value for kind in SourceKind if isinstance(source, Mapping) and source.get(kind.value)]
        here = (*loc, "gates", name)
        if len(kinds) > 1:
            yield (*here, kinds[1]), f"is a second way to open {name} beside {kinds[0]}; make it a gate of its own"
        if kinds != [SourceKind.GITHUB_CHECK] and isinstance(source, Mapping) and source.get("app"):
            yield (*here, "app"), "pins the reporter of a github_check, and there is none here; remove it"
    for place, environment in entries(pipeline, "environments", loc):
        needed = environment.get("gates")
        for at, name in enumerate(needed if isinstance(needed, list) else []):
            if isinstance(name, str) and name not in declared:
                yield (*place, "gates", at), f"{name} is not among the gates of this pipeline; {near(name, declared)}"
        for name in repeated(texts(environment, "gates")):
            yield (*place, "gates"), f"{name} is named twice; once is enough"


def _environment_problems(loc: Loc, pipeline: Raw) -> Problems:
    environments = list(entries(pipeline, "environments", loc))
    yield from _twice(environments, "environment")
    for place, environment in environments:
        cluster = environment.get("cluster")
        if isinstance(cluster, Mapping):
            yield from _cluster_problems((*place, "cluster"), cluster)
        yield from _freeze_problems(place, environment)
        yield from _together_problems(place, environment)
        releases = list(entries(environment, "releases", place))
        yield from _twice(releases, "release")
        for where, release in releases:
            yield from release_problems(where, release)


def _cluster_problems(loc: Loc, cluster: Raw) -> Problems:
    eks, secret, context = (cluster.get(key) for key in ("eks", "kubeconfig_secret", "context"))
    if eks and secret:
        yield (
            (*loc, "kubeconfig_secret"),
            "is a second cluster beside eks; an environment lives in one, remove the other",
        )
    if eks and context:
        yield (*loc, "context"), "has no meaning with eks, whose kubeconfig is made for it; remove it"
    if (eks, secret, context) == (None, None, None):
        yield loc, "names no cluster; give eks, or kubeconfig_secret, or context on the local stack"
    for key in ("region", "role"):
        if cluster.get(key) and not eks:
            yield (*loc, key), "goes with eks only; remove it"


def _freeze_problems(loc: Loc, environment: Raw) -> Problems:
    """A freeze that never ends is a mistake: `gatestream freeze` is for those that are meant."""
    windows, endless = [], False
    for place, entry in entries(environment, "freezes", loc):
        for day in repeated(texts(entry, "exclude")):
            yield (*place, "exclude"), f"{day} is named twice; once is enough"
        try:
            windows.append(window_of(FreezeEntry.model_validate(entry)))
        except ValidationError:
            continue
        # In UTC: that a night has an hour more once a year is no end.
        if never_end([replace(windows[-1], timezone="UTC")]):
            endless = True
            yield (*place, "duration"), "lasts until it begins again, so that it never ends; make it shorter"
    if not endless and len(windows) > 1 and never_end(windows):
        yield (*loc, "freezes"), "leave no time between them in which anything is promoted; make one of them shorter"


def _together_problems(loc: Loc, environment: Raw) -> Problems:
    releases = environment.get("releases")
    if not isinstance(releases, list) or len(releases) != 1:
        return
    for key in ("releases_in_order", "rollback_together"):
        if environment.get(key):
            yield (*loc, key), "is about several releases, and there is one; remove it"


def _order_problems(loc: Loc, pipeline: Raw) -> Problems:
    environments = list(entries(pipeline, "environments", loc))
    given = [environment.get("name") for _, environment in environments]
    names = [name if isinstance(name, str) else None for name in given]
    order = order_of([environment for _, environment in environments])
    for (place, environment), after in zip(environments, order, strict=True):
        if environment.get("soak") and not after:
            yield (*place, "soak"), "is a time in the environments before this one, and there is none; remove it"
        if environment.get("after") is None:
            continue
        for name in after:
            if name not in names:
                yield (*place, "after"), f"{name} is no environment of this pipeline; {near(name, names)}"
        for name in repeated(after):
            yield (*place, "after"), f"{name} is named twice; once is enough"
    try:
        TopologicalSorter(dict(zip(names, order, strict=True))).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        at = next(at for at, name in enumerate(names) if name in circle)
        steps = ", ".join(f"{name} after {before}" for name, before in pairwise(circle))
        yield (
            (*environments[at][0], "after"),
            f"goes round in a circle ({steps}); one of them must come first: after: []",
        )


def _name_problems(pipelines: Sequence[Placed], applied: Sequence[Raw]) -> Problems:
    seen = {pipeline_name(pipeline): f"pipeline of {pipeline['repo']}, applied already" for pipeline in applied}
    for loc, pipeline in pipelines:
        name = pipeline_name(pipeline)
        where: Loc = (*loc, "name") if pipeline.get("name") else (*loc, "repo")
        if name in seen:
            yield where, f"{name} is the name of another {seen[name]}; give this one a name of its own"
        seen.setdefault(name, "pipeline of this file")


def _repo_problems(pipelines: Sequence[Placed]) -> Problems:
    spelled: dict[str, str] = {}
    keys: dict[str, set[str]] = {}
    sizes: Counter[str] = Counter()
    for loc, pipeline in pipelines:
        repo = pipeline.get("repo")
        if not isinstance(repo, str):
            continue
        first = spelled.setdefault(repo.lower(), repo)
        if repo != first:
            yield (*loc, "repo"), f"is spelled {first} elsewhere in this file; spell it in one way"
        sizes[first] += len(json.dumps(pipeline))
        if sizes[first] > LARGEST:
            yield loc, f"the pipelines of {first} exceed {LARGEST} bytes; move values into the chart's own values.yaml"
        for place, environment in entries(pipeline, "environments", loc):
            key = f"{pipeline_name(pipeline)}_{environment.get('name')}"
            others = keys.setdefault(first, set())
            if key in others and environment.get("name") not in _earlier_names(pipeline, place):
                yield (
                    (*place, "name"),
                    f"the gate deployed_to_{key} is that of another pipeline's environment; rename one",
                )
            others.add(key)


def _earlier_names(pipeline: Raw, place: Loc) -> list[object]:
    return [
        environment.get("name") for where, environment in entries(pipeline, "environments", place[:2]) if where < place
    ]


@dataclass(frozen=True, slots=True)
class _Installs:
    """Who installs what: an environment's place and name, by the cluster as it is spelled, and as that can be read.

    Of two spellings one must be the other's as it stands: two ARNs that end differently are never one secret's.
    """

    spelled: dict[_Install, tuple[Loc, str]] = field(default_factory=dict)
    readable: dict[_Install, tuple[Loc, str]] = field(default_factory=dict)

    def others(self, keys: Sequence[_Install], place: Loc) -> list[str]:
        """The names of other environments that install this already."""
        found = [self.readable.get(keys[0]), *(self.spelled.get(key) for key in keys)]
        return [each[1] for each in found if each and each[0] != place]

    def add(self, keys: Sequence[_Install], place: Loc, name: str) -> None:
        """An environment that installs this; the first one counts."""
        self.spelled.setdefault(keys[0], (place, name))
        for key in keys:
            self.readable.setdefault(key, (place, name))


def _install_problems(pipelines: Sequence[Placed], applied: Sequence[Raw], home: Home) -> Problems:
    """Two environments that install one release would undo each other's commits, with a lease each."""
    known = [(None, pipeline) for pipeline in applied]
    seen = _Installs()
    for loc, pipeline in [*known, *pipelines]:
        for place, environment in entries(pipeline, "environments", loc or ()):
            for where, release in entries(environment, "releases", place):
                keys = _installs_of(environment.get("cluster"), release, home)
                if not keys:
                    continue
                others = seen.others(keys, place)
                if loc is not None and others:
                    text = f"{keys[0][-1]} in namespace {keys[0][-2]} of the same cluster is installed by {others[0]}"
                    yield (*where, "name"), f"{text} already; choose another name or namespace"
                seen.add(keys, place, f"{environment.get('name')} of {pipeline_name(pipeline)}")


def _installs_of(cluster: object, release: Raw, home: Home) -> list[_Install]:
    """What tells a release apart: as its cluster is spelled, then as that can be read, too. Empty if that is wrong."""
    namespace, name = release.get("namespace"), release.get("name")
    if not (isinstance(cluster, Mapping) and isinstance(namespace, str) and isinstance(name, str)):
        return []
    return [(*found, namespace, name) for found in _clusters_of(cluster, home)]


def _clusters_of(cluster: Raw, home: Home) -> list[_Install]:
    """What tells a cluster apart, however it is spelled; a secret's ARN is the same as its name, where the stack is.

    Whether an ARN is whole, with Secrets Manager's suffix, or a name follows that ends like one, it does not say.
    """
    eks, region, role, secret, context = (
        str(cluster.get(key) or "") for key in ("eks", "region", "role", "kubeconfig_secret", "context")
    )
    if eks:
        assumed = _ROLE.match(role)
        return [("eks", eks, region or home.region, assumed["account"] if assumed else home.account)]
    arn = _SECRET.fullmatch(secret)
    if not arn:
        return [("secret", secret, home.region, home.account, context)]
    names = dict.fromkeys((arn["name"], _SUFFIX.sub("", arn["name"])))
    return [("secret", name, arn["region"], arn["account"], context) for name in names]


def _twice(entries: Sequence[Placed], kind: str) -> Problems:
    seen: set[str] = set()
    for loc, entry in entries:
        name = entry.get("name")
        if isinstance(name, str) and name in seen:
            yield (*loc, "name"), f"{name} is the name of another {kind} here; choose another one"
        seen.add(str(name))
