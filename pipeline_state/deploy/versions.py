"""Ranges of chart versions as Helm reads them, for charts that are asked for by "^1.2" rather than by their version.

The rules are those of Helm's library: https://github.com/Masterminds/semver/tree/v3.4.0#checking-version-constraints
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline_state.faults import PermanentFault

_END = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
_EXACT = re.compile(rf"v?\d+(?:\.\d+){{0,2}}{_END}")
_STRICT = re.compile(rf"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+){_END}")
_PART = r"(?:\d+|[xX*])"
_TERM = re.compile(rf"(?P<op>[=!<>^~]*)\s*v?(?P<numbers>{_PART}(?:\.{_PART}){{0,2}}){_END}(?:[\s,]+|$)")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")

_Numbers = tuple[int, int, int]
_Key = tuple[_Numbers, bool, tuple[tuple[bool, int, str], ...]]


@dataclass(frozen=True, slots=True)
class _Term:
    """One comparison. floor: its version, zeros where it says nothing. given: how many numbers it says."""

    op: str
    floor: _Key
    given: int
    has_pre: bool

    def holds(self, version: _Key) -> bool:
        return _OPERATORS[self.op](self, version)

    @property
    def end(self) -> _Numbers:
        """The first numbers beyond what it says: "1.2" ends at 1.3.0."""
        return _raised(self.floor[0], self.given - 1)


def is_exact(version: str) -> bool:
    """Whether it is a version, not a range; "1.2" is one, too, to Helm."""
    return _EXACT.fullmatch(version) is not None


def newest(tags: Iterable[str], wanted: str) -> str | None:
    """The tag of the newest version within the range; the newest release where none is wanted. None if there is none.

    A tag cannot have a "+"; Helm writes "_" for it. Raises PermanentFault for what is no range.
    """
    groups = [_terms(part, wanted) for part in (wanted or "*").split("||")]
    found = [(key, tag) for tag in tags if (key := _key(tag.replace("_", "+"))) and any(_fits(key, g) for g in groups)]
    return max(found)[1] if found else None


def _fits(version: _Key, terms: list[_Term]) -> bool:
    """A version before a release counts only where the range names such a one."""
    is_release = version[1]
    return (is_release or any(term.has_pre for term in terms)) and all(term.holds(version) for term in terms)


def _key(text: str) -> _Key | None:
    match = _STRICT.fullmatch(text)
    return _ordered((int(match["major"]), int(match["minor"]), int(match["patch"])), match["pre"]) if match else None


def _ordered(numbers: _Numbers, pre: str | None) -> _Key:
    """What sorts as https://semver.org/#spec-item-11 says: numbers before words, a release after what came before."""
    parts = pre.split(".") if pre else ()
    return numbers, not pre, tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def _terms(text: str, wanted: str) -> list[_Term]:
    rest = _HYPHEN.sub(r">=\1 <=\2", text).strip()
    terms = []
    while match := _TERM.match(rest):
        terms.append(_term(match))
        rest = rest[match.end() :]
    if rest or not terms or any(term.op not in _OPERATORS for term in terms):
        raise PermanentFault(f"chart version {wanted!r}: neither a version nor a range such as ^1.2 or >=1.2, <2")
    return terms


def _term(match: re.Match[str]) -> _Term:
    numbers: list[int] = []
    for part in match["numbers"].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return _Term(match["op"], _ordered((major, minor, patch), match["pre"]), len(numbers), bool(match["pre"]))


def _raised(numbers: _Numbers, place: int) -> _Numbers:
    """The next number at a place (0, 1, 2), zeros after it."""
    major, minor, patch = numbers
    return [(major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1)][place]


def _same(term: _Term, version: _Key) -> bool:
    if term.given == 3:  # noqa: PLR2004 - major, minor, patch
        return version == term.floor
    return _tilde(term, version)


def _tilde(term: _Term, version: _Key) -> bool:
    """Of "~1.2.3" up to 1.3; of "~1" up to 2."""
    return version >= term.floor and (not term.given or version[0] < _raised(term.floor[0], min(term.given, 2) - 1))


def _caret(term: _Term, version: _Key) -> bool:
    """Up to the next number at the first place that is not 0, of those that are given."""
    places = [place for place, number in enumerate(term.floor[0][: term.given]) if number]
    place = places[0] if places else term.given - 1
    return version >= term.floor and (not term.given or version[0] < _raised(term.floor[0], place))


def _above(term: _Term, version: _Key) -> bool:
    if term.given == 3:  # noqa: PLR2004 - as above
        return version > term.floor
    return bool(term.given) and version[0] >= term.end


def _up_to(term: _Term, version: _Key) -> bool:
    if term.given == 3:  # noqa: PLR2004 - as above
        return version <= term.floor
    return not term.given or version[0] < term.end


def _from(term: _Term, version: _Key) -> bool:
    return version >= term.floor


_OPERATORS: dict[str, Callable[[_Term, _Key], bool]] = {
    **dict.fromkeys(("", "="), _same),
    **dict.fromkeys(("~", "~>"), _tilde),
    **dict.fromkeys((">=", "=>"), _from),
    **dict.fromkeys(("<=", "=<"), _up_to),
    "^": _caret,
    ">": _above,
    "<": lambda term, version: version < term.floor,
    "!=": lambda term, version: not _same(term, version),
}
