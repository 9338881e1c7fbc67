"""What every test has: the real Helm and kubectl on PATH, and the hypothesis profiles `dev` and `ci`."""

import os

import hypothesis
import pytest

from infra.local.tools import helm_and_kubectl

hypothesis.settings.register_profile("dev", deadline=None)  # no deadline: cores are shared, time proves nothing
hypothesis.settings.register_profile("ci", deadline=None, max_examples=300, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_configure() -> None:
    os.environ["PATH"] = os.pathsep.join([str(helm_and_kubectl()), os.environ["PATH"]])


def pytest_report_header() -> str:
    network = {"namespace": "loopback only", "guard": "loopback only, by Python's own sockets"}
    return f"network: {network.get(os.environ.get('GATESTREAM_NETWORK', ''), 'open (make test denies it)')}"


@pytest.fixture(autouse=True)
def _no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test signs with the user's own AWS credentials, whatever it is pointed at."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
