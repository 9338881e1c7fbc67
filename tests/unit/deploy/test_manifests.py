"""What a new manifest changes, resource by resource, and what of it may be seen."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline_state.deploy.manifests import MAX_BYTES, ResourceChange, compare, has_changes, summary
from pipeline_state.faults import PermanentFault

WEB = """\
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
LISTED = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {url: 'db://ann:hunter22@db'}\n"


def manifest(*documents: str) -> str:
    return "".join(f"---\n{document}" for document in documents)


def changes(before: str, after: str, **options: Any) -> list[tuple[str, str]]:
    return [(change.action, change.title) for change in compare(before, after, **options)]


def only(before: str, after: str, **options: Any) -> ResourceChange:
    (change,) = compare(before, after, **options)
    return change


def secret(**entries: str) -> str:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": data})


def test_each_resource_is_created_changed_removed_or_as_it_was() -> None:
    before = manifest(WEB, SERVICE, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n")
    after = manifest(CONFIG, SERVICE, WEB.replace("replicas: 1", "replicas: 2"))
    assert changes(before, after) == [
        ("created", "ConfigMap/web"),
        ("unchanged", "Service/web"),
        ("changed", "Deployment/web"),
        ("removed", "ConfigMap/old"),
    ]


def test_a_change_is_told_as_a_unified_diff() -> None:
    change = only(WEB, WEB.replace("replicas: 1", "replicas: 2"))
    assert change.lines == [
        "@@ -3,4 +3,4 @@",
        " metadata:",
        "   name: web",
        " spec:",
        "-  replicas: 1",
        "+  replicas: 2",
    ]


def test_what_comes_and_what_goes_is_told_whole() -> None:
    assert [line[0] for line in only("", WEB).lines] == ["@"] + ["+"] * 6
    assert [line[0] for line in only(WEB, "").lines] == ["@"] + ["-"] * 6


@pytest.mark.parametrize(
    "after",
    [
        WEB.replace("# Source: web/templates/deployment.yaml\n", "# another comment\n"),
        WEB.replace("name: web", 'name: "web"'),
        "kind: Deployment\nspec: {replicas: 1}\nmetadata: {name: web}\napiVersion: apps/v1\n",
        f"\n---\n# nothing\n---\n{WEB}---\n",
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [LISTED]}),
        WEB.replace("replicas: 1", "<<: {replicas: 1}"),
    ],
    ids=["comment", "quotes", "order", "empty documents", "list", "merge"],
)
def test_the_way_it_is_written_is_no_change(after: str) -> None:
    assert changes(WEB, after) == [("unchanged", "Deployment/web")]


@pytest.mark.parametrize("value", ["'1'", "1.0", "true", "null", "[1]", "{}", '""'])
def test_another_kind_of_value_is_a_change(value: str) -> None:
    assert changes(WEB, WEB.replace("replicas: 1", f"replicas: {value}")) == [("changed", "Deployment/web")]


@pytest.mark.parametrize("value", ["=", "12:30:45", "2026-01-02", "0o17", "1_000", "y", "<<", "'~'", "!!str 1", "😀"])
def test_values_that_python_reads_in_its_own_way_stay_as_they_are(value: str) -> None:
    document = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{a: {value}, b: x}}\n"
    assert changes(document, document) == [("unchanged", "ConfigMap/web")]
    shown = only("", document).after
    assert changes(document, shown) == [("unchanged", "ConfigMap/web")]


def test_a_resource_is_the_same_one_in_another_version_of_its_api_and_another_one_in_another_group() -> None:
    beta = WEB.replace("apps/v1", "apps/v1beta1")
    assert changes(beta, WEB) == [("changed", "Deployment/web")]
    other = WEB.replace("apps/v1", "example.com/v1")
    assert changes(other, WEB) == [("created", "Deployment/web"), ("removed", "Deployment/web")]


def test_the_releases_namespace_may_be_written_or_left_out_and_another_one_is_another_place() -> None:
    there, elsewhere = (WEB.replace("name: web", f"name: web\n  namespace: {name}") for name in ("shop", "live"))
    assert changes(WEB, there, namespace="shop") == [("changed", "Deployment/shop/web")]
    assert changes(there, elsewhere, namespace="shop") == [
        ("created", "Deployment/live/web"),
        ("removed", "Deployment/shop/web"),
    ]


def test_what_helm_leaves_in_the_cluster_is_not_said_to_be_removed() -> None:
    kept = WEB.replace("name: web", "name: web\n  annotations: {helm.sh/resource-policy: keep}")
    assert changes(kept, "") == [("kept", "Deployment/web")]
    assert changes(kept, WEB) == [("changed", "Deployment/web")]


