"""What hangs under a span that nobody told of has its place all the same."""

from pipeline_state.cli.traces.stand_ins import with_stand_ins
from pipeline_state.cli.traces.words import took_text
from tests.unit.cli.traces.made import at, span

ROOT = span("commit", 0, 0, **{"meta.span_type": "root"})
PUSH = {"cloudevents.event_type": "com.github.push"}


def test_a_whole_trace_stays_as_it_is() -> None:
    whole = [ROOT, span("record gates", 1, 1, "commit")]
    assert with_stand_ins(whole) == whole


def test_a_webhook_is_known_by_the_event_that_came_from_it() -> None:
    hop, record = span("SNS and SQS", 1, 1, "webhook"), span("record gates", 2, 1, "webhook", **PUSH)
    made = {each.id: each for each in with_stand_ins([ROOT, hop, record])}[hop.parent]
    assert (made.name, made.service, made.parent, made.start) == ("webhook github", "github_webhook", ROOT.id, at(1))
    assert took_text(made) == ""


def test_of_another_nothing_is_known_and_it_may_have_no_root_to_hang_under() -> None:
    made = [each for each in with_stand_ins([span("claim", 1, 1, "check")]) if each.name == "not told of"]
    assert [(each.parent, each.service) for each in made] == [("", "")]
