"""What the unit tests have in common."""

import pytest


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is slow does not look like an endpoint that is silent."""
    monkeypatch.setattr("pipeline_state.tracing.endpoint.SOCKET_SECONDS", 60.0)
