"""Rendered manifests as YAML nodes: which resource each document is, a text to compare it by, and one fit to be shown.

Nodes instead of objects: "1" and 1 stay apart, and no text becomes a date or a number on its way. Order of keys,
quotes, comments and line lengths are no difference.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline_state.faults import PermanentFault

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_UNLIMITED = 1 << 30
_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
"""What stands between documents, and nowhere else: https://yaml.org/spec/1.2.2/#912-document-markers"""

_SOURCE = re.compile(r"^# Source: (\S+)", re.MULTILINE)

_OPEN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
"""What of a Secret is no secret: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/"""

_DATA = frozenset({"data", "stringData"})
_COPY_OF_ALL = "kubectl.kubernetes.io/last-applied-configuration"

Key = tuple[str, str, str, str]
Blot = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Document:
    """One resource of a manifest.

    key: group, kind, namespace and name, by which it is the same one in another manifest. namespace: empty where the
    document names none. is_kept: whether Helm leaves it in the cluster when it is part of the release no more.
    node: all of it, secrets too.
    """

    key: Key
    kind: str
    namespace: str
    name: str
    is_kept: bool
    node: Node = field(repr=False)

    def is_like(self, other: Document) -> bool:
        """Whether they say the same."""
        return self is other or _dumped(self.node) == _dumped(other.node)


Known = dict[str, list[Document]]
"""The documents of a text, so that one that two manifests have in common is read once: reading takes 1 ms a KB."""


def read(manifest: str, namespace: str = "", known: Known | None = None) -> list[Document]:
    """The resources of a manifest in its order, lists of them unfolded; namespace: that of the release.

    Raises PermanentFault for what is no YAML; nothing of it is in the reason but where it comes from.
    """
    known = {} if known is None else known
    texts = _SEPARATOR.split(manifest)
    for text in texts:
        if text not in known:
            known[text] = [_document(node, namespace) for node in _unfolded(_nodes(text))]
    return [document for text in texts for document in known[text]]


def _nodes(text: str) -> list[Node]:
    try:
        return [_sorted(node) for node in yaml.compose_all(text, Loader=_Loader) if node.tag != _NULL]
    except yaml.YAMLError as error:
        source = _SOURCE.search(text)
        where = f" of {source[1]}" if source else ""
        raise PermanentFault(f"the rendered manifest{where} cannot be read as YAML") from error


def shown(document: Document, before: Document | None, blot: Blot) -> str:
    """The document as YAML without secrets: a Secret's data are sizes, and every text goes through blot.

    before: the same resource as it was; what has changed in hidden data since then is said to be changed.
    """
    node = document.node
    if document.kind == "Secret":
        node = _sealed_secret(node, before.node if before else None)
    return _dumped(_mapped(node, lambda scalar: _scalar(blot(scalar.value), scalar.tag)))


def _document(node: Node, own: str) -> Document:
    metadata = _below(node, "metadata")
    kind, name, namespace = _text(node, "kind"), _text(metadata, "name"), _text(metadata, "namespace")
    name = name or f"{_text(metadata, 'generateName')}…"
    group = _text(node, "apiVersion").rpartition("/")[0]
    policy = _text(_below(metadata, "annotations"), "helm.sh/resource-policy")
    return Document(
        key=(group, kind, "" if namespace == own else namespace, name),
        kind=kind or "(no kind)",
        namespace=namespace,
        name=name,
        # https://github.com/helm/helm/blob/v4.0.0/pkg/kube/resource_policy.go
        is_kept=policy.strip().lower() == "keep",
        node=node,
    )


def _unfolded(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        items = _below(node, "items")
        if _text(node, "kind").endswith("List") and isinstance(items, SequenceNode):
            yield from _unfolded(items.value)
        else:
            yield node


def _sorted(node: Node) -> Node:
    """A copy with keys in order, merges and aliases resolved, and every text written in one way."""
    if isinstance(node, MappingNode):
        SafeConstructor().flatten_mapping(node)
        pairs = {str(key.value): (_sorted(key), _sorted(value)) for key, value in node.value}
        return MappingNode(node.tag, [pairs[key] for key in sorted(pairs)], flow_style=False)
    if isinstance(node, SequenceNode):
        return SequenceNode(node.tag, [_sorted(each) for each in node.value], flow_style=False)
    return _scalar(node.value, node.tag)


def _scalar(value: str, tag: str) -> ScalarNode:
    return ScalarNode(tag, value, style="|" if "\n" in value else None)


def _mapped(node: Node, change: Callable[[ScalarNode], Node]) -> Node:
    """A copy with each scalar changed, keys as well."""
    if isinstance(node, MappingNode):
        pairs = [(_mapped(key, change), _mapped(value, change)) for key, value in node.value]
        return MappingNode(node.tag, pairs, flow_style=False)
    if isinstance(node, SequenceNode):
        return SequenceNode(node.tag, [_mapped(each, change) for each in node.value], flow_style=False)
    return change(node) if isinstance(node, ScalarNode) else node


def _sealed_secret(node: Node, before: Node | None) -> Node:
    """A Secret without what it keeps: names and sizes of its data, and whether they are others than before."""
    pairs = [
        (key, value if key.value in _OPEN else _sealed(value, _below(before, key.value), key.value))
        for key, value in node.value
    ]
    open_part = MappingNode(node.tag, pairs, flow_style=False)
    copy = _text(_below(_below(node, "metadata"), "annotations"), _COPY_OF_ALL)
    return _mapped(open_part, lambda each: _size(each, None, "") if copy and each.value == copy else each)


def _sealed(node: Node, before: Node | None, where: str) -> Node:
    if where in _DATA and isinstance(node, MappingNode):
        pairs = [(key, _size(value, _below(before, key.value), where)) for key, value in node.value]
        return MappingNode(node.tag, pairs, flow_style=False)
    return _size(node, before, where)


def _size(node: Node, before: Node | None, where: str) -> Node:
    is_changed = before is not None and _dumped(before) != _dumped(node)
    size = f"{_bytes(node.value, where)} bytes" if isinstance(node, ScalarNode) else "not shown"
    return _scalar(f"({size}, changed)" if is_changed else f"({size})", _TEXT)


def _bytes(value: str, where: str) -> int:
    if where == "data":
        with suppress(ValueError):  # no Base64: a chart's mistake, which the API server will tell
            return len(base64.b64decode(value))
    return len(value.encode(errors="replace"))


def blotter(secrets: Iterable[str]) -> Blot:
    """What puts *** in a text for each of the secrets."""
    ordered = sorted(filter(None, secrets), key=len, reverse=True)

    def blot(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, "***")
        return text

    return blot


def _below(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _text(node: Node | None, key: str) -> str:
    value = _below(node, key)
    return str(value.value) if isinstance(value, ScalarNode) else ""


def _dumped(node: Node) -> str:
    return str(yaml.serialize(node, Dumper=_Dumper, allow_unicode=True, width=_UNLIMITED))
