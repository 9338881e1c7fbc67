"""POST /github: GitHub's webhooks become events."""

from __future__ import annotations

import logging
from functools import cache

from chalice.app import Chalice, Response

from pipeline_state.handlers.invocation import invocation
from pipeline_state.handlers.webhook import FORM, JSON, github_webhook, request_of

app = Chalice(app_name="github_webhook")
app.log.setLevel(logging.INFO)
webhook = cache(github_webhook)


@app.route("/github", methods=["POST"], content_types=[JSON, FORM])
def github() -> Response:
    """202 with the event's id once the event is safe; otherwise why not."""
    receiver = webhook()
    with invocation(app.lambda_context):
        answer = receiver.receive(request_of(app.current_request))
    app.log.info("%s %s", answer.status, answer.body)
    return Response(body=answer.body, status_code=answer.status)
