"""The example of the checkout: its pipeline, and the recorded webhooks that its commit comes with."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.local import process
from pipeline_state.cli.definitions import pipelines_file
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline, Release

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = process.ROOT / "infra" / "local" / "example"
CHARTS = FOLDER / "charts"
PIPELINES = FOLDER / "pipelines.yaml"
GATE = "approval_from_legal"

# A cluster of the user's own has real nodes: they pull by the digest and do not look at the tag, which is the commit.
# https://kubernetes.io/docs/concepts/containers/images/#image-names
PULLABLE = {
    "repository": "registry.k8s.io/pause",
    "digest": "sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a",
}
OWN_PREFIX = "gatestream-demo-"
"""Namespaces in a user's own cluster: nothing that is there already may be touched."""


@dataclass(frozen=True, slots=True)
class Example:
    """A pipeline, and a commit on its way through it. push, build: the bodies of GitHub's and CircleCI's webhook."""

    pipeline: Pipeline
    push: bytes
    build: bytes

    @property
    def repo(self) -> str:
        return self.pipeline.repo

    @property
    def commit(self) -> str:
        return str(json.loads(self.push)["after"])

    @property
    def environments(self) -> list[str]:
        return [environment.name for environment in self.pipeline.environments]

    @property
    def releases(self) -> list[Release]:
        return [release for environment in self.pipeline.environments for release in environment.releases]

    @property
    def namespaces(self) -> list[str]:
        return [release.namespace for release in self.releases]


def prepare(context: str, now: datetime, *, own: bool) -> Example:
    """The example for the cluster of a context, as if it happened now. own: the cluster is the user's own."""
    (pipeline,) = pipelines_file.read(PIPELINES)
    placed = tuple(_placed(environment, context, own=own) for environment in pipeline.environments)
    return Example(replace(pipeline, environments=placed), _push(now), _build(now))


def _placed(environment: Environment, context: str, *, own: bool) -> Environment:
    releases = environment.releases
    if own:
        releases = tuple(
            replace(release, namespace=OWN_PREFIX + release.namespace, values={**release.values, "image": PULLABLE})
            for release in releases
        )
    return replace(environment, cluster=Cluster(context=context), releases=releases)


def _push(now: datetime) -> bytes:
    """GitHub dates a push in whole seconds."""
    push = _recorded("push")
    push["repository"]["pushed_at"] = int(now.timestamp())
    return json.dumps(push).encode()


def _build(now: datetime) -> bytes:
    build = _recorded("workflow-completed")
    build["happened_at"] = build["workflow"]["stopped_at"] = now.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    return json.dumps(build).encode()


def _recorded(name: str) -> Any:
    return json.loads(Path(FOLDER / "payloads" / f"{name}.json").read_text(encoding="utf-8"))
