"""Who is let in: the browser that brought the one-time link, from no other page, under no other name.

A page on loopback can be reached by every page that the same browser shows. So the name in `Host` has to be the one
that was printed (DNS rebinding), a cookie that no other site can send has to be there, and whatever is not reading has
to come from a page of ours, and bring that page's token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from markupsafe import escape
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST: Final = "127.0.0.1"
"""Nothing else is listened on."""

TOKEN, CSRF = "token", "csrf"
"""The link's parameter, and the field that every form brings."""

READING = frozenset({"GET", "HEAD"})
_LONGEST_FORM = 64 * 1024

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send our own forms with `Origin: null`
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer: no script, style, picture or frame but this server's own files."""


class TurnedAwayError(Exception):
    """A request that is not answered. status: HTTP's. why: a sentence with what to do."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass
class Door:
    """The key of one run of the dashboard. port: where it listens.

    A link opens it once; who came in by it has a cookie that lives as long as the browser and the dashboard do.
    """

    port: int
    _links: set[str] = field(default_factory=set)
    _sessions: set[str] = field(default_factory=set)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def address(self) -> str:
        """What `Host` has to be."""
        return f"{HOST}:{self.port}"

    @property
    def origin(self) -> str:
        """Where our pages are."""
        return f"http://{self.address}"

    @property
    def cookie(self) -> str:
        """Its name; cookies do not know ports, so that two dashboards would take each other's."""
        return f"gatestream_{self.port}"

    def new_link(self) -> str:
        """A URL that opens the dashboard once."""
        token = secrets.token_urlsafe(32)
        self._links.add(token)
        return f"{self.origin}/?{urlencode({TOKEN: token})}"

    def enter(self, token: str) -> str | None:
        """The session that a link's token is exchanged for; None for one that is used up or none of ours."""
        known = next((each for each in self._links if hmac.compare_digest(each.encode(), token.encode())), None)
        if known is None:
            return None
        self._links.remove(known)
        session = secrets.token_urlsafe(32)
        self._sessions.add(session)
        return session

    def session_in(self, cookies: str) -> str | None:
        """The session that a Cookie header brings, among whatever other servers on this machine have set."""
        value = cookie_parser(cookies).get(self.cookie, "")
        return next((each for each in self._sessions if hmac.compare_digest(each.encode(), value.encode())), None)

    def csrf(self, session: str) -> str:
        """What the forms of a session's pages bring along."""
        return hmac.new(self._key, session.encode(), "sha256").hexdigest()


def check_host(door: Door, headers: Headers) -> None:
    """Raises TurnedAwayError for another name that leads here, such as a site's that is made to point here."""
    if headers.get("host") != door.address:
        raise TurnedAwayError(421, f"This dashboard is at {door.origin} and answers to no other name.")


def check_session(door: Door, headers: Headers) -> str:
    """The session of a request. Raises TurnedAwayError."""
    session = door.session_in(headers.get("cookie", ""))
    if session is None:
        raise TurnedAwayError(403, "This browser is not let in yet: open the link that `gatestream dashboard` printed.")
    return session


def check_source(door: Door, headers: Headers) -> None:
    """Raises TurnedAwayError for a request to change something that comes from elsewhere than our own pages."""
    told = {"origin": door.origin, "sec-fetch-site": "same-origin"}
    tells = [headers[name] == ours for name, ours in told.items() if name in headers]
    if not tells or not all(tells):
        raise TurnedAwayError(403, "Only the dashboard's own pages may change anything.")


def check_form(door: Door, session: str, headers: Headers, body: bytes) -> dict[str, str]:
    """The fields of a form, each once, without the token that it brought. Raises TurnedAwayError."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise TurnedAwayError(415, "Only forms are understood here.")
    try:
        fields = {name: values[-1] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    except ValueError as error:
        raise TurnedAwayError(400, "That form cannot be read.") from error
    if not hmac.compare_digest(fields.pop(CSRF, "").encode(), door.csrf(session).encode()):
        raise TurnedAwayError(403, "That page is of an earlier run of the dashboard: load it again, then repeat it.")
    return fields


class Guard:
    """Lets nothing through to the pages that has not been let in.

    Behind it, `request.state.session` is the session, and `request.state.form` the fields of a form.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            answer = await self._checked(Request(scope, receive))
        except TurnedAwayError as error:
            answer = turned_away(error)
        await (answer or self._app)(scope, receive, with_headers)

    async def _checked(self, request: Request) -> Response | None:
        """The answer to a request that goes no further; None for one that does. Raises TurnedAwayError."""
        check_host(self._door, request.headers)
        if request.method == "GET" and TOKEN in request.query_params:
            return self._enter(request)
        session = check_session(self._door, request.headers)
        request.state.session, request.state.form = session, {}
        if request.method not in READING:
            check_source(self._door, request.headers)
            request.state.form = check_form(self._door, session, request.headers, await _body(request))
        return None

    def _enter(self, request: Request) -> Response:
        """The same URL without its token, with a cookie; who has one already needs no new one."""
        known = self._door.session_in(request.headers.get("cookie", ""))
        session = known or self._door.enter(request.query_params[TOKEN])
        if session is None:
            told = "That link has been used, or is of an earlier run of the dashboard"
            raise TurnedAwayError(403, f"{told}; stop `gatestream dashboard` with Ctrl-C and start it for a new one.")
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != TOKEN]
        page = f"/{quote(request.url.path.lstrip('/'))}" + (f"?{urlencode(kept)}" if kept else "")
        answer = _elsewhere(page) if _is_foreign(request.headers) else RedirectResponse(page, 303)
        answer.set_cookie(self._door.cookie, session, httponly=True, samesite="strict")
        return answer


def _is_foreign(headers: Headers) -> bool:
    """Whether somebody else's page led here: a file that opens the link, a terminal in a browser."""
    return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def _elsewhere(page: str) -> Response:
    """A page that goes on by itself: a redirect would still come from the page that led here, without the cookie."""
    return HTMLResponse(
        f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(page)}"><title>Gatestream</title>'
    )


async def _body(request: Request) -> bytes:
    """The form of a request, which is small. Raises TurnedAwayError."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise TurnedAwayError(413, f"That form is longer than {_LONGEST_FORM:,} bytes.")
    return body


def turned_away(error: TurnedAwayError) -> HTMLResponse:
    """A page that says why; it has nothing to load, since nothing is given to strangers."""
    head = '<meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Gatestream</title>'
    page = f'<!doctype html><html lang="en">{head}<h1>Not here</h1><p>{error.why}</p>'
    return HTMLResponse(f'{page}<p><a href="/">To the dashboard</a></p></html>', error.status)
