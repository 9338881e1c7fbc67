"""Commits on their way: one item each, so that what waits is a query and nothing has to look through all records.

A push that makes a commit a candidate notes it, and so do every claim and whatever is put aside; the sweeper forgets it
once it can go nowhere any more. The items lie in a partition of their own of the Environments table, in order of
repository and commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pynamodb.exceptions import PynamoDBException

from pipeline_state.table.models import EnvironmentItem, GateRecord, Raw, at, set_all, to_plain, to_raw
from pipeline_state.table.transaction import Transaction, fault, is_refusal

PARTITION = "#waiting"
"""No pipeline's name begins with #."""

ASKED = "asked"
"""The attribute that a person's request to look at a commit changes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One commit. mark: of the event that last noted it, so that nobody forgets what was noted again meanwhile."""

    repo: str
    commit: str
    mark: str


def note(transaction: Transaction, repo: str, commit: str, mark: str) -> None:
    """Note a commit as part of a transaction. mark: unique to what makes it wait."""
    transaction.update(f"waiting {commit[:12]}", _item(repo, commit), set_all(_noted(repo, commit, mark)))


def ask(repo: str, commits: Iterable[str], mark: str) -> int:
    """Have the promoter look at commits once more, and from then on until they are settled; how many there were.

    mark: unique to the request. Raises TemporaryFault.
    """
    count = 0
    for commit in commits:
        try:
            _item(repo, commit).update(set_all({**_noted(repo, commit, mark), ASKED: mark}))
        except PynamoDBException as error:
            raise fault(error) from error
        count += 1
    return count


def of_repo(repo: str) -> list[Waiting]:
    """What waits in a repository, spelled as in its records. Raises TemporaryFault."""
    return list(_found(f"{repo}#"))


def everywhere() -> Iterator[Waiting]:
    """What waits, repository by repository. Raises TemporaryFault."""
    return _found("")


def records(repo: str, commits: Iterable[str]) -> dict[str, Raw]:
    """The raw records of commits, by commit; those that are gone are left out. Raises TemporaryFault."""
    keys = [(repo, commit) for commit in commits]
    try:
        return {item.commit: item.raw for item in GateRecord.batch_get(keys, consistent_read=True)}
    except PynamoDBException as error:
        raise fault(error) from error


def forget(waiting: Waiting) -> None:
    """Strike a commit off, unless it has been noted again. Raises TemporaryFault."""
    try:
        _item(waiting.repo, waiting.commit).delete(condition=at("mark") == to_raw(waiting.mark))
    except PynamoDBException as error:
        if not is_refusal(error):
            raise fault(error) from error


def _item(repo: str, commit: str) -> EnvironmentItem:
    return EnvironmentItem(PARTITION, f"{repo}#{commit}")


def _noted(repo: str, commit: str, mark: str) -> dict[str, str]:
    return {"repo": repo, "commit": commit, "mark": mark}


def _found(prefix: str) -> Iterator[Waiting]:
    begins = EnvironmentItem.environment.startswith(prefix) if prefix else None
    try:
        for item in EnvironmentItem.query(PARTITION, begins, consistent_read=True):
            plain = to_plain(item.raw)
            yield Waiting(str(plain.get("repo", "")), str(plain.get("commit", "")), str(plain.get("mark", "")))
    except PynamoDBException as error:
        raise fault(error) from error
