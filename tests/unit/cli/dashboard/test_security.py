"""Who is let in, and what may be changed from where."""

import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline_state.cli.dashboard.security import Door, Guard
from tests.visitor import Visitor

ELSEWHERE = "http://evil.example"


def read(request: Request) -> Response:
    return PlainTextResponse(f"read {request.url.path}")


def change(request: Request) -> Response:
    return JSONResponse(request.state.form)


def visitor_of(door: Door) -> Visitor:
    routes = [Route("/change", change, methods=["POST"]), Route("/{rest:path}", read)]
    return Visitor(Starlette(routes=routes, middleware=[Middleware(Guard, door=door)]), door)


@pytest.fixture
def stranger() -> Visitor:
    return visitor_of(Door(4321))


@pytest.fixture
def guest(stranger: Visitor) -> Visitor:
    return stranger.enter()


def test_the_link_is_exchanged_for_a_cookie_of_the_session_and_leads_to_the_page_without_it(stranger: Visitor) -> None:
    link = stranger.door.new_link().replace("/?", "/repo/a/b?page=2&")
    answer = stranger.get(link)
    assert (answer.status, answer.headers["location"]) == (303, "/repo/a/b?page=2")
    cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "domain" not in cookie
    assert stranger.get("/repo/a/b").body == "read /repo/a/b"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_that_another_page_led_to_goes_on_from_a_page_of_ours_that_cookies_are_sent_from(
    stranger: Visitor, site: str
) -> None:
    answer = stranger.get(stranger.door.new_link().replace("/?", '/a"b?x=1&'), sec_fetch_site=site)
    assert answer.status == 200
    assert 'http-equiv="refresh" content="0;url=/a%22b?x=1"' in answer.body
    assert stranger.get("/").status == 200


def test_a_link_works_once(stranger: Visitor) -> None:
    link = stranger.door.new_link()
    assert stranger.get(link).status == 303
    other = visitor_of(stranger.door)
    answer = other.get(link)
    assert answer.status == 403
    assert "start it for a new one" in answer.text
    assert not other.cookies


def test_whoever_is_in_already_needs_no_second_link(guest: Visitor) -> None:
    before = dict(guest.cookies)
    assert guest.get("/?token=used").status == 303
    assert guest.cookies == before


def test_a_link_leads_nowhere_else(guest: Visitor) -> None:
    assert guest.get(f"{guest.door.origin}//evil.example/?token=used").headers["location"] == "/evil.example/"


@pytest.mark.parametrize("cookie", ["", "gatestream_4321=", "gatestream_4321=guess", "gatestream_1=x", "\x01;==;"])
def test_without_the_cookie_nothing_is_shown(stranger: Visitor, cookie: str) -> None:
    answer = stranger.get("/static/board.css", cookie=cookie)
    assert answer.status == 403
    assert "open the link" in answer.text


@pytest.mark.parametrize("other", ['theme={"dark": true}', "a b", "x[1]=2", 'n="', "ä=1"])
def test_cookies_that_other_servers_on_this_machine_have_set_are_in_nobodys_way(guest: Visitor, other: str) -> None:
    (ours,) = map("=".join, guest.cookies.items())
    assert guest.get("/", cookie=f"{other}; {ours}").status == 200
    assert guest.get("/", cookie=f"{ours}; {other}").status == 200


def test_the_cookie_of_another_run_is_none(guest: Visitor) -> None:
    again = visitor_of(Door(4321))
    again.cookies = guest.cookies
    assert again.get("/").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:80", "localhost:4321", "127.0.0.1:4321.evil.example"]
)
def test_a_name_that_is_made_to_point_here_is_not_answered(guest: Visitor, host: str) -> None:
    answer = guest.get("/", host=host)
    assert answer.status == 421
    assert "http://127.0.0.1:4321" in answer.text


def test_a_link_is_not_used_up_under_another_name(stranger: Visitor) -> None:
    link = stranger.door.new_link()
    assert stranger.get(link, host="evil.example").status == 421
    assert stranger.get(link).status == 303


def test_a_form_of_our_own_page_is_read_and_its_token_kept_back(guest: Visitor) -> None:
    answer = guest.post("/change", {"reason": "ä & b", "empty": ""})
    assert (answer.status, answer.body) == (200, '{"reason":"ä & b","empty":""}')


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ELSEWHERE},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:4322"},
        {"origin": ""},
        {"origin": "", "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_what_comes_from_another_page_changes_nothing(guest: Visitor, headers: dict[str, str]) -> None:
    answer = guest.post("/change", {}, **headers)
    assert (answer.status, answer.text) == (
        403,
        "Gatestream Not here Only the dashboard's own pages may change anything. To the dashboard",
    )


def test_a_browser_that_sends_no_origin_says_where_it_comes_from(guest: Visitor) -> None:
    assert guest.post("/change", {}, origin="", sec_fetch_site="same-origin").status == 200


@pytest.mark.parametrize("token", ["", "guess", "0" * 64, "ä"])
def test_without_the_page_s_own_token_nothing_is_changed(guest: Visitor, token: str) -> None:
    answer = guest.post("/change", {"csrf": token})
    assert answer.status == 403
    assert "load it again" in answer.text


def test_the_token_of_another_session_is_none(guest: Visitor) -> None:
    other = visitor_of(guest.door).enter()
    token = guest.door.csrf(guest.door.session_in("; ".join(map("=".join, guest.cookies.items()))) or "")
    assert other.post("/change", {"csrf": token}).status == 403


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_only_forms_are_understood(guest: Visitor, kind: str) -> None:
    assert guest.post("/change", {}, content_type=kind).status == 415


def test_a_form_that_is_no_text_and_one_that_never_ends_are_turned_away(guest: Visitor) -> None:
    form = {"origin": guest.door.origin, "content_type": "application/x-www-form-urlencoded"}
    assert guest.ask("POST", "/change", form, b"\xff=1").status == 400
    assert guest.post("/change", {"reason": "x" * 70_000}).status == 413


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/change"])
def test_every_answer_forbids_other_origins_frames_and_caches(guest: Visitor, path: str) -> None:
    for visitor in (guest, visitor_of(guest.door)):
        headers = visitor.get(path).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"
        assert not re.search("unsafe|http", headers["content-security-policy"])
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_links_and_sessions_are_never_the_same_twice() -> None:
    door = Door(1)
    links = [door.new_link() for _ in range(50)]
    tokens = [link.partition("token=")[2] for link in links]
    sessions = [door.enter(token) for token in tokens]
    assert len({*tokens, *sessions}) == 100
    assert all(len(token) >= 43 for token in tokens)
