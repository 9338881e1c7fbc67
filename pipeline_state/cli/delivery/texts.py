"""What the figures are called, and how each is computed, in a sentence that stands beside it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_state.model.delivery import BLAME
from pipeline_state.model.lead_time import Part

SOURCE = "https://dora.dev/guides/dora-metrics/"
"""Where the definitions come from."""

NAMES: Mapping[str, str] = {
    "deployments": "Deployment frequency",
    "lead_time": "Lead time for changes",
    "failure_rate": "Change failure rate",
    "recovery": "Time to restore",
}
"""DORA's four; it calls the last three change lead time, change fail rate and failed deployment recovery time now."""

_COMMITS = "commits deployed for the first time; rollbacks and redeployments are not counted"
_LEAD_TIME = "from the push to the last release's verdict, tests and verification included; overtaken commits have none"
_FAILURES = f"of the promotions with a verdict, those that failed, or were rolled back within {BLAME.days} days"
_RECOVERY = "from a failure, or the deployment of what was rolled back, to the next good deployment there"

HOW: Mapping[str, str] = {
    "deployments": _COMMITS,
    "lead_time": _LEAD_TIME,
    "failure_rate": _FAILURES,
    "recovery": _RECOVERY,
}
"""How each is computed."""

PARTS: Mapping[Part, str] = {
    Part.HELM: "Helm",
    Part.CI: "waiting for CI",
    Part.PEOPLE: "waiting for people",
    Part.PIPELINE: "waiting for the pipeline",
    Part.UNEXPLAINED: "unexplained",
}
"""What the parts of the lead time are called."""

MEANINGS: Mapping[Part, str] = {
    Part.HELM: "a release was being installed, tested or verified",
    Part.CI: "a gate was awaited that CI opens",
    Part.PEOPLE: "a gate, a freeze or a hold was awaited that a person ends",
    Part.PIPELINE: "its turn, a soak, a freeze window or a message was awaited",
    Part.UNEXPLAINED: "nothing that is known of; the rest, so that the sum is the lead time",
}
"""What counts as each: a moment belongs to the first of them that is true."""