def test_a_hook_without_a_name_of_its_own_has_the_beginning_of_one() -> None:
    hook = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: migrate-}\n"
    assert changes("", manifest(hook, hook)) == [("created", "Job/migrate-…")] * 2
    assert changes(hook, manifest(hook, hook)) == [("unchanged", "Job/migrate-…"), ("created", "Job/migrate-…")]


def test_of_a_secret_only_sizes_are_shown_and_that_something_is_another() -> None:
    change = only(secret(password="hunter22", same="a"), secret(password="hunter33", same="a"))
    assert change.action == "changed"
    assert [line for line in change.lines if line[0] in "+-"] == [
        "-  password: (8 bytes)",
        "+  password: (8 bytes, changed)",
    ]
    assert "  same: (1 bytes)" in change.after.splitlines()


@pytest.mark.parametrize(
    "body",
    [
        "data: {a: aHVudGVyMjI=}",
        "stringData: {a: hunter22}",
        "stringData: {a: [hunter22, {b: hunter22}]}",
        "stringData: hunter22",
        "<<: {stringData: {a: hunter22}}",
        "somethingNew: {a: hunter22}",
    ],
)
def test_nothing_of_what_a_secret_keeps_is_shown(body: str) -> None:
    document = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ntype: Opaque\n{body}\n"
    for change in (only("", document), only(document, "")):
        shown = "\n".join(change.lines)
        assert "type: Opaque" in shown
        assert "hunter22" not in shown
        assert "aHVudGVyMjI=" not in shown


def test_a_secret_within_a_list_and_a_copy_of_it_in_its_annotations_are_hidden_too() -> None:
    copy = "kubectl.kubernetes.io/last-applied-configuration"
    keys = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "hunter22"}}
    keys["metadata"] = {"name": "keys", "annotations": {copy: json.dumps(keys)}}
    change = only("", json.dumps({"apiVersion": "v1", "kind": "List", "items": [keys]}))
    assert change.title == "Secret/keys"
    assert "hunter22" not in change.after


def test_texts_that_are_given_as_secrets_are_blotted_out_wherever_they_are() -> None:
    before, after = CONFIG.replace("hunter22", "hunter11"), CONFIG.replace("name: web", "name: web-hunter22")
    found = compare(before, after, secrets=["hunter22", "hunter11", ""])
    shown = repr(found) + "".join(line + change.title for change in found for line in change.lines)
    assert "db://ann:***@db" in shown
    assert "web-***" in shown
    assert "hunter" not in shown


def test_a_change_of_nothing_but_secrets_is_one_all_the_same() -> None:
    change = only(CONFIG.replace("hunter22", "hunter11"), CONFIG, secrets=["hunter22", "hunter11"])
    assert (change.action, change.lines) == ("changed", ["(only in what is not shown)"])


def test_what_is_no_yaml_is_refused_with_its_source_and_without_its_content() -> None:
    broken = "# Source: web/templates/keys.yaml\nkind: Secret\ndata: {a: hunter22\n"
    with pytest.raises(PermanentFault) as refusal:
        compare("", manifest(WEB, broken))
    assert refusal.value.reason == "the rendered manifest of web/templates/keys.yaml cannot be read as YAML"


def test_what_is_nested_without_end_is_refused_and_takes_nobody_down() -> None:
    deep = f"kind: ConfigMap\nmetadata: {{name: web}}\ndata: {'[' * 5000}{']' * 5000}\n"
    with pytest.raises(PermanentFault, match="nested too deeply"):
        compare("", deep)


def test_a_summary_counts_and_names() -> None:
    found = compare(manifest(WEB, SERVICE), manifest(WEB.replace("1\n", "2\n"), SERVICE, CONFIG))
    hooks = compare("", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\n")
    assert summary(found, hooks) == {
        "created": 1,
        "changed": 1,
        "removed": 0,
        "kept": 0,
        "unchanged": 1,
        "hooks": 1,
        "names": ["~ Deployment/web", "+ ConfigMap/web"],
        "unnamed": 0,
    }
    assert (has_changes(found), has_changes([])) == (True, False)


@pytest.mark.parametrize("name", ["n{}", "n{}" + "a" * 250, "n{}" + "é" * 250, "n{}" + "😀" * 200])
def test_a_summary_is_small_however_much_changes(name: str) -> None:
    found = [ResourceChange("ConfigMap", "shop", name.format(number), "created") for number in range(2000)]
    told = summary(found, found)
    assert len(json.dumps(told).encode()) <= MAX_BYTES
    assert 1 <= len(told["names"]) <= 50
    assert (told["created"], told["unnamed"]) == (2000, 2000 - len(told["names"]))
