"""Gates that leave pipelines.yaml: what commits on their way have of them, told and removed.

While a gate is declared, an empty column and none mean the same. So what nobody has set is removed just before the
definitions are saved, several at once; nothing is decided differently by that. What is there all the same afterwards
(pushed meanwhile, or left by an older version) is what commits wait for: it is removed in the order in which they are
to be promoted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain

from pipeline_state.cli.asking import happening
from pipeline_state.model.decide import declared_gates
from pipeline_state.model.entries import EMPTY_REMOVED
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.table import waiting
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.leftovers import Leftover, leftovers, remove_empty
from pipeline_state.table.snapshot import Definitions

AT_ONCE = 8
"""Commits that are written at once; the client has ten connections."""


def left_by(before: Definitions, after: Iterable[Pipeline], now: datetime) -> tuple[Leftover, ...]:
    """What commits on their way have of gates that a repository declared up to now. Raises TemporaryFault."""
    if not before.version:
        return ()
    commits = [each.commit for each in waiting.of_repo(before.repo)]
    return tuple(leftovers(before, declared_gates(after), commits, now))


def left_behind(repo: str, first: Iterable[str], now: datetime) -> list[Leftover]:
    """What has empty columns of gates that are not declared any more: some commits, and then the others on their way.

    Raises TemporaryFault and PermanentFault.
    """
    definitions = load_definitions(repo)
    commits = dict.fromkeys(chain(first, (each.commit for each in waiting.of_repo(definitions.repo))))
    return [each for each in leftovers(definitions, definitions.declared, commits, now) if each.empty]


def remove(
    repo: str, found: Sequence[Leftover], by: str, now: Callable[[], datetime], at_once: int = 1
) -> Iterator[str]:
    """Remove empty columns in a person's name; the commits that are done. Raises TemporaryFault and PermanentFault.

    repo: as its records have it. now: the current time, aware.
    """

    def one(each: Leftover) -> str:
        remove_empty(each.empty, happening((repo, each.commit), EMPTY_REMOVED, by, now(), {}))
        return each.commit

    with ThreadPoolExecutor(at_once) as threads:
        yield from threads.map(one, found)


def counted(gates: Iterable[Iterable[str]]) -> dict[str, int]:
    """How many commits have each of the gates, by name."""
    return dict(sorted(Counter(chain.from_iterable(gates)).items()))


def removals(left: Iterable[Leftover]) -> list[str]:
    """What is removed, a sentence for each gate."""
    return [
        f"{_commits(count)} on {'its' if count == 1 else 'their'} way {'loses' if count == 1 else 'lose'}"
        f" the gate {gate}, which nobody has set there"
        for gate, count in counted(each.empty for each in left).items()
    ]


def in_the_way(repo: str, left: Sequence[Leftover]) -> list[str]:
    """What stays and keeps commits from every environment, a sentence for each gate with the next step."""
    found = []
    for gate, count in counted(each.closed for each in left).items():
        example = next(each.commit for each in left if gate in each.closed)
        found.append(
            f"{gate} is not declared any more, but set on {_commits(count)}, and not to passed: every environment needs"
            f" it there; look, and open it: gatestream gate set {repo} {example[:12]} {gate} passed"
        )
    return found


def _commits(count: int) -> str:
    return "1 commit" if count == 1 else f"{count} commits"
