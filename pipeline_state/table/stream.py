"""What a record of a table's stream tells: Gates, whose changes are of commits, and Environments, where the way opens.

Our own writes of a gate leave a note of the value beside it; a gate that changed without one is somebody's edit.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_state.model.gates import GateStatus, is_gate, read_gate
from pipeline_state.model.record import BRANCHES, CLAIM, LAST_WRITE, WRITTEN, read_claim
from pipeline_state.model.times import parse_time
from pipeline_state.table.models import Raw, to_plain
from pipeline_state.table.snapshot import CLOSING, DONE, EVERYTHING, IN_TURN
from pipeline_state.table.waiting import ASKED, PARTITION

_EMPTY = {"S": ""}
_DIGITS = 40  # of a sequence number, at most; 21 at least


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one commit's record.

    id: from the stream, unique, and in the order of the record's changes. at: when it was written; of hand edits only
        the second is known, and its end is given.
    edits: gates somebody changed with a tool of their own, by name: the raw value, None where the column was removed.
        Nobody edits a record by removing it.
    gates: all whose value changed, by anybody; a column that was added empty is not yet one that changed.
    matters: whether a decision can come out differently now.
    is_new: whether the record was not there before. pushed_at: where it says so.
    is_placed: whether it is on a branch for the first time.
    moved: gates that were pending or failed and are something else now, of a record that was on a branch before.
    claims: by environment, when the claim before this one was made, if there was one, and this one.
    lacks: whether a column was removed, by anybody, so that less may be required from then on.
    """

    repo: str
    commit: str
    id: str
    at: datetime
    edits: Mapping[str, Raw | None]
    gates: tuple[str, ...]
    matters: bool
    is_new: bool
    pushed_at: datetime | None
    is_placed: bool
    moved: tuple[str, ...]
    claims: Mapping[str, tuple[datetime | None, datetime]]
    lacks: bool = False


def read_change(record: Mapping[str, Any]) -> Change:
    """The change in a stream record as Lambda hands it over, with old and new image."""
    told = record["dynamodb"]
    old, new = _image(told.get("OldImage", {})), _image(told.get("NewImage", {}))
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    gates = sorted(name for name in changed if is_gate(name))
    edits = {name: new.get(name) for name in gates if new and not _is_ours(name, old, new, changed)}
    keys = to_plain(told["Keys"])
    at = _written_at(new, float(told["ApproximateCreationDateTime"]), precise=LAST_WRITE in changed and not edits)
    return Change(
        repo=keys["repo"],
        commit=keys["commit"],
        id=f"{told['SequenceNumber']:0>{_DIGITS}}",
        at=at,
        edits=edits,
        gates=tuple(name for name in gates if new and (name in old or new[name] != _EMPTY)),
        matters=bool(new) and (bool(gates) or _places(old) != _places(new) or _is_asked_for(changed, new)),
        is_new=bool(new) and not old,
        pushed_at=parse_time(new.get("pushed_at", {}).get("S")),
        is_placed=BRANCHES in new and BRANCHES not in old,
        moved=tuple(gate for gate in gates if new and BRANCHES in old and _has_moved(gate, old, new, at)),
        claims=_claims(changed, old, new),
        lacks=bool(new) and any(name not in new for name in gates),
    )


@dataclass(frozen=True, slots=True)
class Opening:
    """A change of the Environments table after which commits may go on.

    repo: whose; empty means everybody's. commit: the one that somebody asks for; empty means all that wait there.
    at: when it was written; of that only the second is known, and its beginning is given.
    """

    repo: str
    commit: str
    at: datetime


