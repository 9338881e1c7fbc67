"""The Rollouts queue: releases that Helm has applied get their verdict."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice.app import Chalice

from pipeline_state.handlers import rollout_observer
from pipeline_state.handlers.invocation import invocation

if TYPE_CHECKING:
    from chalice.app import SQSEvent

app = Chalice(app_name="rollout_observer")
app.log.setLevel(logging.INFO)
handler = cache(rollout_observer.handler)


@app.on_sqs_message(queue="Rollouts", batch_size=1)
def observe(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """One look; while there is no verdict, another message for the next one. Again if the machinery broke."""
    answer, records = handler(), event.to_dict()["Records"]
    context: Any = event.context
    seconds = context.get_remaining_time_in_millis() / 1000
    with invocation(context):
        failures = answer(records, context.aws_request_id, seconds)
    app.log.info("%s of %s looked at", len(records) - len(failures["batchItemFailures"]), len(records))
    return failures
