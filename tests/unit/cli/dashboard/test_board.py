"""What pages are made with, and what they tell when something goes wrong."""

from dataclasses import replace

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dashboard import pages, server
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.cli.stacks import Stack
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.table.models import Tables
from tests.visitor import Visitor

STACK = Stack("shop", "us-east-1", Tables("gates"), {}, {}, lambda service: service)
ERRORS: dict[str, Exception] = {
    "temporary": TemporaryFault("throttled <b>"),
    "permanent": PermanentFault("the item is broken"),
    "command": CommandError("there is no such thing"),
    "bug": ValueError("a secret"),
    "missing": HTTPException(404, "There is no such commit."),
}


def board(**given: object) -> Board:
    return replace(Board(STACK, Door(4321)), **given)  # type: ignore[arg-type]


def fails(request: Request) -> Response:
    raise ERRORS[request.path_params["how"]]


def visitor_of(it: Board) -> Visitor:
    return Visitor(server.application(it, [Route("/{how}", fails)]), it.door).enter()


@pytest.mark.parametrize(
    "how, status, told",
    [
        ("temporary", 502, "gatestream: throttled &lt;b&gt;; try again"),
        ("permanent", 502, "gatestream: the item is broken"),
        ("command", 502, "gatestream: there is no such thing"),
        ("missing", 404, "There is no such commit."),
    ],
)
def test_what_a_command_would_tell_on_a_line_is_a_page(how: str, status: int, told: str) -> None:
    answer = visitor_of(board()).get(f"/{how}")
    assert (answer.status, told in answer.body) == (status, True)
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name, kind",
    [
        ("board.css", "text/css"),
        ("board.js", "text/javascript"),
        ("mark.svg", "image/svg+xml"),
        ("vendor/htmx.min.js", "text/javascript"),
        ("waterfall.js", "text/javascript"),
    ],
)
def test_files_are_found_by_the_digest_of_all_and_kept_for_good(name: str, kind: str) -> None:
    answer = visitor_of(board()).get(pages.asset(name))
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert "immutable" in answer.headers["cache-control"]
    assert answer.body


@pytest.mark.parametrize("name", ["none.css", "../pages.py", "%2e%2e/pages.py", ""])
def test_no_other_file_is_given_to_anybody(name: str) -> None:
    assert visitor_of(board()).get(pages.asset(name)).status == 404


def test_a_bug_is_told_as_one_and_goes_on_to_the_terminal_without_its_words_in_the_page() -> None:
    visitor = visitor_of(board())
    answer = visitor.get("/bug")
    assert answer.status == 500
    assert "ValueError: a bug" in answer.text
    assert "a secret" not in answer.body
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert visitor.bugs == [ERRORS["bug"]]


def test_after_an_error_the_stack_is_opened_anew_and_the_user_looked_up_again() -> None:
    opened: list[Stack] = []

    def reopen() -> Stack:
        opened.append(replace(STACK, name=f"shop {len(opened)}"))
        return opened[-1]

    it = board(reopen=reopen)
    it.__dict__["identity"] = "somebody"
    visitor = visitor_of(it)
    visitor.get("/missing")
    assert not opened
    visitor.get("/temporary")
    assert it.stack is opened[0]
    assert "identity" not in it.__dict__
    it.live.mend()
    assert it.stack.name == "shop 1"


def test_a_stack_that_cannot_be_opened_anew_stays_as_it_was() -> None:
    def reopen() -> Stack:
        raise CommandError("sign in first")

    it = board(reopen=reopen)
    assert visitor_of(it).get("/temporary").status == 502
    assert it.stack is STACK


def test_what_cannot_be_read_ahead_hinders_nobody() -> None:
    read: list[str] = []

    def broken() -> None:
        raise TemporaryFault("throttled")

    it = board()
    it.ahead += [broken, lambda: read.append("fleet")]
    anyio.run(it.read_ahead)
    assert read == ["fleet"]
