"""What a record and an environment say, read by DESIGN's words and not by the code's: the oracle of the machine."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from pipeline_state.model.pipelines import Environment, Pipeline
from tests.property.memory_tables import Item
from tests.property.topologies import WINDOW

NAMED = {"repo", "commit", "branch", "pushed_at", "sequence", "honeycomb_trace"}
EVERYTHING = ("#everything", "stop")
_plain = TypeDeserializer().deserialize


def plain(item: Item, *names: str) -> dict[str, Any]:
    """The named attributes that are there."""
    return {name: _plain(item[name]) for name in names if name in item}


def text(item: Item, name: str) -> str:
    found = item.get(name, {}).get("S", "")
    assert isinstance(found, str)
    return found


def number(item: Item, name: str, default: int) -> int:
    return int(item[name]["N"]) if name in item else default


def moment(told: str) -> float | None:
    """Epoch seconds."""
    try:
        return datetime.fromisoformat(told).replace(tzinfo=UTC).timestamp() if told.endswith("Z") else None
    except ValueError:
        return None


def verdict(value: Mapping[str, Any] | None, now: float) -> str:
    """Of a gate: "passed", "failed" or "pending"."""
    value = value or {"S": ""}
    inner: Mapping[str, Any] = value.get("M", {})
    status = inner.get("status", {"S": ""}) if "M" in value else value
    said = str(status["BOOL"]) if "BOOL" in status else status.get("S", "")
    said = said.strip().upper()
    if said == "TRUE" and "expires_at" in inner:
        end = moment(inner["expires_at"]["S"])
        return "passed" if end is not None and now < end else "pending"
    return {"TRUE": "passed", "FALSE": "failed"}.get(said, "pending")


def added(record: Item, pipelines: Iterable[Pipeline]) -> list[str]:
    """The columns that somebody added: gates that no pipeline of the repository declares."""
    declared = {gate.name for each in pipelines for gate in each.gates}
    ours = ("_", "deployed_to_")
    return [name for name in record if not name.startswith(ours) and name not in NAMED | declared]


def required(record: Item, pipeline: Pipeline, environment: Environment, pipelines: Iterable[Pipeline]) -> list[str]:
    before = [gate_of(pipeline, name) for name in environment.after]
    return [*environment.gates, *before, *added(record, pipelines)]


def key_of(pipeline: Pipeline, environment: str) -> str:
    return f"{pipeline.name}_{environment}" if pipeline.shared else environment


def gate_of(pipeline: Pipeline, environment: str) -> str:
    return f"deployed_to_{key_of(pipeline, environment)}"


def place(record: Item, pipeline: Pipeline) -> int | None:
    """The latest place from which the pipeline would take the commit; None where it is no candidate."""
    return max((int(each["sequence"]["N"]) for each in _places(record, pipeline)), default=None)


def was_there(record: Item, pipeline: Pipeline, environment: Environment) -> bool:
    """Whether the commit has been promoted there, and no branch has come back to it since."""
    claim = record.get(f"_claim_{key_of(pipeline, environment.name)}", {}).get("M")
    if claim is None:
        return False
    pushed = max(_places(record, pipeline), key=lambda each: int(each["sequence"]["N"]), default={})
    return text(pushed, "pushed_at") <= text(claim, "pushed_at")


def _places(record: Item, pipeline: Pipeline) -> list[Item]:
    return [
        each["M"]
        for branch, each in record.get("_branches", {}).get("M", {}).items()
        if any(fnmatchcase(branch, pattern) for pattern in pipeline.branches) and _touches(each["M"], pipeline.paths)
    ]


def _touches(place: Item, patterns: Sequence[str]) -> bool:
    if not patterns or "paths" not in place:
        return True
    paths = [each["S"] for each in place["paths"]["L"]]
    return any(fnmatchcase(path, pattern) for path in paths for pattern in patterns)


def soaked(record: Item, pipeline: Pipeline, environment: Environment, now: float) -> bool:
    """Since each environment before it, and each release there, says that it is deployed."""
    gates = [record.get(gate_of(pipeline, name), {}).get("M", {}) for name in environment.after]
    told = [each["M"] for gate in gates for each in gate.get("releases", {}).get("M", {}).values()]
    since = [moment(text(each, "at")) for each in (*gates, *told)]
    return not environment.soak or all(at is not None and at + environment.soak <= now for at in since)


def is_frozen(item: Item, now: float) -> bool:
    """By a person."""
    end = moment(text(item, "frozen_until"))
    return bool(text(item, "frozen_by")) and (end is None or now < end)


def in_window(environment: Environment, now: float) -> bool:
    return WINDOW in environment.freezes and now % 600 < WINDOW.minutes * 60


def outcomes(item: Item, generation: int) -> dict[str, Any]:
    """By release, how the promotion of a generation went."""
    done = releases(item, "done:")
    return {name: json.loads(item[f"outcome:{name}"]["S"]) for name, of in done.items() if of == generation}


def releases(item: Item, prefix: str) -> dict[str, Any]:
    """By release, the values of attributes that begin so."""
    return {name.removeprefix(prefix): _plain(value) for name, value in item.items() if name.startswith(prefix)}
