"""Label and field selectors, as the query strings of list and watch say them: ``a=b``, ``a!=b``, ``a`` and ``!a``.

Grammar: kubernetes.io/docs, "Labels and Selectors" and "Field Selectors"; of it the set-based form is not served.
"""

import re
from collections.abc import Callable
from typing import Any

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import Object

Matcher = Callable[[Object], bool]

_TERM = re.compile(r"(?P<absent>!?)(?P<key>[\w./-]+)(?:(?P<operator>==?|!=)(?P<value>[\w./-]*))?")


def matcher(query: dict[str, str]) -> Matcher:
    """One test for both selectors of a request.

    :raises ApiError: 400 when a selector cannot be read.
    """
    labels = [_test(term) for term in query.get("labelSelector", "").split(",") if term]
    fields = [_test(term) for term in query.get("fieldSelector", "").split(",") if term]

    def wanted(thing: Object) -> bool:
        own = thing["metadata"].get("labels") or {}
        return all(test(own.get) for test in labels) and all(
            test(lambda path: _value_at(thing, path)) for test in fields
        )

    return wanted


def _test(text: str) -> Callable[[Callable[[str], Any]], bool]:
    term = _TERM.fullmatch(text.strip())
    if term is None:
        raise ApiError(400, "BadRequest", f"cannot read {text!r} in a selector: the embedded cluster knows =, != and !")
    key, value = term["key"], term["value"]
    if term["operator"] is None:
        return lambda find: (find(key) is None) == bool(term["absent"])
    return lambda find: (find(key) == value) == (term["operator"] != "!=")


def _value_at(thing: Any, path: str) -> str:
    for name in path.split("."):
        thing = thing.get(name, "") if isinstance(thing, dict) else ""
    return str(thing)
