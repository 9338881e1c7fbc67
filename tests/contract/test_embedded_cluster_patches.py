"""The embedded cluster's JSON Patch: the rules of RFC 6902 that it has."""

from typing import Any

import pytest

from infra.local.cluster.errors import ApiError
from infra.local.cluster.jsonpatch import patched

_LIVE = {"a": {"b": 1}, "list": [1, 2], "x/y": {"~": 0}}


@pytest.mark.parametrize(
    "operation,result",
    [
        ({"op": "add", "path": "/c", "value": 3}, {**_LIVE, "c": 3}),
        ({"op": "add", "path": "/list/0", "value": 0}, {**_LIVE, "list": [0, 1, 2]}),
        ({"op": "add", "path": "/list/-", "value": 3}, {**_LIVE, "list": [1, 2, 3]}),
        ({"op": "replace", "path": "/a/b", "value": 2}, {**_LIVE, "a": {"b": 2}}),
        ({"op": "replace", "path": "/list/1", "value": 9}, {**_LIVE, "list": [1, 9]}),
        ({"op": "replace", "path": "/x~1y/~0", "value": 1}, {**_LIVE, "x/y": {"~": 1}}),
        ({"op": "remove", "path": "/a/b"}, {**_LIVE, "a": {}}),
        ({"op": "test", "path": "/a/b", "value": 1}, _LIVE),
        ({"op": "replace", "path": "", "value": {}}, {}),
    ],
    ids=str,
)
def test_an_operation_changes_a_copy(operation: dict[str, Any], result: Any) -> None:
    before = {**_LIVE, "a": {"b": 1}, "list": [1, 2], "x/y": {"~": 0}}
    assert patched(_LIVE, [operation]) == result
    assert before == _LIVE


@pytest.mark.parametrize(
    "operation,said",
    [
        ({"op": "test", "path": "/a/b", "value": 2}, "test of /a/b failed"),
        ({"op": "replace", "path": "/none/b", "value": 2}, "leads to 'none'"),
        ({"op": "remove", "path": "/a/none"}, "leads to 'none'"),
        ({"op": "replace", "path": "/list/7", "value": 2}, "leads to '7'"),
        ({"op": "move", "path": "/a", "from": "/b"}, "does not know the JSON patch operation 'move'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused(operation: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiError, match=said):
        patched(_LIVE, [{"op": "add", "path": "/c", "value": 3}, operation])
