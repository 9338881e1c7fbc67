"""The user's browser, to show a page in."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def opened(page: Path) -> bool:
    """Whether a file is shown in a window of its own. One in the terminal would be in the way of what is printed."""
    import webbrowser

    has_windows = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return has_windows and webbrowser.open(page.absolute().as_uri())