def read_opening(record: Mapping[str, Any]) -> Opening | None:
    """The opening in a stream record of the Environments table; None for any other change there."""
    told = record["dynamodb"]
    old, new = _image(told.get("OldImage", {})), _image(told.get("NewImage", {}))
    keys = to_plain(told["Keys"])
    key = (keys["pipeline"], keys["environment"])
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    at = datetime.fromtimestamp(int(told["ApproximateCreationDateTime"]), UTC)
    if key == EVERYTHING:
        return Opening("", "", at) if changed & {*CLOSING} else None
    image = to_plain({name: value for name, value in new.items() if name in {"repo", "commit"}})
    repo, commit = str(image.get("repo", "")), str(image.get("commit", ""))
    if key[0] == PARTITION:
        return Opening(repo, commit, at) if ASKED in changed and repo and commit else None
    is_done = new.get(IN_TURN, {}).get("BOOL") is True and any(name.startswith(DONE) for name in changed)
    return Opening(repo, "", at) if repo and (is_done or changed & {*CLOSING}) else None


def _is_asked_for(changed: Collection[str], new: Raw) -> bool:
    """Whether a person has claimed something for the commit, which is still to be published."""
    claims = (new.get(name, {}).get("M", {}) for name in changed if name.startswith(CLAIM))
    return any("by" in claim and not claim.get("published", {}).get("BOOL") for claim in claims)


def _has_moved(gate: str, old: Raw, new: Raw, at: datetime) -> bool:
    values = (to_plain({gate: image.get(gate, _EMPTY)})[gate] for image in (old, new))
    before, after = (read_gate(gate, value, at).status for value in values)
    return before is not GateStatus.PASSED and (before is not after or gate not in new)


def _claims(changed: Collection[str], old: Raw, new: Raw) -> dict[str, tuple[datetime | None, datetime]]:
    """The claims made by a change; what is only noted about one that was there is none."""
    found = {}
    for name in (name for name in changed if name.startswith(CLAIM)):
        before, after = (read_claim(name, to_plain(image).get(name)) for image in (_only(name, old), _only(name, new)))
        made = parse_time(after.at) if after else None
        if after and made and (before is None or before.generation != after.generation):
            found[after.environment_key] = parse_time(before.at) if before else None, made
    return found


def _only(name: str, image: Raw) -> Raw:
    return {name: image[name]} if name in image else {}


def _places(image: Raw) -> Raw:
    """A record's places as far as decisions look at them: which commit follows is of no consequence to this one."""
    branches: Raw = image.get(BRANCHES, {})
    if not isinstance(branches.get("M"), Mapping):
        return branches
    return {
        branch: {name: value for name, value in place.get("M", place).items() if name != "next"}
        for branch, place in branches["M"].items()
    }


def _is_ours(gate: str, old: Raw, new: Raw, changed: Collection[str]) -> bool:
    """Whether one of our writers changed a gate: with a note of the value, or by adding or removing it, empty.

    Whoever writes such a note with a tool of their own is taken for one. No entry of the journal tells of the value
    then, so that it is nobody's for certain: see `model.evidence`.
    """
    note = new.get(WRITTEN + gate, {}).get("M", {})
    if gate in new and WRITTEN + gate in changed and note.get("value") == new[gate]:
        return True
    return LAST_WRITE in changed and [image[gate] for image in (old, new) if gate in image] == [_EMPTY]


def _image(image: Raw) -> Raw:
    """An item's image as DynamoDB's own API has it; in Lambda's JSON, binary values are base64."""
    return {name: _value(value) for name, value in image.items()}


def _value(value: Raw) -> Raw:
    ((kind, content),) = value.items()
    match kind:
        case "B" if isinstance(content, str):
            return {"B": base64.b64decode(content)}
        case "BS":
            return {"BS": [_value({"B": each})["B"] for each in content]}
        case "M":
            return {"M": _image(content)}
        case "L":
            return {"L": [_value(each) for each in content]}
    return value


def _written_at(new: Raw, second: float, *, precise: bool) -> datetime:
    """The stream's own time has whole seconds, so our writers leave a finer one."""
    last = to_plain({LAST_WRITE: new[LAST_WRITE]})[LAST_WRITE] if precise and LAST_WRITE in new else None
    moment = parse_time(last.get("at")) if isinstance(last, Mapping) else None
    return moment or datetime.fromtimestamp(int(second), UTC) + timedelta(milliseconds=999)
