"""DORA's figures and where the time goes, from tables that recorder, people and promoter have written."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.delivery import reading
from pipeline_state.cli.delivery.delivery_view import delivery_view
from pipeline_state.cli.delivery.report import Report, Wanted, report
from pipeline_state.cli.delivery.spending import awaited, sum_of
from pipeline_state.model.environments import Freeze
from pipeline_state.model.lead_time import Part
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.promotion import Action
from pipeline_state.model.times import format_time
from pipeline_state.table import holds
from pipeline_state.table.definitions import save_definitions
from pipeline_state.table.delivered import items_of
from pipeline_state.table.deployments import deployments_since
from pipeline_state.table.models import PipelinesItem
from tests.contract.delivered import Delivered
from tests.contract.table_room import WEB, A, B, C, D, TableRoom, pipeline

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (replace(WEB, namespace="live"),), LOCAL)
NOW = datetime(2026, 7, 20, 18, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MORNING = datetime(2026, 7, 20, 8, tzinfo=UTC)


@pytest.fixture
def past(room: TableRoom) -> Delivered:
    (saved,) = room.define(pipeline(STAGING, PRODUCTION)).pipelines
    return Delivered(saved)


def whole_way(past: Delivered, commit: str, before: str, at: datetime) -> None:
    """Built after 10 minutes and in staging after 13; approved after an hour, in production after 65 minutes."""
    past.push(before, commit, at)
    past.build(commit, at + 10 * MINUTE)
    past.deploy(commit, "staging", at + 11 * MINUTE)
    past.approve(commit, at + HOUR)
    past.deploy(commit, "production", at + 61 * MINUTE, minutes=4)


def told(past: Delivered, **wanted: object) -> Report:
    return report(replace(Wanted(past.repo), **wanted), NOW)  # type: ignore[arg-type]


def minutes(report: Report) -> dict[str, float]:
    return {part.value: taken / MINUTE for part, taken in sum_of(report.commits).items() if taken}


def test_the_way_of_one_commit_is_told_by_whom_it_waited_for(past: Delivered) -> None:
    whole_way(past, A, "", MORNING)
    found = told(past)
    assert (found.figures.deployed, found.figures.lead_times) == (1, (65 * MINUTE,))
    assert [row.place.environment.name for row in found.rows] == ["production"]
    assert minutes(found) == {"helm": 6, "ci": 10, "people": 48, "pipeline": 1}
    longest = {each.what: each.total / MINUTE for each in awaited(found.commits)}
    assert (longest["legal"], longest["build"]) == (60, 10)


def test_the_environment_that_is_asked_for_counts_and_nothing_that_comes_after_it(past: Delivered) -> None:
    whole_way(past, A, "", MORNING)
    found = told(past, environment="staging")
    assert found.figures.lead_times == (13 * MINUTE,)
    assert minutes(found) == {"helm": 2, "ci": 10, "pipeline": 1}
    assert "legal" not in {each.what for each in awaited(found.commits)}


def test_a_failure_is_counted_and_restored_by_the_next_good_deployment(past: Delivered) -> None:
    past.push("", A, MORNING)
    past.build(A, MORNING)
    past.deploy(A, "staging", MORNING + MINUTE, reason="no such chart")
    past.push(A, B, MORNING + HOUR)
    past.build(B, MORNING + HOUR)
    past.deploy(B, "staging", MORNING + 2 * HOUR)
    figures = told(past, environment="staging").figures
    assert (figures.deployed, figures.changes, figures.failed, figures.recoveries) == (1, 2, 1, (119 * MINUTE,))


def test_what_somebody_went_back_from_has_failed_although_its_gate_tells_of_it_no_more(past: Delivered) -> None:
    for number, (commit, before) in enumerate([(A, ""), (B, A)]):
        past.push(before, commit, MORNING + number * HOUR)
        past.build(commit, MORNING + number * HOUR)
        past.deploy(commit, "staging", MORNING + number * HOUR + MINUTE)
    past.deploy(A, "staging", MORNING + 3 * HOUR, action=Action.ROLLBACK)
    found = told(past, environment="staging")
    assert (found.figures.deployed, found.figures.changes, found.figures.failed) == (2, 2, 1)
    assert found.figures.recoveries == (2 * HOUR - MINUTE,)
    assert found.figures.lead_times == (3 * MINUTE, 3 * MINUTE)


def test_what_happened_before_is_the_period_before_and_what_is_older_is_not_read(past: Delivered) -> None:
    for commit, before, days in ((A, "", 25), (B, A, 10), (C, B, 1)):
        past.push(before, commit, MORNING - days * DAY)
        past.build(commit, MORNING - days * DAY)
        past.deploy(commit, "staging", MORNING - days * DAY + MINUTE)
    found = told(past, environment="staging", days=7)
    assert (found.figures.deployed, found.before.deployed) == (1, 1)
    assert [each.deployed for _, _, each in found.course] == [0, 0, 0, 0, 0, 1, 0]
    key = past.pipeline.name, "staging"
    assert [each.commit for each in deployments_since(*key, MORNING - 11 * DAY)] == [C, B]


def test_a_freeze_counts_as_waiting_for_people(past: Delivered) -> None:
    past.push("", A, MORNING)
    frozen = replace(past.happening("staging", "frozen", MORNING, "ann", {}), repo=past.pipeline.name)
    holds.freeze(past.pipeline, "staging", Freeze("ann", "", "holidays"), frozen)
    past.build(A, MORNING + 10 * MINUTE)
    over = past.happening("staging", "unfrozen", MORNING + HOUR, "ann", {})
    holds.unfreeze(past.pipeline, "staging", replace(over, repo=past.pipeline.name))
    past.deploy(A, "staging", MORNING + HOUR)
    assert minutes(told(past, environment="staging")) == {"helm": 2, "ci": 10, "people": 50}


def test_where_the_time_went_stays_when_other_pipelines_are_applied(
    past: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_way(past, A, "", MORNING)
    whole_way(past, B, A, MORNING + 2 * HOUR)
    before = told(past)
    canary = Environment("canary", ("build",), ("staging",), (replace(WEB, namespace="canary"),), LOCAL)
    other = (STAGING, canary, replace(PRODUCTION, gates=(), after=("canary",)))
    gates = tuple(gate for gate in past.pipeline.gates if gate.name != "legal")
    changed = replace(past.pipeline, environments=other, gates=gates)
    save_definitions(past.repo, [changed], after=1, by="zoe", at_time=format_time(MORNING + 9 * HOUR))
    read, calls = PipelinesItem.batch_get, list[int]()

    def counted(keys: list[str], **how: Any) -> Any:
        calls.append(len(keys))
        return read(keys, **how)

    monkeypatch.setattr(PipelinesItem, "batch_get", counted)
    after = told(past)
    assert (minutes(after), awaited(after.commits)) == (minutes(before), awaited(before.commits))
    assert calls == [2], "once for all commits"


def test_an_environment_without_a_promotion_in_the_time_costs_no_query(
    past: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_way(past, A, "", MORNING - 100 * DAY)
    monkeypatch.setattr(reading, "deployments_since", never)
    found = told(past)
    assert (found.figures.deployed, len(found.rows), found.commits) == (0, 1, [])


def never(*_: object) -> None:
    pytest.fail("nothing was to be read")


def test_only_the_newest_journals_are_read_and_it_is_said_so(past: Delivered, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (commit, before) in enumerate([(A, ""), (B, A), (C, B)]):
        past.push(before, commit, MORNING + number * HOUR)
        past.build(commit, MORNING + number * HOUR)
        past.deploy(commit, "staging", MORNING + number * HOUR)
    monkeypatch.setattr(reading.Journals.__init__, "__defaults__", (2,))
    found = told(past, environment="staging")
    assert [each.delivery.attempt.commit for each in found.commits] == [C, B]
    assert found.figures.deployed == 3
    assert [note for note in found.notes if "newest 2 of 3 commits" in note]


def test_of_an_environment_the_newest_promotions_count(past: Delivered) -> None:
    for number, (commit, before) in enumerate([(A, ""), (B, A), (C, B)]):
        past.push(before, commit, MORNING + number * HOUR)
        past.build(commit, MORNING + number * HOUR)
        past.deploy(commit, "staging", MORNING + number * HOUR)
    places = [row.place for row in told(past, environment="staging").rows]
    found = reading.read(places, MORNING - DAY, lambda *_: None, most=2)
    assert [each.commit for each in found.attempts[places[0].key]] == [C, B]
    assert found.is_cut


def as_an_older_version(past: Delivered, room: TableRoom, environment: str) -> None:
    """Takes from the promotions what they did not have beside them then."""
    for number in (1, 2, 3):
        item = {"pipeline": past.pipeline.name, "environment": f"{environment}#deployment#{number:010d}"}
        if room.read("environments", **item):
            room.change("environments", item, {"pushed_at": None, "deployed_at:web": None, "failed_at:web": None})


def test_figures_are_read_from_what_stands_beside_the_environment(
    past: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_way(past, A, "", MORNING)
    (place,) = [row.place for row in told(past).rows]
    monkeypatch.setattr(reading, "items_of", never)
    monkeypatch.setattr(reading, "entries_of", never)
    (attempt,) = reading.read([place], MORNING - DAY, lambda *_: None).attempts[place.key]
    assert (attempt.outcome, attempt.ended_at, attempt.pushed_at) == ("deployed", MORNING + 65 * MINUTE, MORNING)


def test_what_an_older_version_deployed_counts_by_records_and_journals(past: Delivered, room: TableRoom) -> None:
    for number, (commit, before) in enumerate([(A, ""), (B, A)]):
        past.push(before, commit, MORNING + number * HOUR)
        past.build(commit, MORNING + number * HOUR)
        past.deploy(commit, "staging", MORNING + number * HOUR + MINUTE)
    past.deploy(A, "staging", MORNING + 3 * HOUR, action=Action.ROLLBACK)
    new = told(past, environment="staging").figures
    as_an_older_version(past, room, "staging")
    assert told(past, environment="staging").figures == new
    assert (new.deployed, new.failed) == (2, 1)


def test_what_an_older_version_deployed_and_has_left_since_has_no_outcome(past: Delivered, room: TableRoom) -> None:
    whole_way(past, A, "", MORNING)
    as_an_older_version(past, room, "production")
    room.client.delete_item(TableName=room.tables.names["gates"], Key={"repo": {"S": past.repo}, "commit": {"S": A}})
    assert items_of([(past.repo, A)]) == {}
    assert told(past).figures.changes == 0


def test_where_the_time_of_a_record_went_that_has_left_is_not_told(past: Delivered, room: TableRoom) -> None:
    whole_way(past, A, "", MORNING)
    room.client.delete_item(TableName=room.tables.names["gates"], Key={"repo": {"S": past.repo}, "commit": {"S": A}})
    found = told(past)
    assert (found.figures.deployed, found.commits) == (1, [])
    assert "newest 0 of 1 commits" in found.notes[0]


def test_a_release_that_was_deployed_and_taken_back_has_failed_in_whatever_order_that_is_told(past: Delivered) -> None:
    past.push("", A, MORNING)
    past.build(A, MORNING)
    (promotion,) = past.promote(A, "staging", MORNING + MINUTE)
    past.end(promotion, MORNING + 3 * MINUTE, "taken back, since api failed")
    past.end(promotion, MORNING + 2 * MINUTE)
    (found,) = deployments_since(past.pipeline.name, "staging", MORNING)
    assert found.outcome == ("failed", MORNING + 3 * MINUTE)


def test_all_repositories_together_have_a_row_for_each_last_environment(past: Delivered) -> None:
    whole_way(past, A, "", MORNING)
    mine = [row for row in report(Wanted(), NOW).rows if row.place.pipeline.repo == past.repo]
    assert [(row.place.environment.name, row.figures.deployed) for row in mine] == [("production", 1)]


def test_pipelines_that_nobody_can_read_are_told_of_and_hide_no_others(past: Delivered, room: TableRoom) -> None:
    other = TableRoom(room.tables)
    other.define(pipeline(STAGING))
    other.change("pipelines", {"repo": other.repo.lower()}, {"definitions": "{"})
    try:
        found = report(Wanted(), NOW)
    finally:  # the tables are others' as well
        other.change("pipelines", {"repo": other.repo.lower()}, {"definitions": "[]"})
    assert past.pipeline.name in {row.place.pipeline.name for row in found.rows}
    assert any(
        note.startswith(f"Left out: the pipelines of {other.repo.lower()} cannot be read") for note in found.notes
    )


def test_what_is_not_there_is_refused_with_what_there_is(past: Delivered) -> None:
    with pytest.raises(CommandError, match="there are no pipelines of o/nothing"):
        report(Wanted("o/nothing"), NOW)
    with pytest.raises(CommandError, match="no environment 'moon'; there are staging, production"):
        told(past, environment="moon")


def test_progress_is_told_of_everything_that_is_read(past: Delivered) -> None:
    whole_way(past, A, "", MORNING)
    seen: list[tuple[str, int, int]] = []
    report(Wanted(past.repo), NOW, lambda *it: seen.append(it))
    assert seen[0] == ("environments", 1, 1)
    assert {what for what, _, _ in seen} == {"environments", "records", "journals"}


def test_programs_get_the_figures_in_seconds(past: Delivered) -> None:
    whole_way(past, A, "", MORNING)
    data = json.loads(json.dumps(told(past).to_json()))
    assert (data["repo"], data["days"], data["deployed"], data["failure_rate"]) == (past.repo, 30, 1, 0)
    assert (data["lead_time_seconds"], data["recovery_seconds"]) == (3900, None)
    assert sum(data["seconds_spent"].values()) == 3900
    assert len(data["course"]) == 30
    assert data["environments"][0]["environment"] == "production"
    assert data["until"] == format_time(NOW)
    assert data["how"]["source"].startswith("https://dora.dev")


@pytest.mark.parametrize("width", [80, 160])
def test_people_get_them_within_the_width_of_their_terminal(past: Delivered, width: int) -> None:
    whole_way(past, A, "", MORNING)
    whole_way(past, B, A, MORNING + 2 * HOUR)
    shown = drawn(width)(told(past))
    assert max(map(len, shown.splitlines())) <= width
    for part in ("Deployment frequency", "Lead time for changes", "1 h 5 m", "waiting for people", "legal"):
        assert part in shown


def drawn(width: int) -> Callable[[Report], str]:
    def draw(found: Report) -> str:
        console = Console(file=StringIO(), width=width)
        with console.capture() as captured:
            console.print(delivery_view(found))
        return captured.get()

    return draw


def test_nothing_to_count_is_told_without_a_fault(past: Delivered) -> None:
    shown = drawn(80)(told(past))
    assert "where the time goes" not in shown
    assert "nothing deployed" in shown


def test_times_of_many_parts_add_up(past: Delivered) -> None:
    for number, (commit, before) in enumerate([(A, ""), (B, A), (C, B), (D, C)]):
        whole_way(past, commit, before, MORNING + number * (HOUR + 7 * MINUTE))
    found = told(past)
    assert sum(sum_of(found.commits).values(), timedelta()) == sum(found.figures.lead_times, timedelta())
    assert Part.UNEXPLAINED in found.commits[0].parts
