"""Pages that stay as the tables are: one task looks at what the open pages show, and tells them when that changes.

Streams are for functions; a person's right to read is enough for a look now and then. While no page is open, nobody
looks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline_state.cli.console import told

LOCAL, DEPLOYED = 1.5, 5.0
"""Seconds between two looks: MiniStack is there for one person, a look at AWS costs a little."""

_PING = 30
"""Seconds between comments that keep the connection open, and by which a page that is gone is found out."""

_GRACE = 0.5
"""Seconds that pages have to be told that the dashboard ends."""

Look = Callable[..., str]
"""What a kind of page shows, as a text that changes with it; it is given what the page is about. It may block."""

Topic = tuple[str, ...]
"""What a page is about: its kind, then what tells it apart."""

_log = logging.getLogger(__name__)


TROUBLE = "trouble"
"""The event that says why nobody can tell what has changed; without words once somebody can again."""


@dataclass(eq=False)
class _Reader:
    """An open page. seen: the state that it shows, as far as that is known. trouble: what it was told of."""

    topic: Topic
    seen: str
    trouble: str = ""
    news: asyncio.Queue[Mapping[str, str]] = field(default_factory=asyncio.Queue)

    def tell(self, state: str) -> None:
        self.tell_trouble("")
        if state != self.seen:
            self.seen = state
            self.news.put_nowait({"event": self.topic[0], "data": state})

    def tell_trouble(self, sentence: str) -> None:
        if sentence != self.trouble:
            self.trouble = sentence
            self.news.put_nowait({"event": TROUBLE, "data": sentence})

    async def leave_after(self, ended: anyio.Event) -> None:
        await ended.wait()
        self.news.put_nowait({})


@dataclass
class Live:
    """looks: by kind of page. interval: seconds from the end of a look to the next one.

    mend: what is tried after a look that failed; it may block.
    """

    interval: float = LOCAL
    looks: dict[str, Look] = field(default_factory=dict)
    mend: Callable[[], None] = lambda: None
    _readers: set[_Reader] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None

    @property
    def is_watching(self) -> bool:
        """Whether somebody looks."""
        return self._task is not None and not self._task.done()

    def url(self, kind: str, *about: str) -> str:
        """Where a page hears of changes; to be asked for before it reads what it shows, so that it misses none.

        Its events bear the kind's name. Raises what the look raises.
        """
        return stream_url(self.looks[kind](*about), kind, *about)

    async def endpoint(self, request: Request) -> Response:
        """The events of one page. Raises HTTPException for a page that there is not."""
        from sse_starlette.sse import EventSourceResponse

        query = request.query_params
        topic = (query.get("topic", ""), *query.getlist("about"))
        if topic[0] not in self.looks:
            raise HTTPException(404, "There is no such page.")
        ended = anyio.Event()
        events = self.events(topic, query.get("seen", ""), ended)
        return EventSourceResponse(events, ping=_PING, shutdown_event=ended, shutdown_grace_period=_GRACE)

    async def events(
        self, topic: Topic, seen: str, ended: anyio.Event | None = None
    ) -> AsyncIterator[Mapping[str, str]]:
        """One each time that what a page shows has changed, and `trouble`; until the dashboard has ended."""
        reader = _Reader(topic, seen)
        self._readers.add(reader)
        farewell = asyncio.create_task(reader.leave_after(ended or anyio.Event()))
        try:
            if not self.is_watching:
                self._task = asyncio.create_task(self._watch())
            while news := await reader.news.get():
                yield news
        finally:
            farewell.cancel()
            self._readers.discard(reader)

    async def _watch(self) -> None:
        while self._readers:
            for topic in {each.topic for each in self._readers}:
                await self._look(topic)
            await asyncio.sleep(self.interval)

    async def _look(self, topic: Topic) -> None:
        kind, *about = topic
        try:
            state = await run_in_threadpool(self.looks[kind], *about)
        except Exception as error:  # noqa: BLE001 - the pages say so, and the next look may do better
            trouble = _sentence(topic, error)
            for reader in self._of(topic):
                reader.tell_trouble(trouble)
            await run_in_threadpool(self.mend)
            return
        for reader in self._of(topic):
            reader.tell(state)

    def _of(self, topic: Topic) -> list[_Reader]:
        return [each for each in self._readers if each.topic == topic]


def stream_url(seen: str, kind: str, *about: str) -> str:
    """Where a page hears of changes to a state that was looked at before the page read what it shows."""
    return "/live?" + urlencode([("topic", kind), *(("about", each) for each in about), ("seen", seen)])


def _sentence(topic: Topic, error: Exception) -> str:
    line = told(error)
    if line is None:
        _log.error("a look at %s failed", " ".join(topic), exc_info=error)
    return f"Not up to date: {line[0] if line else 'something is wrong; the terminal tells more'}"
