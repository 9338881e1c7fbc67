"""A person's word on a gate of a commit: opened, failed, set back or added, in the person's own name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from difflib import get_close_matches

from pipeline_state import tracing
from pipeline_state.cli.asking import happening
from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.model.entries import GATE_SET
from pipeline_state.model.gates import name_problem
from pipeline_state.model.pipelines import DEPLOYED_TO
from pipeline_state.model.times import format_time
from pipeline_state.table import results
from pipeline_state.table.snapshot import Reader

_VALUES = {
    "passed": "TRUE",
    "true": "TRUE",
    "failed": "FALSE",
    "false": "FALSE",
    "pending": "",
    "": "",
}


def status_given(name: str, value: str) -> str:
    """The status that a person's value gives a gate. Raises CommandError for a gate or value that cannot be set."""
    problem = name_problem(name)
    if name.startswith(DEPLOYED_TO):
        problem = f"{name} tells what the pipeline itself deployed; it is not set by hand"
    if problem:
        raise CommandError(problem, USAGE)
    if value.lower() not in _VALUES:
        raise CommandError(f"{value!r} is no value of a gate; give passed, failed or pending", USAGE)
    return _VALUES[value.lower()]


def set_gate(by: str, record: tuple[str, str], name: str, value: str, reason: str, now: datetime) -> str:
    """Set the gate; what to tell besides where it was not there before, else empty.

    by: who the stack says it is. record: repository and commit. value: passed, failed or pending. Raises CommandError,
    TemporaryFault and PermanentFault.
    """
    status = status_given(name, value)
    evidence = {"status": status, "at": format_time(now), "by": by, **({"reason": reason} if reason else {})}
    told = happening(record, GATE_SET, by, now, {"gate": name, **evidence})
    before = results.set_gate(Reader(), name, evidence, told, lambda *commit: tracing.trace_of(*commit).honeycomb)
    known = {*before.definitions.declared, *before.record.gates}
    return "" if name in known else _new_gate(name, known)


def _new_gate(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{name} is a new gate of this commit, and every environment requires it now{hint}"
