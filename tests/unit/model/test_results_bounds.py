"""Results of one moment, of another generation, and beside what people have made of a gate."""

from typing import Any

import pytest

from pipeline_state.model.pipelines import SourceKind
from pipeline_state.model.results import ReleaseResult, Result, counts, deployed_value

NOON, EARLIER = "2026-07-01T12:00:00Z", "2026-07-01T11:59:59Z"


def result(status: str) -> Result:
    return Result(SourceKind.GITHUB_CHECK, "build", "actions", status, NOON)


def ended(
    release: str = "web", status: str = "TRUE", generation: int = 2, at: str = NOON, **more: Any
) -> ReleaseResult:
    return ReleaseResult("deployed_to_staging", release, ("web", "api"), generation, status, at, **more)


def deployed(*results: ReleaseResult) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for each in results:
        found = deployed_value(value, each)
        assert found is not None, each
        value = found
    return value


@pytest.mark.parametrize("status, counted", [("success", True), ("failure", True), ("cancelled", False)])
@pytest.mark.parametrize("odd", [{"status": "maybe"}, {"status": 5}, {}, {"status": None}], ids=repr)
def test_of_one_second_any_verdict_counts_over_what_says_nothing(
    odd: dict[str, Any], status: str, *, counted: bool
) -> None:
    assert counts(result(status), odd, {"at": NOON, "value": odd, "result": True}) is counted


def test_a_result_of_a_newer_promotion_counts_whatever_the_time_of_the_older_ones() -> None:
    value = deployed(ended(generation=1), ended(at=EARLIER, generation=2, status="FALSE", reason="no"))
    assert (value["generation"], value["at"], value["status"]) == (2, EARLIER, "FALSE")


def test_of_one_promotion_an_earlier_result_does_not_count_and_one_of_the_same_moment_does() -> None:
    value = deployed(ended())
    assert deployed_value(value, ended(at=EARLIER, status="FALSE")) is None
    again = deployed_value(value, ended(status="FALSE", reason="no"))
    assert again is not None
    assert again["releases"]["web"]["status"] == "FALSE"


def test_the_reasons_of_several_releases_stand_one_after_the_other() -> None:
    value = deployed(ended("web", "FALSE", reason="no image"), ended("api", "FALSE", reason="no quota"))
    assert value["reason"] == "web: no image; api: no quota"


@pytest.mark.parametrize("status", [5, None, True, "maybe"], ids=repr)
def test_a_release_that_somebody_gave_an_odd_status_is_not_deployed(status: Any) -> None:
    value = deployed(ended("web"))
    value["releases"]["web"]["status"] = status
    found = deployed_value(value, ended("api"))
    assert found is not None
    assert found["status"] == ""
