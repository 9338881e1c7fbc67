"""What `gatestream replay` prints: the sentence, the warnings, tables that fit, and JSON."""

import re
from datetime import timedelta

import pytest
from rich.console import Console

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.replay.replay_commands import _begin
from pipeline_state.cli.replay.replay_report import MOST_SHOWN, Report
from pipeline_state.model.comparison import Difference
from tests.unit.model.histories import START, A, B, C, at, time

LATER = Difference("shop", "staging", A, at(60), at(60 + 2 * 3600 + 300), "waits for legal")
EARLIER = Difference("shop", "production", A, at(900), at(855), "as it is: soaks until tomorrow")
GONE = Difference("shop", "staging", B, at(160), None, "waits for legal")
ADDED = Difference("shop", "production", C, None, at(300), "as it is: blocked: legal failed")
PLACES = (("shop", "staging"), ("shop", "production"))


def report(
    *differences: Difference, otherwise: tuple[Difference, ...] = (), vague: int = 0, commits: int = 12
) -> Report:
    return Report("myOrg/myApp", commits, PLACES, differences, otherwise, vague)


def lines(told: Report, width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as shown:
        console.print(told.view())
    return [line.rstrip() for line in shown.get().splitlines()]


SUMMARIES: dict[tuple[Difference, ...], str] = {
    (): "12 commits, 2 environments: nothing would have been decided differently",
    (LATER,): "12 commits, 2 environments: 1 promotion would have come later",
    (LATER, LATER, GONE): "12 commits, 2 environments: 2 promotions would have come later, 1 not at all",
    (GONE,): "12 commits, 2 environments: 1 promotion would not have come at all",
    (ADDED, EARLIER): "12 commits, 2 environments: 1 promotion would have come earlier, 1 in addition",
}


@pytest.mark.parametrize("differences", SUMMARIES, ids=lambda kinds: " ".join(each.kind for each in kinds) or "none")
def test_the_summary_counts_each_kind(differences: tuple[Difference, ...]) -> None:
    assert report(*differences).summary == SUMMARIES[differences]


def test_one_commit_is_one() -> None:
    assert report(commits=1).summary.startswith("1 commit, 2 environments: ")


def test_without_differences_the_summary_is_all_there_is_to_see() -> None:
    assert lines(report()) == ["12 commits, 2 environments: nothing would have been decided differently"]


def test_each_environment_has_a_table_in_eighty_columns() -> None:
    shown = lines(report(EARLIER, LATER, GONE, ADDED))
    assert max(map(len, shown)) <= 80
    assert [line for line in shown if line in {"staging", "production"}] == ["staging", "production"]
    (row,) = [re.split(" {2,}", line) for line in shown if line.startswith(A[:12]) and "later" in line]
    assert row == [A[:12], "2026-07-01 12:01:00", "2 h 5 min later", "waits for legal"]
    assert any(line.startswith(B[:12]) and "not at all" in line for line in shown)
    assert any(line.startswith(A[:12]) and "45 s earlier" in line for line in shown)
    (row,) = [re.split(" {2,}", line) for line in shown if line.startswith(C[:12])]
    assert row[:3] == [C[:12], "not promoted", "2026-07-01 12:05:00"]


def test_environments_of_several_pipelines_are_told_apart() -> None:
    told = Report("r", 1, (("web", "live"), ("api", "live")), (Difference("api", "live", A, at(0), None, "x"),), (), 0)
    assert lines(told)[0] == "api live"


def test_of_many_differences_the_newest_are_shown() -> None:
    many = [Difference("shop", "staging", f"{number:040}", at(number), None, "x") for number in range(MOST_SHOWN + 3)]
    shown = lines(report(*many))
    assert "and 3 before; --json tells all" in shown
    assert len([line for line in shown if "not at all" in line and "promotions" not in line]) == MOST_SHOWN


SPANS = [
    (0.25, "250 ms"),
    (1, "1 s"),
    (61, "1 min 1 s"),
    (3600, "1 h"),
    (3601, "1 h"),
    (90_000, "1 d 1 h"),
]


@pytest.mark.parametrize("seconds,told", SPANS)
def test_how_much_later_is_told_in_two_units(seconds: float, told: str) -> None:
    shown = lines(report(Difference("shop", "staging", A, at(0), at(seconds), "x")))
    assert any(f" {told} later" in line for line in shown)


def test_what_really_happened_otherwise_is_a_warning_with_an_example() -> None:
    otherwise = (
        Difference("shop", "staging", A, at(0), at(600)),
        Difference("shop", "staging", B, None, at(600)),
        Difference("shop", "staging", C, at(0), None),
    )
    head = "happened otherwise than in the replay of today's definitions, e.g. "
    tail = "; definitions may have changed since, or people and faults came between"
    examples = [report(otherwise=otherwise[:count]).warnings for count in (1, 2, 3)]
    aaa, bbb, ccc = (each[:12] for each in (A, B, C))
    really, replayed = "2026-07-01 12:00:00", "in the replay at 2026-07-01 12:10:00"
    assert examples == [
        [f"1 promotion {head}{aaa} was promoted to staging at {really}, {replayed}{tail}"],
        [f"2 promotions {head}{bbb} was not promoted to staging, {replayed}{tail}"],
        [f"3 promotions {head}{ccc} was promoted to staging at {really}, in the replay not at all{tail}"],
    ]


def test_entries_that_do_not_tell_all_are_a_warning() -> None:
    assert report(vague=1).warnings[0].startswith("1 entry of the journal does not tell all")
    assert report(vague=3).warnings[0].startswith("3 entries of the journal do not tell all")


def test_json_has_all_of_it() -> None:
    told = report(LATER, GONE, otherwise=(ADDED,), vague=2).to_json()
    assert told["environments"] == [
        {"pipeline": "shop", "name": "staging"},
        {"pipeline": "shop", "name": "production"},
    ]
    assert told["differences"][0] == {
        "pipeline": "shop",
        "environment": "staging",
        "commit": A,
        "kind": "later",
        "as_it_is": time(60),
        "changed": time(7560),
        "seconds": 7500.0,
        "why": "waits for legal",
    }
    assert (told["differences"][1]["changed"], told["differences"][1]["seconds"]) == (None, None)
    (otherwise,) = told["happened_otherwise"]
    assert (otherwise["really"], otherwise["as_it_is"]) == (None, time(300))
    assert (told["repo"], told["commits"], told["vague_entries"]) == ("myOrg/myApp", 12, 2)
    assert told["summary"] == "12 commits, 2 environments: 1 promotion would have come later, 1 not at all"


@pytest.mark.parametrize(
    "text,expected",
    [
        ("90m", START - timedelta(minutes=90)),
        ("12H", START - timedelta(hours=12)),
        ("30d", START - timedelta(days=30)),
        ("2026-07-01T12:00:00Z", START),
        ("2026-07-01t14:00:00+02:00", START),
        ("2026-07-01", START - timedelta(hours=12)),
    ],
)
def test_since_is_a_time_a_day_or_how_long_ago(text: str, expected: object) -> None:
    assert _begin(text, START) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "30", "2026-07-01T12:00:00", "5w"])
def test_since_refuses_everything_else_with_what_to_write(text: str) -> None:
    with pytest.raises(CommandError, match="is no time; write how long ago as 90m") as refused:
        _begin(text, START)
    assert refused.value.code == 2
