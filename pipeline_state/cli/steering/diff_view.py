"""What would change in a cluster, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pipeline_state.cli.steering.previews import Told
from pipeline_state.cli.views import SHORT, plain_table, shown
from pipeline_state.deploy.manifests import SYMBOLS, Action, ResourceChange, summary
from pipeline_state.deploy.preview import Preview

_STYLES: dict[Action, str] = {
    "created": "green",
    "changed": "yellow",
    "removed": "red",
    "kept": "blue",
    "unchanged": "dim",
}
_LINES = {"+": "green", "-": "red", "@": "cyan"}


def to_json(told: Told) -> dict[str, Any]:
    """Plain data about one release."""
    seen = told.preview
    return {
        "name": told.release.name,
        "namespace": told.release.namespace,
        "cluster": told.cluster.name,
        "failure": told.failure or None,
        "live": _live(seen) if seen else None,
        "chart": seen.chart if seen else None,
        "has_changes": told.has_changes if seen else None,
        "summary": summary(seen.changes, seen.hooks) if seen else None,
        "changes": [_change(each) for each in seen.changes] if seen else [],
        "hooks": [_change(each) for each in seen.hooks] if seen else [],
        "refusals": list(seen.refusals) if seen else [],
        "notes": list(seen.notes) if seen else [],
    }


def diff_view(all_told: Sequence[Told], commit: str) -> RenderableType:
    """Each release: where it stands, which resources change, and how."""
    parts: list[RenderableType] = []
    for told in all_told:
        parts += [Text()] if parts else []
        parts += _release(told, commit)
    return Group(*parts)


def _release(told: Told, commit: str) -> Iterator[RenderableType]:
    where = f" in {told.release.namespace} on {told.cluster.name}"
    yield Text.assemble(shown(told.release.name, "bold"), shown(where))
    if told.preview is None:
        yield shown(f"✗ {told.failure}", "red")
        return
    yield from _standing(told.preview, commit)
    yield from _resources(told.preview)
    yield from (shown(f"✗ it would fail: {each}", "red") for each in told.preview.refusals)
    yield from (shown(note, "yellow") for note in told.preview.notes)
    for change in (*told.preview.changes, *told.preview.hooks):
        if change.action != "unchanged":
            yield from (Text(), _title(change), *(_line(line) for line in change.lines))


def _standing(seen: Preview, commit: str) -> Iterator[RenderableType]:
    before = f"revision {seen.live.number}, {seen.live.chart}" if seen.live else "not there yet"
    yield Text.assemble(shown(f"{before} → {seen.chart} with "), (commit[:SHORT], "cyan"))
    if seen.live and seen.last and seen.last != seen.live:
        yield shown(f"its latest revision, {seen.last.number}, is {seen.last.status}", "yellow")
    elif seen.live and seen.live.status != "deployed":
        yield shown(f"that revision is {seen.live.status}", "yellow")


def _resources(seen: Preview) -> Iterator[RenderableType]:
    """A line for each that changes, and how many do not."""
    named = [(each, "") for each in seen.changes] + [(each, " (hook)") for each in seen.hooks]
    changing = [(each, hook) for each, hook in named if each.action != "unchanged"]
    rest = len(named) - len(changing)
    if changing:
        table = plain_table("", "", "kind", "name")
        for each, hook in changing:
            style = _STYLES[each.action]
            name = (
                f"{each.name} in {each.namespace}" if each.namespace not in {"", seen.release.namespace} else each.name
            )
            table.add_row(Text(SYMBOLS[each.action], style), Text(each.action, style), f"{each.kind}{hook}", name)
        yield from (Text(), table)
    elif seen.has_changes:
        yield Text("nothing is in it")
    else:
        yield Text("nothing changes", "green")
    if rest:
        yield Text(
            f"{rest} {'more stay' if changing else 'stay'} as they are" if rest > 1 else "1 stays as it is", "dim"
        )


def _title(change: ResourceChange) -> Text:
    return Text.assemble((f"{SYMBOLS[change.action]} ", _STYLES[change.action]), shown(change.title, "bold"))


def _line(line: str) -> Text:
    text = shown(line, _LINES.get(line[:1], ""))
    text.overflow = "fold"
    return text


def _live(seen: Preview) -> dict[str, Any] | None:
    if seen.live is None:
        return None
    return {"revision": seen.live.number, "status": seen.live.status, "chart": seen.live.chart}


def _change(change: ResourceChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "namespace": change.namespace or None,
        "name": change.name,
        "action": change.action,
        "diff": "\n".join(change.lines),
    }
