"""Spans in a file, one line of JSON each, for tests that look at what left a function in the order in which it left."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_state.tracing import Exporter, Item


@dataclass(frozen=True, slots=True)
class FileSink:
    """A sink for `tracing.configure`."""

    path: Path

    def exporter(self, service: str) -> Exporter:  # noqa: ARG002 - each span names it
        return FileExporter(self.path)


class FileExporter(Exporter):
    """Appends in a single write, so that the lines of several processes never mix."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, items: Sequence[Item]) -> None:
        if items:
            with self._path.open("ab", buffering=0) as file:
                file.write("".join(json.dumps(item) + "\n" for item in items).encode())
