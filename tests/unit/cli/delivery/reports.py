"""Reports made of a few deliveries, without any table."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipeline_state.cli.delivery.report import Period, Report, Row, Wanted
from pipeline_state.cli.delivery.spending import Spent
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.delivery import Attempt, Delivery, Outcome, deliveries, figures, periods
from pipeline_state.model.lead_time import Part
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.promotion import Action
from pipeline_state.model.waits import Wait

NOW = datetime(2026, 7, 20, 18, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SHOP = Pipeline("shop", "o/r", environments=(Environment("staging"), Environment("prod", after=("staging",))))
PLACE = Place(SHOP, SHOP.environments[1])


def attempt(number: int, days_ago: float, outcome: Outcome = "deployed", lead: timedelta = HOUR) -> Attempt:
    """The number makes generation and commit."""
    ended = NOW - days_ago * DAY
    return Attempt(
        repo="o/r",
        pipeline="shop",
        environment="prod",
        commit=f"{number:040x}",
        generation=number,
        action=Action.PROMOTE,
        claimed_at=ended - MINUTE,
        outcome=outcome,
        ended_at=ended,
        pushed_at=ended - lead,
    )


def report_of(*attempts: Attempt, days: int = 7, repo: str = "o/r", rows: Sequence[Row] = ()) -> Report:
    """A fifth of each lead time was CI's, the rest people's."""
    period, every = Period.of(days, NOW), deliveries(attempts)
    commits = [spent(each) for each in every if each.is_new]
    return Report(
        wanted=Wanted(repo, "", days),
        period=period,
        figures=period.figures(every),
        before=figures(every, period.before, period.since),
        course=[(*each, figures(every, *each)) for each in periods(period.since, period.until)],
        rows=rows or [Row(PLACE, period.figures(every), commits)],
        failures=period.failures(every),
        commits=commits,
        environments=["staging", "prod"],
    )


def spent(delivery: Delivery) -> Spent:
    lead = delivery.lead_time or timedelta()
    start = delivery.at - lead
    parts = {**dict.fromkeys(Part, timedelta()), Part.CI: lead / 5, Part.PEOPLE: lead - lead / 5}
    waits = (
        Wait("build", "ci", "staging", start, start + lead / 5),
        Wait("legal", "people", "prod", start, delivery.at),
    )
    return Spent(delivery, parts, waits)
