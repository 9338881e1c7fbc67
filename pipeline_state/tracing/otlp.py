"""Spans to any OpenTelemetry endpoint by OTLP/HTTP: Jaeger, Tempo, Honeycomb, X-Ray, collectors. See decision 20."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from pipeline_state.tracing.endpoint import Endpoint, is_success
from pipeline_state.tracing.exporter import Answer, BackgroundExporter, Item

_PATH = "/v1/traces"


class OtlpExporter(BackgroundExporter):
    """Posts each flush as one request in protobuf, whose library the first one loads, within the bound of its flush.

    endpoint: a base URL, to which OTLP's path is added, or a whole one, which ends in that path.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        super().__init__("The OTLP endpoint", self._post)
        url = endpoint.rstrip("/").removesuffix(_PATH) + _PATH
        self._endpoint = Endpoint(url, {**headers, "Content-Type": "application/x-protobuf"})

    def _let_go(self) -> None:
        self._endpoint.close()

    def _post(self, items: Sequence[Item]) -> Answer:
        from pipeline_state.tracing.otlp_protobuf import encode, rejected  # noqa: PLC0415 - 60 ms of CPU

        response = self._endpoint.post(encode(items))
        if not is_success(response.status):
            return Answer(0, f"status {response.status}")
        refused = min(rejected(response.body), len(items)) if response.body else 0
        return Answer(len(items) - refused, "a partial success" if refused else "")


def parse_headers(text: str) -> dict[str, str]:
    """Headers as OTEL_EXPORTER_OTLP_HEADERS has them (`name=value,name=value`) or as an object of JSON; "" is none.

    Raises ValueError, which does not quote them.
    """
    try:
        headers = dict(json.loads(text)) if text.lstrip().startswith("{") else _of_pairs(text)
    except ValueError:
        headers = {"": ""}
    if not all(map(_is_header, headers, headers.values())):
        raise ValueError("OTLP's headers are neither `name=value,name=value` nor a JSON object of texts")
    return headers


def _of_pairs(text: str) -> dict[str, Any]:
    """Values are percent-encoded there: https://opentelemetry.io/docs/specs/otel/protocol/exporter/."""
    pairs = [pair.split("=", 1) for pair in text.split(",") if pair.strip()]
    return {name.strip(): unquote(value.strip()) for name, value in pairs}


def _is_header(name: str, value: object) -> bool:
    return name.isascii() and name != "" and isinstance(value, str) and (name + value).isprintable()
