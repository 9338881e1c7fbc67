"""What is about to be promoted, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from pipeline_state.cli.steering.moving import Plan
from pipeline_state.cli.steering.promotions import Past, chart_told
from pipeline_state.cli.views import GATES, SHORT, moment, plain_table, shown, who
from pipeline_state.model.gates import Gate
from pipeline_state.model.pipelines import Release
from pipeline_state.model.promotion import Action

_WORDS = {Action.ROLLBACK: "roll back", Action.REDEPLOY: "redeploy", Action.OVERRIDE: "override"}


def plan_view(plan: Plan) -> RenderableType:
    """What the person is asked about: from where, to where, what is installed, who opened the gates."""
    head = Text.assemble((f"{_WORDS[plan.wish.action]} ", "bold"), shown(plan.place.name, "bold"))
    table = plain_table("", "commit", "")
    if plan.head:
        told = shown(there(plan.head), "red" if plan.head.outcome == "failed" else "")
        table.add_row("from", _commit(plan.head.deployment.commit), told)
    table.add_row("to", _commit(plan.commit), shown(coming(plan)))
    parts: list[RenderableType] = [head, Text(), table, Text(), _installs(plan), Text(), _gates(plan)]
    notes = [shown(f"in spite of: {sentence}", "yellow") for sentence in plan.despite]
    if plan.order.holds:
        release = f"`gatestream release {plan.place.arguments}`"
        notes.append(shown(f"then {plan.place.name} is held: nothing goes there by itself until {release}"))
    return Group(*parts, *([Text(), *notes] if notes else []))


def question(plan: Plan) -> str:
    """What is to be answered with yes or no."""
    commit = plan.commit[:SHORT]
    if plan.wish.action is Action.ROLLBACK:
        return f"Roll {plan.place.name} back to {commit}?"
    return f"{'Redeploy' if plan.wish.action is Action.REDEPLOY else 'Promote'} {commit} to {plan.place.name}?"


def evidence(gate: Gate) -> str:
    """What a gate says, who set it, when and why."""
    return " · ".join(_evidence(gate))


def _evidence(gate: Gate) -> Iterator[str]:
    yield f"{gate.status}{f' by {who(gate.by)}' if gate.by else ''}"
    yield from filter(None, [moment(gate.at), gate.reason])


def there(past: Past) -> str:
    """How what is there has come there."""
    outcome = past.outcome or "no result yet"
    reason = f": {past.reason}" if past.reason else ""
    return f"promoted {moment(past.deployment.at)} UTC by {who(past.deployment.by)}, {outcome}{reason}"


def coming(plan: Plan) -> str:
    """By which definition the commit comes there."""
    if plan.target is None:
        return f"from {plan.decision.branch}, by the definition of today"
    if not plan.order.pinned:
        return "by the definition of today"
    then = plan.target.deployment
    return f"as it was promoted {moment(then.at)} UTC, number {then.generation}"


def installs(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Each release, its cluster, and its chart, beside the one that is there where that is another."""
    before = {each.release.name: each.release for each in plan.head.installed} if plan.head else {}
    for release, cluster in plan.installs:
        old = before.get(release.name)
        changed = "" if old is None or _is_same(old, release) else f"; {chart_told(old)} is there"
        yield release.name, cluster.name, f"{chart_told(release)}{changed}"


def _installs(plan: Plan) -> RenderableType:
    table = plain_table("release", "cluster", "chart")
    for row in installs(plan):
        table.add_row(*row)
    return table


def _is_same(old: Release, new: Release) -> bool:
    """Whether they have the same chart, as far as can be told before it is installed."""
    is_known = old.digest and new.digest
    return (old.chart, old.version) == (new.chart, new.version) and (not is_known or old.digest == new.digest)


def _gates(plan: Plan) -> RenderableType:
    if not plan.gates:
        return Text("it needs no gate", "dim")
    return Group(*(_gate_line(gate) for gate in plan.gates))


def _gate_line(gate: Gate) -> Text:
    symbol, style = GATES[gate.status]
    return Text.assemble((f"{symbol} ", style), shown(f"{gate.name} {evidence(gate)}"))


def _commit(commit: str) -> Text:
    return shown(commit[:SHORT], "cyan")
