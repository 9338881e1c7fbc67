"""Deployments as markers on Honeycomb's graphs, by its markers API.

https://docs.honeycomb.io/api/markers/ (Create a Marker). The key needs the permission Manage Markers, which a key that
may only send events has not; then there are no markers, and nothing else is missing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pipeline_state.tracing.endpoint import Endpoint, is_success
from pipeline_state.tracing.exporter import Answer, BackgroundExporter, Exporter, Item

ENVIRONMENT_WIDE = "__all__"
"""Instead of a dataset: every graph of the Honeycomb environment that the key belongs to."""

STATUS, SECONDS = "deployment.status", "deployment.seconds"
"""The fields of a span that told a deployment's verdict: succeeded or failed, and how long it took until then."""

_TYPES = {"succeeded": "deploy", "failed": "deploy failed"}
_NOT_ALLOWED = (401, 403, 404)

logger = logging.getLogger(__name__)


class MarkerExporter(Exporter):
    """Posts a marker for each span that tells a verdict, in a thread that begins with the first of them.

    Raises ValueError when the host is no URL.
    """

    def __init__(self, api_host: str, key: str, dataset: str = ENVIRONMENT_WIDE) -> None:
        headers = {"X-Honeycomb-Team": key, "Content-Type": "application/json"}
        self.path = f"/1/markers/{quote(dataset)}"
        self._markers = Endpoint(api_host.rstrip("/") + self.path, headers)
        self._sender: BackgroundExporter | None = None
        self._is_allowed = True

    def export(self, items: Sequence[Item]) -> None:
        verdicts = [item for item in items if STATUS in item["data"]] if self._is_allowed else []
        if verdicts and self._sender is None:
            self._sender = BackgroundExporter("Honeycomb's markers API", self._post)
        if self._sender:
            self._sender.export(verdicts)

    def wait(self, until: float) -> None:
        if self._sender:
            self._sender.wait(until)

    def close(self) -> None:
        if self._sender:
            self._sender.close()

    def _post(self, items: Sequence[Item]) -> Answer:
        for done, item in enumerate(items):
            status = self._markers.post(json.dumps(marker_of(item)).encode()).status
            if status in _NOT_ALLOWED:
                self._is_allowed = False
                return Answer(done, f"status {status}; give the key the permission Manage Markers to have them")
            if not is_success(status):
                return Answer(done, f"status {status}")
        return Answer(len(items))


def marker_of(item: Item) -> dict[str, Any]:
    """A marker's fields, from the span of a verdict; times in whole seconds since the epoch."""
    data = item["data"]
    end = datetime.fromisoformat(item["time"]).timestamp() + float(data.get("duration_ms", 0)) / 1000
    return {
        "message": _message(data),
        "type": _TYPES.get(str(data[STATUS]), "deploy"),
        "start_time": int(end - float(data.get(SECONDS, 0))),
        "end_time": int(end),
    }


def _message(data: Mapping[str, Any]) -> str:
    commit = str(data.get("vcs.ref.head.revision", ""))[:12]
    what = f"{data.get('vcs.owner.name')}/{data.get('vcs.repository.name')}@{commit}"
    return f"{what} {data[STATUS]} in {data.get('deployment.environment.name')} ({data.get('release')})"
