"""POST /github: GitHub's webhooks become events."""

from __future__ import annotations

import logging
from functools import cache

from chalice.app import Chalice, Response

from pipeline_state import tracing
from pipeline_state.events.doors import github_door, request_of
from pipeline_state.events.intake import FORM, JSON

app = Chalice(app_name="github_webhook")
app.log.setLevel(logging.INFO)
door = cache(github_door)


@app.route("/github", methods=["POST"], content_types=[JSON, FORM])
def github() -> Response:
    """202 with the event's id once the event is safe; otherwise why not."""
    intake = door()
    with tracing.invocation(app.lambda_context):
        answer = intake.receive(request_of(app.current_request))
    app.log.info("%s %s", answer.status, answer.body)
    return Response(body=answer.body, status_code=answer.status)
