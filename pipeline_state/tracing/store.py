"""The local stack's spans: one SQLite file, to which every function's process writes and which anybody may read.

Traces are numbered in the order in which they began. Each flush leaves one row a trace: its spans as JSON, compressed
with a dictionary of what every span says, which lies in the file. The oldest trace leaves when there are too many.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pipeline_state.tracing.exporter import Exporter, Item
from pipeline_state.tracing.store_dictionary import DICTIONARY

MOST_TRACES = 100_000
"""Kept at once. A commit's way through two environments takes 6.6 KB, so that a store full of these is 660 MB."""

_LOCKED_SECONDS = 5.0
"""Nobody waits longer for another process. It writes for less than a millisecond, unless the machine is very busy.

Half of a webhook's ten. What cannot be written by then is lost: the next flush of its function may be hours away.
"""

_VERSION = 1
_TABLES = f"""
PRAGMA journal_mode = WAL;
PRAGMA user_version = {_VERSION};
CREATE TABLE traces (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE spans (trace INTEGER, flush INTEGER, spans BLOB NOT NULL, PRIMARY KEY (trace, flush)) WITHOUT ROWID;
CREATE TABLE dictionary (bytes BLOB NOT NULL);
"""
_TRACE_ID = "trace.trace_id"

logger = logging.getLogger(__name__)


class StoreError(Exception):
    """The store cannot be written or read; says where it is and why."""


class Store:
    """One process's way to the file, which is made if it is not there."""

    def __init__(self, path: Path, most_traces: int = MOST_TRACES) -> None:
        self._path = path
        self._most_traces = most_traces
        self._connection: sqlite3.Connection | None = None
        self._dictionary = b""

    def append(self, items: Iterable[Item]) -> None:
        """Add spans of any traces, all or none. Raises StoreError; a damaged file is put aside, so the next succeed."""
        try:
            connection = self._open()
            with connection:  # a transaction
                connection.execute("BEGIN IMMEDIATE")
                for trace_id, own in _by_trace(items).items():
                    self._add(connection, bytes.fromhex(trace_id), own)
        except (sqlite3.Error, OSError, ValueError) as error:
            self.close()
            if type(error) is sqlite3.DatabaseError:  # neither busy nor full nor wrong use, which are its subclasses
                _put_aside(self._path)
            raise StoreError(f"{self._path}: {error}") from error

    def close(self) -> None:
        """Let go of the file; the next append takes it again."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _writing(self._path)
            self._dictionary = _dictionary(self._connection)
        return self._connection

    def _add(self, connection: sqlite3.Connection, trace_id: bytes, items: Sequence[Item]) -> None:
        if connection.execute("INSERT INTO traces (id) VALUES (?) ON CONFLICT DO NOTHING", (trace_id,)).rowcount:
            self._let_oldest_go(connection)
        (number,) = connection.execute("SELECT number FROM traces WHERE id = ?", (trace_id,)).fetchone()
        row = (number, number, _packed(items, self._dictionary))
        last = "SELECT coalesce(max(flush), 0) + 1 FROM spans WHERE trace = ?"
        connection.execute(f"INSERT INTO spans VALUES (?, ({last}), ?)", row)  # noqa: S608 - of constants

    def _let_oldest_go(self, connection: sqlite3.Connection) -> None:
        kept = "(SELECT max(number) FROM traces) - ?"
        connection.execute(f"DELETE FROM spans WHERE trace <= {kept}", (self._most_traces,))  # noqa: S608 - the same
        connection.execute(f"DELETE FROM traces WHERE number <= {kept}", (self._most_traces,))  # noqa: S608 - the same


class StoreExporter(Exporter):
    """Leaves spans in the local stack's store, which several processes share."""

    is_beside_journal = True

    def __init__(self, path: Path) -> None:
        self._store = Store(path)

    def export(self, items: Sequence[Item]) -> None:
        if not items:
            return
        try:
            self._store.append(items)
        except StoreError as error:
            self.lost += len(items)
            logger.warning("%d spans lost: %s", self.lost, error)

    def close(self) -> None:
        self._store.close()


def append(path: Path, items: Iterable[Item]) -> None:
    """Add spans, as somebody who does so once. Raises StoreError."""
    with closing(Store(path)) as store:
        store.append(items)


def read(path: Path, trace_id: str) -> list[dict[str, Any]]:
    """The spans of a trace in the order in which they came; none where there is no store yet. Raises StoreError."""
    return list(_found(path, "WHERE t.id = ?", bytes.fromhex(trace_id)))


def read_all(path: Path) -> list[dict[str, Any]]:
    """The spans of all traces, trace by trace. Raises StoreError."""
    return list(_found(path, ""))


def _found(path: Path, where: str, *values: bytes) -> Iterator[dict[str, Any]]:
    query = "SELECT t.id, s.spans FROM traces t JOIN spans s ON s.trace = t.number"
    try:
        with closing(_reading(path)) as connection:
            dictionary = _dictionary(connection)
            for trace_id, packed in connection.execute(f"{query} {where} ORDER BY s.trace, s.flush", values):
                yield from _unpacked(packed, dictionary, trace_id.hex())
    except FileNotFoundError:
        return
    except (sqlite3.Error, zlib.error, ValueError) as error:
        raise StoreError(f"{path}: {error}") from error


def _reading(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise FileNotFoundError(path)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCKED_SECONDS)


def _writing(path: Path) -> sqlite3.Connection:
    if not path.exists():
        _make(path)
    connection = sqlite3.connect(path, timeout=_LOCKED_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")  # no wait for the disk with every flush
    return connection


def _make(path: Path) -> None:
    """An empty store, whole from its first moment on, whoever else makes it at the same time."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    os.close(os.open(own, os.O_CREAT, 0o600))
    try:
        with closing(sqlite3.connect(own)) as connection:
            connection.executescript(_TABLES)
            connection.execute("INSERT INTO dictionary VALUES (?)", (DICTIONARY,))
            connection.commit()
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()


def _put_aside(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.replace(path.with_suffix(".damaged"))
    for companion in ("-wal", "-shm"):  # of the damaged file, and poison to the next
        path.with_name(path.name + companion).unlink(missing_ok=True)


def _dictionary(connection: sqlite3.Connection) -> bytes:
    if connection.execute("PRAGMA user_version").fetchone() != (_VERSION,):
        raise sqlite3.DatabaseError("not a store of spans, or one of another version")
    (dictionary,) = connection.execute("SELECT bytes FROM dictionary").fetchone()
    return bytes(dictionary)


def _by_trace(items: Iterable[Item]) -> dict[str, list[Item]]:
    traces: dict[str, list[Item]] = {}
    for item in items:
        traces.setdefault(str(item["data"][_TRACE_ID]), []).append(item)
    return traces


def _packed(items: Sequence[Item], dictionary: bytes) -> bytes:
    bare = [{**item, "data": {key: value for key, value in item["data"].items() if key != _TRACE_ID}} for item in items]
    # Level 6 and memLevel 8, as by default, take twice as long, and a tenth of the room less.
    packer = zlib.compressobj(level=3, wbits=-15, memLevel=6, zdict=dictionary)
    return packer.compress(json.dumps(bare, separators=(",", ":")).encode()) + packer.flush()


def _unpacked(packed: bytes, dictionary: bytes, trace_id: str) -> list[dict[str, Any]]:
    items = json.loads(zlib.decompressobj(wbits=-15, zdict=dictionary).decompress(packed))
    return [{**item, "data": {_TRACE_ID: trace_id, **item["data"]}} for item in items]
