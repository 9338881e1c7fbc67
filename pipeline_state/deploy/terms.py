"""The words of a deployment: what is asked for, what came of it, and the edges it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Cluster, Release


@dataclass(frozen=True, slots=True)
class Install:
    """One release to bring to one commit. The promotion's id makes a second delivery of it recognisable.

    force_conflicts: whether to take over fields that others manage. verified: the release's last revision that our own
    records know to have become ready; 0 when they know of none. anew: whether to install it although just that runs.
    """

    release: Release
    cluster: Cluster
    commit: str
    promotion_id: str
    force_conflicts: bool = False
    verified: int = 0
    anew: bool = False


Action = Literal["deployed", "upgraded"]


@dataclass(frozen=True, slots=True)
class Deployed:
    """The release is ready. chart is name and version as Helm prints them, "web-1.2.3".

    digest: "sha256:<hex>" of that chart (its manifest's in a registry, its archive's or its folder's); empty where it
    cannot be told.

    unchanged: an earlier delivery has finished this promotion, or just this chart with just these values runs already;
    nothing ran again. helm_seconds: what all Helm processes of this install took together. healed: what had to be put
    right first, as a sentence. previous: the revision to go back to; 0 when there is none. changes: what became of how
    many resources, as of `manifests.summary`; empty where that is not known. output: what Helm said, as of
    `output.output`; empty where it was not asked to change anything.
    """

    action: Action | Literal["unchanged"]
    revision: int
    chart: str
    helm_seconds: float
    digest: str = ""
    healed: str = ""
    previous: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """Helm has applied the release, and whether it works is still to be seen.

    is_ready: whether Helm has waited for it to be ready, so that tests and verification are what is left. The others:
    as of `Deployed`.
    """

    action: Action
    revision: int
    chart: str
    helm_seconds: float
    digest: str
    previous: int
    is_ready: bool
    healed: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The business said no: chart, values, cluster or readiness. It was rolled back; another try would end the same.

    reason: Helm's own sentence, at most 1 KB, without secrets. healed, output: as of `Deployed`.
    """

    reason: str
    helm_seconds: float
    healed: str = ""
    output: str = ""


def _no_secrets(name: str) -> str:
    raise PermanentFault(f"the secret {name!r} cannot be read here: no way to fetch secrets is configured")


def _no_parameters(name: str) -> str:
    raise PermanentFault(f"the parameter {name!r} cannot be read here: no way to fetch parameters is configured")


def _no_objects(bucket: str, key: str, _: Callable[[str], bool]) -> tuple[str, bytes | None]:
    raise PermanentFault(f"s3://{bucket}/{key} cannot be read here: no way to fetch objects is configured")


def _no_registries(region: str) -> str:
    raise PermanentFault(f"no login for ECR in {region} can be had here: no way to ask for one is configured")


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the process gives an install. Its edges raise PermanentFault and TemporaryFault.

    directory: writable, of this user alone; kubeconfigs live here for the time of one install, caches longer.
    charts_dir: the bundled charts; a release's "charts/web" is the directory "web" in it.
    local_kubeconfig: the file that holds the contexts of the local stack.
    fetch_secret: the string of a Secrets Manager secret by name or ARN.
    helm: the executable, looked up on PATH.
    environment: further variables of the Helm process (PATH, HTTPS_PROXY, …); it inherits nothing else.
    fetch_parameter: the decrypted text of an SSM parameter by name or ARN.
    fetch_object: an S3 object's ETag and content by bucket and key; without content where the caller has that ETag's.
    registry_token: "user:password" for the ECR registries of a region.
    """

    directory: Path
    charts_dir: Path
    local_kubeconfig: str = ""
    fetch_secret: Callable[[str], str] = _no_secrets
    helm: str = "helm"
    environment: Mapping[str, str] = field(default_factory=dict)
    fetch_parameter: Callable[[str], str] = _no_parameters
    fetch_object: Callable[[str, str, Callable[[str], bool]], tuple[str, bytes | None]] = _no_objects
    registry_token: Callable[[str], str] = _no_registries

    def remembering(self) -> Workspace:
        """The same for the time of one install: each secret and parameter is read once."""
        return replace(self, fetch_secret=cache(self.fetch_secret), fetch_parameter=cache(self.fetch_parameter))

    def open(self) -> None:
        """Make the directory, unless it is there."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
