"""The local stack: one for each worker, so that tests keep apart by naming repositories of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import stack as local_stack
from infra.local.stack import StackInfo, StackOptions
from tests.e2e.way import leaked

CHARTS = Path(local_stack.__file__).parent / "example" / "charts"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """MiniStack with template.yaml deployed into it, and the embedded cluster. In the end its spans are searched."""
    with local_stack.running(tmp_path_factory.mktemp("stack"), options=StackOptions(charts_dir=CHARTS)) as info:
        yield info
        assert not leaked(info), "no span of the whole run may hold these"


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common, and no other run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
