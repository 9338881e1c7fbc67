"""Whatever a chart renders: compared with itself nothing changes, and no secret comes to light."""

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.manifests import MAX_BYTES, compare, summary
from pipeline_state.deploy.values import as_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3))
NAMES = st.sampled_from(["web", "api", "db"])
SECRETS = st.text("abcdefgh01234567+/=:'\"\\ é", min_size=6, max_size=12).filter(lambda text: text.strip() == text)


@st.composite
def resources(draw: st.DrawFn, kinds: tuple[str, ...] = ("ConfigMap", "Deployment", "Job")) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": draw(NAMES)}
    if draw(st.booleans()):
        metadata["namespace"] = draw(NAMES)
    return {"apiVersion": "v1", "kind": draw(st.sampled_from(kinds)), "metadata": metadata, "spec": draw(VALUES)}


MANIFESTS = st.lists(resources(), max_size=5)


def rendered(found: list[dict[str, Any]]) -> str:
    """As Helm could print it."""
    return "\n---\n".join(as_yaml(json.dumps(each).encode()).decode() for each in found)


@given(MANIFESTS)
def test_nothing_changes_between_a_manifest_and_itself(found: list[dict[str, Any]]) -> None:
    changes = compare(rendered(found), rendered(found))
    assert [change.action for change in changes] == ["unchanged"] * len(found)
    assert all(change.lines == [] for change in changes)


@given(MANIFESTS, MANIFESTS)
def test_back_and_forth_are_each_others_mirror(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    mirrored = {"created": "removed", "removed": "created"}
    forth = {
        (each.title, mirrored.get(each.action, each.action)) for each in compare(rendered(before), rendered(after))
    }
    back = {(each.title, each.action) for each in compare(rendered(after), rendered(before))}
    assert forth == back
    assert len(json.dumps(summary(compare(rendered(before), rendered(after)))).encode()) <= MAX_BYTES


@given(MANIFESTS, MANIFESTS)
def test_every_change_has_lines_that_tell_it(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    for change in compare(rendered(before), rendered(after)):
        signs = {line[0] for line in change.lines}
        assert change.action == "unchanged" or signs & {"+", "-"}


@given(st.data(), SECRETS)
def test_a_text_that_is_a_secret_is_never_shown(data: st.DataObject, secret: str) -> None:
    place = data.draw(st.sampled_from(["name", "key", "value", "within", "list"]))
    hidings: dict[str, dict[str, Any]] = {
        "name": {"metadata": {"name": secret}},
        "key": {"spec": {secret: 1}},
        "value": {"spec": {"a": secret}},
        "within": {"spec": {"a": f"x{secret}\ny{secret}"}},
        "list": {"spec": [[secret]]},
    }
    one = {**data.draw(resources()), **hidings[place]}
    for change in (*compare("", rendered([one]), secrets=[secret]), *compare(rendered([one]), "", secrets=[secret])):
        told = [change.kind, change.namespace, change.name, *change.lines]
        assert not any(secret in line for line in told)


@given(st.data(), SECRETS)
def test_what_a_secret_keeps_is_never_shown(data: st.DataObject, secret: str) -> None:
    encoded = base64.b64encode(secret.encode()).decode()
    hidings: list[dict[str, Any]] = [
        {"data": {"a": encoded}},
        {"stringData": {"a": secret}},
        {"stringData": {"a": [secret]}},
        {"data": secret},
        {"more": {secret: secret}},
    ]
    one = {**data.draw(resources(("Secret",))), **data.draw(st.sampled_from(hidings))}
    other = {**one, "data": {"a": "b3RoZXI="}}
    pairs = [("", rendered([one])), (rendered([one]), ""), (rendered([one]), rendered([other]))]
    for change in (change for pair in pairs for change in compare(*pair)):
        assert not any(text in line for line in change.lines for text in (secret, encoded))
