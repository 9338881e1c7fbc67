"""Values for a preview, where not everybody may read every secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy import Workspace
from pipeline_state.deploy.stand_ins import Filled, fill
from pipeline_state.faults import PermanentFault, TemporaryFault

NO_PARAMETERS = "the parameter '/a' cannot be read here: no way to fetch parameters is configured"
SECRETS = {"db": "hunter22-new", "json": '{"user": "ann-of-green"}'}
VALUES: dict[str, Any] = {
    "db": {"password": {"from_secret": "db"}},
    "hosts": [{"key": {"from_parameter": "/a"}}],
    "n": 1,
}


def fetched(name: str) -> str:
    if name not in SECRETS:
        raise PermanentFault(f"the secret {name!r} cannot be read: AccessDeniedException")
    return SECRETS[name]


def filled(values: dict[str, Any], live: Any = None, then: Any = None, **edges: Any) -> Filled:
    workspace = Workspace(Path("/nowhere"), Path("/nowhere"), **{"fetch_secret": fetched, **edges})
    return fill(values, live or {}, then or {}, workspace)


def test_what_can_be_read_is_there_and_known_as_a_secret() -> None:
    found = filled(VALUES, fetch_parameter=lambda _: "parameter-text")
    assert found.values == {"db": {"password": "hunter22-new"}, "hosts": [{"key": "parameter-text"}], "n": 1}
    assert {"hunter22-new", "parameter-text"} <= set(found.secrets)
    assert found.notes == ()


def test_what_cannot_be_read_is_taken_to_be_what_the_cluster_has() -> None:
    live = {"db": {"password": "hunter22-old"}, "hosts": [{"key": "parameter-old"}]}
    found = filled({**VALUES, "db": {"password": {"from_secret": "mine"}}}, live)
    assert found.values == {**live, "n": 1}
    assert {"hunter22-old", "parameter-old"} <= set(found.secrets)
    denied = "the secret 'mine' cannot be read: AccessDeniedException"
    assert found.notes == (
        f"db.password is taken from the cluster, as it is there: value 'db.password': {denied}",
        f"hosts[0].key is taken from the cluster, as it is there: value 'hosts[0].key': {NO_PARAMETERS}",
    )


@pytest.mark.parametrize("live", [{}, {"hosts": []}, {"hosts": "none"}, {"hosts": [{"key": 1}]}, None])
def test_where_there_is_nothing_yet_a_placeholder_stands_and_the_note_says_so(live: Any) -> None:
    found = filled({"hosts": VALUES["hosts"]}, live)
    assert found.values == {"hosts": [{"key": "<hosts[0].key>"}]}
    assert found.notes == (f"<hosts[0].key> stands for what you may not read: value 'hosts[0].key': {NO_PARAMETERS}",)


def test_what_was_a_secret_when_it_was_promoted_still_is_one() -> None:
    live = {"db": {"password": "hunter22-old"}, "token": "token-old", "n": "no secret"}
    found = filled(VALUES, live, {"token": {"from_secret": "json", "key": "user"}, "db": 1}, fetch_parameter=str.upper)
    assert {"hunter22-old", "token-old"} <= set(found.secrets)
    assert "no secret" not in found.secrets


def test_nothing_of_it_is_in_what_is_printed_by_the_way() -> None:
    assert "hunter22" not in repr(filled(VALUES, {"db": {"password": "hunter22-old"}}))


def test_that_aws_cannot_say_for_now_is_no_reason_for_a_placeholder() -> None:
    def throttled(name: str) -> str:
        raise TemporaryFault(f"the secret {name!r}: throttled", 5)

    with pytest.raises(TemporaryFault, match=r"value 'db\.password'"):
        filled(VALUES, fetch_secret=throttled)
