"""Ranges of versions mean what they mean to the real Helm, which is asked about each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline_state.deploy.versions import newest
from pipeline_state.faults import PermanentFault
from tests.certificates import write_certificate
from tests.chart_server import ChartServer, packaged, serving

CHART = Path(__file__).parents[2] / "infra/local/example/charts/web"
TAGS = [
    *("0.0.1", "0.0.2", "0.1.0", "0.1.9", "0.2.0", "0.10.0", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.2.3", "1.2.4-alpha"),
    *("1.2.10", "1.3.0-beta.2", "1.3.0-beta.11", "1.9.0", "1.10.0", "2.0.0-alpha", "2.0.0", "2.1.0_build.7", "3.0.0-1"),
    *("latest", "v4.0.0", "5.0"),
]
RANGES = [
    wanted.strip()
    for wanted in """
    ; *; x; ^0; ^0.0; ^0.0.1; ^0.1; ^0.1.2; ^1; ^1.2; ^1.2.3; ^1.2.99; ^1.3.0-0; ^1.2.3-alpha; ^1.3.0-beta.3; ^2;
    ^2.0.0-alpha; ^9; ~0; ~0.0; ~0.1; ~1; ~1.2; ~1.2.3; ~1.2.4-0; ~>1.2; ~1.x; ~1.2.x; ~*; 1.x; 1.2.x; 1.2.X;
    1.*; =1.2.3; =1.2; =1; =1.2.4-alpha; v1.x; >1; >1.2; >1.2.3; >1.2.x; >=1.2; >=1.2.0; >=2.0.0-0; >2; >3;
    >=3.0.0-0; <1; <1.2; <1.2.3; <=1; <=1.2; <=1.2.3; <=1.2.x; <0.0.1; <1.0.0-rc.2; !=2.0.0; !=1; !=2; !=2.x;
    !=1.2.x; >=1, <2; >=1 <2; >=1,<1.9; >1.0 <1.2.3; ^1 !=1.10.0; ^1, !=1.10; ^0.1 || ^1.2 <1.9; ~0.1 || ~0.2;
    1.0 - 1.2; 1.0.0 - 1.2.3; 1 - 2; 0.1 - 0.2.x; 1.0.0-rc.1 - 1.0.0; >=1.0.0-0 <1.2; => 1.2; =< 1.2.3; >= 1.2;
    ^ 1.2; = 1.2;
""".rstrip("; \n").split(";")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartServer]:
    with serving(write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")) as server:
        for tag in TAGS:
            server.publish("web", tag, packaged(CHART, tag.replace("_", "+")))
        yield server


def helms_choice(server: ChartServer, home: Path, wanted: str) -> str | None:
    """The version of the chart that Helm shows; None where it says that there is none."""
    command = ["helm", "show", "chart", f"oci://{server.host}/web", "--insecure-skip-tls-verify"]
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "no_proxy": "127.0.0.1"}
    version = [f"--version={wanted}"] if wanted else []
    done = subprocess.run([*command, *version], env=environment, check=False, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("version: ")]
    return lines[0].removeprefix("version: ") if done.returncode == 0 else None


def ours(wanted: str) -> str | None:
    try:
        found = newest(TAGS, wanted)
    except PermanentFault:
        return None
    return found and found.replace("_", "+")


def test_helm_and_we_take_the_same_version(server: ChartServer, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(lambda each: helms_choice(server, tmp_path / "home", each), RANGES))
    different = {w: (helm, ours(w)) for w, helm in zip(RANGES, theirs, strict=True) if helm != ours(w)}
    assert different == {}
    assert len({found for found in theirs if found}) > 10
