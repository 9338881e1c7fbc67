"""What a new manifest of a release changes: each resource created, changed, removed or as it was. No secrets in it."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline_state.deploy import documents
from pipeline_state.deploy.documents import Document, Key
from pipeline_state.faults import PermanentFault

Action = Literal["created", "changed", "removed", "kept", "unchanged"]

SYMBOLS: Mapping[Action, str] = {"created": "+", "changed": "~", "removed": "-", "kept": "!", "unchanged": " "}

MAX_BYTES = 4096
"""Of a summary as JSON."""

_MAX_NAMES = 50
_MAX_NAME = 200
_HIDDEN = "(only in what is not shown)"


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What becomes of one resource.

    namespace: as its manifest says; empty where that leaves it to the release, and for what lives in none. kept: part
    of the release no more, but left in the cluster, as its annotation helm.sh/resource-policy wants it.
    before, after: YAML with all secrets hidden; empty where it is not there.
    """

    kind: str
    namespace: str
    name: str
    action: Action
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        """What to call it: "Deployment/web", or with a namespace "Role/shop/web"."""
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))

    @property
    def lines(self) -> list[str]:
        """A unified diff without the two lines that name files; empty where nothing changes."""
        if self.action == "unchanged":
            return []
        found = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="")
        return list(found)[2:] or [_HIDDEN]


def compare(before: str, after: str, *, namespace: str = "", secrets: Iterable[str] = ()) -> list[ResourceChange]:
    """What becomes of each resource of two manifests, in the order of the new one, what is gone after that.

    before, after: YAML as Helm prints it, of resources or of hooks; empty for none. namespace: the release's.
    secrets: texts that must not be shown. Raises PermanentFault for what Python cannot read, although Helm may.
    """
    try:
        return list(_changes(before, after, namespace, documents.blotter(secrets)))
    except RecursionError as error:
        raise PermanentFault("the rendered manifest is nested too deeply to be compared") from error


def _changes(before: str, after: str, namespace: str, blot: documents.Blot) -> Iterator[ResourceChange]:
    known: documents.Known = {}
    old, new = (_by_key(documents.read(manifest, namespace, known)) for manifest in (before, after))
    for key in dict.fromkeys([*new, *old]):
        was, becomes = old.get(key), new.get(key)
        one = becomes or old[key]
        change = ResourceChange(blot(one.kind), blot(one.namespace), blot(one.name), _action(was, becomes))
        yield (
            change
            if change.action == "unchanged"
            else replace(
                change,
                before=documents.shown(was, None, blot) if was else "",
                after=documents.shown(becomes, was, blot) if becomes else "",
            )
        )


def has_changes(changes: Iterable[ResourceChange]) -> bool:
    """Whether any resource is not as it was."""
    return any(change.action != "unchanged" for change in changes)


def summary(changes: Sequence[ResourceChange], hooks: Sequence[ResourceChange] = ()) -> dict[str, Any]:
    """JSON data of at most 4 KB: how many resources become what, and what those are called that change, "~ Kind/name".

    hooks: how many of them change; unnamed: changes that there was no room for.
    """
    counts = Counter(change.action for change in changes)
    names = [f"{SYMBOLS[each.action]} {each.title}"[:_MAX_NAME] for each in changes if each.action != "unchanged"]
    shown = list(_fitting(names))
    return {
        **{action: counts[action] for action in SYMBOLS},
        "hooks": sum(hook.action != "unchanged" for hook in hooks),
        "names": shown,
        "unnamed": len(names) - len(shown),
    }


def _fitting(names: Sequence[str]) -> Iterator[str]:
    """As many of the names as there is room for, the counts beside them included."""
    left = MAX_BYTES - 200
    for name in names[:_MAX_NAMES]:
        left -= len(json.dumps(name)) + 2
        if left < 0:
            return
        yield name


def _action(was: Document | None, becomes: Document | None) -> Action:
    if becomes is None:
        return "kept" if was and was.is_kept else "removed"
    if was is None:
        return "created"
    return "unchanged" if was.is_like(becomes) else "changed"


def _by_key(found: Iterable[Document]) -> dict[tuple[Key, int], Document]:
    """The documents by key; those of one key, if a chart has such, by their order as well."""
    seen: Counter[Key] = Counter()
    keyed = {}
    for document in found:
        keyed[document.key, seen[document.key]] = document
        seen[document.key] += 1
    return keyed
