"""Set-up of tracing for one process: where spans go, and the beeline that makes them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.tracing.exporter import Exporter
from pipeline_state.tracing.outbox import Outbox
from pipeline_state.tracing.sinks import Sink

_NO_KEY = "none"  # beeline looks for a key in the environment, and libhoney drops every span, when the key is empty

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Process:
    """What configure made for this process; without it nothing is traced."""

    made_from: tuple[str, tuple[Sink, ...], int] | None = None
    beeline: Any = None
    outbox: Outbox = field(default_factory=Outbox)
    fresh_trace: str = ""  # the current message's, while it may still be adopted
    is_cold: bool = True


process = Process()


def configure(service: str, *sinks: Sink, sample_rate: int = 1) -> None:
    """Set tracing up for this process; again with the same values it does nothing, with others it starts anew.

    service names the function. Without sinks spans are made, so that context travels, and forgotten. sample_rate N
    keeps one trace in N. A sink whose settings are wrong is left out, and the log says so. Call it outside of event
    loops: beeline chooses its kind of state here.
    """
    wanted = (service, sinks, sample_rate)
    if process.made_from == wanted:
        return
    shutdown()
    process.outbox = Outbox(list(_exporters(service, sinks)), sample_rate)
    process.beeline = _beeline(service, process.outbox)
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


def lost() -> int:
    """How many spans came to nothing, as far as whoever gets the others has not been told."""
    return process.outbox.lost


def _exporters(service: str, sinks: Iterable[Sink]) -> Iterator[Exporter]:
    for sink in sinks:
        try:
            yield sink.exporter(service)
        except ValueError as error:  # a setting that is wrong; the function goes on without
            logger.warning("no spans go to %s: %s", type(sink).__name__, error)


def _beeline(service: str, outbox: Outbox) -> Any:
    import beeline  # noqa: PLC0415 - brings asyncio and more, which a process that traces nothing need not load

    beeline.init(writekey=_NO_KEY, service_name=service, transmission_impl=outbox)
    return beeline.get_beeline()
