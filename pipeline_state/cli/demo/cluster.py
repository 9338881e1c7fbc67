"""What is asked of the cluster: what runs there now, how long a bare Helm takes, and to be as it was before."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.local.kube import Kube, KubeError
from pipeline_state.cli.demo.example import CHARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline_state.cli.demo.example import Example
    from pipeline_state.model.pipelines import Release

BARE_RUNS = 3


@dataclass(frozen=True, slots=True)
class Deployment:
    """A line of `kubectl get deployments`."""

    namespace: str
    name: str
    ready: int
    wanted: int
    image: str


def helm_list(kube: Kube, namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """What `helm list` says about these namespaces, in their order. Raises KubeError."""
    found = json.loads(kube.helm("list", "--all-namespaces", "--output", "json"))
    return [release for namespace in namespaces for release in found if release["namespace"] == namespace]


def deployments(kube: Kube, namespaces: Sequence[str]) -> list[Deployment]:
    """What `kubectl get deployments` says about these namespaces, in their order. Raises KubeError."""
    items = json.loads(kube.kubectl("get", "deployments", "--all-namespaces", "--output", "json"))["items"]
    found = [_deployment(item) for item in items]
    return [each for namespace in namespaces for each in found if each.namespace == namespace]


def bare_helm_seconds(kube: Kube, release: Release, commit: str) -> list[float]:
    """How long `helm upgrade --install --wait` of that release takes by itself, each time into an empty namespace."""
    namespace = f"{release.namespace}-bare"
    values = json.dumps({**release.values, "image": {**release.values.get("image", {}), "tag": commit}})
    try:
        return [_bare_run(kube, release, namespace, values) for _ in range(BARE_RUNS)]
    finally:
        clear(kube, [namespace])


def refuse_taken(kube: Kube, example: Example) -> None:
    """Raises KubeError when a namespace of the demo is there already: it would be changed, and deleted in the end."""
    taken = set(kube.kubectl("get", "namespaces", "--output", "name").split())
    for namespace in example.namespaces:
        for name in (namespace, f"{namespace}-bare"):
            if f"namespace/{name}" in taken:
                raise KubeError(f"{kube.context} has a namespace {name} already: delete it, or choose another cluster")


def clear(kube: Kube, namespaces: Sequence[str]) -> None:
    """Has the namespaces deleted, and so the releases in them; a real cluster takes its time. Raises KubeError."""
    kube.kubectl("delete", "namespaces", *namespaces, "--ignore-not-found", "--wait=false")


def _bare_run(kube: Kube, release: Release, namespace: str, values: str) -> float:
    started = time.monotonic()
    chart = str(CHARTS.parent / release.chart)
    place = ("--namespace", namespace)
    kube.helm(
        "upgrade",
        "--install",
        release.name,
        chart,
        *place,
        "--create-namespace",
        "--wait",
        "--values",
        "-",
        values=values,
    )
    seconds = time.monotonic() - started
    kube.helm("uninstall", release.name, *place, "--wait")
    return seconds


def _deployment(item: Any) -> Deployment:
    return Deployment(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        ready=item["status"].get("readyReplicas", 0),
        wanted=item["spec"]["replicas"],
        image=item["spec"]["template"]["spec"]["containers"][0]["image"],
    )
