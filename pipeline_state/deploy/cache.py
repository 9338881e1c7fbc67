"""Files that are fetched once: below the workspace, found by several processes at a time, and bounded in all.

In Lambda the folder is in /tmp, which has 512 MB unless told otherwise and outlives a single invocation.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cache:
    """The files of a folder. size: how many bytes they may have together; beyond it the longest unused ones go."""

    folder: Path
    size: int = MAX_BYTES

    def find(self, name: str) -> Path | None:
        """The file of that name, which counts as used now; None where there is none."""
        path = self.folder / name
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def keep(self, name: str, content: bytes) -> Path:
        """The file with that content, whole from the moment it has its name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        path = Path(partial).rename(self.folder / name)
        self._make_room(path, self.size - len(content))
        return path

    def _make_room(self, newest: Path, left: int) -> None:
        """left: for all but the newest. What a killed process has left half written goes in its turn, too."""
        for _, size, path in sorted(self._others(newest), reverse=True):
            left -= size
            if left < 0:
                path.unlink(missing_ok=True)

    def _others(self, newest: Path) -> Iterator[tuple[int, int, Path]]:
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process makes room, too
                found = path.stat()
                if path != newest:
                    yield found.st_mtime_ns, found.st_size, path
