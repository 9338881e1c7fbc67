"""The figures in the terminal: values with small bars, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline_state.cli.bars import bars
from pipeline_state.cli.delivery.headlines import Headline, headlines, told
from pipeline_state.cli.delivery.report import Report, Row
from pipeline_state.cli.delivery.spending import awaited, sum_of
from pipeline_state.cli.delivery.texts import HOW, MEANINGS, NAMES, PARTS, SOURCE
from pipeline_state.cli.spans import took
from pipeline_state.cli.views import SHORT, plain_table, shown
from pipeline_state.model.delivery import Delivery
from pipeline_state.model.lead_time import Part

_TONES = {"good": "green", "bad": "red", "none": "dim"}
_STYLES = {
    Part.HELM: "cyan",
    Part.CI: "blue",
    Part.PEOPLE: "yellow",
    Part.PIPELINE: "magenta",
    Part.UNEXPLAINED: "dim",
}
_BAR = 30
_MOST_AWAITED, _MOST_FAILURES, _MOST_ROWS = 5, 5, 20


def delivery_view(report: Report) -> RenderableType:
    """All of a report."""
    tables = [*_spent(report), *_failures(report.failures), *_rows(report.rows)]
    blocks = [_title(report), _headlines(headlines(report)), *tables, _how(report)]
    return Group(*(part for block in blocks for part in (block, Text())))


def _title(report: Report) -> Text:
    wanted, period = report.wanted, report.period
    where = wanted.environment or ", ".join(dict.fromkeys(row.place.environment.name for row in report.rows))
    days = f"{wanted.days} day{'s' if wanted.days > 1 else ''}"
    return Text.assemble(
        shown(wanted.repo or "All repositories", "bold"),
        shown(f" to {where}"),
        f", {days} from {period.since:%Y-%m-%d} to {period.now:%Y-%m-%d} (UTC)",
    )


def _headlines(found: Sequence[Headline]) -> Table:
    table = Table.grid(padding=(0, 2))
    for each in found:
        head = Text.assemble((each.value, "bold"), "  ", each.detail)
        drawn = bars([point.value for point in each.course])
        course = Text.assemble((drawn, "cyan"), (f"  {each.step}, highest {each.highest}", "dim"))
        trend = [Text(each.trend, _TONES[each.tone])] if each.trend else []
        table.add_row(Text(each.name), Text("\n").join([head, course, *trend]))
    return table


def _spent(report: Report) -> Iterator[RenderableType]:
    commits = report.commits
    if not commits:
        return
    total, parts = sum((each.delivery.at - each.start for each in commits), timedelta()), sum_of(commits)
    mean = took(total.total_seconds() / len(commits))
    table = plain_table("where the time goes", "mean", "", f"of {mean}")
    for part, taken in parts.items():
        share = taken / total if total else 0.0
        bar = Text("█" * round(share * _BAR), _STYLES[part])
        table.add_row(PARTS[part], took(taken.total_seconds() / len(commits)), f"{100 * share:.0f} %", bar)
    yield table
    longest = awaited(commits)[:_MOST_AWAITED]
    if longest:
        waited = plain_table("waited for", "who", "commits", "in all")
        for each in longest:
            waited.add_row(each.what, each.who, str(each.times), took(each.total.total_seconds()))
        yield waited


def _failures(found: Sequence[Delivery]) -> Iterator[RenderableType]:
    if not found:
        return
    table = plain_table("failures", "environment", "how", "when (UTC)", "restored")
    for each in found[:_MOST_FAILURES]:
        attempt = each.attempt
        commit = f"{attempt.repo.rpartition('/')[2]}@{attempt.commit[:SHORT]}"
        restored = took(each.recovery.total_seconds()) if each.recovery is not None else "not yet"
        table.add_row(commit, attempt.environment, each.failure, f"{each.at:%d %b %H:%M}", restored)
    yield table
    yield from _more(len(found) - _MOST_FAILURES)


def _rows(rows: Sequence[Row]) -> Iterator[RenderableType]:
    """Environment by environment, those first that most is deployed to."""
    if len(rows) == 1:  # all is said of it above
        return
    table = plain_table("pipeline", "environment", "deployed", "lead time", "failed", "restored in", folding=1)
    busiest = sorted(rows, key=lambda row: row.figures.deployed, reverse=True)
    for row in busiest[:_MOST_ROWS]:
        table.add_row(row.place.pipeline.name, row.place.environment.name, *told(row.figures).values())
    yield table
    yield from _more(len(rows) - _MOST_ROWS)


def _more(count: int) -> Iterator[Text]:
    if count > 0:
        yield Text(f"and {count} more; --json has them all", "dim")


def _how(report: Report) -> Text:
    lines = [f"{NAMES[key]}: {how}." for key, how in HOW.items()]
    if report.commits:
        lines.append("Of the lead time each moment counts once, as the first of these that is true:")
        lines += [f"  {PARTS[part]}: {meaning}" for part, meaning in MEANINGS.items()]
    return Text("\n".join([*report.notes, *lines, f"Definitions after {SOURCE}"]), "dim")
