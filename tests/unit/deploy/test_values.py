"""Values as data: whatever is in them reaches Helm unchanged, with the commit in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.values import as_yaml, with_commit
from pipeline_state.faults import PermanentFault

COMMIT = "4f2a" * 10
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "values,path,expected",
    [
        ({}, "tag", {"tag": COMMIT}),
        ({}, "image.tag", {"image": {"tag": COMMIT}}),
        ({"image": {"repository": "r", "tag": "old"}}, "image.tag", {"image": {"repository": "r", "tag": COMMIT}}),
        ({"image": None, "a": 1}, "image.tag", {"image": {"tag": COMMIT}, "a": 1}),
        ({"web": {"image": {"x": 1}}}, "web.image.tag", {"web": {"image": {"x": 1, "tag": COMMIT}}}),
        ({}, "labels.app\\.kubernetes\\.io/version", {"labels": {"app.kubernetes.io/version": COMMIT}}),
    ],
)
def test_the_commit_is_put_at_the_dotted_path(values: dict[str, Any], path: str, expected: dict[str, Any]) -> None:
    before = json.dumps(values)
    assert with_commit(values, path, COMMIT) == expected
    assert json.dumps(values) == before


@pytest.mark.parametrize("image", ["nginx:1", ["nginx"], 3, False])
def test_a_path_through_something_that_is_no_map_is_refused_by_name(image: Any) -> None:
    with pytest.raises(PermanentFault, match=r"image_tag 'image\.tag': the value 'image' is \w+, not a map"):
        with_commit({"image": image}, "image.tag", COMMIT)


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=4))
def test_yaml_reads_the_same_values_back(values: dict[str, Any]) -> None:
    document = as_yaml(json.dumps(values).encode())
    assert yaml.safe_load(document) == values
    assert json.loads(document) == values


def test_characters_beyond_the_first_plane_are_not_written_as_two_escapes() -> None:
    assert as_yaml(json.dumps({"mood": "🚀"}).encode()) == '{"mood": "🚀"}'.encode()
