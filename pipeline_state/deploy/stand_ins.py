"""Chart values for somebody who may not read all that the installer may: what takes the place of texts out of reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.deploy import references
from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """Values with a text for each reference. secrets: what must never be shown. notes: what stands for what, why."""

    values: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()


def fill(values: Mapping[str, Any], live: Mapping[str, Any], then: Mapping[str, Any], workspace: Workspace) -> Filled:
    """The values with texts, or where one cannot be read, with what is there in the cluster, or a placeholder.

    live: the values of the release as it runs, texts in them. then: those that it was promoted with, references in them
    as in `values`: by both, texts in `live` are known as secrets. Raises TemporaryFault when AWS cannot say for now.
    """
    paths = [path for path, _ in [*_references(values), *_references(then)]]
    old = [text for path in paths if isinstance(text := _at(live, path), str)]
    texts: list[str] = []
    notes: list[str] = []

    def text_of(path: Path, reference: Mapping[str, Any]) -> str:
        text, note = _text(path, reference, live, workspace)
        texts.append(text)
        notes.extend(filter(None, [note]))
        return text

    filled: dict[str, Any] = _replaced(values, (), text_of)
    return Filled(filled, references.forms([*texts, *old]), tuple(notes))


def _text(path: Path, reference: Mapping[str, Any], live: Mapping[str, Any], workspace: Workspace) -> tuple[str, str]:
    """What takes the reference's place, and what is to be said of that."""
    place = _told(path)
    try:
        resolved, _ = references.resolve({place: reference}, workspace)
    except PermanentFault as fault:
        there = _at(live, path)
        if isinstance(there, str):
            return there, f"{place} is taken from the cluster, as it is there: {fault.reason}"
        return f"<{place}>", f"<{place}> stands for what you may not read: {fault.reason}"
    return str(resolved[place]), ""


def _is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and (references.SECRET in value or references.PARAMETER in value)


def _references(value: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if _is_reference(value):
        yield path, value
    else:
        for key, below in _children(value):
            yield from _references(below, (*path, key))


def _replaced(value: Any, path: Path, text_of: Callable[[Path, Mapping[str, Any]], str]) -> Any:
    if _is_reference(value):
        return text_of(path, value)
    if isinstance(value, Mapping):
        return {key: _replaced(below, (*path, key), text_of) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(below, (*path, at), text_of) for at, below in enumerate(value)]
    return value


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _at(value: Any, path: Path) -> Any:
    """What lies at the path; None where nothing does."""
    for key in path:
        value = dict(_children(value)).get(key)
    return value


def _told(path: Path) -> str:
    """The path as `references` writes it: db.hosts[0]."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
