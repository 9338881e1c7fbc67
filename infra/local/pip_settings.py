"""uv with the settings that the user gave pip: `python -m infra.local.pip_settings ARGUMENTS` runs it so.

uv reads none of pip's settings. Two of them decide whether anything can be fetched at all, the index and the
certificates, so they are handed over wherever uv has no setting of its own. Standard library only.
"""

import os
import subprocess
import sys
from pathlib import Path


def uv() -> str:
    """The uv installed beside this Python."""
    return str(Path(sys.executable).with_name("uv"))


def for_uv() -> dict[str, str]:
    """The environment of a uv process: pip's index and certificates, the system's certificates where pip names none."""
    ours = {
        "UV_DEFAULT_INDEX": os.environ.get("PIP_INDEX_URL") or _pip("index-url"),
        "SSL_CERT_FILE": os.environ.get("PIP_CERT") or _pip("cert"),
        "UV_SYSTEM_CERTS": "1" if Path("/etc/ssl/certs/ca-certificates.crt").exists() else "",
    }
    return {name: value for name, value in ours.items() if value} | dict(os.environ)


def _pip(setting: str) -> str:
    """A setting of the user's pip.conf; empty if it has none."""
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{setting}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    os.execve(uv(), [uv(), *sys.argv[1:]], for_uv())  # noqa: S606 - no shell
