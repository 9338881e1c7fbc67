"""States as the pages show them: a shape, a word, and a colour besides, never a colour alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline_state.cli.matrix import MARKS, word
from pipeline_state.cli.views import GATES, HEADS, decision_style

Tone = Literal["good", "bad", "wait", "closed", "none"]

_TONES: Mapping[str, Tone] = {"green": "good", "red": "bad", "yellow": "wait", "blue": "closed"}
"""The commands' colours as the pages' classes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A state. symbol: one character. tone: the class of its colour."""

    word: str
    symbol: str
    tone: Tone


def gate_mark(status: str) -> Mark:
    """Of a gate: passed, failed or pending."""
    symbol, style = GATES[status]
    return Mark(status, symbol, _TONES[style])


def decision_mark(environment: Mapping[str, Any]) -> Mark:
    """What is decided about an environment of `facts.status`."""
    told = word(environment)
    tone = "wait" if told == "promoted" else _TONES.get(decision_style(environment), "none")
    return Mark(_spelled(told), MARKS.get(told, told[:1]), tone)


TAKEN_BACK = Mark("taken back", "↩", "closed")
"""Of a commit that somebody has gone back from."""


def outcome_mark(outcome: str) -> Mark:
    """What became of a promotion or of one of its releases; of one that is under way, how far it got."""
    symbol, style = HEADS.get(outcome, HEADS["promoted"] if outcome in {"started", "applied", "errored"} else ("", ""))
    return Mark(outcome or "no result yet", symbol or "·", _TONES.get(style, "none"))


def _spelled(told: str) -> str:
    """A decision's name in lower-case words: "not a candidate"."""
    return "".join(f" {each.lower()}" if each.isupper() else each for each in told).strip()
