"""Spans in a file that several processes share: for tests and for looking at."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pipeline_state.tracing.exporter import Exporter, Item

logger = logging.getLogger(__name__)


class FileExporter(Exporter):
    """Appends one line of JSON a span: its item."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, items: Sequence[Item]) -> None:
        if not items:
            return
        try:
            _append(self._path, b"".join(json.dumps(item).encode() + b"\n" for item in items))
        except OSError as error:
            self.lost += len(items)
            logger.warning("%d spans lost: cannot append to %s: %s", self.lost, self._path, error.strerror)


def _append(path: Path, text: bytes) -> None:
    """In a single write, so that the lines of several processes never mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, text)
    finally:
        os.close(file)
