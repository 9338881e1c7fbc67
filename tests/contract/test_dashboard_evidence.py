"""Who gave a gate its value, on the page of a commit that functions, people and others have written to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline_state.cli.dashboard.commit_view import commit_view
from pipeline_state.cli.happenings import tell
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.promotion import Action
from pipeline_state.table.journal import history
from tests.contract.delivered import Delivered
from tests.contract.table_room import WEB, A, B, TableRoom, pipeline

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build",), (), (WEB, replace(WEB, name="db")), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (replace(WEB, namespace="live"),), LOCAL)
MORNING, MINUTE = datetime(2026, 7, 20, 8, tzinfo=UTC), timedelta(minutes=1)
LATER = MORNING + timedelta(hours=2)


@pytest.fixture
def past(room: TableRoom) -> Delivered:
    """A commit that was built, approved, and has come to production."""
    it = Delivered(room.define(pipeline(STAGING, PRODUCTION)).pipelines[0])
    it.push("", A, MORNING)
    it.build(A, MORNING + MINUTE, "failed")
    it.build(A, MORNING + 2 * MINUTE)
    it.deploy(A, "staging", MORNING + 3 * MINUTE)
    it.approve(A, MORNING + 10 * MINUTE)
    it.deploy(A, "production", MORNING + 11 * MINUTE)
    return it


def told(past: Delivered, commit: str = A) -> dict[str, tuple[str, str, str]]:
    snapshot = past.reader.read(past.repo, commit)
    view = commit_view(snapshot, list(history(snapshot.repo, commit)), [], LATER)
    return {gate.name: (gate.mark.word, gate.by, gate.known) for gate in view.gates}


def test_what_functions_and_people_wrote_is_verified_as_theirs(past: Delivered) -> None:
    assert told(past) == {
        "build": ("passed", "circleci", "verified"),
        "legal": ("passed", "ann", "verified"),
        "deployed_to_staging": ("passed", "gatestream", "verified"),
        "deployed_to_production": ("passed", "gatestream", "verified"),
    }
    past.deploy(A, "production", MORNING + 20 * MINUTE, action=Action.REDEPLOY, reason="no such image")
    assert told(past)["deployed_to_production"] == ("failed", "gatestream", "verified")


def test_who_went_back_from_a_commit_is_told_on_its_own_page(past: Delivered) -> None:
    past.push(A, B, MORNING + 30 * MINUTE)
    past.build(B, MORNING + 31 * MINUTE)
    past.deploy(B, "staging", MORNING + 32 * MINUTE)
    past.deploy(A, "staging", MORNING + 40 * MINUTE, action=Action.ROLLBACK)
    assert told(past, B)["deployed_to_staging"] == ("failed", "ann", "verified")
    assert tell([*history(past.repo, B)][-1]).text == "deployed_to_staging: taken back: it is slow"


def test_a_forged_approval_with_a_forged_note_is_claimed_and_no_more(past: Delivered, room: TableRoom) -> None:
    past.push(A, B, MORNING + timedelta(hours=1))
    forged = {"status": "TRUE", "by": "ceo", "at": "2026-07-20T09:30:00Z"}
    room.edit(B, legal=forged, _set_legal={"value": forged, "at": forged["at"], "by": "ceo"})
    assert told(past, B)["legal"] == ("passed", "ceo", "claimed")
