"""Open pages hear of changes, and nobody looks while none is open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from pipeline_state.cli.dashboard.live import Live
from pipeline_state.faults import TemporaryFault

SHOP = ("repo", "acme/shop")


@dataclass
class Tables:
    """What a look finds, and how often there was one."""

    state: str = "1"
    looks: int = 0
    mended: int = 0
    error: Exception | None = None
    about: list[tuple[str, ...]] = field(default_factory=list)

    def look(self, *about: str) -> str:
        self.looks += 1
        self.about.append(about)
        if self.error:
            raise self.error
        return self.state

    def mend(self) -> None:
        self.mended += 1


def live_of(tables: Tables) -> Live:
    return Live(0.001, {"repo": tables.look, "fleet": tables.look}, tables.mend)


@asynccontextmanager
async def page(
    live: Live, topic: tuple[str, ...], seen: str
) -> AsyncIterator[Callable[[], Awaitable[Mapping[str, str]]]]:
    """An open page: what it hears next."""
    events: Any = live.events(topic, seen)
    try:
        yield events.__anext__
    finally:
        await events.aclose()


def run(scenario: Callable[[Tables, Live], Awaitable[None]]) -> Tables:
    tables = Tables()

    async def timely() -> None:
        with anyio.fail_after(200):
            await scenario(tables, live_of(tables))

    anyio.run(timely)
    return tables


def test_a_page_hears_of_what_changed_between_its_reading_and_its_first_word() -> None:
    async def scenario(tables: Tables, live: Live) -> None:
        url = live.url(*SHOP)
        tables.state = "2"
        query = parse_qs(urlsplit(url).query)
        async with page(live, (query["topic"][0], *query["about"]), query["seen"][0]) as hears:
            assert await hears() == {"event": "repo", "data": "2"}

    assert run(scenario).about[0] == ("acme/shop",)


def test_a_change_is_told_once_and_to_every_page_about_it() -> None:
    async def scenario(tables: Tables, live: Live) -> None:
        async with page(live, SHOP, "0") as one, page(live, SHOP, "0") as other:
            assert [await one(), await other()] == [{"event": "repo", "data": "1"}] * 2
            tables.state = "2"
            assert [await one(), await other()] == [{"event": "repo", "data": "2"}] * 2

    run(scenario)


def test_pages_about_one_thing_cost_one_look() -> None:
    async def scenario(tables: Tables, live: Live) -> None:
        live.interval = 3600
        async with page(live, SHOP, "0") as one, page(live, SHOP, "0") as other, page(live, ("fleet",), "0") as fleet:
            await asyncio.gather(one(), other(), fleet())
        assert tables.looks == 2

    run(scenario)


def test_nobody_looks_once_the_last_page_is_closed_and_somebody_does_with_the_next_one() -> None:
    async def scenario(_: Tables, live: Live) -> None:
        async with page(live, SHOP, "0") as hears:
            await hears()
        while live.is_watching:  # noqa: ASYNC110 - it ends by itself, or the test takes too long
            await anyio.sleep(0.001)
        async with page(live, SHOP, "0") as hears:
            assert (await hears())["data"] == "1"

    run(scenario)


def test_trouble_is_told_in_a_sentence_and_so_is_its_end() -> None:
    async def scenario(tables: Tables, live: Live) -> None:
        tables.error = TemporaryFault("throttled")
        async with page(live, SHOP, "1") as hears:
            told = await hears()
            assert told["event"] == "trouble"
            assert told["data"] == "Not up to date: gatestream: throttled; try again"
            tables.error = None
            assert await hears() == {"event": "trouble", "data": ""}
            tables.state = "2"
            assert await hears() == {"event": "repo", "data": "2"}

    assert run(scenario).mended


def test_a_bug_ends_no_watch_and_its_words_stay_in_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(tables: Tables, live: Live) -> None:
        tables.error = ValueError("a secret")
        async with page(live, SHOP, "0") as hears:
            assert (await hears())["data"] == "Not up to date: something is wrong; the terminal tells more"
            tables.error = None
            assert [(await hears())["event"], (await hears())["data"]] == ["trouble", "1"]

    run(scenario)
    assert "a look at repo acme/shop failed" in caplog.text


def test_pages_are_told_that_the_dashboard_ends() -> None:
    async def scenario(_: Tables, live: Live) -> None:
        ended = anyio.Event()
        ended.set()
        assert [event async for event in live.events(SHOP, "1", ended)] == []

    run(scenario)
