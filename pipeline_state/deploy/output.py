"""What Helm said while it worked, fit to be kept: bounded, without secrets.

Its standard output is none of it: that is the release itself, with manifests, values, and a chart's NOTES.txt, which
may tell a password. What a chart's hooks came to is told by their names and phases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_state.deploy.words import scrub

MAX_BYTES = 4096
"""As much as the summary of changes: both are kept beside the environment, which every decision reads."""

_CUT = "…\n"
_IDLE = ("WARNING: Kubernetes configuration file is", "Flag --")
"""What lines begin with that tell of our own way to call it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command. verb: "upgrade", say. stderr: as it was printed."""

    verb: str
    code: int
    seconds: float
    stderr: bytes


def output(ran: Iterable[Ran], revision: Mapping[str, Any], secrets: Iterable[str]) -> str:
    """Each command with how it ended and what it printed on standard error, then the hooks; the end of it, if long.

    revision: the new one as Helm prints it; empty where there is none. secrets: texts that must not be shown.
    """
    told = "\n".join([line for each in ran for line in _lines(each)] + list(_hooks(revision)))
    whole = scrub(told, secrets).encode()
    if len(whole) <= MAX_BYTES:
        return whole.decode()
    return _CUT + whole[len(_CUT.encode()) - MAX_BYTES :].decode(errors="ignore")


def _lines(ran: Ran) -> Iterator[str]:
    ended = "done" if ran.code == 0 else f"exit code {ran.code}"
    yield f"helm {ran.verb}: {ended} after {ran.seconds:.1f} s"
    for line in ran.stderr.decode(errors="replace").splitlines():
        if line.strip() and not line.startswith(_IDLE):
            yield f"  {line.rstrip()}"


def _hooks(revision: Mapping[str, Any]) -> Iterator[str]:
    """Those that have run.

    https://github.com/helm/helm/blob/v4.0.0/pkg/release/v1/hook.go
    """
    for hook in revision.get("hooks") or ():
        phase = (hook.get("last_run") or {}).get("phase")
        if phase and phase != "Unknown":
            events = ", ".join(hook.get("events") or ())
            yield f"hook {hook.get('kind')}/{hook.get('name')} ({events}): {phase}"
