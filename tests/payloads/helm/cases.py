"""What a case is, and the charts that the cases install."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from tests.payloads.helm.room import Room

Where = Literal["embedded", "real"]
Say = Callable[[Room], bytes]

CASES: dict[str, Case] = {}
"""By name, which is the sample's file name."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that goes wrong. where: on the embedded cluster, or only on a real control plane."""

    where: Where
    say: Say


def case(name: str, where: Where = "embedded") -> Callable[[Say], Say]:
    """Registers what makes Helm say it."""

    def register(say: Say) -> Say:
        CASES[name] = Case(where, say)
        return say

    return register


def deployment(ready: str = "yes", *, replicas: int = 1, extra: str = "", labels: str = "app: web") -> str:
    """A Deployment "web". ready: how it behaves on the embedded cluster. extra: more of its Pods' spec."""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {{"cluster.gatestream.dev/ready": "{ready}"}}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 600
  selector: {{matchLabels: {{{labels}}}}}
  template:
    metadata: {{labels: {{{labels}}}}}
    spec:
      containers: [{{name: web, image: "registry.example.com/web:1"}}]
{extra}"""


def settings(name: str = "web", text: str = "a") -> str:
    """A ConfigMap."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: '{text}'}}\n"


def pod(extra: str = "", annotations: str = "{}", name: str = "web") -> str:
    """A Pod that no scheduler takes, so that its status is what the recorder writes."""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  schedulerName: nobody
  restartPolicy: Never
  containers: [{{name: web, image: "registry.example.com/web:1"{extra}}}]
"""


def job(annotations: str) -> str:
    """A Job "migration"."""
    return f"""
apiVersion: batch/v1
kind: Job
metadata: {{name: migration, annotations: {annotations}}}
spec:
  backoffLimit: 0
  completions: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: migration, image: "registry.example.com/migration:1"}}]
"""


@contextmanager
def applied(room: Room, *objects: Mapping[str, Any]) -> Iterator[None]:
    """These objects are in the cluster for as long."""
    given = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    room.kubectl("apply", "--filename", "-", given=given)
    try:
        yield
    finally:
        room.kubectl("delete", "--wait=false", "--ignore-not-found", "--filename", "-", given=given)


def in_namespace(room: Room, **labels: str) -> None:
    """Makes it, with labels."""
    about = {"name": room.namespace, "labels": labels}
    room.kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": about})
