"""What the query of a URL says, where it can be anything."""

from __future__ import annotations

_DIGITS = 9
"""No page has a longer number, and of very many digits Python makes none."""


def number(text: str) -> int:
    """A number from 1 on; 1 for whatever is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return (int(text) or 1) if is_number else 1
