"""What a person asks for, and which promotion of the past that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from pipeline_state.cli import facts
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.promotions import Past, pasts
from pipeline_state.model.promotion import Action

_SHOWN = 5
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for.

    commit: some first digits of its hash; empty leaves it to the action. override: whether it is to go ahead although
    the environment is frozen. is_current: whether today's definition is wanted instead of that of back then.
    """

    action: Action
    place: Place
    by: str
    reason: str
    commit: str = ""
    override: bool = False
    is_current: bool = False


def repeated(wish: Wish, head: Past | None) -> Past | None:
    """The promotion that is to be repeated; None where none is. head: what is there.

    Raises CommandError where there is none such, TemporaryFault.
    """
    if wish.action is Action.OVERRIDE:
        return None
    if head is None:
        raise CommandError(f"nothing has ever been promoted to {wish.place.name}")
    if wish.action is Action.REDEPLOY:
        return head
    return _chosen(wish, head) if wish.commit else _last_good(wish, head)


def _last_good(wish: Wish, head: Past) -> Past:
    """The last promotion of a commit older than the head that went well, and from which nobody went back since."""
    places: dict[int, int] = {}
    for past in pasts(wish.place):
        places[past.deployment.generation] = _sequence(past)
        if past.outcome == "deployed" and _is_older(past, head) and not _is_taken_back(past, places):
            return past
    told = f"no commit before {_short(head)} has been deployed to {wish.place.name}, or each was taken back"
    raise CommandError(f"{told}; see `gatestream history {wish.place.arguments}`, and name one with --to")


def _chosen(wish: Wish, head: Past) -> Past:
    """The last promotion of a given commit that went well, as far as that is known."""
    place = wish.place
    _, commit = facts.find_commit(place.pipeline.repo, wish.commit)
    if commit == head.deployment.commit:
        again = f"`gatestream redeploy {place.arguments}` installs it once more"
        raise CommandError(f"{place.name} has {commit[:_SHORT]} already; {again}")
    those = [past for past in pasts(place) if past.deployment.commit == commit]
    for outcome in ("deployed", ""):
        if found := next((past for past in those if past.outcome == outcome), None):
            return found
    told = f"its promotion {those[0].outcome or 'ended'}" if those else "it was never there"
    why = f" ({those[0].reason})" if those and those[0].reason else ""
    raise CommandError(f"{place.name} cannot go back to {commit[:_SHORT]}: {told}{why}; {_others(place, head)}")


def _others(place: Place, head: Past) -> str:
    good = (past.deployment.commit for past in pasts(place) if past.outcome == "deployed")
    commits = dict.fromkeys(commit for commit in islice(good, 4 * _SHOWN) if commit != head.deployment.commit)
    names = ", ".join(commit[:_SHORT] for commit in islice(commits, _SHOWN))
    return f"there are {names}" if names else "there is no other commit to go back to"


def _is_taken_back(past: Past, places: Mapping[int, int]) -> bool:
    """Whether it was left for an older commit: who goes on to a newer one by its name has nothing against it.

    places: in the order of pushes, by the generation of each later promotion.
    """
    return any(places.get(generation, -1) < _sequence(past) for generation in past.left_by)


def _is_older(past: Past, head: Past) -> bool:
    return _sequence(past) < _sequence(head) and past.deployment.commit != head.deployment.commit


def _sequence(past: Past) -> int:
    return max((promotion.sequence for promotion in past.deployment.promotions), default=-1)


def _short(past: Past) -> str:
    return past.deployment.commit[:_SHORT]
