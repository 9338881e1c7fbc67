"""Whether a URL answers, as the last word on a deployment."""

from __future__ import annotations

import http.client
from urllib import request
from urllib.error import HTTPError

from pipeline_state import tracing
from pipeline_state.model.pipelines import Verification
from pipeline_state.model.rollout import Done, Pending, Seen

_SECONDS = 10.0


def answers(verify: Verification) -> Seen:
    """Done when the URL (http or https) answers with 2xx within 10 s, redirects included; otherwise it still may."""
    with tracing.span("verification", url=verify.name):
        try:
            with request.urlopen(verify.url, timeout=_SECONDS):  # noqa: S310 - the file's schema takes http and https only
                return Done()
        except HTTPError as error:
            with error:
                return Pending(f"{verify.name} answered {error.code} {error.reason}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Pending(f"{verify.name} did not answer: {getattr(error, 'reason', None) or type(error).__name__}")
