"""A trace is drawn in whatever width there is, and long waits do not squeeze what happened."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pipeline_state.cli.traces.spans import Span
from pipeline_state.cli.traces.waterfall import draw
from pipeline_state.cli.traces.words import took_text
from tests.unit.cli.traces.made import span, wait

STROKES = "━╸─╴╌"


def page(spans: Sequence[Span], width: int = 80) -> list[str]:
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(draw(spans))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def lines(spans: Sequence[Span], width: int = 80) -> list[str]:
    """Without the head."""
    return page(spans, width)[1:]


def test_children_stand_under_their_parent_in_the_order_of_their_start() -> None:
    drawn = lines(
        [span("late", 2, 1, "root"), span("root", 0, 3), span("inner", 1, 0.5, "early"), span("early", 0, 2, "root")]
    )
    assert [line[:10].rstrip() for line in drawn[:4]] == ["root", "  early", "    inner", "  late"]


def test_bars_stand_where_the_spans_were() -> None:
    whole, first, second = lines([span("a", 0, 10), span("b", 0, 5, "a"), span("c", 5, 5, "a")])[:3]
    assert whole.count("━") == first.count("━") + second.count("━")
    assert first.rindex("━") + 1 == second.index("━")
    assert [line.split()[-2:] for line in (whole, first)] == [["10.00", "s"], ["5.00", "s"]]


def test_the_head_says_when_it_began_and_ended() -> None:
    assert page([span("a", 0, 10)])[0].split() == ["2026-01-01,", "UTC", "12:00:00", "12:00:10"]
    assert page([span("a", 0, 1), span("b", 86400, 1)])[0].split()[2:] == ["12:00:00", "01-02", "12:00:01"]


def test_a_long_pause_is_folded_and_told() -> None:
    drawn = lines([span("push", 0, 1), span("approval", 86400 * 3, 1)])
    assert drawn[0].count("━") > 10
    assert drawn[1].count("━") > 10
    assert drawn[0].count("┊") == 1
    assert "┊ folded: 2 d 23 h" in drawn[-2]


def test_a_short_pause_is_not_folded() -> None:
    assert not any("┊" in line for line in lines([span("a", 0, 10), span("b", 11, 10)]))


def test_a_wait_of_hours_goes_through_the_fold_and_squeezes_nothing() -> None:
    legal = wait("approval_from_legal", 1, 11520, ended_by="ann", known="verified")
    push, waiting, note, approval = lines([span("push", 0, 1), legal, span("approve", 11521, 1)])[:4]
    assert push.count("━") > 10
    assert approval.count("━") > 10
    assert "╌┊╌" in waiting
    assert waiting.endswith("3 h 12 min")
    assert note.strip() == "└ by ann, verified"


def test_a_wait_says_who_ended_it_beside_its_bar() -> None:
    legal, still = wait("legal", 0, 1, ended_by="ann", known="verified"), wait("qa", 9, 1, open=True)
    drawn = lines([legal, span("a", 0, 10), still])
    assert any("waiting for legal" in line and "╌ by ann, verified" in line for line in drawn)
    assert any("waiting for qa" in line and "still waiting ╌" in line for line in drawn)


def test_a_long_wait_says_it_within_its_bar() -> None:
    drawn = lines([wait("legal", 0, 1, ended_by="ann", known="verified"), span("a", 0, 1)])
    assert "╌ by ann, verified ╌" in drawn[0] + drawn[1]


def test_what_does_not_fit_beside_the_bar_stands_below_it() -> None:
    reason = "SNS did not take an event, and neither did the fallback queue; whoever reads this looks at both of them"
    drawn = lines([span("webhook", 0, 10, error="TemporaryFault", error_detail=reason)])
    assert drawn[1].startswith("└ SNS did not take")
    assert " ".join(drawn[1].removeprefix("└ ").split() + drawn[2].split()).replace(" ", "") == reason.replace(" ", "")


def test_hops_and_work_have_other_strokes_than_waits() -> None:
    drawn = lines([span("work", 0, 1), span("hop", 1, 1, **{"gatestream.kind": "transit"}), wait("x", 2, 1)])[:3]
    assert ["".join(dict.fromkeys(sign for sign in line if sign in STROKES)) for line in drawn] == ["━", "─", "╌"]


def test_a_wide_terminal_has_a_column_for_the_function() -> None:
    assert "promoter" in lines([span("a", 0, 1)], 120)[0]
    assert "promoter" not in lines([span("a", 0, 1)], 119)[0]
    assert "people" in lines([wait("legal", 0, 1)], 120)[0]


def test_a_narrow_terminal_has_a_mark_for_it_and_says_whose_that_is() -> None:
    drawn = lines([replace(span("a", 0, 1), service="gate_recorder"), wait("legal", 0, 1), wait("qa", 0, 1, who="ci")])
    assert [line.split()[-4] for line in drawn[:3] if "waiting" not in line] == ["gr"]
    assert [line.split()[3] for line in drawn[:3] if "waiting" in line] == ["pe", "CI"]
    assert drawn[-1] == "━ gr gate_recorder  ╌ pe people"


def test_functions_are_told_apart_without_any_colour() -> None:
    names = ["github_webhook", "circleci_webhook", "event_forwarder", "gate_recorder", "promoter", "helm_installer",
             "rollout_observer", "sweeper"]  # fmt: skip
    drawn = lines([replace(span(name, at, 1), service=name) for at, name in enumerate(names)])
    assert len({line[16:20] for line in drawn[: len(names)]}) == len(names)
    assert all(any(f" {name}" in line for line in drawn[-3:]) for name in names)


def test_a_function_that_only_told_of_waits_is_in_no_legend() -> None:
    assert not any("promoter" in line for line in lines([wait("legal", 0, 1)], 120))


def test_what_is_two_cells_wide_takes_two() -> None:
    told = wait("legal", 0, 10, ended_by="日本語太郎", known="verified")
    for width in (80, 120):
        first = lines([span("a", 0, 10), told], width)[1]
        assert (first[-7:], cell_len(first)) == ("10.00 s", width)
    assert cell_len(lines([span("日本語" * 20, 0, 10)])[0]) == 80


def test_a_span_whose_parent_is_not_there_is_drawn_all_the_same() -> None:
    assert lines([span("orphan", 0, 1, "nobody")])[0].startswith("orphan")


def test_spans_that_are_each_others_parents_are_drawn_once_and_last() -> None:
    drawn = lines([span("a", 0, 1, "b"), span("b", 0, 1, "a"), span("c", 0, 1)])[:3]
    assert [line.split()[0] for line in drawn] == ["c", "a", "b"]


def test_what_people_wrote_cannot_move_the_cursor() -> None:
    drawn = "".join(page([wait("legal", 0, 1, ended_by="\x1b[2Jann", known="claimed"), span("\x1b[1A", 0, 1)]))
    assert "\x1b" not in drawn
    assert "\\x1b[2Jann" in drawn


def test_nothing_is_said_of_nothing() -> None:
    assert page([]) == ["no spans"]


NAMES = ["a", "b", "c", "d", "something with quite a long name", "日本語のとても長い名前" * 3]
WORDS = st.sampled_from(["", "KeyError " * 20, "承認者" * 30, "e\u0301" * 9, "👩‍💻 太郎"]) | st.text(max_size=60)
SPANS = st.lists(
    st.builds(
        span,
        st.sampled_from(NAMES),
        st.floats(0, 1e7),
        st.floats(0, 1e4),
        st.sampled_from(["", "a", "b", "e"]),
        **{"error": WORDS, "gatestream.kind": st.sampled_from(["work", "wait"]), "wait.ended_by": WORDS},
    ).flatmap(lambda made: st.sampled_from(["promoter", "日本語"]).map(lambda name: replace(made, service=name))),
    max_size=8,
    unique_by=lambda each: each.id,
)


@given(SPANS, st.integers(50, 200))
def test_no_line_is_wider_than_the_console_and_each_says_how_long_it_took(spans: list[Span], width: int) -> None:
    drawn = page(spans, width)
    assert all(cell_len(line) <= width for line in drawn)
    took = sorted(took_text(each) for each in spans)
    assert sorted(text for text in took if any(line.endswith(f" {text}") for line in drawn)) == took


@given(SPANS)
def test_what_starts_later_is_never_drawn_further_left(spans: list[Span]) -> None:
    flat = [replace(each, parent="", name=str(at), service="promoter", fields={}) for at, each in enumerate(spans)]
    drawn = lines(flat)[: len(flat)]
    starts = [min(line.find(sign) for sign in STROKES if sign in line) for line in drawn]
    assert all(one <= other for one, other in pairwise(starts))
