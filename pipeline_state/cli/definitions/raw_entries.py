"""The data of a pipelines.yaml as it was written, read by rules that skip what has not the right form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pipeline_state.cli.definitions.yaml_lines import Loc

Raw = Mapping[str, Any]
"""An entry, of whatever form."""

Problems = Iterator[tuple[Loc, str]]
"""Where something is wrong, and what to do about it."""

Placed = tuple[Loc, Raw]
"""An entry and its place."""


def entries(raw: Raw, key: str, loc: Loc) -> Iterator[Placed]:
    """The mappings in the list under a key of the mapping at `loc`."""
    found = raw.get(key)
    for at, entry in enumerate(found if isinstance(found, list) else []):
        if isinstance(entry, Mapping):
            yield (*loc, key, at), entry


def texts(raw: Raw, key: str) -> list[str]:
    """The texts in the list under a key."""
    found = raw.get(key)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def declared_gates(pipeline: Raw) -> Raw:
    """The gates that a pipeline declares."""
    gates = pipeline.get("gates")
    return gates if isinstance(gates, Mapping) else {}


def order_of(environments: Sequence[Raw]) -> list[list[str]]:
    """What each environment comes after: what it says, or else the one before it in the list."""
    names = [[], *([str(environment.get("name"))] for environment in environments)]
    return [
        texts(each, "after") if each.get("after") is not None else names[at] for at, each in enumerate(environments)
    ]


def repeated(names: Iterable[str]) -> list[str]:
    """The names that are there more than once."""
    return [name for name, times in Counter(names).items() if times > 1]


def near(name: str, known: Iterable[object]) -> str:
    """The hint for a name that is not among the known ones."""
    names = [str(each) for each in known if each]
    found = get_close_matches(name, names, n=1)
    if found:
        return f"did you mean {found[0]}?"
    return f"there are {', '.join(names)}" if names else "there are none"
