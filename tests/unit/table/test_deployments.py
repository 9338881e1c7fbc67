"""What the item of a promotion says of how it ended."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.deployments import Deployment

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SOON, LATER = NOON + timedelta(seconds=0.5), NOON + timedelta(hours=1)


def promotion(release: str) -> Promotion:
    return Promotion(
        id=release,
        repo="o/r",
        commit="a" * 40,
        branch="main",
        sequence=1,
        pipeline="shop",
        pipeline_version=1,
        environment="prod",
        environment_key="prod",
        generation=1,
        release=Release(release, "live", "charts/web"),
        cluster=Cluster(context="local"),
        releases=("web", "api"),
    )


@pytest.mark.parametrize(
    "deployed, failed, outcome",
    [
        ({}, {}, ("", None)),
        ({"web": NOON}, {}, ("", None)),
        ({"web": NOON, "api": LATER}, {}, ("deployed", LATER)),
        ({"web": NOON, "api": LATER, "gone": LATER}, {}, ("deployed", LATER)),
        ({"web": NOON}, {"api": SOON}, ("failed", SOON)),
        ({}, {"web": LATER, "api": SOON}, ("failed", SOON)),
        ({"web": NOON}, {"web": LATER}, ("failed", LATER)),
        ({"web": NOON, "api": NOON}, {"web": NOON}, ("failed", NOON)),
        ({"web": LATER, "api": NOON}, {"web": SOON}, ("deployed", LATER)),
        ({"web": NOON, "api": LATER}, {"gone": LATER}, ("deployed", LATER)),
    ],
)
def test_one_release_that_failed_is_enough_and_the_later_of_two_verdicts_counts(
    deployed: dict[str, datetime], failed: dict[str, datetime], outcome: tuple[str, datetime | None]
) -> None:
    promotions = tuple(map(promotion, ("web", "api")))
    found = Deployment(1, "o/r", "a" * 40, "", "ann", "promote", "", promotions, deployed=deployed, failed=failed)
    assert found.outcome == outcome


def test_a_promotion_of_nothing_never_ends() -> None:
    assert Deployment(1, "o/r", "a" * 40, "", "ann", "promote", "", ()).outcome == ("", None)
