"""Which cluster `up` and `demo` install to: only one that was named, and never one by an oversight.

The variable KUBECONFIG is often set for other work. So it is only a proposal, unless somebody names a context as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pipeline_state.cli.console import USAGE, CommandError

Ask = Callable[[Path], bool]
"""Whether a person wants the cluster of a kubeconfig."""


def named(given: Path | None, context: str, variable: str) -> Path | None:
    """The file that was named by --kubeconfig, or where kubectl looks for --kube-context; None for neither.

    variable: what KUBECONFIG says. Raises CommandError.
    """
    if given or not context:
        return given
    if variable:
        return only_file(variable)
    usual = Path.home() / ".kube" / "config"
    if not usual.is_file():
        raise CommandError(f"there is no {usual} to find the context {context} in; add --kubeconfig FILE", USAGE)
    return usual


def proposed(variable: str, ask: Ask | None) -> Path | None:
    """The file of KUBECONFIG, if a person agrees or nobody is there to be asked. Raises CommandError."""
    if not variable:
        return None
    file = only_file(variable)
    return file if ask is None or ask(file) else None


def only_file(variable: str) -> Path:
    """The one file that KUBECONFIG names. Raises CommandError."""
    files = [name for name in variable.split(os.pathsep) if name]
    if len(files) != 1:
        raise CommandError(f"KUBECONFIG names {len(files)} files; name the one to use: --kubeconfig FILE", USAGE)
    file = Path(files[0])
    if not file.is_file():
        raise CommandError(f"KUBECONFIG names {file}, which is no file; name one: --kubeconfig FILE", USAGE)
    return file
