"""YAML as plain JSON data, with the line of every key, and values read as Helm reads them in values.yaml."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Loc = tuple[str | int, ...]
"""Where something is: keys and positions from the top, ("pipelines", 0, "repo")."""

_MOST_NODES = 50_000
"""A file beyond it does not fit in the table anyway; aliases of aliases get there with a few lines."""

_DEEPEST = 64

_SEPARATORS = re.compile("[\x85\u2028\u2029\ufeff]")

_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file.

    line: from 1; 0 for the whole file. key: its path, "pipelines[0].repo". text: what is wrong, and the fix.
    """

    line: int
    key: str
    text: str


class Document:
    """A parsed file: its data, and the lines that problems are on."""

    def __init__(self) -> None:
        self.data: Any = None
        self.problems: list[Problem] = []
        self._lines: dict[Loc, int] = {(): 1}
        self._nodes = 0

    def problem(self, loc: Loc, text: str) -> Problem:
        """A problem with the line of its key, or of the innermost thing around it that is there."""
        known = next(loc[:size] for size in range(len(loc), -1, -1) if loc[:size] in self._lines)
        return Problem(self._lines[known], _shown(loc), text)

    def read(self, text: str) -> None:
        """Fill in data and lines from YAML text; what is wrong with the text itself becomes problems."""
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            self.data = None if node is None else self._value(loader, node, (), ())
        except (yaml.YAMLError, ValueError) as error:
            self.problems.append(_syntax_problem(error))
        finally:
            loader.dispose()

    def _value(self, loader: _Loader, node: Node, loc: Loc, around: tuple[Node, ...]) -> Any:
        self._nodes += 1
        self._lines.setdefault(loc, node.start_mark.line + 1)
        if node in around or len(around) > _DEEPEST or self._nodes > _MOST_NODES:
            raise yaml.MarkedYAMLError(problem="too large or too deep; aliases multiply", problem_mark=node.start_mark)
        within = (*around, node)
        if node.tag not in _PLAIN:
            self.problems.append(self.problem(loc, f"the tag {node.tag} is not plain data; remove it"))
            return None
        if isinstance(node, SequenceNode):
            return [self._value(loader, item, (*loc, at), within) for at, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self._mapping(loader, node, loc, within)
        return loader.construct_object(node)

    def _mapping(self, loader: _Loader, node: MappingNode, loc: Loc, within: tuple[Node, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in _own_first(loader, node):
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            line = key_node.start_mark.line + 1
            if key is None:
                self.problems.append(Problem(line, _shown(loc), "a key must be one word or text"))
                continue
            here = (*loc, key)
            if key in found:
                text = f"is given twice, first on line {self._lines[here]}; keep one of them"
                self.problems.append(Problem(line, _shown(here), text))
                continue
            self._lines[here] = line
            found[key] = self._value(loader, value_node, here, within)
        return found


class _Loader(yaml.SafeLoader):
    """Plain scalars mean what they mean in a values.yaml of Helm: dates and 12:30 are text, y and 1e3 are not."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's, of this class alone


def _resolve(tag: str, pattern: str, first: str) -> None:
    compiled = re.compile(rf"(?:{pattern})\Z")
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", compiled, list(first))


_resolve("bool", "y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO")
_resolve(
    "int",
    "[-+]?(?:0b_*[01][01_]*|0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0[oO]_*[0-7][0-7_]*|0[0-7_]*|[1-9][0-9_]*)",
    "-+0123456789",
)
_resolve(
    "float",
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?",
    "-+0123456789.",
)
_resolve("null", "~|null|Null|NULL|", "~nN")
_Loader.yaml_implicit_resolvers[""] = [("tag:yaml.org,2002:null", re.compile(r"\Z"))]
_resolve("merge", "<<", "<")


def _bool(_: yaml.SafeLoader, node: ScalarNode) -> bool:
    return node.value.lower() in {"y", "yes", "true", "on"}


def _int(_: yaml.SafeLoader, node: ScalarNode) -> int:
    text = node.value.replace("_", "").lower()
    return int(text, 8) if re.fullmatch("[-+]?0[0-7]+", text) else int(text, 0)


def _float(_: yaml.SafeLoader, node: ScalarNode) -> float | str:
    """What is beyond any number, as the hash 123e4567 would be, is text."""
    number = float(node.value.replace("_", ""))
    return number if math.isfinite(number) else str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:bool", _bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def _own_first(loader: _Loader, node: MappingNode) -> list[tuple[Node, Node]]:
    """The mapping's own keys, then those merged in by `<<` that it does not have itself.

    They are kept in the node, which is met again wherever it has an alias.
    """
    own = [pair for pair in node.value if pair[0].tag != "tag:yaml.org,2002:merge"]
    if len(own) < len(node.value):
        seen = {_name(key) for key, _ in own}
        loader.flatten_mapping(node)
        merged = {_name(key): (key, value) for key, value in node.value}
        node.value = [*own, *(pair for name, pair in merged.items() if name not in seen)]
    pairs: list[tuple[Node, Node]] = node.value
    return pairs


def _name(key: Node) -> object:
    return key.value if isinstance(key, ScalarNode) else key


def _syntax_problem(error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or str(error)
    hint = "; put text that starts with * in quotes" if said.startswith("expected alphabetic or numeric") else ""
    return Problem(mark.line + 1 if mark else 1, "", f"is not YAML: {said}{hint}")


def _shown(loc: Loc) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def quoted(value: object) -> str:
    """A scalar as it stands in the file, shortened; anything else by its kind."""
    if value is None:
        return "an empty value"
    return repr(value[:80]) if isinstance(value, str) else kind_of(value)


def kind_of(value: object) -> str:
    """What a piece of data is, in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str | list):
        return "text" if isinstance(value, str) else "a list"
    return "keys with values"


def read_lines(text: str) -> Document:
    """The document in a text, with its problems."""
    document = Document()
    document.read(text)
    return document


def to_yaml(data: Mapping[str, Any]) -> str:
    """Plain JSON data as YAML, in its own order, that reads back as the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever either reading of YAML would take for something else than text; repeats instead of aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> ScalarNode:
    """PyYAML itself reads its own line separators back as blanks, unless they are escapes between double quotes."""
    style = '"' if _SEPARATORS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
for _first, _resolvers in _Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _resolvers:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])
