"""Editors and the command agree on what pipelines.yaml may hold."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given

from pipeline_state.cli.definitions import pipelines_file
from pipeline_state.cli.definitions.pipelines_file import PipelinesFileError
from pipeline_state.cli.definitions.pipelines_schema import json_schema
from pipeline_state.cli.definitions.yaml_lines import read_lines
from pipeline_state.model.pipelines import Pipeline
from tests.unit.cli.definitions import pipelines

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "infra" / "local" / "example" / "pipelines.yaml"
COMMITTED = ROOT / "infra" / "pipelines.schema.json"


def test_the_committed_schema_is_current_else_write_it_again_by_gatestream_pipelines_schema() -> None:
    assert json.loads(COMMITTED.read_text()) == json_schema()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_example_is_valid_for_editors_and_for_the_command() -> None:
    jsonschema.validate(read_lines(EXAMPLE.read_text()).data, json_schema())
    assert [pipeline.name for pipeline in pipelines_file.read(EXAMPLE)] == ["octo-org/octo-repo"]


@given(pipelines())
def test_a_definition_written_as_yaml_reads_back_as_the_same(definition: tuple[Pipeline, ...]) -> None:
    assert pipelines_file.parse(pipelines_file.to_file(definition)) == definition


@given(pipelines())
def test_a_definition_kept_in_the_table_reads_back_as_the_same(definition: tuple[Pipeline, ...]) -> None:
    kept = json.loads(json.dumps([pipeline.to_dict() for pipeline in definition]))
    assert tuple(map(Pipeline.from_dict, kept)) == definition


@given(pipelines())
def test_what_the_command_takes_the_schema_takes(definition: tuple[Pipeline, ...]) -> None:
    jsonschema.validate(read_lines(pipelines_file.to_file(definition)).data, json_schema())


@pytest.mark.parametrize(
    "entry",
    [
        "{repo: a}",
        "{repo: a/b, nmae: c}",
        "{repo: a/b, gates: {branch: }}",
        "{repo: a/b, gates: {_x: }}",
        "{repo: a/b, gates: {deployed_to_x: }}",
        "{repo: a/b, gates: {x: {circleci: y}}}",
    ],
)
def test_what_the_schema_refuses_the_command_refuses(entry: str) -> None:
    environments = "environments: [{name: e, cluster: {eks: c}, releases: [{name: r, namespace: ns, chart: c}]}]"
    pipelines_file.parse(f"pipelines: [{{repo: a/b, {environments}}}]")
    text = f"pipelines: [{entry[:-1]}, {environments}}}]"
    refused_by_both(text)


@pytest.mark.parametrize(
    "rule",
    [
        "policy: all",
        "soak: -1",
        "soak: 1w",
        "soak: 2592001",
        "freezes: [{cron: 0 17 * * FRI}]",
        "freezes: [{duration: 1h}]",
        "freezes: [{cron: 0 0 17 * * FRI, duration: 1h}]",
        "freezes: [{cron: 0 17 * * FRI, duration: 0h}]",
        "freezes: [{cron: 0 17 * * FRI, duration: 60}]",
        "freezes: [{cron: 0 17 * * FRI, duration: 60s}]",
        "freezes: [{cron: 0 17 * * FRI, duration: 1h, exclude: [24.12.]}]",
        "freezes: [{cron: 0 17 * * FRI, duration: 1h, until: x}]",
    ],
)
def test_what_the_schema_refuses_of_policies_soak_times_and_freezes_the_command_refuses(rule: str) -> None:
    release = "releases: [{name: r, namespace: ns, chart: c}]"
    first, last = (f"{{name: {name}, cluster: {{eks: {name}}}, {release}" for name in ("e", "f"))
    pipelines_file.parse(f"pipelines: [{{repo: a/b, environments: [{first}}}, {last}}}]}}]")
    refused_by_both(f"pipelines: [{{repo: a/b, environments: [{first}}}, {last}, {rule}}}]}}]")


WHAT_MAY_BE_SAID_OF_A_RELEASE = [
    "timeout: 86400",
    "timeout: 2h",
    "test: yes",
    "image: registry.example.com:5000/shop/web",
    "image: nginx, registry_secret: login",
    "chart: s3://charts/web.tgz",
    "chart: oci://r/web, version: v1.19.1",
    "verify: {url: 'http://shop:8080/health?deep=1'}",
    "verify: {gate: smoke, within: 24h}",
    "values: {a: {from_secret: x}, b: [{from_secret: x, key: k}], c: {d: {from_parameter: /z}}}",
    "values: {key: from_secret, fromSecret: {secret: {}}}",
]


def with_release(keys: str) -> str:
    chart = "" if "chart:" in keys else "chart: c, "
    release = f"{{name: r, namespace: ns, {chart}{keys}}}"
    environment = f"{{name: e, cluster: {{eks: c}}, releases: [{release}]}}"
    return f"pipelines: [{{repo: a/b, gates: {{smoke: }}, environments: [{environment}]}}]"


@pytest.mark.parametrize("keys", WHAT_MAY_BE_SAID_OF_A_RELEASE)
def test_what_may_be_said_of_a_release_both_take(keys: str) -> None:
    jsonschema.validate(read_lines(with_release(keys)).data, json_schema())
    (pipeline,) = pipelines_file.parse(with_release(keys))
    assert pipelines_file.parse(pipelines_file.to_file([pipeline])) == (pipeline,)


@pytest.mark.parametrize(
    "keys",
    [
        "timeout: 0s",
        "timeout: 86401",
        "timeout: 1w",
        "test: 1",
        "image: https://registry.example.com/web",
        "image: registry.example.com/web:1.0.0",
        "image: Web",
        "chart: oci://r/web, version: ^1.4",
        "chart: oci://r/web, version: '1.4'",
        "chart: oci://r/web, version: 1.04.2",
        "verify: {}",
        "verify: {within: 5m}",
        "verify: {url: https://shop, gate: smoke}",
        "verify: {url: shop/health}",
        "verify: {url: ftp://shop}",
        "verify: {url: https://ann:secret@shop}",
        "verify: {gate: deployed_to_e}",
        "verify: {gate: smoke, within: 25h, until: x}",
        "values: {from_secret: x}",
        "values: {a: {from_secret: x, keys: k}}",
        "values: {a: {from_secret: x, from_parameter: p}}",
        "values: {a: [{b: {from_secret: }}]}",
        "values: {a: {from_parameter: /z, key: k}}",
        "values: {a: {from_secret: x, key: 1}}",
    ],
)
def test_what_the_schema_refuses_of_a_release_the_command_refuses(keys: str) -> None:
    refused_by_both(with_release(keys))


@pytest.mark.parametrize("key", ["releases_in_order", "rollback_together", "force_conflicts"])
def test_what_is_so_or_not_is_no_text_for_both(key: str) -> None:
    releases = "releases: [{name: r, namespace: ns, chart: c}, {name: s, namespace: ns, chart: c}]"
    file = f"pipelines: [{{repo: a/b, environments: [{{name: e, cluster: {{eks: c}}, {releases}, {key}: true}}]}}]"
    jsonschema.validate(read_lines(file).data, json_schema())
    pipelines_file.parse(file)
    refused_by_both(file.replace(f"{key}: true", f"{key}: 'true'"))


def refused_by_both(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read_lines(text).data, json_schema())
    with pytest.raises(PipelinesFileError):
        pipelines_file.parse(text)
