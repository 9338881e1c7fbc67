"""What the README shows is true of the code."""

import re
from pathlib import Path

import typer.main
import yaml

from pipeline_state.cli.definitions.pipelines_file import parse
from pipeline_state.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_its_pipelines_are_accepted() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    [pipeline] = parse(example, "README.md")
    assert [environment.after for environment in pipeline.environments] == [(), ("staging",)]


def test_nothing_is_left_to_fill_in() -> None:
    assert "@@" not in README


def test_every_command_it_names_exists() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined] # a click Group
    named = set(re.findall(r"^ +(?:\.venv/bin/)?gatestream (?:--\S+ \S+ )*([a-z]+)", README, re.MULTILINE))
    assert named
    assert named <= set(commands)


def test_every_output_and_parameter_it_names_is_in_the_template() -> None:
    outputs = set(re.findall(r"gatestream_output (\w+)", README))
    before = r"(?:--parameter-overrides |^   `|, `|` and `|; `)"
    parameters = set(re.findall(before + r"([A-Z][a-z]\w+)", README, re.MULTILINE))
    text = (ROOT / "template.yaml").read_text()
    assert {f"\n  {name}:" in text for name in outputs | parameters} == {True}


def test_every_file_it_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_numbers_of_parts_are_the_templates() -> None:
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - no objects are made
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    assert kinds.count("AWS::Serverless::Function") == 8
    assert f"{kinds.count('AWS::CloudWatch::Alarm')} alarms" in README
