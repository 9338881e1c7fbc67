"""What a chart's content is told by: "sha256:" and 64 hex digits, for a deployment to be repeated with just that chart.

Of a chart from a registry it is its manifest's digest; of an archive, its bytes'; of a folder, a digest of our own over
everything in it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import DIGEST

_SHOWN = len("sha256:") + 12


def of_chart(place: str) -> str:
    """The digest of what is at a path. Empty where it cannot be told: there is nothing, or nothing that can be read."""
    path = Path(place)
    try:
        return _of_folder(path) if path.is_dir() else of_archive(path.read_bytes())
    except (OSError, ValueError):  # a ValueError: a name that no path can have
        return ""


def of_archive(content: bytes) -> str:
    """The digest of an archive, as `sha256sum` tells it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def check(chart: str, wanted: str, found: str) -> None:
    """Raises PermanentFault when the chart is not the one that was deployed then. chart: as it may be shown."""
    if found != wanted:
        now = f"is {found[:_SHOWN]} now" if found else "cannot be read now"
        raise PermanentFault(
            f"chart {chart!r} was {wanted[:_SHOWN]} when it was deployed, and {now};"
            " bring that chart back, or deploy the one there is with --current-definition"
        )


def check_form(digest: str) -> None:
    """Raises PermanentFault for what is no digest: it would become a word of a command line."""
    if digest and not DIGEST.fullmatch(digest):
        raise PermanentFault(f"chart digest {digest!r}: not sha256: and 64 hex digits")


def _of_folder(folder: Path) -> str:
    """Over the paths and contents of all files, in order; of times, owners and modes nothing.

    Folders behind links are Helm's to follow, not ours: with such there is no digest.
    """
    paths = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    if any(path.is_symlink() and path.is_dir() for path in paths):
        return ""
    whole = hashlib.sha256()
    for path in paths:
        if not path.is_dir():
            name = path.relative_to(folder).as_posix().encode(errors="surrogateescape")
            # Both of one length whatever they say, so that no name runs into a content.
            whole.update(hashlib.sha256(name).digest() + hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{whole.hexdigest()}"
