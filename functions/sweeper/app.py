"""The schedule: what waits is looked at again, and what was left half done is finished."""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any

from chalice.app import Chalice

from pipeline_state.handlers import sweeper
from pipeline_state.handlers.invocation import invocation

app = Chalice(app_name="sweeper")
app.log.setLevel(logging.INFO)
handler = cache(sweeper.handler)


@app.lambda_function()
def sweep(_event: object, context: Any) -> dict[str, Any]:
    """What was found and done, by name; what could not be looked at this time is looked at the next."""
    answer = handler()
    with invocation(context):
        report = answer(lambda: context.get_remaining_time_in_millis() / 1000)
    app.log.info("swept %s", json.dumps(report, sort_keys=True))
    return report
