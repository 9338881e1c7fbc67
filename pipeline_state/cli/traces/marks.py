"""Two letters for a name, where there is no room for it and colours do not tell either."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORT = 2


def marks(names: Iterable[str]) -> dict[str, str]:
    """A mark for each name: the initials of its words, or how its only word begins. Numbers tell apart equal ones."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        words = re.findall(r"[^\W_]+", name) or [name]
        short = "".join(word[0] for word in words) if len(words) > 1 else words[0][:_SHORT]
        taken, mark, number = found.values(), short, 1
        while mark in taken:
            number += 1
            mark = f"{short}{number}"
        found[name] = mark
    return found
