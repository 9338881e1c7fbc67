"""What the demo leaves to read: the record, what runs, the trace, and how long each hop took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline_state.cli import views
from pipeline_state.cli.demo.hops import HOPS, Leg
from pipeline_state.cli.traces import waterfall
from pipeline_state.cli.traces.spans import Span

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline_state.cli.demo.cluster import Deployment

BARE = "helm upgrade --install --wait, bare"


@dataclass(frozen=True, slots=True)
class Summary:
    """All evidence. status: as `gatestream status REPO COMMIT --json` prints it. waited: decide's sentences meanwhile.

    bare: seconds of each run of a bare Helm. seconds: from the start of the demo to its last piece of evidence.
    """

    status: Mapping[str, Any]
    waited: Mapping[str, str]
    helm: Sequence[Mapping[str, Any]]
    deployments: Sequence[Deployment]
    spans: Sequence[Span]
    legs: Sequence[Leg]
    bare: Sequence[float]
    seconds: float

    def shown(self) -> Group:
        """For a terminal."""
        return Group(
            *_part("The record's gates", views.gates_table(dict(self.status))),
            *_part("helm list", _helm_table(self.helm)),
            *_part("kubectl get deployments", _deployments_table(self.deployments)),
            *_part(f"The trace {self.status['trace_id']}", waterfall.draw(self.spans)),
            *_part("How long each hop took", Group(_hops_table(self.legs, self.bare), Text(), self._comparison())),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; durations are in seconds."""
        return {
            "status": dict(self.status),
            "waited": dict(self.waited),
            "helm_list": [dict(release) for release in self.helm],
            "deployments": [asdict(each) for each in self.deployments],
            "trace_id": self.status["trace_id"],
            "spans": [span.to_json() for span in self.spans],
            "hops": {leg.name: {**_in_seconds(leg.hops), "total": leg.total.total_seconds()} for leg in self.legs},
            "bare_helm_seconds": list(self.bare),
            "seconds": round(self.seconds, 3),
        }

    def _comparison(self) -> Text:
        """How the last environment, reached with every function warm, compares with a bare Helm."""
        last, bare = self.legs[-1], median(self.bare)
        ratio = last.total.total_seconds() / bare
        return Text(
            "Push, build and the first environment met every function cold, at its first call. "
            f"To {last.name}, with all of them warm, the way took {ratio:.1f} × a bare Helm run."
        )


def _part(title: str, content: RenderableType) -> tuple[RenderableType, ...]:
    return Text(), Text(f" {title}", "bold"), Padding(content, (0, 0, 0, 1), expand=False)


def _plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _helm_table(releases: Sequence[Mapping[str, Any]]) -> Table:
    table = _plain_table("NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART")
    for release in releases:
        names = ("name", "namespace", "revision", "updated", "status", "chart")
        values = {name: str(release[name]) for name in names}
        values["updated"] = values["updated"].partition(".")[0]
        table.add_row(*values.values())
    return table


def _deployments_table(found: Sequence[Deployment]) -> Table:
    table = _plain_table("NAMESPACE", "NAME", "READY", "IMAGE")
    for each in found:
        table.add_row(each.namespace, each.name, f"{each.ready}/{each.wanted}", each.image)
    return table


def _hops_table(legs: Sequence[Leg], bare: Sequence[float]) -> Table:
    table = _plain_table("")
    for leg in legs:
        table.add_column(leg.name, justify="right")
    for hop in HOPS:
        table.add_row(hop, *(_seconds(leg.hops.get(hop)) for leg in legs))
    table.add_section()
    table.add_row("from end to end", *(_seconds(leg.total) for leg in legs), style="bold")
    deployed = [len(leg.hops) > len(HOPS) / 2 for leg in legs]
    table.add_row(BARE, *(_seconds(timedelta(seconds=median(bare))) if each else "" for each in deployed))
    return table


def _seconds(duration: timedelta | None) -> str:
    return "" if duration is None else f"{duration.total_seconds():.3f} s"


def _in_seconds(hops: Mapping[str, timedelta]) -> dict[str, float]:
    return {name: duration.total_seconds() for name, duration in hops.items()}
