"""The embedded cluster's own rules, without a process: merging, field ownership, selectors, protobuf."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.cluster import protobuf
from infra.local.cluster.apply import apply, fields_of, read_fields, track
from infra.local.cluster.errors import ApiError
from infra.local.cluster.merge import merge
from infra.local.cluster.selectors import matcher

_HELM = {"manager": "helm", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z"}
_KUBECTL = {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z"}
_WEB = {"name": "web", "image": "web:1"}
_SIDE = {"name": "side", "image": "side:1", "tty": "true"}
_SIDE_2 = {"name": "side", "image": "side:2"}
_PORT = {"port": 80, "protocol": "TCP", "name": "http"}

# kind "k8s\0", Unknown(TypeMeta("v1", "Secret"), Secret(ObjectMeta("a"), {"k": b"v"}))
_SECRET = b"k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\x0d\n\x03\n\x01a\x12\x06\n\x01k\x12\x01v"

_names = st.sampled_from("abc")
_config = st.dictionaries(_names, st.text(max_size=3), max_size=3).map(
    lambda data: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}
)


_MERGES: dict[str, tuple[Any, Any, Any]] = {
    "none removes": ({"a": 1, "b": 2}, {"b": None, "c": 3}, {"a": 1, "c": 3}),
    "items by key": ({"containers": [_WEB, _SIDE]}, {"containers": [_SIDE_2]}, {"containers": [_WEB, _SIDE | _SIDE_2]}),
    "item deleted": ({"env": [_WEB, _SIDE]}, {"env": [{"name": "web", "$patch": "delete"}]}, {"env": [_SIDE]}),
    "plain list": ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
    "atomic map": ({"selector": {"a": "1"}}, {"selector": {"b": "2"}}, {"selector": {"b": "2"}}),
    "default key": ({"ports": [{"port": 80}]}, {"ports": [_PORT]}, {"ports": [_PORT]}),
}


@pytest.mark.parametrize("live,change,merged", _MERGES.values(), ids=_MERGES)
def test_a_change_merges_as_kubernetes_says(live: Any, change: Any, merged: Any) -> None:
    assert merge(live, change) == merged


def test_a_merge_patch_replaces_lists() -> None:
    assert merge({"containers": [_WEB, _SIDE]}, {"containers": [_SIDE_2]}, keyed=False) == {"containers": [_SIDE_2]}


@given(_config, _config)
def test_what_a_manager_applied_last_is_what_it_owns_and_what_there_is(first: Any, second: Any) -> None:
    applied = apply(apply(None, first, _HELM, force=False), second, _HELM, force=False)
    assert applied.get("data", {}) == second["data"]
    owned = [read_fields(entry) for entry in applied["metadata"].get("managedFields", ())]
    assert owned == [fields_of(second)] * len(owned)


@given(_config, _config)
def test_a_field_another_manager_set_is_kept_or_named_as_a_conflict(mine: Any, theirs: Any) -> None:
    live = track(apply(None, mine, _HELM, force=False), theirs, _KUBECTL)
    clashing = {
        name for name, value in mine["data"].items() if name in theirs["data"] and theirs["data"][name] != value
    }
    if clashing:
        with pytest.raises(ApiError) as refused:
            apply(live, mine, _HELM, force=False)
        assert {cause["field"] for cause in refused.value.causes} == {f".data.{name}" for name in clashing}
    assert apply(live, mine, _HELM, force=True)["data"] == {**theirs["data"], **mine["data"]}


@pytest.mark.parametrize(
    "selector,wanted",
    [("a=1", True), ("a=2", False), ("a!=2,b", True), ("!b", False), ("!c", True), ("c!=1", True), ("a==1,c=1", False)],
)
def test_a_label_selector_picks_objects(selector: str, wanted: bool) -> None:  # noqa: FBT001
    assert matcher({"labelSelector": selector})({"metadata": {"labels": {"a": "1", "b": "2"}}}) == wanted


def test_a_selector_that_cannot_be_read_is_quoted_in_the_error() -> None:
    with pytest.raises(ApiError, match=r"'a in \(1'"):
        matcher({"labelSelector": "a in (1,2)"})


def test_a_secret_in_protobuf_reads_as_its_json() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "dg=="}}
    assert protobuf.decode(_SECRET) == secret


@given(st.binary(max_size=40) | st.integers(0, len(_SECRET) - 1).map(lambda length: _SECRET[4:length]))
def test_a_broken_protobuf_body_is_refused_or_read_never_a_crash(body: bytes) -> None:
    with contextlib.suppress(ApiError):
        assert protobuf.decode(b"k8s\x00" + body)["kind"]
