"""What every test has: the real Helm and kubectl on PATH, made-up AWS keys, hypothesis profiles `dev` and `ci`."""

import os

import hypothesis

from infra.local.tools import cache_dir, helm_and_kubectl

TIMELESS = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
"""Cores are shared, time proves nothing."""

hypothesis.settings.register_profile("dev", TIMELESS)
hypothesis.settings.register_profile("ci", TIMELESS, max_examples=200, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_configure() -> None:
    os.environ["PATH"] = os.pathsep.join([str(helm_and_kubectl()), os.environ["PATH"]])
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ["KUBECACHEDIR"] = str(cache_dir() / "kubectl")  # kubectl's own place is the user's home
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # nothing signs as the user


def pytest_report_header() -> str:
    network = {"namespace": "loopback only", "guard": "loopback only, by Python's own sockets"}
    return f"network: {network.get(os.environ.get('GATESTREAM_NETWORK', ''), 'open (make test denies it)')}"
