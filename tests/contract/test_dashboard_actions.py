"""What people do from the page of a commit: in their name, once, as it was shown, or not at all; on both DynamoDBs."""

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from typing import Any, NoReturn
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from pipeline_state.cli.asking import happening
from pipeline_state.cli.dashboard import commit, server
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.cli.stacks import Stack
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.table import holds
from pipeline_state.table.journal import history, latest
from pipeline_state.table.models import Tables, connection
from pipeline_state.table.results import record_news
from tests.contract.dlq_room import DlqRoom
from tests.contract.function_room import FunctionRoom
from tests.contract.table_room import WEB, A, B, TableRoom, pipeline
from tests.contract.test_table_leases import DynamoDBAnswer
from tests.visitor import Answer, Visitor

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))


ANN = "arn:aws:iam::123456789012:user/ann"


class Account:
    """AWS as far as a page asks it besides the tables: who the caller is; a trail of calls there is not."""

    def get_caller_identity(self) -> Mapping[str, str]:
        return {"Arn": ANN}

    def get_paginator(self, operation: str) -> NoReturn:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, operation)


def stack_of() -> Stack:
    """A deployed one, without the queues."""
    return Stack("shop", "us-east-1", Tables("gates"), {}, {}, lambda _: Account())


@dataclass
class Page:
    """The page of a commit over a room's tables, and somebody in front of it."""

    room: TableRoom
    stack: Stack
    commit: str = A

    def __post_init__(self) -> None:
        board = Board(self.stack, Door(4321), now=lambda: self.room.now)
        self.visitor = Visitor(server.application(board, commit.routes(board)), board.door).enter()

    @property
    def url(self) -> str:
        return f"/repo/{self.room.repo}/commit/{self.commit}"

    def get(self, below: str = "", **headers: str) -> Answer:
        return self.visitor.get(self.url + below, **headers)

    def ask(self, action: str, **given: str) -> Answer:
        return self.get(f"/act/{action}?{urlencode(given)}")

    def ask_of(self, action: str, **given: str) -> Answer:
        """The question about staging."""
        return self.ask(action, pipeline=self.room.pipeline_name, environment="staging", **given)

    def send(self, asked: Answer, action: str, **given: str) -> Answer:
        """The form that was shown, filled in."""
        fields = re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', asked.body)
        return self.visitor.post(f"{self.url}/act/{action}", {name: unescape(value) for name, value in fields} | given)

    def done(self, answer: Answer) -> str:
        """What is told on the page that a form leads back to."""
        assert answer.status == 303, answer.text
        told = self.visitor.get(answer.headers["location"])
        (found,) = re.findall(r'<p id="done"[^>]*>(.*?)</p>', told.body)
        return Answer(200, told.headers, found).text


@pytest.fixture
def page(room: TableRoom) -> Page:
    """A built commit before staging and production."""
    room.define(pipeline(STAGING, PRODUCTION))
    room.ready(A)
    return Page(room, stack_of())


def deploy(room: TableRoom, sha: str, before: str = "") -> None:
    second = 0.0 if sha == A else 300.0
    if before:
        room.ready(sha, second, before)
    (promotion,) = room.promote(sha)
    room.deployed(promotion, second=second + 120)


@pytest.fixture
def moved(page: Page) -> Page:
    """A and then B in staging; the page is B's, which is the head."""
    deploy(page.room, A)
    deploy(page.room, B, A)
    return Page(page.room, page.stack, B)


