"""Standard output that ends early, is full, or cannot show every character: no reason for a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast

from pipeline_state.cli.console import NO, CommandError


class OutputError(CommandError):
    """What was to be told could not be written."""


class _Output:
    """A stream that raises OutputError, and exits where nobody reads on; what is written from then on is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise self._lost(error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> OutputError | SystemExit:
        """The stream still holds what it could not write, and Python tries once more at the end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            return SystemExit(NO)
        return OutputError(f"{self._stream.name} cannot be written to: {error.strerror}")


@contextmanager
def guarded_output() -> Iterator[None]:
    """For the length of the block, which is the whole command. What the encoding lacks is shown escaped."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (cast("TextIO", _Output(stream)) if stream else stream for stream in before)
    try:
        yield
        sys.stdout.flush()
    except SystemExit:
        sys.stdout.flush()
        raise
    except OutputError as error:
        raise SystemExit(f"{error.prefix}{error}") from error
    finally:
        sys.stdout, sys.stderr = before
