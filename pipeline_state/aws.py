"""Sessions of AWS' SDK that make their first client in half the time: most of a cold start is botocore's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader


class _Models(Loader):
    """What botocore knows of the services, read once for all sessions of the process."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the Loader's
        """The names of their folders. The Loader's own looks into each of the 400, twice a session, 10 ms each time."""
        folders = [Path(folder) for folder in dict.fromkeys(self.search_paths)]
        return [service.name for folder in folders if folder.is_dir() for service in folder.iterdir()]


_models = _Models()


def session(**given: Any) -> boto3.Session:
    """A session of boto3. given: what boto3.Session takes, region_name for one."""
    return boto3.Session(botocore_session=quick(botocore.session.get_session()), **given)


def quick(made: botocore.session.Session) -> botocore.session.Session:
    """A session of botocore, which has made no client yet; the same, knowing what the others of this process read."""
    made.register_component("data_loader", _models)
    return made
