"""What a workspace has when nobody gives it more, and what it remembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_state.deploy import Workspace
from pipeline_state.faults import PermanentFault


def test_without_edges_what_they_would_have_fetched_is_named() -> None:
    bare = Workspace(Path(), Path())
    asked: list[tuple[Callable[[], object], str]] = [
        (lambda: bare.fetch_secret("shop/db"), "the secret 'shop/db' cannot be read here"),
        (lambda: bare.fetch_parameter("/shop/db"), "the parameter '/shop/db' cannot be read here"),
        (lambda: bare.fetch_object("bucket", "web.tgz", lambda _: False), "s3://bucket/web.tgz cannot be read here"),
        (lambda: bare.registry_token("eu-west-1"), "no login for ECR in eu-west-1 can be had here"),
    ]
    for ask, said in asked:
        with pytest.raises(PermanentFault, match=said):
            ask()


def test_one_that_remembers_reads_each_once_and_the_next_install_reads_anew() -> None:
    read: list[str] = []

    def fetch(name: str) -> str:
        read.append(name)
        return name.upper()

    workspace = Workspace(Path(), Path(), fetch_secret=fetch, fetch_parameter=fetch)
    for install in (workspace.remembering(), workspace.remembering()):
        assert [install.fetch_secret("a"), install.fetch_secret("a"), install.fetch_parameter("a")] == ["A"] * 3
    assert read == ["a", "a"] * 2
