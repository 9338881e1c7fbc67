"""What import-linter cannot say: an allowlist of what a room may import."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = sorted((ROOT / "pipeline_state" / "model").rglob("*.py"))
FUNCTIONS = sorted((ROOT / "functions").rglob("*.py"))


def outside_the_standard_library(path: Path) -> set[str]:
    return {name for name in imported(path) if name.partition(".")[0] not in sys.stdlib_module_names}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", MODEL, ids=lambda path: path.stem)
def test_the_model_imports_the_standard_library_and_itself(path: Path) -> None:
    allowed = ("pipeline_state.model", "pipeline_state.faults")
    assert [name for name in outside_the_standard_library(path) if not name.startswith(allowed)] == []


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_imports_chalice_and_pipeline_state_only(path: Path) -> None:
    roots = {name.partition(".")[0] for name in outside_the_standard_library(path)}
    assert roots <= {"chalice", "pipeline_state"}


def test_functions_is_a_namespace_package_for_otherwise_import_linter_would_skip_the_apps() -> None:
    assert not list((ROOT / "functions").rglob("__init__.py"))
