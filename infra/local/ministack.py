"""MiniStack, the local AWS, as a process: `python -m infra.local.ministack STATE_DIR [--with-parent PID]`.

It runs Lambda functions on its own Python, whose environment has everything this checkout needs. A file missing in a
package would go unnoticed, so the functions get another one that has boto3 only, as in Lambda.
"""

import http.client
import os
import runpy
import sys
import venv
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from infra.local import process
from infra.local.ports import HOST

REGION = "us-east-1"
ACCOUNT = "000000000000"

# What Lambda's own runtime brings: boto3 and what it imports.
RUNTIME_PACKAGES = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")


# What Helm may need to reach a registry from here.
WAY_OUT = ("HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


def environment(state_dir: Path, *, port: int, tools: Path, auth: bool) -> dict[str, str]:
    """All that MiniStack and the functions under it get to see: nothing of the user's AWS configuration."""
    private = state_dir / "none"
    outside = {name: os.environ[name] for name in WAY_OUT if name in os.environ}
    return outside | {
        "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
        "NO_PROXY": ",".join([HOST, "localhost", *filter(None, [os.environ.get("NO_PROXY")])]),
        "HOME": str(state_dir),
        "TMPDIR": str(state_dir / "tmp"),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": str(private),
        "AWS_SHARED_CREDENTIALS_FILE": str(private),
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true" if auth else "false",
        "LOG_LEVEL": "WARNING",
    }


def is_ready(port: int) -> bool:
    """Whether MiniStack answers on that port."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def client(endpoint_url: str, service: str) -> Any:
    """A boto3 client with credentials worth nothing elsewhere; it reads none of the user's AWS configuration."""
    return _session().client(service, endpoint_url=endpoint_url, config=_direct())


@cache
def _direct() -> Any:
    from botocore.config import Config  # noqa: PLC0415 - as below

    return Config(proxies={})  # a proxy would look for 127.0.0.1 on its own machine


@cache
def _session() -> Any:
    import boto3  # noqa: PLC0415 - a quarter of a second that starting and stopping do without
    import botocore.session  # noqa: PLC0415

    from pipeline_state.aws import quick  # noqa: PLC0415 - the same

    unread = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    variables = {name: (None, None, value, None) for name, value in unread.items()}
    session = quick(botocore.session.Session(session_vars=variables))
    return boto3.session.Session("test", "test", region_name=REGION, botocore_session=session)


def make_runtime(folder: Path) -> Path:
    """A Python environment with boto3 and nothing else; the path of its interpreter."""
    venv.EnvBuilder(symlinks=True, clear=True).create(folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    for name in RUNTIME_PACKAGES:
        for top in _top_level(name):
            (site_packages / top.name).symlink_to(top)
    return folder / "bin" / "python"


def _top_level(name: str) -> set[Path]:
    """The folders and modules that a package put into site-packages."""
    package = distribution(name)
    tops = {file.parts[0] for file in package.files or () if file.parts[0] not in {"..", "__pycache__"}}
    return {Path(str(package.locate_file(top))) for top in tops}


def main(state_dir: Path, options: list[str]) -> None:
    """Serves until SIGTERM."""
    if options[:1] == ["--with-parent"]:
        process.end_with_parent(int(options[1]))
    (state_dir / "tmp").mkdir(exist_ok=True)
    sys.executable = str(make_runtime(state_dir / "runtime"))  # which is what MiniStack starts the functions with
    sys.argv[1:] = []
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
