"""No cluster is installed to by an oversight."""

from pathlib import Path

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.kubeconfigs import named, only_file, proposed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.touch()
    return path


def test_what_was_named_is_taken(file: Path) -> None:
    assert named(Path("mine"), "", "other") == Path("mine")
    assert named(Path("mine"), "context", "other") == Path("mine")
    assert named(None, "context", str(file)) == file


def test_the_variable_alone_names_nothing(file: Path) -> None:
    assert named(None, "", str(file)) is None


def test_the_variable_is_taken_when_a_person_agrees_or_nobody_can_be_asked(file: Path) -> None:
    asked: list[Path] = []

    def refuse(path: Path) -> bool:
        asked.append(path)
        return False

    assert proposed(str(file), None) == file
    assert proposed(str(file), lambda _: True) == file
    assert proposed(str(file), refuse) is None
    assert asked == [file]
    assert proposed("", None) is None


def test_empty_places_in_a_list_are_none(file: Path) -> None:
    assert only_file(f":{file}:") == file


@pytest.mark.parametrize("variable, what", [("a:b", "names 2 files"), ("/no/such", "is no file"), (":", "0 files")])
def test_a_variable_that_names_no_single_file_is_told_with_the_way_out(variable: str, what: str) -> None:
    with pytest.raises(CommandError, match=r"^KUBECONFIG names.*--kubeconfig FILE$") as refused:
        only_file(variable)
    assert what in str(refused.value)
