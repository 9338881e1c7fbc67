"""Chart values that stand for secrets, read when Helm needs them and kept nowhere.

`{from_secret: name}` is a Secrets Manager secret's text, `{from_secret: name, key: user}` the text under that key of
one that is a JSON object, `{from_parameter: /name}` an SSM parameter's, decrypted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault, TemporaryFault

SECRET, PARAMETER, KEY = "from_secret", "from_parameter", "key"

_SHORTEST = 6
"""Characters of what is blotted out: to blot out anything shorter would spoil sentences and hide nothing."""


def resolve(values: Mapping[str, Any], workspace: Workspace) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values with texts for references, and what must never be shown of them; each is read once.

    Raises PermanentFault when there is no such text, TemporaryFault when AWS cannot say for now, both with the place of
    the value and never with a text.
    """
    found = _Resolver(workspace)
    if SECRET in values or PARAMETER in values:
        raise PermanentFault("values: a reference stands for one value, not for all of them")
    resolved = {key: found.value(value, str(key)) for key, value in values.items()}
    return resolved, forms(found.texts)


def readable(values: Mapping[str, Any], workspace: Workspace) -> tuple[str, ...]:
    """What must never be shown of the values, of all references that lead to a text still: one may have been removed.

    Raises TemporaryFault when AWS cannot say for now.
    """
    found = _Resolver(workspace)
    for reference in _references(values):
        with suppress(PermanentFault):
            found.value(reference, "values")
    return forms(found.texts)


def forms(texts: Iterable[str]) -> tuple[str, ...]:
    """The shapes in which texts come to light again: as they are, line by line, in JSON, in a manifest's base64."""
    found = {form for text in texts for form in _forms(text) if len(form) >= _SHORTEST}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


def _references(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping) and (SECRET in value or PARAMETER in value):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _references(below)


class _Resolver:
    """texts: all that has been read so far and may be among the values."""

    def __init__(self, workspace: Workspace) -> None:
        self._secret = cache(workspace.fetch_secret)
        self._parameter = cache(workspace.fetch_parameter)
        self.texts: set[str] = set()

    def value(self, value: Any, place: str) -> Any:
        """The value at a place ("db.hosts[0]") without references."""
        if isinstance(value, Mapping):
            if SECRET in value or PARAMETER in value:
                return self._text(value, place)
            return {key: self.value(below, f"{place}.{key}") for key, below in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(below, f"{place}[{index}]") for index, below in enumerate(value)]
        return value

    def _text(self, reference: Mapping[str, Any], place: str) -> str:
        kind = SECRET if SECRET in reference else PARAMETER
        _check(reference, kind, place)
        name, key = reference[kind], reference.get(KEY)
        read = self._secret if kind == SECRET else self._parameter
        text = _read(read, name, place)
        text = text if key is None else _under(text, key, f"value {place!r}: secret {name!r}")
        self.texts.add(text)
        return text


def _check(reference: Mapping[str, Any], kind: str, place: str) -> None:
    allowed = {SECRET, KEY} if kind == SECRET else {PARAMETER}
    is_text = all(isinstance(part, str) and part for part in reference.values())
    if not is_text or not reference.keys() <= allowed:
        raise PermanentFault(
            f"value {place!r}: a reference is {{from_secret: name}}, {{from_secret: name, key: name}} or"
            " {from_parameter: name}, with nothing beside it"
        )


def _read(read: Callable[[str], str], name: str, place: str) -> str:
    try:
        return read(name)
    except PermanentFault as fault:
        raise PermanentFault(f"value {place!r}: {fault.reason}") from fault
    except TemporaryFault as fault:
        raise TemporaryFault(f"value {place!r}: {fault.reason}", fault.delay_seconds) from fault


def _under(text: str, key: str, what: str) -> str:
    """The text under a key. Errors are not chained: the parser's holds the text."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise PermanentFault(f"{what} is not a JSON object, so that it has no key {key!r}; leave out key, or mend it")
    if key not in content:
        raise PermanentFault(f"{what} has no key {key!r}; add it to the secret, or mend key in pipelines.yaml")
    found = content[key]
    if isinstance(found, dict | list) or found is None:
        raise PermanentFault(f"{what} has no text under {key!r}; chart values refer to single texts")
    return found if isinstance(found, str) else json.dumps(found)


def _forms(text: str) -> Iterable[str]:
    yield from (text, text.strip(), base64.b64encode(text.encode(errors="surrogatepass")).decode())
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    for line in text.splitlines():
        yield line.strip()
