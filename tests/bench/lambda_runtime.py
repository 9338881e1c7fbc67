"""Functions as Lambda has them: their folder and the shared layer on the path of a Python that brings boto3 only."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.layers.build import build_shared
from infra.local import ministack
from infra.local.process import ROOT

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "AWS_REGION": ministack.REGION,
    "AWS_DEFAULT_REGION": ministack.REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


@dataclass(frozen=True, slots=True)
class LambdaRuntime:
    """python: the interpreter. layer: the layer's folder for sys.path."""

    python: Path
    layer: Path

    @classmethod
    def make(cls, folder: Path) -> LambdaRuntime:
        """A runtime in an empty folder."""
        build_shared(folder / "layer")
        return cls(ministack.make_runtime(folder / "runtime"), folder / "layer" / "python")

    def run(self, code: str, function: str, *arguments: str, **environment: str) -> str:
        """What the program prints in a new process that can import the function's `app`."""
        done = subprocess.run(
            self._command(code, function, *arguments),
            env=ENVIRONMENT | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self, code: str, function: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same program, to be asked and to answer line by line; ending it is the caller's."""
        return subprocess.Popen(
            self._command(code, function, *arguments),
            env=ENVIRONMENT | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _command(self, code: str, function: str, *arguments: str) -> list[str | Path]:
        path = f"import sys; sys.path[:0] = [{str(ROOT / 'functions' / function)!r}, {str(self.layer)!r}]\n"
        return [self.python, "-c", path + code, *arguments]
