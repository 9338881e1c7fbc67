"""`python -m tests.mutants [FILE…]`: changes the core and the transitions, one thing at a time, and runs their tests.

Prints how many of the changes the tests notice, file by file, and each that they do not. The transitions run over
tables in memory. It works on a copy of the checkout, in .gatestream/mutants.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.local import tools
from infra.local.process import ROOT

COPY = ROOT / ".gatestream" / "mutants"
COPIED = ("pipeline_state", "functions", "infra", "tests", "pyproject.toml", "template.yaml")
KILLED, NOT_TESTED = frozenset({1, 3, 36, -24, 24, 152, 255}), 33
"""Exit codes as mutmut keeps them: of pytest where a test failed, and of what took far longer than unchanged."""


@dataclass(frozen=True, slots=True)
class Part:
    """Files to change, and what is to notice it. deselected: what cannot run over tables in memory."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    deselected: str = ""


def model(*names: str) -> tuple[str, ...]:
    return tuple(f"pipeline_state/model/{name}.py" for name in names)


def table(*names: str) -> tuple[str, ...]:
    return tuple(f"pipeline_state/table/{name}.py" for name in names)


BEYOND_MEMORY = ("call_that_fails", "transaction_cancelled", "too_large", "every_version_stays", "invariants")
"""Parts of the names of tests that want a DynamoDB."""

CORE = Part(
    model(
        "closures",
        "decide",
        "decision",
        "delivery",
        "ended_waits",
        "entries",
        "environments",
        "gate_values",
        "gates",
        "lead_time",
        "order",
        "promotion",
        "record",
        "results",
        "waits",
    ),
    ("tests/unit/model", "tests/property/test_order.py"),
)
TRANSITIONS = Part(
    table("claims", "leases", "holds", "waiting", "pushes", "results", "retention", "deployments"),
    tuple(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tests/contract/test_table_*.py"))),
    " and ".join(f"not {name}" for name in BEYOND_MEMORY),
)


def main(arguments: Sequence[str]) -> None:
    """Prints to standard output; mutmut's own words go to standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help=", ".join((*CORE.files, *TRANSITIONS.files)))
    wanted = parser.parse_args(arguments).files
    for part in (CORE, TRANSITIONS):
        files = tuple(file for file in part.files if not wanted or file in wanted)
        if files:
            print(*examine(part, files), sep="\n", flush=True)


def examine(part: Part, files: Sequence[str]) -> Iterator[str]:
    """A line for each file, and its changes that no test noticed."""
    prepare(part, files)
    mutmut("run", "--max-children", "1")
    for file in files:
        codes: dict[str, int | None] = json.loads((COPY / "mutants" / f"{file}.meta").read_text())["exit_code_by_key"]
        alive = [name for name, code in codes.items() if code not in KILLED]
        yield f"{file}: {len(codes) - len(alive)} of {len(codes)} changes noticed"
        for name in alive:
            yield f"  {name}{' (no test comes here)' if codes[name] == NOT_TESTED else ''}"
            yield from (f"    {line}" for line in mutmut("show", name).splitlines() if is_change(line))


def is_change(line: str) -> bool:
    """Whether a line of a diff is one that differs."""
    return line.startswith(("-", "+")) and not line.startswith(("---", "+++"))


def prepare(part: Part, files: Sequence[str]) -> None:
    """The copy, with what mutmut needs to know."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, COPY / name)
    for file in files:
        path = COPY / file
        path.write_text(without_properties(path.read_text()))
    options = ["-p", "no:randomly", "-p", "no:xdist", "-q", "-x"]
    settings = {
        "source_paths": ["pipeline_state"],
        "only_mutate": list(files),
        "also_copy": [name for name in COPIED if name != "pipeline_state"],
        "pytest_add_cli_args": [*options, *(["-k", part.deselected] if part.deselected else [])],
        "pytest_add_cli_args_test_selection": list(part.tests),
    }
    with (COPY / "pyproject.toml").open("a") as settings_file:
        settings_file.write(
            "\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        )


def without_properties(code: str) -> str:
    """The same code with its properties made after their functions: mutmut leaves functions with decorators alone."""
    lines = code.splitlines()
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda each: each.lineno, reverse=True):
        if [ast.unparse(each) for each in node.decorator_list] == ["property"]:
            lines.insert(node.end_lineno or node.lineno, f"{' ' * node.col_offset}{node.name} = property({node.name})")
            del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


def mutmut(*arguments: str) -> str:
    """What it prints when asked for something; while it runs, that goes to standard error."""
    environment = os.environ | {"PYTHONPATH": str(tools.mutmut()), "GATESTREAM_STORES": "memory"}
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=COPY,
        env=environment,
        check=True,
        text=True,
        stdout=sys.stderr if arguments[0] == "run" else subprocess.PIPE,
    )
    return done.stdout or ""


if __name__ == "__main__":
    main(sys.argv[1:])
