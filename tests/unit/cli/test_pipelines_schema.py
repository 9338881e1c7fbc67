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


def refused_by_both(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read_lines(text).data, json_schema())
    with pytest.raises(PipelinesFileError):
        pipelines_file.parse(text)
