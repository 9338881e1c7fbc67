"""Half of pyhelm3: all that is needed, and no obstacle to the other half."""

from __future__ import annotations

import subprocess
import sys

import pytest


def python(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def test_pydantic_is_not_loaded_for_a_deployment() -> None:
    script = "import sys, pipeline_state.deploy; print({'pydantic', 'pyhelm3.client', 'pyhelm3'} & set(sys.modules))"
    assert python(script) == "set()"


@pytest.mark.parametrize("first,then", [("pyhelm3", "pipeline_state.deploy"), ("pipeline_state.deploy", "pyhelm3")])
def test_the_whole_of_pyhelm3_can_be_had_before_and_afterwards(first: str, then: str) -> None:
    script = f"import {first}, {then}; from pipeline_state.deploy.helm import Helm"
    facts = "issubclass(Helm, pyhelm3.Command), pyhelm3.Client.__module__"
    assert python(f"{script}; print({facts})") == "True pyhelm3.client"


def test_without_pyhelm3_there_is_no_deployment() -> None:
    script = (
        "import sys; sys.modules['pyhelm3'] = None\n"
        "try: import pipeline_state.deploy\nexcept ModuleNotFoundError as error: print(error.name)"
    )
    assert python(script) == "pyhelm3"
