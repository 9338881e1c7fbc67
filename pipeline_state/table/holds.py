"""What keeps an environment closed, begun and ended by people, each with its entry in the journal.

An environment's entries stand under its pipeline's name and its own, where those of a commit stand under repository and
commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.table import journal
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import SCHEMA, EnvironmentItem, Raw, all_of, as_read, at, set_all
from pipeline_state.table.snapshot import EVERYTHING, OPENED_AT
from pipeline_state.table.transaction import Transaction

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

_FREEZE = ("frozen_by", "frozen_until", "frozen_reason")
_HOLD = ("held_by", "held_reason")


def freeze(pipeline: Pipeline, environment: str, frozen: Freeze, happening: Happening) -> None:
    """Nothing begins to move there until it ends; a freeze that is there already is replaced. Raises TemporaryFault."""
    values = dict(zip(_FREEZE, (frozen.by, frozen.until, frozen.reason), strict=True))
    _write(EnvironmentItem(pipeline.name, environment), {"repo": pipeline.repo, **values}, happening)


def unfreeze(pipeline: Pipeline, environment: str, happening: Happening, seen: Raw | None = None) -> None:
    """End a person's freeze. seen: the environment's item as it was read; None ends whatever freeze there is.

    Raises RefusedError where there is none, or another one than was seen, and TemporaryFault.
    """
    item = EnvironmentItem(pipeline.name, environment)
    _end(item, _FREEZE, happening, seen)


def hold(pipeline: Pipeline, environment: str, reason: str, happening: Happening) -> None:
    """Pin it to what runs there, in the name of the happening's person. Raises as `freeze`."""
    values = {"repo": pipeline.repo, "held_by": happening.by, "held_reason": reason}
    _write(EnvironmentItem(pipeline.name, environment), values, happening)


def release(pipeline: Pipeline, environment: str, happening: Happening, seen: Raw | None = None) -> None:
    """End a hold, as `unfreeze` does."""
    item = EnvironmentItem(pipeline.name, environment)
    _end(item, _HOLD, happening, seen)


def stop(frozen: Freeze, happening: Happening) -> None:
    """Freeze every environment at once, those included that are defined meanwhile. Raises as `freeze`."""
    values = dict(zip(_FREEZE, (frozen.by, frozen.until, frozen.reason), strict=True))
    _write(EnvironmentItem(*EVERYTHING), values, happening)


def start(happening: Happening) -> None:
    """End the stop. Raises RefusedError where there is none, TemporaryFault."""
    _end(EnvironmentItem(*EVERYTHING), _FREEZE, happening)


def _end(item: EnvironmentItem, names: Sequence[str], happening: Happening, seen: Raw | None = None) -> None:
    """Whether it is there is told by the first of the names; that it is the one that was seen, by all of them."""
    same = [as_read(seen, name) for name in names] if seen is not None else []
    ended = dict.fromkeys(names, "") | {OPENED_AT: happening.time}
    _write(item, ended, happening, all_of([at(names[0]).exists(), *same]))


def _write(
    item: EnvironmentItem, values: Mapping[str, str], happening: Happening, condition: Condition | None = None
) -> None:
    """Set what has a value and remove the rest."""
    kept = {name: value for name, value in values.items() if value}
    actions: list[Action] = set_all({"_schema": SCHEMA, **kept})
    actions += [at(name).remove() for name in values if name not in kept]
    transaction = Transaction()
    transaction.update("environment", item, actions, condition)
    journal.append(transaction, happening)
    transaction.commit()
