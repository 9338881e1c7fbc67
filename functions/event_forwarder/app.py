"""Events that SNS could not take are published after all."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from chalice.app import Chalice

from pipeline_state.handlers import event_forwarder
from pipeline_state.handlers.invocation import invocation

if TYPE_CHECKING:
    from chalice.app import SQSEvent

app = Chalice(app_name="event_forwarder")
app.log.setLevel(logging.INFO)
handler = cache(event_forwarder.handler)


@app.on_sqs_message(queue="FallbackEvents", batch_size=10)
def forward_events(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """The messages of the batch that have to be tried again; what no retry can help is in the dead-letter queue."""
    answer, records = handler(), event.to_dict()["Records"]
    with invocation(event.context):
        failures = answer(records)
    app.log.info("%s of %s forwarded", len(records) - len(failures["batchItemFailures"]), len(records))
    return failures
