"""One release is installed by one environment only, in however many ways its cluster can be spelled."""

from __future__ import annotations

import pytest

from pipeline_state.cli.definitions import pipelines_file
from pipeline_state.cli.definitions.pipelines_file import PipelinesFileError
from pipeline_state.cli.definitions.pipelines_rules import Home

HOME = Home("us-east-1", "111122223333")
ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:"
ROLE = "arn:aws:iam::111122223333:role/installer"


def with_clusters(one: str, other: str, *, namespace: str = "shop") -> str:
    """A file of two environments, each with a release web."""
    places = ((one, "shop"), (other, namespace))
    environments = [
        f"{{name: e{number}, cluster: {{{cluster}}}, releases: [{{name: web, namespace: {where}, chart: charts/web}}]}}"
        for number, (cluster, where) in enumerate(places)
    ]
    return f"pipelines: [{{repo: a/b, environments: [{', '.join(environments)}]}}]"


@pytest.mark.parametrize(
    "one,other",
    [
        ("eks: prod", "eks: prod, region: us-east-1"),
        ("eks: prod, region: us-east-1", "eks: prod"),
        ("eks: prod", f'eks: prod, role: "{ROLE}"'),
        (f'eks: prod, role: "{ROLE}"', f'eks: prod, role: "{ROLE}-2", region: us-east-1'),
        ("kubeconfig_secret: prod", f'kubeconfig_secret: "{ARN}prod-a1B2c3"'),
        ("kubeconfig_secret: clusters/prod", f'kubeconfig_secret: "{ARN}clusters/prod"'),
        (f'kubeconfig_secret: "{ARN}prod"', f'kubeconfig_secret: "{ARN}prod-a1B2c3"'),
        ("kubeconfig_secret: prod, context: a", f'kubeconfig_secret: "{ARN}prod-a1B2c3", context: a'),
        ("kubeconfig_secret: kube-config", f'kubeconfig_secret: "{ARN}kube-config"'),
        (f'kubeconfig_secret: "{ARN}kube-config"', "kubeconfig_secret: kube-config"),
        ("kubeconfig_secret: kube-config", f'kubeconfig_secret: "{ARN}kube-config-a1B2c3"'),
        (f'kubeconfig_secret: "{ARN}kube-config"', f'kubeconfig_secret: "{ARN}kube-config-a1B2c3"'),
        (f'kubeconfig_secret: "{ARN}kube-config-a1B2c3"', f'kubeconfig_secret: "{ARN}kube-config"'),
    ],
)
def test_a_cluster_that_is_spelled_in_two_ways_is_still_one(one: str, other: str) -> None:
    with pytest.raises(PipelinesFileError, match="web in namespace shop of the same cluster is installed by e0 of a/b"):
        pipelines_file.parse(with_clusters(one, other), home=HOME)
    assert pipelines_file.parse(with_clusters(one, other, namespace="other"), home=HOME)


@pytest.mark.parametrize(
    "one,other",
    [
        ("eks: prod", "eks: prod, region: eu-west-1"),
        ("eks: prod", 'eks: prod, role: "arn:aws:iam::444455556666:role/installer"'),
        (f'eks: prod, role: "{ROLE}"', 'eks: prod, role: "arn:aws:iam::444455556666:role/installer"'),
        ("eks: prod", "kubeconfig_secret: prod"),
        ("kubeconfig_secret: prod", f'kubeconfig_secret: "{ARN.replace("us-east-1", "eu-west-1")}prod-a1B2c3"'),
        ("kubeconfig_secret: prod", f'kubeconfig_secret: "{ARN.replace("1111", "4444")}prod-a1B2c3"'),
        ("kubeconfig_secret: prod", f'kubeconfig_secret: "{ARN}prod-secret-a1B2c3"'),
        ("kubeconfig_secret: prod, context: a", "kubeconfig_secret: prod, context: b"),
        (f'kubeconfig_secret: "{ARN}kube-config"', f'kubeconfig_secret: "{ARN}kube-secret"'),
        ("kubeconfig_secret: kube", "kubeconfig_secret: kube-config"),
    ],
)
def test_clusters_of_one_name_in_other_regions_and_accounts_are_others(one: str, other: str) -> None:
    assert pipelines_file.parse(with_clusters(one, other), home=HOME)


def test_a_release_that_another_repository_has_is_taken_however_its_cluster_is_spelled_there() -> None:
    (applied,) = pipelines_file.parse(with_clusters("eks: prod", "eks: test").replace("a/b", "c/d"), home=HOME)
    text = with_clusters("eks: prod, region: us-east-1", "eks: other")
    with pytest.raises(PipelinesFileError, match="is installed by e0 of c/d already"):
        pipelines_file.parse(text, applied=[applied], home=HOME)
    assert pipelines_file.parse(text, applied=[applied], home=Home("eu-west-1", HOME.account))


def test_without_a_stack_nobody_knows_in_which_region_a_cluster_is() -> None:
    assert pipelines_file.parse(with_clusters("eks: prod", "eks: prod, region: us-east-1"))
