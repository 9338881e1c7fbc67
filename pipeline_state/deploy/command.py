"""pyhelm3's Command and its errors, without the rest of pyhelm3.

`import pyhelm3` also loads its Client, whose pydantic models take 0.2 s: two fifths of the installer's cold start, for
nothing that is used here. Both modules are complete without them. The package as a whole stays importable.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def _load() -> tuple[ModuleType, ModuleType]:
    """pyhelm3.command and pyhelm3.errors, imported from a package whose own __init__ has not run."""
    spec = find_spec("pyhelm3")
    if spec is None:
        raise ModuleNotFoundError("No module named 'pyhelm3'", name="pyhelm3")
    whole = sys.modules.get("pyhelm3")
    if whole is None:
        sys.modules["pyhelm3"] = module_from_spec(spec)
    try:
        from pyhelm3 import command, errors  # noqa: PLC0415 - not before the line above
    finally:
        if whole is None:
            del sys.modules["pyhelm3"]  # whoever imports it later gets all of it, with these very modules in it
    return command, errors


_command, errors = _load()
Command = _command.Command
