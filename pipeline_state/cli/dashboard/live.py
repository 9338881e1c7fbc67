"""Pages that stay as the tables are: one task looks at what the open pages show, and tells them when that changes.

Streams are for functions; a person's right to read is enough for a look now and then. While no page is open, nobody
looks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pipeline_state.cli.console import told

LOCAL, DEPLOYED = 1.5, 5.0
"""Seconds between two looks: MiniStack is there for one person, a look at AWS costs a little."""

Look = Callable[..., str]
"""What a kind of page shows, as a text that changes with it; it is given what the page is about. It may block."""

Topic = tuple[str, ...]
"""What a page is about: its kind, then what tells it apart."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Reader:
    """An open page. seen: the state that it shows, as far as that is known."""

    topic: Topic
    seen: str
    news: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    def tell(self, state: str) -> None:
        if state != self.seen:
            self.seen = state
            self.news.put_nowait((self.topic[0], state))


@dataclass
class Live:
    """looks: by kind of page. interval: seconds from the end of a look to the next one."""

    interval: float = LOCAL
    looks: dict[str, Look] = field(default_factory=dict)
    _readers: set[_Reader] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None

    def url(self, kind: str, *about: str) -> str:
        """Where a page hears of changes; to be asked for before it reads what it shows, so that it misses none.

        Its events bear the kind's name. Raises what the look raises.
        """
        state = self.looks[kind](*about)
        return "/live?" + urlencode([("topic", kind), *(("about", each) for each in about), ("seen", state)])

    async def endpoint(self, request: Request) -> Response:
        """The events of one page."""
        from sse_starlette.sse import EventSourceResponse

        topic = (request.query_params["topic"], *request.query_params.getlist("about"))
        return EventSourceResponse(self.events(topic, request.query_params.get("seen", "")), ping=30)

    async def events(self, topic: Topic, seen: str) -> AsyncIterator[Mapping[str, Any]]:
        """Each time that what a page shows has changed; and `trouble` with a sentence while nobody can tell."""
        async with self._reading(_Reader(topic, seen)) as reader:
            while True:
                event, data = await reader.news.get()
                yield {"event": event, "data": data}

    @asynccontextmanager
    async def _reading(self, reader: _Reader) -> AsyncIterator[_Reader]:
        self._readers.add(reader)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield reader
        finally:
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
            self._tell_trouble(topic, error)
            return
        for reader in [each for each in self._readers if each.topic == topic]:
            reader.tell(state)

    def _tell_trouble(self, topic: Topic, error: Exception) -> None:
        line = told(error)
        if line is None:
            _log.error("a look at %s failed", topic[0], exc_info=error)
        for reader in [each for each in self._readers if each.topic == topic]:
            reader.news.put_nowait(("trouble", line[0] if line else "something is wrong; its terminal tells more"))
