"""Debian's Chromium, driven by Playwright, without a way to anywhere but loopback."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

WIDTHS = {"wide": (1440, 900), "middle": (768, 1024), "phone": (375, 812)}
"""Of the screenshots, in CSS pixels."""

QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
"""What Chromium would otherwise look up by itself."""


def missing() -> str:
    """Why there is no browser here, as a sentence; empty if there is one."""
    return "" if shutil.which("chromium") else "The dashboard's pages need Chromium on PATH (Debian: chromium)."


@contextmanager
def running() -> Iterator[Browser]:
    """A browser, for the length of the block; skipped where there is none and none is required."""
    if (reason := missing()) and not os.environ.get("GATESTREAM_REQUIRE_CHROMIUM"):
        pytest.skip(reason)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", *QUIET]  # root has no sandbox; what it opens is our own
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def screenshots(page: Page, name: str, folder: Path) -> None:
    """The whole page at each width, as name-width.png."""
    for width, (across, down) in WIDTHS.items():
        page.set_viewport_size({"width": across, "height": down})
        page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)


def serious_findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical on a page: the rule, what it asks for, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {'; '.join(node['html'][:120] for node in each['nodes'][:3])}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
