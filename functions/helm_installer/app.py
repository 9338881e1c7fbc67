"""The Installs queue: promotions become Helm releases."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice.app import Chalice

from pipeline_state.handlers import helm_installer
from pipeline_state.handlers.invocation import invocation

if TYPE_CHECKING:
    from chalice.app import SQSEvent

app = Chalice(app_name="helm_installer")
app.log.setLevel(logging.INFO)
handler = cache(helm_installer.handler)


@app.on_sqs_message(queue="Installs", batch_size=1)
def install(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """The promotion again if the machinery broke; a release that failed is an answer, not an error."""
    answer, records = handler(), event.to_dict()["Records"]
    context: Any = event.context
    seconds = context.get_remaining_time_in_millis() / 1000
    with invocation(context):
        failures = answer(records, context.aws_request_id, seconds)
    app.log.info("%s of %s carried out", len(records) - len(failures["batchItemFailures"]), len(records))
    return failures
