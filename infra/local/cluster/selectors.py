"""Label and field selectors, as the query strings of list and watch say them.

Grammar: kubernetes.io/docs, "Labels and Selectors" and "Field Selectors".
"""

import re
from collections.abc import Callable
from typing import Any

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import Object

Matcher = Callable[[Object], bool]

_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<no>[^\s,!=()]+)"
    r"|(?P<key>[^\s,!=()]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[^\s,()]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)"
    r"\s*(?:,|$)"
)


def matcher(query: dict[str, str]) -> Matcher:
    """One test for both selectors of a request.

    :raises ApiError: 400 when a selector cannot be read.
    """
    by_label = [_label_test(term) for term in _terms(query.get("labelSelector", ""))]
    by_field = [_field_test(term) for term in _terms(query.get("fieldSelector", ""))]
    return lambda thing: all(
        test(thing["metadata"].get("labels") or {}) for test in by_label
    ) and all(test(thing) for test in by_field)


def _terms(selector: str) -> list[re.Match[str]]:
    terms, at = [], 0
    while at < len(selector):
        term = _TERM.match(selector, at)
        if term is None:
            raise ApiError(400, "BadRequest", f"unable to parse the selector {selector!r} at character {at}")
        terms.append(term)
        at = term.end()
    return terms


def _label_test(term: re.Match[str]) -> Matcher:
    key, value = term["key"], term["value"]
    if term["absent"]:
        return lambda labels: term["no"] not in labels
    if term["set"]:
        values = {part.strip() for part in term["values"].split(",")}
        return lambda labels: (labels.get(key) in values) == (term["set"] == "in")
    if term["op"]:
        return lambda labels: (labels.get(key) == value) == (term["op"] != "!=")
    return lambda labels: key in labels


def _field_test(term: re.Match[str]) -> Matcher:
    if not term["op"]:
        raise ApiError(400, "BadRequest", f"a field selector needs an operator: {term[0]!r}")
    path = term["key"].split(".")
    return lambda thing: (_value_at(thing, path) == term["value"]) == (term["op"] != "!=")


def _value_at(thing: Any, path: list[str]) -> str:  # noqa: ANN401 - any JSON value
    for name in path:
        thing = thing.get(name, "") if isinstance(thing, dict) else ""
    return str(thing)
