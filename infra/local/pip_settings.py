"""uv with the settings that the user gave pip: `python -m infra.local.pip_settings ARGUMENTS` runs it so.

uv reads none of pip's settings. Two of them decide whether anything can be fetched at all, the index and the
certificates, so they are handed over wherever uv has no setting of its own. Standard library only.
"""

import os
import re
import subprocess
import sys
from pathlib import Path


def uv() -> str:
    """The uv installed beside this Python."""
    return str(Path(sys.executable).with_name("uv"))


def for_uv() -> dict[str, str]:
    """The environment of a uv process: pip's index and certificates, the system's certificates where pip names none."""
    files = _configuration_files()
    ours = {
        "UV_DEFAULT_INDEX": os.environ.get("PIP_INDEX_URL") or files.get("index-url"),
        "SSL_CERT_FILE": os.environ.get("PIP_CERT") or files.get("cert"),
        "UV_SYSTEM_CERTS": "1" if Path("/etc/ssl/certs/ca-certificates.crt").exists() else None,
    }
    return {name: value for name, value in ours.items() if value} | dict(os.environ)


def _configuration_files() -> dict[str, str]:
    """The [global] settings of all pip.conf files, as pip merges them (`pip config get` would read one file only)."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return dict(re.findall(r"^global\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))


if __name__ == "__main__":
    os.execve(uv(), [uv(), *sys.argv[1:]], for_uv())  # noqa: S606 - no shell