def entries(page: Page, key: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    return list(history(*(key or (page.room.repo, page.commit))))


def place_of(page: Page) -> tuple[str, str]:
    return page.room.pipeline_name, "staging"


# gates


def test_a_gate_is_opened_in_the_name_of_the_caller_and_told_so(page: Page) -> None:
    asked = page.ask("gate", gate="legal", value="passed")
    assert "legal becomes passed" in asked.text
    assert ANN in asked.text
    assert page.done(page.send(asked, "gate", reason="signed")) == "legal is passed"
    value = page.room.item(A)["legal"]
    assert (value["status"], value["by"], value["reason"]) == ("TRUE", ANN, "signed")
    entry = entries(page)[-1]
    assert (entry["kind"], entry["by"], entry["verified"]) == ("gate set", ANN, True)
    assert "passed user/ann verified" in page.get().text


def test_a_form_that_is_sent_twice_is_carried_out_once(page: Page) -> None:
    asked, before = page.ask("gate", gate="legal", value="failed"), len(entries(page))
    with ThreadPoolExecutor(2) as threads:
        sent = [threads.submit(page.send, asked, "gate", reason="no") for _ in range(2)]
        answers = [each.result() for each in sent]
    assert [page.done(each) for each in answers] == ["legal is failed"] * 2
    assert len(entries(page)) == before + 1


def test_a_new_gate_is_added_and_what_that_means_is_told(page: Page) -> None:
    told = page.done(page.send(page.ask("gate"), "gate", gate="leegal", value="pending", reason="recall"))
    assert told == (
        "leegal is pending; leegal is a new gate of this commit, and every environment requires it now; "
        "did you mean legal?"
    )


def test_without_a_reason_nothing_is_done_and_the_question_is_asked_again(page: Page) -> None:
    asked = page.ask("gate", gate="legal", value="passed")
    refused = page.send(asked, "gate", reason=" ")
    assert refused.status == 409
    assert "there is no reason; say why" in refused.text
    assert page.room.item(A)["legal"] == ""
    assert page.done(page.send(refused, "gate", reason="signed")) == "legal is passed"


@pytest.mark.parametrize("gate, told", [("deployed_to_staging", "is not set by hand"), ("größe", "cannot be a gate's")])
def test_what_no_person_can_set_is_refused_in_words(page: Page, gate: str, told: str) -> None:
    assert told in page.ask("gate", gate=gate, value="passed").text
    asked = page.ask("gate", gate="legal", value="passed")
    refused = page.send(asked, "gate", gate=gate, reason="x")
    assert (refused.status, told in refused.text) == (409, True)


DENIED = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: dynamodb:UpdateItem"


@contextmanager
def writes_denied() -> Iterator[None]:
    """The caller may read, and nothing else."""
    body = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": DENIED})

    def answer(request: Any, **_: Any) -> object:
        return DynamoDBAnswer(400, body) if b"TransactWrite" in request.headers["X-Amz-Target"] else None

    events: Any = connection().client.meta.events
    events.register("before-send.dynamodb.*", answer)
    try:
        yield
    finally:
        events.unregister("before-send.dynamodb.*", answer)


def test_who_lacks_the_right_is_told_in_the_words_of_aws(page: Page) -> None:
    asked = page.ask("gate", gate="legal", value="passed")
    with writes_denied():
        refused = page.send(asked, "gate", reason="signed")
    assert refused.status == 409
    assert DENIED in refused.text
    assert "check credentials" in refused.text


# freezes and holds


@pytest.mark.parametrize("action, undo, told", [("freeze", "unfreeze", "frozen"), ("hold", "release", "held")])
def test_an_environment_is_closed_and_opened_again_with_both_reasons_kept(
    page: Page, action: str, undo: str, told: str
) -> None:
    closed = page.done(page.send(page.ask_of(action), action, reason="the sale"))
    assert closed == f"staging of {page.room.pipeline_name} is {told} by {ANN}: the sale"
    asked = page.ask_of(undo)
    assert f"is {told} by {ANN}: the sale" in asked.text
    assert page.done(page.send(asked, undo, reason="it is over")).startswith(f"staging of {page.room.pipeline_name} is")
    kept = {(each["by"], each["what"]["reason"]) for each in entries(page, place_of(page))}
    assert kept == {(ANN, "the sale"), (ANN, "it is over")}


def test_a_freeze_ends_when_it_is_wanted_and_not_when_that_is_no_time(page: Page) -> None:
    refused = page.send(page.ask_of("freeze"), "freeze", reason="x", until="soon")
    assert "'soon' is no time" in refused.text
    assert 'value="soon"' in refused.body
    told = page.done(page.send(refused, "freeze", reason="x", until="2999-01-01T00:00:00Z"))
    assert "until 2999-01-01 00:00:00 UTC" in told


def test_what_somebody_else_has_just_opened_is_told(page: Page) -> None:
    page.send(page.ask_of("hold"), "hold", reason="x")
    asked = page.ask_of("release")
    page.send(page.ask_of("release"), "release", reason="x")
    assert "is not held" in page.send(asked, "release", reason="x").text


@pytest.mark.parametrize("action, kind", [("release", "hold"), ("unfreeze", "freeze"), ("hold", "hold")])
def test_what_somebody_else_has_begun_since_it_was_shown_is_not_ended(page: Page, action: str, kind: str) -> None:
    place = page.room.snapshot(A).definitions.pipelines[0]
    told = happening(place_of(page), kind, "ben", page.room.now, {})
    if action != kind:
        page.send(page.ask_of(kind), kind, reason="the sale")
    asked = page.ask_of(action)
    if kind == "hold":
        holds.hold(place, "staging", "incident", told)
    else:
        holds.freeze(place, "staging", Freeze("ben", "", "incident"), told)
    refused = page.send(asked, action, reason="done")
    assert refused.status == 409
    assert "has changed since you looked, and nothing was done; look once more" in refused.text
    assert "by ben: incident" in refused.text
    state = page.room.state()
    assert "incident" in {state.held_reason, *(each.reason for each in state.freezes)}
    done = page.done(page.send(refused, action, reason="done"))
    assert done.endswith(f"before, it was {'held' if kind == 'hold' else 'frozen'} by ben: incident")


# promotions by name


def test_a_rollback_is_shown_and_then_carried_out_as_it_was_shown(moved: Page) -> None:
    asked = moved.ask_of("rollback")
    assert f"Roll staging of {moved.room.pipeline_name} back to {A[:12]}?" in asked.text
    assert "is held: nothing goes there by itself" in asked.text
    told = moved.done(moved.send(asked, "rollback", reason="too slow"))
    assert told == f"{A[:12]} is promoted to staging of {moved.room.pipeline_name}, number 3"
    state = moved.room.state()
    assert (state.head, state.held_by, state.held_reason) == (A, ANN, "too slow")
    assert "taken back" in moved.get().text


def test_what_has_changed_since_it_was_shown_is_not_done(moved: Page) -> None:
    asked = moved.ask_of("redeploy")
    moved.send(moved.ask_of("redeploy"), "redeploy", reason="first")
    refused = moved.send(asked, "redeploy", reason="second")
    assert "has changed since you looked, and nothing was done" in refused.text
    assert moved.room.state().generation == 3
    assert moved.done(moved.send(refused, "redeploy", reason="second")).endswith("number 4")


def test_a_redeploy_while_the_last_one_is_under_way_says_so_first(moved: Page) -> None:
    moved.send(moved.ask_of("redeploy"), "redeploy", reason="first")
    assert "wait for the result, unless it is to begin again" in moved.ask_of("redeploy").text


def test_a_closed_environment_is_told_with_the_way_on(moved: Page) -> None:
    closed = happening(place_of(moved), "frozen", "ben", moved.room.now, {})
    place = moved.room.snapshot(A).definitions.pipelines[0]
    holds.freeze(place, "staging", Freeze("ben", "", "sale"), closed)
    asked = moved.ask_of("redeploy")
    assert "frozen by ben: sale" in asked.text
    assert '<button type="submit"' not in asked.body
    (way,) = re.findall(r'<a href="([^"]+)" hx-get', asked.body)
    again = moved.visitor.get(unescape(way))
    assert "in spite of: staging of" in again.text
    assert moved.done(moved.send(again, "redeploy", reason="urgent")).endswith("number 3")


def test_todays_definition_can_be_chosen_and_left_again(moved: Page) -> None:
    chart = replace(WEB, chart="charts/web2")
    moved.room.define(pipeline(replace(STAGING, releases=(chart,)), PRODUCTION))
    asked = moved.ask_of("rollback")
    assert "charts/web2" not in asked.text
    (way,) = [each for each in re.findall(r'<a href="([^"]+)" hx-get', asked.body) if "current" in each]
    current = moved.visitor.get(unescape(way))
    assert "charts/web2; charts/web is there" in current.text
    moved.done(moved.send(current, "rollback", reason="x"))
    (promotion,) = moved.room.claimed("staging", 3)
    assert promotion.release.chart == "charts/web2"


def test_an_override_takes_the_pages_own_commit_into_a_held_environment(page: Page) -> None:
    page.send(page.ask_of("hold"), "hold", reason="x")
    told = page.done(page.send(page.ask_of("override"), "override", reason="urgent"))
    assert told == f"{A[:12]} is promoted to staging of {page.room.pipeline_name}, number 1"


def test_what_cannot_be_is_told_where_it_is_asked(page: Page) -> None:
    asked = page.ask_of("redeploy")
    assert asked.status == 200
    assert f"nothing has ever been promoted to staging of {page.room.pipeline_name}" in asked.text
    assert "there is no pipeline 'nowhere'" in page.ask("freeze", pipeline="nowhere", environment="x").text


# the ways in


def test_the_pages_own_dialog_gets_the_form_alone(page: Page) -> None:
    alone = page.get("/act/gate?gate=legal&value=passed", hx_request="true")
    assert alone.body.lstrip().startswith("<form")
    assert "<form" in page.ask("gate", gate="legal").body
    assert "<main" in page.ask("gate", gate="legal").body


def test_what_is_no_action_and_a_form_that_is_not_whole_are_refused(page: Page) -> None:
    assert page.ask("explode").status == 404
    answer = page.visitor.post(f"{page.url}/act/gate", {"gate": "legal", "value": "passed", "reason": "x"})
    assert answer.status == 400
    assert page.room.item(A)["legal"] == ""


def test_a_commit_that_nobody_knows_gets_no_record_by_being_named(page: Page) -> None:
    unknown = Page(page.room, page.stack, B)
    assert unknown.ask("gate", gate="legal", value="passed").status == 404
    sent = {"gate": "legal", "value": "passed", "reason": "x", "key": "1"}
    assert unknown.visitor.post(f"{unknown.url}/act/gate", sent).status == 404
    assert page.room.item(B) == {}


def test_some_first_digits_lead_to_the_page_of_the_whole_commit(page: Page) -> None:
    answer = page.visitor.get(f"/repo/{page.room.repo.upper()}/commit/{A[:9]}")
    assert (answer.status, answer.headers["location"]) == (303, page.url)
    assert page.visitor.get(f"/repo/{page.room.repo}/commit/{B[:9]}").status == 404
    assert page.visitor.get(f"/repo/{page.room.repo}/commit/{B}").status == 404


def test_what_people_wrote_is_shown_as_text(page: Page) -> None:
    page.room.edit(
        A, legal={"status": "FALSE", "by": "<i>eve</i>", "reason": "<script>x</script>", "url": "javascript:x"}
    )
    body = page.get().body
    assert "<script>x" not in body
    assert "<i>eve" not in body
    assert "javascript:" not in body
    assert "&lt;script&gt;x" in body


def test_the_page_hears_of_what_changes(page: Page) -> None:
    look = commit.look(page.stack, page.room.repo, A)
    assert commit.look(page.stack, page.room.repo, A) == look
    page.room.edit(A, legal="TRUE")
    assert commit.look(page.stack, page.room.repo, A) != look


def test_a_look_takes_the_end_of_a_journal_however_long_that_is(page: Page) -> None:
    place = (page.room.repo, A)
    for second in range(30):
        record_news(page.room.happening(f"news {second}", A, 1000 + second))
    assert latest(*place, 20) == [entry["entry"] for entry in history(*place)][:-21:-1]
    look = commit.look(page.stack, *place)
    record_news(page.room.happening("the latest", A, 2000))
    assert commit.look(page.stack, *place) != look


# dead letters


@pytest.fixture
def dead(functions: FunctionRoom) -> tuple[DlqRoom, Page]:
    """A commit's page on a stack with queues."""
    functions.tables.define(pipeline())
    functions.tables.ready(A)
    dlq = DlqRoom(functions)
    clients = dlq.stack.client
    asked = {"sts": Account(), "logs": Account()}
    stack = replace(dlq.stack, client=lambda service: asked.get(service) or clients(service))
    return dlq, Page(functions.tables, stack)


def test_the_dead_letters_of_the_commit_alone_are_shown_and_sent_back(dead: tuple[DlqRoom, Page]) -> None:
    dlq, page = dead
    dlq.put("GateEventsDeadLetters", "{}", reason="DynamoDB was <away>", repo=page.room.repo, commit=A)
    dlq.put("GateEventsDeadLetters", "{}", reason="another one's", repo=page.room.repo, commit=B)
    shown = page.get("/letters")
    assert "DynamoDB was <away>" in shown.text
    assert "another one's" not in shown.text
    (way,) = re.findall(r'href="([^"]+/act/redrive[^"]+)"', shown.body)
    asked = page.visitor.get(unescape(way))
    assert "Send it back to GateEvents" in asked.text
    assert page.done(page.send(asked, "redrive", reason="it is back")) == "sent back to GateEvents"
    assert [letter.about["commit"] for letter in dlq.letters()] == [B]
    entry = entries(page)[-1]
    assert (entry["kind"], entry["by"], entry["what"]["reason"]) == ("dead letter sent back", ANN, "it is back")
    assert "that letter is not there any more" in page.visitor.get(unescape(way)).text


def test_what_has_no_way_back_says_so(dead: tuple[DlqRoom, Page]) -> None:
    dlq, page = dead
    dlq.put("RejectedEvents", json.dumps({"reason": "x", "provider": "github"}), repo=page.room.repo, commit=A)
    shown = page.get("/letters", hx_request="true")
    assert "mend what sends it" in shown.text
    assert "/act/redrive" not in shown.body
    assert "<main" not in shown.body
