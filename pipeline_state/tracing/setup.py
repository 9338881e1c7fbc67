"""Set-up of tracing for one process: where spans go, and the beeline that makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pipeline_state.tracing.outbox import FileOutbox, Outbox

HONEYCOMB = "https://api.honeycomb.io"
_NO_KEY = "none"  # beeline looks for a key in the environment, and libhoney drops every span, when the key is empty


@dataclass(frozen=True, slots=True)
class HoneycombSink:
    """Spans go to Honeycomb. Raises ValueError without a write key."""

    writekey: str = field(repr=False)
    api_host: str = HONEYCOMB

    def __post_init__(self) -> None:
        if not self.writekey:
            raise ValueError("Honeycomb wants a write key: put one into the secret, or name no secret at all")


@dataclass(frozen=True, slots=True)
class FileSink:
    """Spans are appended to a file, one line of JSON each; see FileOutbox for its shape."""

    path: Path


@dataclass(frozen=True, slots=True)
class StoreSink:
    """Spans go to the local stack's store, an SQLite file that several processes share."""

    path: Path


@dataclass(frozen=True, slots=True)
class NullSink:
    """Spans are made, so that context travels, and forgotten."""


Sink: TypeAlias = HoneycombSink | FileSink | StoreSink | NullSink


@dataclass(slots=True)
class Process:
    """What configure made for this process; without it nothing is traced."""

    made_from: tuple[str, Sink, str, int] | None = None
    beeline: Any = None
    outbox: Outbox = field(default_factory=Outbox)
    fresh_trace: str = ""  # the current message's, while it may still be adopted
    is_cold: bool = True


process = Process()


def choose_sink(*, writekey: str = "", api_host: str = HONEYCOMB, trace_file: str = "") -> Sink:
    """Honeycomb if there is a key, else the store if one is named, else nowhere."""
    if writekey:
        return HoneycombSink(writekey, api_host)
    return StoreSink(Path(trace_file)) if trace_file else NullSink()


def configure(service: str, *, sink: Sink, dataset: str, sample_rate: int = 1) -> None:
    """Set tracing up for this process; again with the same values it does nothing, with others it starts anew.

    service names the function. dataset counts for Honeycomb's classic keys only; others file spans under the service.
    sample_rate N keeps one trace in N. Call it outside of event loops: beeline chooses its kind of state here.
    """
    wanted = (service, sink, dataset, sample_rate)
    if process.made_from == wanted:
        return
    shutdown()
    process.outbox = _outbox(sink, sample_rate)
    process.beeline = _beeline(service, sink, dataset, process.outbox)
    process.made_from = wanted


def shutdown() -> None:
    """Flush, within the bound, and forget what configure made."""
    if process.beeline:
        import beeline  # noqa: PLC0415 - loaded by then

        beeline.close()
    process.made_from, process.beeline, process.fresh_trace = None, None, ""


def flush() -> None:
    """Send what is finished, waiting half a second at most. invocation does it; do it before a long wait, too."""
    process.outbox.flush()


def _outbox(sink: Sink, sample_rate: int) -> Outbox:
    if isinstance(sink, FileSink):
        return FileOutbox(sink.path, sample_rate)
    if isinstance(sink, StoreSink):
        from pipeline_state.tracing.store import StoreOutbox  # noqa: PLC0415 - sqlite3, for this sink only

        return StoreOutbox(sink.path, sample_rate)
    if isinstance(sink, HoneycombSink):
        from pipeline_state.tracing.honeycomb import HoneycombOutbox  # noqa: PLC0415 - requests, for this sink only

        return HoneycombOutbox(sample_rate)
    return Outbox(sample_rate)


def _beeline(service: str, sink: Sink, dataset: str, outbox: Outbox) -> Any:
    import beeline  # noqa: PLC0415 - brings asyncio and more, which a process that traces nothing need not load
    from libhoney import IsClassicKey  # noqa: PLC0415 - the same

    honeycomb = sink if isinstance(sink, HoneycombSink) else HoneycombSink(_NO_KEY)
    beeline.init(
        writekey=honeycomb.writekey,
        dataset=dataset if IsClassicKey(honeycomb.writekey) else "",
        service_name=service,
        api_host=honeycomb.api_host,
        transmission_impl=outbox,
    )
    return beeline.get_beeline()
