import re
from pathlib import Path

import pytest

LOCKS = Path(__file__).parents[2] / "infra" / "locks"
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> set[tuple[str, str]]:
    return set(PIN.findall((LOCKS / lock).read_text()))


@pytest.mark.parametrize("lock", ["dev.lock", "layer.lock", "mutants.lock", "sam.lock", "uv.lock"])
def test_a_lock_names_packages_by_hash_and_never_an_address(lock: str) -> None:
    text = (LOCKS / lock).read_text()
    assert "://" not in text
    assert all("--hash=sha256:" in pin for pin in re.split(r"\n(?=[a-z])", text)[1:])


@pytest.mark.parametrize("lock", ["layer.lock", "uv.lock"])
def test_the_suite_runs_against_the_very_versions_that_are_shipped(lock: str) -> None:
    assert pins(lock)
    assert pins(lock) <= pins("dev.lock")


def test_the_layer_leaves_out_what_the_lambda_runtime_brings_and_what_only_chalices_own_deployment_needs() -> None:
    names = {name for name, _ in pins("layer.lock")}
    assert {"chalice", "cloudevents", "honeycomb-beeline", "pyhelm3", "pynamodb"} <= names
    assert not names & {"boto3", "botocore", "pip", "setuptools", "wheel", "inquirer", "click"}
