"""What people see: tables that fit 80 columns and use more where there is more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline_state.cli.console import printable
from pipeline_state.cli.happenings import Told
from pipeline_state.cli.steering.closures import Hold, frozen_told, held_told, stopped_told
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Environment, Pipeline, Policy, Release

GATES = {"passed": ("✓", "green"), "failed": ("✗", "red"), "pending": ("·", "yellow")}
"""Symbol and colour of a gate's status."""

HEADS = {"deployed": ("✓", "green"), "failed": ("✗", "red"), "promoted": ("→", "yellow")}
"""The same of what became of an environment's head; promoted is on its way."""

_DECISIONS = {
    "Promoted": "green",
    "Promote": "green",
    "Wait": "yellow",
    "Soaking": "yellow",
    "Queued": "yellow",
    "Blocked": "red",
    "Frozen": "blue",
    "Held": "blue",
    "Superseded": "dim",
    "NotACandidate": "dim",
    "NoPipeline": "red",
}

SHORT = 12
"""Digits of a commit's hash that tell it apart."""


def gates_table(status: Mapping[str, Any]) -> Table:
    """The gates of a status object, with who set them and why."""
    table = plain_table("gate", "status", "by · time (UTC) · reason")
    for gate in status["gates"]:
        symbol, style = GATES[gate["status"]]
        evidence = [who(gate["by"]), moment(gate["at"]), gate["reason"]]
        table.add_row(
            gate["name"], Text(f"{symbol} {gate['status']}", style), shown(" · ".join(filter(None, evidence)))
        )
    return table


def environments_table(status: Mapping[str, Any]) -> Table:
    """What is decided about each environment of a status object, and why."""
    table = plain_table("environment", "decision", "reason · releases, times in UTC")
    names = {each["pipeline"] for each in status["environments"]}
    for each in status["environments"]:
        place = f"{each['pipeline']} {each['name']}" if len(names) > 1 else each["name"] or "all"
        lines = [shown(each["reason"]), *filter(None, map(_release_line, each["releases"]))]
        table.add_row(place, Text(each["decision"], decision_style(each)), Group(*lines))
    return table


def commit_view(status: Mapping[str, Any]) -> Group:
    """All of a status object."""
    where = f" on {printable(status['branch'])}" if status["branch"] else ", on no branch that a push told of"
    head = Text.assemble((status["repo"], "bold"), " ", (status["commit"], "cyan"), where)
    return Group(head, Text(), gates_table(status), Text(), environments_table(status))


def why_view(status: Mapping[str, Any]) -> Group:
    """One sentence an environment."""
    several = len({each["pipeline"] for each in status["environments"]}) > 1
    lines = []
    for each in status["environments"]:
        place = " ".join(filter(None, [each["pipeline"] if several else None, each["name"]]))
        lines.append(Text.assemble(shown(f"{place}: " if place else ""), shown(each["reason"], decision_style(each))))
    return Group(*lines)


def heads_view(heads: Sequence[Mapping[str, Any]]) -> RenderableType:
    """What every environment of every repository has, and below it what keeps which of them closed, or is watched."""
    table, notes = heads_table(heads), [*_closure_notes(heads), *_rollout_notes(heads)]
    return Group(table, Text(), *notes) if notes else table


