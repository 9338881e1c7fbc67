from pipeline_state.cli.traces.honeycomb import honeycomb_hint, honeycomb_link
from tests.unit.cli.traces.made import span

KEY = {"HoneycombKeySecret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:honeycomb"}
PAGE = {"HoneycombPage": "https://ui.honeycomb.io/ours/environments/production/"}
WAY = [span("a", 0.5, 1, **{"trace.trace_id": "abc"}), span("b", 10, 5.5)]


def test_a_link_leads_to_the_trace_and_its_time() -> None:
    assert honeycomb_link(KEY | PAGE, WAY) == (
        "https://ui.honeycomb.io/ours/environments/production/trace"
        "?trace_id=abc&trace_start_ts=1767268800&trace_end_ts=1767268816"
    )


def test_without_a_page_there_is_no_link_but_a_hint_where_honeycomb_has_it() -> None:
    assert [honeycomb_link(KEY, WAY), honeycomb_link({}, WAY), honeycomb_link(PAGE, [])] == [""] * 3
    assert "HoneycombPage" in honeycomb_hint(KEY)
    assert (honeycomb_hint({}), honeycomb_hint(KEY | PAGE)) == ("", "")
