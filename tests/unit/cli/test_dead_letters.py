"""What is told of a dead letter, and what is asked of the template so that every one can be found."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console, RenderableType

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dlq.dead_letters import PROMOTER, QUEUES, Letter, object_of, pick
from pipeline_state.cli.dlq.dead_letters_view import age, letter_view, letters_view, outcomes_view
from pipeline_state.cli.dlq.redrive import Outcome

TEMPLATE = yaml.load((Path(__file__).parents[3] / "template.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - no objects are made
NOW = datetime(2026, 7, 1, 3, tzinfo=UTC)
SHA = "4f2c9e" + "0" * 34


def letter(queue: str = "GateEventsDeadLetters", body: str = "{}", **changes: Any) -> Letter:
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in changes.pop("texts", {}).items()}
    given = {"id": "0a1b2c3d-e", "sent_at": NOW, "received": 1, "group": "", "handle": "h", "attributes": attributes}
    return Letter(queue=queue, body=body, **{**given, **changes})


def seen(view: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as shown:
        console.print(view)
    return "\n".join(line.rstrip() for line in shown.get().splitlines())


def test_every_queue_for_a_person_to_look_at_is_looked_at_and_told_of_by_the_stack() -> None:
    queues = [name for name, it in TEMPLATE["Resources"].items() if it["Type"] == "AWS::SQS::Queue"]
    assert set(QUEUES) == {name for name in queues if re.search("DeadLetters|Undelivered|Rejected", name)}
    assert {f"{name}QueueUrl" for name in QUEUES} <= set(TEMPLATE["Outputs"])


def test_every_letter_goes_back_to_where_it_came_from() -> None:
    """As the template has it: a queue's own redrive, a subscription's, or a function's."""
    found = {}
    for name, resource in TEMPLATE["Resources"].items():
        properties = resource.get("Properties", {})
        if target := properties.get("RedrivePolicy", {}).get("deadLetterTargetArn"):
            endpoint = properties.get("Endpoint", f"{name}.Arn")
            found[target.removesuffix(".Arn")] = endpoint.removesuffix(".Arn")
    assert found.items() <= QUEUES.items()
    assert QUEUES.items() - found.items() == {("PromoterDeadLetters", PROMOTER), ("RejectedEvents", "")}
    assert {f"{name}QueueUrl" for name in found.values()} | {"PromoterFunction"} <= set(TEMPLATE["Outputs"])


REASONS = {
    "said by the function": (letter(texts={"reason": "no JSON"}), "no JSON"),
    "moved by its queue": (letter(), "given up by its queue after all attempts"),
    "from a subscription": (letter("PromotionEventsUndelivered"), "SNS could not hand it to Installs"),
    "a rejected webhook": (letter("RejectedEvents", '{"reason": "no repo", "provider": "github"}'), ": no repo"),
    "a rejected one that is none": (letter("RejectedEvents", "x"), "given up by its queue"),
    "a notice": (
        letter(
            "PromoterDeadLetters",
            '{"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "aws/lambda/k"}}}',
        ),
        "the changes are in aws/lambda/k",
    ),
}


@pytest.mark.parametrize("kind", REASONS)
def test_every_letter_has_a_reason(kind: str) -> None:
    told, reason = REASONS[kind]
    assert reason in told.reason


def test_what_the_function_says_it_is_about_counts_more_than_what_can_be_read() -> None:
    body = '{"data": {"repo": "Org/app", "sha": "a"}}'
    assert letter(body=body).about == {"repo": "Org/app", "commit": "a"}
    assert letter(body=body, texts={"commit": "b"}).about == {"repo": "Org/app", "commit": "b"}


def test_in_json_everything_that_is_unknown_is_null() -> None:
    assert letter(texts={"reason": "why", "repo": "Org/app"}).to_json() == {
        "id": "0a1b2c3d-e",
        "queue": "GateEventsDeadLetters",
        "sent_at": "2026-07-01T03:00:00Z",
        "repo": "Org/app",
        "commit": None,
        "pipeline": None,
        "environment": None,
        "reason": "why",
    }


@pytest.mark.parametrize("content", [None, 1, "x", [], {}, {"source": "aws.s3"}, {"source": "aws.s3", "detail": []}])
def test_what_is_no_notice_names_no_object(content: Any) -> None:
    assert object_of(content) is None


def test_a_letter_is_picked_by_as_much_of_its_id_as_tells_it_apart() -> None:
    letters = [letter(id="aa1"), letter(id="aa2"), letter(id="b")]
    assert pick(letters, "aa2").id == "aa2"
    assert pick(letters, "B").id == "b"
    for wanted, why in (("aa", "2 dead letters"), ("c", "no dead letter"), ("", "no dead letter")):
        with pytest.raises(CommandError, match=why):
            pick(letters, wanted)


@pytest.mark.parametrize("seconds, told", [
    (-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (86_399, "23 h"),
    (14 * 86_400, "14 d"),
])  # fmt: skip
def test_ages_are_told_in_the_largest_unit(seconds: int, told: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == told


def test_the_table_fits_a_terminal_and_escapes_what_others_wrote() -> None:
    texts = {"reason": "gone \x1b[31m wrong", "repo": "Org/a\u202epp", "commit": SHA}
    shown = seen(letters_view([letter("DeploymentEventsUndelivered", texts=texts)], NOW + timedelta(hours=2)))
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    wide = seen(letters_view([letter("DeploymentEventsUndelivered", texts=texts)], NOW + timedelta(hours=2)), 200)
    row = wide.splitlines()[-1].split("  ")
    assert [cell.strip() for cell in row if cell.strip()] == [
        "DeploymentEventsUndelivered", "Org/a\\u202epp", SHA[:12], "2 h", "0a1b2c3d", "gone \\x1b[31m wrong",
    ]  # fmt: skip


def test_a_change_of_an_environment_is_told_by_its_pipeline() -> None:
    texts = {"reason": "why", "pipeline": "shop", "environment": "staging"}
    assert "shop   staging" in seen(letters_view([letter(texts=texts)], NOW), 200)


def test_all_of_a_letter_is_shown_its_body_as_json_and_escaped() -> None:
    told = letter(body='{"a": "\\u001b[2J", "b": "[red]x\u202e"}', texts={"reason": "why", "ce-type": "push"})
    shown = seen(letter_view(told, None))
    assert '\n  "a": "\\u001b[2J",\n  "b": "[red]x\\u202e"\n}' in shown
    assert re.search(r"^ce-type +push$", shown, re.MULTILINE)
    assert re.search(r"^goes to +GateEvents$", shown, re.MULTILINE)
    assert "changes" not in shown
    assert "\x1b" not in shown


def test_a_body_that_is_no_json_is_shown_line_by_line() -> None:
    assert seen(letter_view(letter(body="one\ntwo\x07"), None)).endswith("\none\ntwo\\x07")


def test_the_changes_that_a_notice_leads_to_are_shown() -> None:
    assert '"Keys": "x"' in seen(letter_view(letter("PromoterDeadLetters"), [{"Keys": "x"}]))


def test_what_went_is_counted_and_what_stayed_is_told() -> None:
    outcomes = [Outcome(letter()), Outcome(letter()), Outcome(letter("RejectedEvents"), "mend it")]
    shown = seen(outcomes_view(outcomes))
    assert shown.startswith("2 sent back to GateEvents\n")
    assert shown.endswith("mend it")
    assert [outcome.to_json()["sent"] for outcome in outcomes] == [True, True, False]
    assert [outcome.to_json()["problem"] for outcome in outcomes] == [None, None, "mend it"]
    assert seen(outcomes_view([])) == "no dead letters"
