"""What results do to gates: which they feed, which count, and how releases add up."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.model.pipelines import Cluster, GateDefinition, GateSource, Pipeline, Release, SourceKind
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.results import ReleaseResult, Result, counts, deployed_value, fed_gates, pinned

NOON, EARLIER, LATER = "2026-07-01T12:00:00Z", "2026-07-01T11:59:59Z", "2026-07-01T12:00:01Z"
CHECK, WORKFLOW = SourceKind.GITHUB_CHECK, SourceKind.CIRCLECI_WORKFLOW


def result(status: str = "success", at: str = NOON, **more: Any) -> Result:
    return Result(**{"kind": CHECK, "name": "build", "app": "actions", "status": status, "completed_at": at, **more})


@pytest.mark.parametrize("word", ["success", "neutral", "skipped"])
def test_a_word_that_passes(word: str) -> None:
    assert result(word).gate_status == "TRUE"


@pytest.mark.parametrize(
    "word",
    ["cancelled", "canceled", "stale", "action_required", "unauthorized", "pending", "queued", "in_progress"],
)
def test_a_word_that_stays_pending(word: str) -> None:
    assert result(word).gate_status == ""


@pytest.mark.parametrize("word", ["failure", "failed", "error", "timed_out", "startup_failure", "never heard of", ""])
def test_every_other_word_fails(word: str) -> None:
    assert result(word).gate_status == "FALSE"


def pipeline(name: str, **sources: GateSource | None) -> Pipeline:
    return Pipeline(name, "r", gates=tuple(GateDefinition(gate, source) for gate, source in sources.items()))


@pytest.mark.parametrize(
    "source, fed",
    [
        (GateSource(CHECK, "build"), True),
        (GateSource(CHECK, "build", "actions"), True),
        (GateSource(CHECK, "build", "another-app"), False),
        (GateSource(CHECK, "Build"), False),
        (GateSource(WORKFLOW, "build"), False),
        (None, False),
    ],
    ids=["by name", "by its app", "by another app", "by another name", "of another kind", "by hand"],
)
def test_a_result_feeds_a_gate(source: GateSource | None, fed: bool) -> None:  # noqa: FBT001
    assert fed_gates(result(), [pipeline("p", gate=source)]) == (("gate",) if fed else ())


def test_a_result_feeds_the_gates_of_every_pipeline_each_once() -> None:
    source = GateSource(CHECK, "build")
    pipelines = [pipeline("p", one=source, two=source), pipeline("q", two=source, three=source)]
    assert fed_gates(result(), pipelines) == ("one", "two", "three")


def note(value: Any, at: Any = NOON, **more: Any) -> dict[str, Any]:
    return {"at": at, "by": "somebody", "value": value, **more}


COUNTS: dict[str, tuple[Result, Any, Any, bool | None]] = {
    "a first result": (result(), None, None, True),
    "a column somebody removed": (result(), None, note("FALSE", LATER), True),
    "a declared gate": (result(), "", None, True),
    "what nobody has noted yet": (result(), "FALSE", None, None),
    "what was changed since it was noted": (result(), "FALSE", note("TRUE"), None),
    "emptied by hand since it was noted": (result(), "", note("TRUE"), None),
    "set before it completed": (result(at=LATER), "FALSE", note("FALSE"), True),
    "set after it completed": (result(at=EARLIER), "FALSE", note("FALSE"), False),
    "set by hand in the same second": (result(), "FALSE", note("FALSE"), False),
    "set at a time nobody can read": (result(), "FALSE", note("FALSE", "noon"), True),
    "a result without a time": (result(at="soon"), "FALSE", note("FALSE"), False),
    "neither has a time": (result(at="soon"), "FALSE", note("FALSE", None), True),
}


@pytest.mark.parametrize("case", COUNTS)
def test_a_result_against(case: str) -> None:
    given, value, written, verdict = COUNTS[case]
    assert counts(given, value, written) is verdict


@pytest.mark.parametrize(
    "first, second, verdict",
    [
        ("", "success", True),
        ("", "failure", True),
        ("TRUE", "failure", True),
        ("TRUE", "pending", False),
        ("TRUE", "success", False),
        ("FALSE", "success", False),
        ("FALSE", "pending", False),
        (None, "success", True),
    ],
)
def test_of_two_results_of_one_second_the_graver_counts(first: str | None, second: str, verdict: bool) -> None:  # noqa: FBT001
    value = {"status": first}
    assert counts(result(second), value, note(value, result=True)) is verdict


def ended(status: str = "TRUE", release: str = "web", generation: int = 2, **more: Any) -> ReleaseResult:
    return ReleaseResult("deployed_to_live", release, ("web", "worker"), generation, status, NOON, **more)


def deployed(*results: ReleaseResult, value: Any = None) -> Any:
    for each in results:
        value = deployed_value(value, each) or value
    return value


@pytest.mark.parametrize(
    "statuses, status",
    [(["TRUE"], ""), (["TRUE", "TRUE"], "TRUE"), (["FALSE"], "FALSE"), (["FALSE", "TRUE"], "FALSE")],
    ids=["one is deployed", "all are deployed", "one has failed", "one has failed and one is deployed"],
)
def test_an_environment_of_two_releases_when(statuses: list[str], status: str) -> None:
    results = [ended(each, release) for each, release in zip(statuses, ("web", "worker"), strict=False)]
    assert deployed(*results)["status"] == deployed(*reversed(results))["status"] == status


def test_the_gate_says_how_each_release_went() -> None:
    value = deployed(ended(revision=7, chart="web-1.2.3"), ended("FALSE", "worker", reason="no such image"))
    assert value["releases"] == {
        "web": {"status": "TRUE", "at": NOON, "revision": 7, "chart": "web-1.2.3"},
        "worker": {"status": "FALSE", "at": NOON, "revision": 0, "reason": "no such image"},
    }
    assert (value["reason"], value["by"], value["at"]) == ("worker: no such image", "gatestream", NOON)


DIGEST, OTHER = "sha256:" + "0a" * 32, "sha256:" + "b1" * 32


def test_the_gate_says_which_chart_was_installed_where_that_could_be_told() -> None:
    value = deployed(ended(digest=DIGEST), ended(release="worker"))
    assert value["releases"] == {
        "web": {"status": "TRUE", "at": NOON, "revision": 0, "digest": DIGEST},
        "worker": {"status": "TRUE", "at": NOON, "revision": 0},
    }


def promotion(release: str = "web", generation: int = 2, digest: str = "") -> Promotion:
    return Promotion(
        id=release,
        repo="org/shop",
        commit="a" * 40,
        branch="main",
        sequence=1,
        pipeline="shop",
        pipeline_version=1,
        environment="live",
        environment_key="live",
        generation=generation,
        release=Release(release, "live", "charts/web", digest=digest),
        cluster=Cluster(),
        releases=("web", "worker"),
    )


def test_a_deployment_is_repeated_with_the_charts_that_its_gate_tells_of() -> None:
    value = deployed(ended(digest=DIGEST), ended(release="worker", digest=OTHER))
    again = pinned([promotion(), promotion("worker")], value)
    assert again == (promotion(digest=DIGEST), promotion("worker", digest=OTHER))


@pytest.mark.parametrize("settled", ["", OTHER])
@pytest.mark.parametrize(
    "value",
    [
        None,
        "TRUE",
        {"generation": Decimal(3), "releases": {"web": {"digest": DIGEST}}},
        {"generation": Decimal(2), "releases": {"worker": {"digest": DIGEST}}},
        {"generation": Decimal(2), "releases": {"web": {"digest": 1}}},
        {"generation": Decimal(2), "releases": {"web": {"digest": f"{DIGEST} --set"}}},
        {"generation": Decimal(2), "releases": {"web": {"digest": ""}}},
    ],
    ids=["none", "by hand", "of a later deployment", "of another release", "a number", "too long", "empty"],
)
def test_a_promotion_that_the_gate_tells_no_digest_of_stays_as_it_was(value: Any, settled: str) -> None:
    assert pinned([promotion(digest=settled)], value) == (promotion(digest=settled),)


def test_a_gate_where_all_went_well_gives_no_reason() -> None:
    assert "reason" not in deployed(ended(), ended(release="worker"))


def test_an_earlier_promotions_result_changes_nothing_after_a_later_one() -> None:
    assert deployed_value(deployed(ended(generation=3)), ended("FALSE", generation=2)) is None


def test_an_earlier_attempts_error_that_is_told_late_changes_nothing() -> None:
    value = deployed(replace(ended(), at="2026-07-01T12:00:05Z"))
    assert deployed_value(value, replace(ended(""), at="2026-07-01T12:00:04Z")) is None


@pytest.mark.parametrize("verdict", ["TRUE", "FALSE"])
def test_of_an_error_and_the_verdict_of_the_next_attempt_at_one_time_the_verdict_counts(verdict: str) -> None:
    results = [ended("", reason="to be tried again"), ended(verdict)]
    for told in (results, results[::-1]):
        assert deployed(*told)["releases"]["web"]["status"] == verdict


def test_a_verdict_at_one_time_with_another_replaces_it() -> None:
    assert deployed(ended("FALSE"), ended("TRUE"))["releases"]["web"]["status"] == "TRUE"


def test_a_later_promotion_begins_anew() -> None:
    before = deployed(ended(), ended(release="worker"))
    value = deployed(ended(generation=3), value=before)
    assert (value["generation"], value["status"], list(value["releases"])) == (3, "", ["web"])


@pytest.mark.parametrize(
    "value",
    [
        "TRUE",
        True,
        [],
        {"status": "TRUE"},
        {"generation": "many"},
        {"generation": Decimal(2), "releases": "web"},
        {"generation": Decimal(2), "releases": {"worker": "TRUE"}},
        {"generation": Decimal(2), "releases": {"worker": {"status": 1}}},
    ],
    ids=repr,
)
def test_whatever_people_made_of_the_gate_a_result_mends_it(value: Any) -> None:
    assert deployed(ended(), ended(release="worker"), value=value)["status"] == "TRUE"


@pytest.mark.parametrize("status", ["TRUE", "FALSE"])
def test_the_gate_has_the_time_of_the_release_that_ended_last_in_whatever_order_that_is_told(status: str) -> None:
    last = replace(ended(status, "worker"), at="2026-07-01T12:20:00Z")
    for told in ([ended(), last], [last, ended()]):
        value = deployed(*told)
        assert (value["status"], value["at"]) == (status, last.at)


@pytest.mark.parametrize("odd", [None, 5, "", "lately", "2026-07-01T12:20:00"], ids=repr)
def test_the_gate_has_the_time_of_the_result_where_the_others_have_none(odd: Any) -> None:
    value = {"generation": Decimal(2), "releases": {"worker": {"status": "TRUE", "at": odd}}}
    assert deployed(ended(), value=value)["at"] == NOON


@pytest.mark.parametrize("verdict", ["TRUE", "FALSE"])
def test_a_verdict_counts_over_what_was_applied_before_it_by_a_clock_that_is_fast(verdict: str) -> None:
    applied = replace(ended(""), at="2026-07-01T12:00:03Z")
    value = deployed(applied, ended(verdict))
    assert value["releases"]["web"]["status"] == verdict
    assert deployed_value(value, replace(ended(""), at="2026-07-01T11:59:59Z")) is None
    assert deployed_value(value, replace(ended(), at="2026-07-01T11:59:59Z")) is None
