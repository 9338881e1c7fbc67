"""The journal's entries about a commit, an environment or a repository, for `gatestream events`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pipeline_state.cli import facts
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.happenings import PIPELINES
from pipeline_state.cli.steering.places import Place, find_place
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import history

Entry = dict[str, Any]

_DIGITS = re.compile(r"[0-9a-f]{4,40}")


def of_part(where: str, what: str, last: int) -> list[Entry]:
    """Of a repository's commit, or of a pipeline's environment, which goes before where it has such a name.

    Raises CommandError for neither, TemporaryFault.
    """
    try:
        place = find_place(where, what)
    except CommandError:
        if not _DIGITS.fullmatch(what.lower()):
            raise
        return list(history(*facts.find_commit(where, what)))
    return list(_of_environment(place, last))


def of_repo(repo: str, last: int, now: datetime) -> list[Entry]:
    """Of a repository's newest commits, its environments and its pipelines. Raises as `facts.recent`."""
    rows = facts.recent(repo, last, now)
    definitions = load_definitions(repo)
    keys = [(row.status["repo"], row.commit) for row in rows]
    keys += [(definitions.repo, PIPELINES)]
    keys += [(each.name, environment.name) for each in definitions.pipelines for environment in each.environments]
    return [entry for key in keys for entry in history(*key)]


def _of_environment(place: Place, last: int) -> Iterator[Entry]:
    """Who closed and opened it, and what was promoted there, with how that went."""
    yield from history(*place.key)
    promoted = dict.fromkeys((each.repo, each.commit) for each in deployments(*place.key, most=last))
    for key in promoted:
        yield from (entry for entry in history(*key) if _is_about(entry.get("what"), place))


def _is_about(what: object, place: Place) -> bool:
    return isinstance(what, Mapping) and (what.get("pipeline"), what.get("environment")) == place.key
