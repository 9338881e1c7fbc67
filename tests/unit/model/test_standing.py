"""What `gatestream why` says of a promotion that is not deployed: which release, what is missing, until when."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.model.decide import decide
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import Environment, Pipeline, Release, Verification
from pipeline_state.model.record import Claim, Record
from pipeline_state.model.rollout import Phase, Rollout

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AT, SOON = "2026-07-01T11:50:00Z", "2026-07-01T12:10:00Z"
LEASED = int(datetime(2026, 7, 1, 12, 10, tzinfo=UTC).timestamp())
NAMES = ("database", "api", "web")
STAGING = Environment("staging", releases=tuple(Release(name, "shop", f"charts/{name}") for name in NAMES))
ALONE = replace(STAGING, releases=STAGING.releases[-1:])
VERIFIED = replace(ALONE, releases=(replace(ALONE.releases[0], verify=Verification(gate="smoke_test")),))
ROLLOUT = Rollout(7, "web-1.2.3", "", "upgraded", 5, LEASED - 600, LEASED - 600, LEASED, Phase.VERIFY)
IN_ORDER = replace(STAGING, in_order=True)
TOGETHER = replace(STAGING, rollback_together=True)

AGAIN = "push a commit, or try this one again with `gatestream redeploy`"
NOT_YET, FAILED = (
    f"promoted to staging at {AT}; not deployed yet",
    f"promoted to staging at {AT}, but the deployment failed",
)
APPLIED = f"applied as revision 7, becoming ready until {SOON} at the latest"
FELL = "taken back, since api failed; rolled back to revision 1"


def said(told: dict[str, Any], environment: Environment = STAGING, status: str = "", of: int = 3, **state: Any) -> str:
    """The sentence about a commit that was promoted as number 3. told: status and reason by release."""
    releases = {name: {"status": status, "reason": reason} for name, (status, reason) in told.items()}
    gate = {"status": status, "generation": Decimal(of), "releases": releases, "reason": "by the gate"}
    claim = Claim("staging", 3, AT, {}, published=True, pushed_at=AT)
    gates = {"deployed_to_staging": gate} if told or status else {}
    record = Record("org/shop", "a" * 40, branches={"main": Place(5, AT)}, gates=gates, claims={"staging": claim})
    names = tuple(release.name for release in environment.releases)
    about = {"generation": 3, "head": "a" * 40, "sequence": 5, "releases": names, **state}
    pipeline = Pipeline("shop", "org/shop", environments=(environment,))
    found = decide(record, {"staging": EnvironmentState("shop", "staging", **about)}, pipeline, frozenset(), NOW)
    return found[0].sentence


CASES: dict[str, tuple[str, str]] = {
    "nothing has happened yet": (said({}), NOT_YET),
    "one alone has been applied": (said({"web": ("", APPLIED)}, ALONE), f"{NOT_YET}: web: {APPLIED}"),
    "one alone is being installed": (
        said({}, ALONE, leased={"web": LEASED}),
        f"{NOT_YET}: web: somebody is at work on it, until {SOON} at the latest",
    ),
    "whoever was at work on it is not any more": (said({}, ALONE, leased={"web": LEASED - 3600}), NOT_YET),
    "one alone waits for the one before": (
        said({}, ALONE, leased={"web": LEASED}, parked=("web",)),
        f"{NOT_YET}: web: waits until what came before it is done, {SOON} at the latest",
    ),
    "an older one is at work on it, and it has not been looked at": (
        said({}, ALONE, leased={"web": LEASED}, holders={"web": 2}, rollouts={"web": ROLLOUT}),
        f"{NOT_YET}: web: waits until what came before it is done, {SOON} at the latest",
    ),
    "it is ready and to be verified by now": (
        said({"web": ("", APPLIED)}, VERIFIED, leased={"web": LEASED}, holders={"web": 3}, rollouts={"web": ROLLOUT}),
        (
            f"{NOT_YET}: web: applied as revision 7, to be verified by the gate smoke_test until {SOON} at the latest, "
            "or else rolled back to revision 5"
        ),
    ),
    "what came before is done": (
        said({}, ALONE, parked=("web",)),
        f"{NOT_YET}: web: put aside, and about to go on",
    ),
    "the environment is frozen": (
        said({}, ALONE, parked=("web",), freezes=(Freeze("ann", SOON, "sale"),)),
        f"promoted to staging at {AT}, but staging is frozen by ann until {SOON}: sale",
    ),
    "it was frozen in between": (
        said({"database": ("TRUE", "")}, IN_ORDER, parked=("api",), freezes=(Freeze("ann"),)),
        (
            f"promoted to staging at {AT}, but staging is frozen by ann; "
            "so far: web begins once api is deployed · database is deployed"
        ),
    ),
    "one is deployed, one awaited, one not begun": (
        said({"database": ("TRUE", ""), "web": ("", APPLIED)}),
        f"{NOT_YET}: web: {APPLIED} · database is deployed · api has not begun yet",
    ),
    "two have not begun": (
        said({"database": ("", APPLIED)}),
        f"{NOT_YET}: database: {APPLIED} · api, web have not begun yet",
    ),
    "each begins after the one before": (
        said({"database": ("", APPLIED)}, IN_ORDER),
        f"{NOT_YET}: database: {APPLIED} · api begins once database is deployed · web begins once api is deployed",
    ),
    "the first is deployed and the second begins": (
        said({"database": ("TRUE", "")}, IN_ORDER, leased={"api": LEASED}),
        (
            f"{NOT_YET}: api: somebody is at work on it, until {SOON} at the latest · "
            "web begins once api is deployed · database is deployed"
        ),
    ),
    "one is tried again": (
        said({"web": ("", "no cluster; to be tried again")}, ALONE),
        f"{NOT_YET}: web: no cluster; to be tried again",
    ),
    "one failed, one is deployed, one awaited": (
        said({"database": ("TRUE", ""), "api": ("FALSE", "no image"), "web": ("", APPLIED)}, status="FALSE"),
        f"{FAILED}: api: no image · web: {APPLIED} · database is deployed · {AGAIN}",
    ),
    "one failed, and those with it go back": (
        said({"database": ("TRUE", ""), "api": ("FALSE", "no image"), "web": ("FALSE", FELL)}, TOGETHER, "FALSE"),
        f"{FAILED}: api: no image · web: {FELL} · database: deployed, and to be taken back · {AGAIN}",
    ),
    "one failed, and what comes after it never begins": (
        said({"database": ("FALSE", "no"), "web": ("FALSE", "not begun, since database failed")}, IN_ORDER, "FALSE"),
        f"{FAILED}: database: no · web: not begun, since database failed · api has not begun yet · {AGAIN}",
    ),
    "one alone failed": (said({"web": ("FALSE", "no image")}, ALONE, "FALSE"), f"{FAILED}: web: no image; {AGAIN}"),
    "it failed and nobody says why": (
        said({"web": ("FALSE", "")}, ALONE, "FALSE"),
        f"{FAILED}: web: no reason given; {AGAIN}",
    ),
    "it failed and another commit came after it": (
        said(
            {"api": ("FALSE", "no"), "web": ("TRUE", "")},
            status="FALSE",
            generation=4,
            head="b" * 40,
            leased={"database": LEASED},
        ),
        f"{FAILED}: api: no · web is deployed, followed by bbbbbbbbbbbb",
    ),
    "somebody made it fail by hand": (
        said({}, ALONE, "FALSE", leased={"web": LEASED}),
        f"{FAILED}: by the gate; {AGAIN}",
    ),
    "the gate tells of another promotion": (
        said({"web": ("", APPLIED)}, ALONE, of=2, leased={"web": LEASED}),
        f"{NOT_YET}: web: somebody is at work on it, until {SOON} at the latest",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_when(case: str) -> None:
    sentence, expected = CASES[case]
    assert sentence == expected


@pytest.mark.parametrize("until", [10**12, -1])
def test_a_lease_until_a_time_that_is_none_is_not_told(until: int) -> None:
    assert said({}, ALONE, leased={"web": until}) == NOT_YET
