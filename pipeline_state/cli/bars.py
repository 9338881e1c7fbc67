"""A course of values in one line of text."""

from __future__ import annotations

from collections.abc import Sequence

_HEIGHTS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def bars(values: Sequence[float | None]) -> str:
    """One character a value, as high as it is beside the highest; a dot where there is none."""
    highest = max((value or 0 for value in values), default=0)
    return "".join(_NOTHING if value is None else _height(value, highest) for value in values)


def _height(value: float, highest: float) -> str:
    return _HEIGHTS[round(value / highest * (len(_HEIGHTS) - 1))] if highest else _HEIGHTS[0]
