"""The Gates table's stream: commits whose last gate has opened are promoted."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from chalice.app import Chalice

from pipeline_state.handlers import promoter
from pipeline_state.handlers.invocation import invocation

if TYPE_CHECKING:
    from chalice.app import DynamoDBEvent

app = Chalice(app_name="promoter")
app.log.setLevel(logging.INFO)
handler = cache(promoter.handler)


@app.on_dynamodb_record(stream_arn="Gates")
def promote(event: DynamoDBEvent) -> dict[str, list[dict[str, str]]]:
    """The change of the batch to begin again at; what no retry can help is in the dead-letter queue."""
    answer, records = handler(), event.to_dict()["Records"]
    with invocation(event.context):
        failures = answer(records)
    app.log.info("%s of %s considered", len(records) - len(failures["batchItemFailures"]), len(records))
    return failures
