"""Output that cannot be written ends the command in a line; output that can is a line a sentence."""

import json
import os
import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.console import Group
from rich.text import Text

from pipeline_state.cli import views
from pipeline_state.cli.console import unwrapped
from tests.unit.cli.test_views import STATUS, environment

COMMAND = Path(sys.executable).with_name("gatestream")
EXAMPLE = Path(__file__).parents[3] / "infra" / "local" / "example" / "pipelines.yaml"
COMMANDS = [["--help"], ["pipelines", "schema"], ["pipelines", "check", str(EXAMPLE)]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_in_a_line(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([COMMAND, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "gatestream: <stdout> cannot be written to: No space left on device\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nobody_who_reads_on_ends_it_quietly(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([COMMAND, *command], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["people", "json"])
def test_characters_that_the_encoding_lacks_are_escaped(options: list[str], tmp_path: Path) -> None:
    name = "Grüße-✓"
    file = tmp_path / name
    file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    command = [str(COMMAND), "pipelines", "check", str(file), *options]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, encoding="ascii", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"/Gr\xfc\xdfe-\u2713 is valid" in done.stdout or json.loads(done.stdout)["valid"]


def test_json_in_ascii_is_json() -> None:
    script = "from pipeline_state.cli.console import print_json; print_json(['ü ✓ 🚀'])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=True)
    assert json.loads(done.stdout.decode("ascii")) == ["ü ✓ 🚀"]


def test_without_a_terminal_a_sentence_is_a_line_without_blanks_at_its_end() -> None:
    reason = " ".join(["waits for a gate and another"] * 40)
    about = {**STATUS, "environments": [environment("staging", reason=reason), environment("production")]}
    for view in (views.why_view(about), views.commit_view(about)):
        lines = unwrapped(view, StringIO()).splitlines()
        assert [line for line in lines if line.endswith(" ")] == []
        assert len([line for line in lines if line.endswith(reason)]) == 1
    assert unwrapped(Group(Text("a"), Text(), Text("b")), StringIO()) == "a\n\nb\n"


def test_lines_are_drawn_with_what_the_encoding_has() -> None:
    drawn = unwrapped(views.gates_table({"gates": []}), TextIOWrapper(BytesIO(), encoding="ascii"))
    assert set(drawn.splitlines()[1]) <= {"-", " ", "+"}
