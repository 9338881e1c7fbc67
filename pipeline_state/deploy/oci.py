"""Charts in OCI registries: from the reference to the manifest, from there to the archive, kept by digest.

Helm gets the archive's path. It never talks to a registry, so that it needs no login.
https://github.com/helm/community/blob/main/hips/hip-0006.md#2-chart-layer-format
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline_state.deploy import digests, registry
from pipeline_state.deploy.cache import Cache
from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import DIGEST, Release

SCHEME = "oci://"

_ARCHIVES = frozenset({"application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"})
"""What a chart's layer is called: since Helm 3.7, and before."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A chart's place in a registry. tag and digest are empty where the reference names none."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def read(cls, chart: str) -> Reference:
        """From "oci://host/name:tag@digest". Raises PermanentFault for what is no digest."""
        named, _, digest = chart.removeprefix(SCHEME).partition("@")
        digests.check_form(digest)
        place, slash, name = named.rpartition("/")
        name, _, tag = name.partition(":")
        return cls(f"{place}{slash}{name}", tag, digest)

    def at(self, reference: str) -> str:
        """The chart behind another tag or digest of the repository, as it is shown."""
        separator = "@" if DIGEST.fullmatch(reference) else ":"
        return f"{SCHEME}{self.repository}{separator}{reference}"


def find(release: Release, cache: Cache, workspace: Workspace) -> tuple[Path, str]:
    """The archive of the release's chart, and its manifest's digest.

    What is wanted by digest and kept already takes no request. Raises PermanentFault and TemporaryFault.
    """
    reference = Reference.read(release.chart)
    wanted = release.digest or reference.digest
    if wanted and (kept := cache.find(_name(wanted))):
        return kept, wanted
    repository = registry.of_chart(reference.repository)
    source = registry.connect(repository, release.registry_secret, workspace, f"chart {release.chart}")
    wanted = wanted or _tag(reference, release.version or "")
    document = source.manifest(wanted)
    if document is None:
        raise PermanentFault(
            f"chart {reference.at(wanted)}: not found in its registry; push it, or mend chart and version in"
            " pipelines.yaml"
        )
    digest = digests.of_archive(document)
    kept = cache.find(_name(digest))
    return kept or cache.keep(_name(digest), source.blob(_archive(document, reference.at(wanted)))), digest


def _tag(reference: Reference, version: str) -> str:
    """The tag that the reference or the version names; a tag cannot have a "+", for which Helm writes "_"."""
    if version and reference.tag:
        raise PermanentFault(
            f"chart {reference.at(reference.tag)} and version {version!r} are two answers to one question; give one"
        )
    if not version and not reference.tag:
        raise PermanentFault(
            f"chart {SCHEME}{reference.repository}: which one? give a version, a tag or a digest in pipelines.yaml"
        )
    return reference.tag or version.replace("+", "_")


def _archive(manifest: bytes, chart: str) -> str:
    """The digest of the chart's archive, as its manifest tells it."""
    try:
        layers = json.loads(manifest)["layers"]
        found = [str(layer["digest"]) for layer in layers if layer["mediaType"] in _ARCHIVES]
    except (ValueError, LookupError, TypeError):
        found = []
    if len(found) != 1 or not DIGEST.fullmatch(found[0]):
        raise PermanentFault(f"chart {chart} is not a Helm chart, going by its manifest; push it with `helm push`")
    return found[0]


def _name(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')}.tgz"
