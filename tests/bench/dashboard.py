"""`dashboard`: how soon the fleet's page is there with a thousand repositories and a hundred thousand commits.

On MiniStack, in Chromium. A dashboard that has just begun has read nothing; one that goes on has.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from pipeline_state.table.models import Tables
from tests.bench.figures import Figure
from tests.bench.made_up_fleet import made_up_stack

GOALS = {"first_paint": 1000, "counted": 3000, "again": 300, "repo": 500, "search": 500}
"""Milliseconds: until the fleet is to be seen, until it is known how far behind everything is; the page loaded again, a
repository's page, the rows of a search."""

FLEET, QUICK_FLEET = (1000, 100), (20, 20)
"""Repositories, and commits of each."""

SAMPLES, QUICK_SAMPLES = 7, 2
WATCHED = 12.0
"""Seconds that an open page is watched for what its looks cost."""

PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
COUNTED = "!document.querySelector('#rows .late [title=\"being counted\"]')"


def measure(*, quick: bool) -> Iterator[Figure]:
    """Left out where there is no Chromium, which standard error says."""
    if not shutil.which("chromium"):
        print("dashboard is left out: there is no chromium on PATH", file=sys.stderr)
        return
    repos, commits = QUICK_FLEET if quick else FLEET
    with made_up_stack(repos, commits) as stack, browser() as chromium:
        found = [visit(chromium, stack.tables) for _ in range(QUICK_SAMPLES if quick else SAMPLES)]
        calls = watch(chromium, stack.tables, 2 if quick else WATCHED)
    yield from figures(found, calls, f"{repos:,} repositories, {repos * commits:,} commits")


def figures(found: Sequence[dict[str, float]], calls: dict[str, int], fleet: str) -> Iterator[Figure]:
    """From milliseconds by what was done, and the calls of DynamoDB that an open page took in a minute."""
    told = [fleet, f"calls of DynamoDB in a minute of an open page: {json.dumps(calls)}"]
    for name, goal in GOALS.items():
        details = told if name == "first_paint" else ()
        yield Figure(f"dashboard.{name}", "ms", goal, [sample[name] for sample in found], details=details)


def visit(chromium: Any, tables: Tables) -> dict[str, float]:
    """Milliseconds from following the link to the first paint, and of what one does after that."""
    with dashboard(tables) as (link, _), page_of(chromium) as page:
        page.goto(link)
        page.wait_for_function(PAINTED)
        first = page.evaluate(PAINTED)
        begun = time.perf_counter()
        page.wait_for_function(COUNTED, timeout=60_000)
        counted = first + 1000 * (time.perf_counter() - begun)
        page.reload()
        page.wait_for_function(PAINTED)
        again = page.evaluate(PAINTED)
        page.goto(page.url.partition("?")[0] + page.locator(".repo a").first.get_attribute("href").lstrip("/"))
        page.wait_for_function(PAINTED)
        repo = page.evaluate(PAINTED)
        page.go_back()
        begun = time.perf_counter()
        with page.expect_response(lambda answer: "/fleet/rows?find=" in answer.url):
            page.fill("#find", "ledger")
        search = 1000 * (time.perf_counter() - begun)
        return {"first_paint": first, "counted": counted, "again": again, "repo": repo, "search": search}


def watch(chromium: Any, tables: Tables, seconds: float) -> dict[str, int]:
    """The calls of DynamoDB that an open page takes in a minute, by name, when nothing happens."""
    with dashboard(tables) as (link, ended), page_of(chromium) as page:
        page.goto(link)
        page.wait_for_function(COUNTED, timeout=60_000)
        time.sleep(seconds)
        calls = ended()
    with dashboard(tables) as (link, ended), page_of(chromium) as page:
        page.goto(link)
        page.wait_for_function(COUNTED, timeout=60_000)
        first = ended()
    return {name: round((count - first.get(name, 0)) * 60 / seconds) for name, count in calls.items()}


@contextmanager
def dashboard(tables: Tables) -> Iterator[tuple[str, Any]]:
    """One that begins: its link, and what ends it and tells its calls."""
    command = [sys.executable, "-m", "tests.bench.dashboard_program", json.dumps(asdict(tables))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout

        def ended() -> dict[str, int]:
            process.send_signal(signal.SIGTERM)
            told: dict[str, int] = json.loads(process.communicate()[0].splitlines()[-1])
            return told

        try:
            yield process.stdout.readline().strip(), ended
        finally:
            if process.poll() is None:
                ended()


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the other benchmarks go without

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def page_of(chromium: Any) -> Iterator[Any]:
    """A page of a browser that has nothing in its cache."""
    context = chromium.new_context(bypass_csp=True)  # waiting for a function takes eval
    try:
        yield context.new_page()
    finally:
        context.close()
