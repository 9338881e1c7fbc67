"""Pipeline definitions: which gates a commit needs for which environment, and what is installed there.

A definition is written in pipelines.yaml, checked by `gatestream pipelines apply`, and kept in the Pipelines table
as the plain dictionary that `Pipeline.to_dict` returns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit, urlunsplit

DEPLOYED_TO = "deployed_to_"
"""Gates with this prefix are written by the pipeline itself when an environment has a commit."""

DIGEST = re.compile("sha256:[0-9a-f]{64}")
"""What a chart's digest looks like."""


class SourceKind(StrEnum):
    """What can open a gate by itself."""

    CIRCLECI_WORKFLOW = "circleci_workflow"
    CIRCLECI_JOB = "circleci_job"
    GITHUB_CHECK = "github_check"
    GITHUB_CHECK_SUITE = "github_check_suite"
    GITHUB_WORKFLOW = "github_workflow"


@dataclass(frozen=True, slots=True)
class GateSource:
    """The CI result that opens a gate: by its kind and name, and by the app that must report it where one is pinned."""

    kind: SourceKind
    name: str
    app: str | None = None


@dataclass(frozen=True, slots=True)
class GateDefinition:
    """A gate a pipeline declares. Without a source a person opens it."""

    name: str
    source: GateSource | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where an environment's releases live: exactly one of an EKS cluster, a kubeconfig secret or a local context.

    eks: the EKS cluster's name; region and role (an ARN to assume) are optional.
    kubeconfig_secret: name or ARN of a Secrets Manager secret that holds a kubeconfig;
        context picks one of its contexts.
    context: a context of the kubeconfig of the local stack (alone: no EKS, no secret).
    """

    eks: str | None = None
    region: str | None = None
    role: str | None = None
    kubeconfig_secret: str | None = None
    context: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cluster:
        """The inverse of `asdict`; keys that a later version added are ignored."""
        return cls(**_known(cls, data))

    @property
    def name(self) -> str:
        """What tells clusters apart in lock groups and messages."""
        return self.eks or self.kubeconfig_secret or self.context or "local"


@dataclass(frozen=True, slots=True)
class Verification:
    """What must be so, once a release is ready, for its deployment to count: a URL that answers, or a gate that opens.

    url: http(s), to be answered with 2xx. gate: a gate of the commit, declared by its pipeline. One of them is given.
    within: seconds it may take.
    """

    url: str = ""
    gate: str = ""
    within: int = 300

    @property
    def name(self) -> str:
        """What to call it: of a URL neither user and password nor the query, where secrets may be."""
        if not self.url:
            return f"the gate {self.gate}"
        place = urlsplit(self.url)
        return urlunsplit((place.scheme, place.netloc.rpartition("@")[2], place.path, "", ""))


@dataclass(frozen=True, slots=True)
class Release:
    """A Helm release.

    chart: a directory bundled with the installer ("charts/web"), a .tgz (https or s3 URL) or an OCI reference ("oci://…").
    version: the chart's version, for OCI references without a tag or digest.
    values: chart values, plain JSON data; a map {"from_secret": name, "key": …} or {"from_parameter": name} stands for
        a text that the installer alone reads.
    image_tag: dotted path of the value that becomes the commit, e.g. "image.tag".
    image: the image's repository without tag, "registry.example.com/web", to be asked for the commit before Helm is
        started; empty asks nobody.
    registry_secret: a Secrets Manager secret with a Docker config.json, for the registries of chart and image.
    timeout: seconds until the release must be ready.
    test: whether `helm test` must pass as well. verify: what must be so after that.
    digest: "sha256:<hex>" of the only chart that may be installed; empty for whatever is found there. A promotion that
        goes back has it, a definition never.
    """

    name: str
    namespace: str
    chart: str
    version: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    image_tag: str = "image.tag"
    timeout: int = 300
    digest: str = ""
    image: str = ""
    registry_secret: str = ""
    test: bool = False
    verify: Verification | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Release:
        """The inverse of `asdict`; keys that a later version added are ignored."""
        known, verify = _known(cls, data), data.get("verify")
        return cls(**{**known, "verify": Verification(**_known(Verification, verify)) if verify else None})


class Policy(StrEnum):
    """Which of several commits that are ready an environment takes."""

    NEWEST = "newest"
    """The newest; the ones before it are superseded."""

    EVERY = "every"
    """The oldest, once the commit before it has been deployed or has failed."""


@dataclass(frozen=True, slots=True)
class FreezeWindow:
    """A time that comes again and again, in which nothing is promoted to an environment.

    cron: when it begins, in five fields. minutes: how long it lasts. timezone: the IANA name of the zone that cron and
    exclude are meant in. exclude: days (YYYY-MM-DD) on which no window begins. reason: for those who have to wait.
    """

    cron: str
    minutes: int
    timezone: str = "UTC"
    exclude: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FreezeWindow:
        """The inverse of `asdict`."""
        return cls(**{**data, "exclude": tuple(data["exclude"])})


@dataclass(frozen=True, slots=True)
class Environment:
    """One place a commit is deployed to.

    after: environments of the same pipeline that must have the commit first.
    gates: names of the gates it needs, declared in its pipeline.
    soak: seconds that a commit must have been deployed, without failure, in each environment before this one.
    in_order: whether each release waits for the one before it to be deployed; otherwise all begin at once.
    rollback_together: whether a release that fails takes back those that were deployed with it.
    force_conflicts: whether Helm takes over fields that others manage (server-side apply, Helm 4).
    """

    name: str
    gates: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    releases: tuple[Release, ...] = ()
    cluster: Cluster = field(default_factory=Cluster)
    policy: Policy = Policy.NEWEST
    soak: int = 0
    freezes: tuple[FreezeWindow, ...] = ()
    in_order: bool = False
    rollback_together: bool = False
    force_conflicts: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Environment:
        """The inverse of `asdict`."""
        return cls(
            name=data["name"],
            gates=tuple(data["gates"]),
            after=tuple(data["after"]),
            releases=tuple(Release.from_dict(release) for release in data["releases"]),
            cluster=Cluster.from_dict(data["cluster"]),
            policy=Policy(data.get("policy", Policy.NEWEST)),
            soak=int(data.get("soak", 0)),
            freezes=tuple(FreezeWindow.from_dict(window) for window in data.get("freezes", ())),
            in_order=bool(data.get("in_order", False)),
            rollback_together=bool(data.get("rollback_together", False)),
            force_conflicts=bool(data.get("force_conflicts", False)),
        )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How the commits of one repository travel through its environments.

    branches: shell-style patterns ("main", "release/*").
    paths: shell-style patterns of a monorepo's part; empty means every push counts.
    shared: other pipelines deploy from the same repository, so gate names carry the pipeline's name.
    version: raised by every apply that changes something.
    """

    name: str
    repo: str
    branches: tuple[str, ...] = ("main",)
    paths: tuple[str, ...] = ()
    gates: tuple[GateDefinition, ...] = ()
    environments: tuple[Environment, ...] = ()
    shared: bool = False
    version: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Pipeline:
        """The inverse of `to_dict`; keys that a later version added are ignored."""
        return cls(
            name=data["name"],
            repo=data["repo"],
            branches=tuple(data["branches"]),
            paths=tuple(data.get("paths", ())),
            gates=tuple(_gate(gate) for gate in data["gates"]),
            environments=tuple(Environment.from_dict(environment) for environment in data["environments"]),
            shared=data.get("shared", False),
            version=int(data["version"]),
        )

    def takes_branch(self, branch: str) -> bool:
        """Whether commits pushed to the branch are candidates here."""
        return any(fnmatchcase(branch, pattern) for pattern in self.branches)

    def key_of(self, environment: str) -> str:
        """The environment's name within the repository: unique also where several pipelines share it."""
        return f"{self.name}_{environment}" if self.shared else environment

    def deployed_gate(self, environment: str) -> str:
        """The gate that says the commit is deployed there."""
        return DEPLOYED_TO + self.key_of(environment)

    def environment(self, name: str) -> Environment | None:
        """The environment of that name."""
        return next((environment for environment in self.environments if environment.name == name), None)


def _known(of: type[Release | Cluster | Verification], data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in of.__slots__ if name in data}


def _gate(data: Mapping[str, Any]) -> GateDefinition:
    source = data["source"]
    if source is None:
        return GateDefinition(data["name"])
    return GateDefinition(data["name"], GateSource(SourceKind(source["kind"]), source["name"], source["app"]))
