"""Values in pipelines.yaml mean what they mean in a values.yaml: Helm itself is the judge."""

import json
import subprocess
from pathlib import Path

import pytest

from pipeline_state.cli.definitions.yaml_lines import read_lines, to_yaml

SCALARS = """\
words: [plain, "quoted", 'single', yes please]
truths: [y, N, true, True, TRUE, false, yes, No, on, OFF]
nothing: [null, ~, NULL, ]
numbers: [1, -1, +1, 0, -0, 00, 0644, -0644, 08, 0o17, 0O17, 0_7, 0x1f, -0x1f, 0x_1, 0b11, +0b1, 1_000, 1__0, 1_]
ratios: [1.5, -1.5, .5, 1., 09.5, 1_0.5, 1e3, 1E-3, 1.5e+3]
almost: [123e4567, 1e400, 12:30, 2026-01-02, 2026-01-02T03:04:05Z, 1.2.3, 0.0.0, 1-2, 1e, e1, 0x, _1, ., +, -a]
keys: {8080: port, 1.5: ratio}
text: |
  two
  lines
folded: >-
  one
  line
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "values"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: values\nversion: 1.0.0\n")
    (folder / "templates" / "values.yaml").write_text("values: {{ toJson .Values | quote }}\n")
    return folder


def as_helm_reads(chart: Path, text: str) -> object:
    values = chart / "given.yaml"
    values.write_text(text)
    command = ["helm", "template", "x", str(chart), "-f", str(values)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shown = read_lines(done.stdout).data
    return json.loads(shown["values"])


def test_scalars_are_read_as_helm_reads_them(chart: Path) -> None:
    read = read_lines(SCALARS)
    assert read.problems == []
    helm = as_helm_reads(chart, SCALARS)
    assert isinstance(helm, dict)
    assert {key: value for key, value in read.data.items() if key != "nothing"} == {
        key: value for key, value in helm.items() if key != "nothing"
    }


def test_what_is_written_as_yaml_is_read_by_helm_as_it_was(chart: Path) -> None:
    odd = [
        "yes",
        "on",
        "1e3",
        "y",
        "08",
        "12:30",
        "~",
        "=",
        "<<",
        "1_000",
        "0x",
        ".inf",
        ".nan",
        "\u0085",
        "\u2028",
        "é",
        "😀",
        "",
    ]
    data = {"texts": odd, "numbers": [1, 1.5, 1e22, -0.0], "truths": [True, False]}
    assert as_helm_reads(chart, to_yaml(data)) == data
