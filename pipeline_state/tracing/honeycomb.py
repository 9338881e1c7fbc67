"""Spans to Honeycomb by its batch API: https://docs.honeycomb.io/api/events/ (Create Events)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from pipeline_state.tracing.endpoint import Endpoint, is_success
from pipeline_state.tracing.exporter import Answer, BackgroundExporter, Item


class HoneycombExporter(BackgroundExporter):
    """Posts each flush as one batch. Raises ValueError when the host is no URL."""

    def __init__(self, api_host: str, writekey: str, dataset: str) -> None:
        super().__init__("Honeycomb", self._post)
        headers = {"X-Honeycomb-Team": writekey, "Content-Type": "application/json"}
        self._batches = Endpoint(f"{api_host.rstrip('/')}/1/batch/{quote(dataset, safe='')}", headers)

    def _let_go(self) -> None:
        self._batches.close()

    def _post(self, items: Sequence[Item]) -> Answer:
        response = self._batches.post(json.dumps(items).encode())
        if not is_success(response.status):
            return Answer(0, f"status {response.status}")
        refused = [each["status"] for each in json.loads(response.body) if not is_success(each["status"])]
        return Answer(len(items) - len(refused), f"status {refused[0]}" if refused else "")