def _closure_notes(heads: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    stop = next((each["stopped"] for each in heads if each.get("stopped")), None)
    if stop:
        yield shown(stopped_told(_freeze(stop)), "red")
    for each in heads:
        closed = [frozen_told(_freeze(each["frozen"]))] if each.get("frozen") else []
        closed += [held_told(Hold(**each["held"]))] if each.get("held") else []
        behind = "; ".join(_behind(each))
        if closed or behind:
            told = f"is {', and '.join(closed)}{'; ' if behind else ''}" if closed else "has more to come: "
            yield shown(f"{each['environment']} of {each['pipeline']} {told}{behind}", "blue")


def _rollout_notes(heads: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """What is on its way to a verdict, and until when."""
    for each in heads:
        for rollout in each.get("rollouts", []):
            place = f"{each['environment']} of {each['pipeline']}"
            yield shown(f"{place}: {rollout['release']} is {rollout['reason']}", "yellow")


def _behind(head: Mapping[str, Any]) -> Iterator[str]:
    """What waits for an environment to open."""
    ready, parked = head.get("ready", 0), head.get("parked", [])
    if ready:
        yield f"{ready} commits are ready" if ready > 1 else "one commit is ready"
    if parked:
        yield f"{', '.join(parked)} {'are' if len(parked) > 1 else 'is'} promoted and to be installed once it is free"


def _freeze(told: Mapping[str, Any]) -> Freeze:
    return Freeze(told["by"], told["until"] or "", told["reason"])


def heads_table(heads: Sequence[Mapping[str, Any]]) -> Table:
    """What every environment of every repository has, and whether it got there."""
    table = plain_table("pipeline", "environment", "state", "head", "promoted (UTC)", "branch", folding=1)
    last = ""
    for each in heads:
        name = each["pipeline"] if each["pipeline"] != last else ""
        last = each["pipeline"]
        head = shown(each["head"][:SHORT], "cyan") if each["head"] else Text("none yet", "dim")
        symbol, style = HEADS.get(each["state"], ("", ""))
        state = Text(f"{symbol} {each['state'] or ''}".strip(), style)
        promoted = minute(each["promoted_at"])
        table.add_row(name, each["environment"], state, head, promoted, each["branch"] or "")
    return table


def events_table(events: Sequence[Told]) -> Table:
    """What happened, newest last."""
    several = len({_about(event) for event in events}) > 1
    table = plain_table("time (UTC)", *(["about"] if several else []), "")
    for event in events:
        about = [shown(_about(event), "cyan")] if several else []
        table.add_row(
            moment(event.time) or event.time, *about, Text.assemble(shown(event.text), shown(_sender(event), "dim"))
        )
    return table


def _about(event: Told) -> str:
    """What it happened to, in short."""
    name = event.repo.rpartition("/")[2]
    if event.commit:
        return f"{name}@{event.commit[:SHORT]}"
    pipeline, environment = (str(event.what.get(key, "")) for key in ("pipeline", "environment"))
    if environment:
        return f"{pipeline.rpartition('/')[2]} {environment}"
    return f"{name} pipelines" if name else "everything"


def environments_of(pipeline: Pipeline) -> Table:
    """A pipeline's environments: what each needs and installs, and what holds it up."""
    openers = {gate.name: gate.source for gate in pipeline.gates}
    table = plain_table("environment", "after", "gates", "installs · when")
    for environment in pipeline.environments:
        gates = [f"{name} ({source.name})" if (source := openers.get(name)) else name for name in environment.gates]
        releases = [line for each in environment.releases for line in _release_lines(each)]
        places = Text("\n".join([*releases, f"on {environment.cluster.name}", *_rules(environment)]))
        table.add_row(environment.name, ", ".join(environment.after), Text("\n".join(gates)), places)
    return table


def _release_lines(release: Release) -> list[str]:
    from pipeline_state.cli.definitions.pipelines_times import spelled  # as in `_rules`

    lines = [f"{release.namespace}/{release.name} from {release.chart}"]
    if release.test:
        lines.append("  tested by helm test")
    if release.verify:
        by = release.verify.url or f"the gate {release.verify.gate}"
        lines.append(f"  verified within {spelled(release.verify.within)} by {by}")
    return lines


def _rules(environment: Environment) -> list[str]:
    from pipeline_state.cli.definitions.pipelines_times import (  # with pydantic, which nothing else here needs
        freeze_told,
        spelled,
    )

    return [
        *(["every commit, in their order"] if environment.policy == Policy.EVERY else []),
        *([f"after a soak of {spelled(environment.soak)}"] if environment.soak else []),
        *(f"frozen {freeze_told(window)}" for window in environment.freezes),
        *(["one release after the other"] if environment.in_order else []),
        *(["one that fails takes back the others"] if environment.rollback_together else []),
        *(["takes over fields that others manage"] if environment.force_conflicts else []),
    ]


def diff_view(lines: Sequence[str]) -> Text:
    """A unified diff in its usual colours."""
    styles = {"+": "green", "-": "red", "@": "cyan"}
    return Text("\n").join(Text(line, styles.get(line[:1], "")) for line in lines)


def moment(time: str | None) -> str | None:
    """An RFC 3339 time as people read it: UTC, to the second."""
    return time[:19].replace("T", " ") if time else None


def minute(time: str | None) -> str:
    """The same to the minute, for a column; empty without a time."""
    return (moment(time) or "")[:16]


def shown(text: str, style: str = "") -> Text:
    """Text that somebody else wrote."""
    return Text(printable(text), style)


def who(by: str | None) -> str | None:
    """Somebody's name; of an ARN, what comes after account and service."""
    return by.split(":", 5)[-1] if by and by.startswith("arn:") else by


def plain_table(*heads: str, folding: int = 0) -> Table:
    """Names keep their length; the last column takes the rest of the width and wraps, and so do the first `folding`."""
    table = _PlainTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for at, head in enumerate(heads, 1):
        wraps = at <= folding or at == len(heads)
        table.add_column(shown(head), no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
    return table


class _PlainTable(Table):
    """A table whose cells say what they say: names of columns and branches may look like rich's markup."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(shown(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def _sender(event: Told) -> str:
    if event.by and event.text.startswith(event.by):
        return ""
    claimed = "" if event.verified or not event.by else " (claimed)"
    return f", by {who(event.by) or 'unknown'}{claimed}"


def decision_style(environment: Mapping[str, Any]) -> str:
    """The colour of what is decided about an environment."""
    return "red" if has_failed(environment) else _DECISIONS.get(environment["decision"], "")


def has_failed(environment: Mapping[str, Any]) -> bool:
    """Whether one of its releases did."""
    return any(release["status"] == "failed" for release in environment["releases"])


def _release_line(release: Mapping[str, Any]) -> Text | None:
    """One release of an environment; None before there is anything to tell."""
    if not release["status"]:
        return None
    facts = [
        release["chart"],
        f"revision {release['revision']}" if release["revision"] else None,
        moment(release["at"]),
    ]
    told = " · ".join(filter(None, [f"{release['namespace']}/{release['name']} {release['status']}", *facts]))
    return shown(told, "dim" if release["status"] == "deployed" else "red")
