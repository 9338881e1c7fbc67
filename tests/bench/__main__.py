"""`python -m tests.bench [FIGURE…] [--quick]`: prints the raw samples, a table, and one line of JSON at the end.

A figure is named as in the JSON, or by the part before its dot; without names all are measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console

from tests.bench import (
    aws_calls,
    cold_import,
    dashboard,
    decide,
    delivery,
    fleet,
    gate_to_ready,
    installer,
    large_repo,
    stored,
    traces,
    tracing,
    webhook_cpu,
)
from tests.bench.figures import Figure, as_json, as_table, raw_samples

Measure = Callable[..., Iterator[Figure]]

MEASURES: dict[str, Measure] = {
    "cold_import": cold_import.measure,
    "webhook_cpu": webhook_cpu.measure,
    "gate_to_ready": gate_to_ready.measure,
    "installer_overhead_ms": gate_to_ready.measure,
    "installer_warm_ms": installer.measure,
    "installer_cold_ms": installer.measure,
    "helm": installer.measure,
    "fleet": fleet.measure,
    "aws_calls": aws_calls.measure,
    "dashboard": dashboard.measure,
    "decide": decide.measure,
    "delivery": delivery.measure,
    "flat": stored.measure,
    "repository": large_repo.measure,
    "sweep": stored.measure,
    "tracing_cpu": tracing.measure,
    "dead_endpoint": tracing.measure,
    "traces": traces.measure,
}


def main(arguments: Sequence[str]) -> None:
    """Prints everything to standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(MEASURES))
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works, not how fast")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.figures if name.partition(".")[0] not in MEASURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    figures = list(measured(options.figures, quick=options.quick))
    for figure in figures:
        print(*raw_samples(figure), *figure.details, sep="\n")
    Console(width=100).print(as_table(figures))
    print(as_json(figures))


def measured(wanted: Sequence[str], *, quick: bool) -> Iterator[Figure]:
    """The wanted figures; those of one measurement are taken together, once."""
    chosen = [MEASURES[name.partition(".")[0]] for name in wanted] or MEASURES.values()
    for measure in dict.fromkeys(chosen):
        print(f"measuring {measure.__module__.rpartition('.')[2]} …", file=sys.stderr, flush=True)
        yield from (figure for figure in measure(quick=quick) if is_wanted(figure.name, wanted))


def is_wanted(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or name in wanted or name.partition(".")[0] in wanted


if __name__ == "__main__":
    main(sys.argv[1:])
