"""Where spans may go. A sink is a setting; its exporter is made, and what that needs is loaded, when tracing starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline_state.tracing.exporter import Exporter

HONEYCOMB = "https://api.honeycomb.io"
DATASET = "gatestream"


class Sink(Protocol):
    """Compared by value: the same sinks again are no change."""

    def exporter(self, service: str) -> Exporter:
        """What takes the spans of the function of that name there."""
        ...


@dataclass(frozen=True, slots=True)
class HoneycombSink:
    """Spans go to Honeycomb. dataset counts for classic keys only; others file spans under the service.

    Raises ValueError without a write key.
    """

    writekey: str = field(repr=False)
    api_host: str = HONEYCOMB
    dataset: str = DATASET

    def __post_init__(self) -> None:
        if not self.writekey:
            raise ValueError("Honeycomb wants a write key: put one into the secret, or name no secret at all")

    def exporter(self, service: str) -> Exporter:
        from libhoney import IsClassicKey  # noqa: PLC0415 - for this sink only

        from pipeline_state.tracing.honeycomb import HoneycombExporter  # noqa: PLC0415 - the same

        dataset = self.dataset if IsClassicKey(self.writekey) else service
        return HoneycombExporter(self.api_host, self.writekey, dataset)


@dataclass(frozen=True, slots=True)
class MarkerSink:
    """Deployments become markers on Honeycomb's graphs. dataset counts for classic keys only; else it is on all."""

    key: str = field(repr=False)
    api_host: str = HONEYCOMB
    dataset: str = DATASET

    def exporter(self, service: str) -> Exporter:  # noqa: ARG002 - markers belong to none
        from libhoney import IsClassicKey  # noqa: PLC0415 - for this sink only

        from pipeline_state.tracing.markers import ENVIRONMENT_WIDE, MarkerExporter  # noqa: PLC0415 - the same

        dataset = self.dataset if IsClassicKey(self.key) else ENVIRONMENT_WIDE
        return MarkerExporter(self.api_host, self.key, dataset)


@dataclass(frozen=True, slots=True)
class OtlpSink:
    """Spans go to an OpenTelemetry endpoint by OTLP/HTTP. headers: see otlp.parse_headers.

    Raises ValueError when the headers are malformed.
    """

    endpoint: str
    headers: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self._headers()

    def exporter(self, service: str) -> Exporter:  # noqa: ARG002 - each span names it
        from pipeline_state.tracing.otlp import OtlpExporter  # noqa: PLC0415 - for this sink only

        return OtlpExporter(self.endpoint, self._headers())

    def _headers(self) -> dict[str, str]:
        from pipeline_state.tracing.otlp import parse_headers  # noqa: PLC0415 - the same

        return parse_headers(self.headers)


@dataclass(frozen=True, slots=True)
class StoreSink:
    """Spans go to the local stack's store, an SQLite file that several processes share."""

    path: Path

    def exporter(self, service: str) -> Exporter:  # noqa: ARG002 - each span names it
        from pipeline_state.tracing.store import StoreExporter  # noqa: PLC0415 - sqlite3, for this sink only

        return StoreExporter(self.path)
