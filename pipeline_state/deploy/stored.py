"""What Helm keeps of a release, read from the cluster without Helm.

A Secret for each revision: https://helm.sh/docs/topics/advanced/#storage-backends,
https://github.com/helm/helm/blob/v4.0.0/pkg/storage/driver/secrets.go, and util.go beside it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.history import Revision
from pipeline_state.deploy.kubernetes import endpoint
from pipeline_state.deploy.web import Bounds
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release

_GZIP = zlib.MAX_WBITS | 16
"""https://docs.python.org/3/library/zlib.html#zlib.decompress"""

_UNREADABLE = (OSError, ValueError, LookupError, TypeError, zlib.error)


@dataclass(frozen=True, slots=True)
class Stored:
    """revisions: oldest first. live: the latest that Helm has carried out; manifest: what it was rendered to, as YAML.

    0 and empty where there is none.
    """

    revisions: tuple[Revision, ...]
    live: int = 0
    manifest: str = ""


def read(access: Access, release: Release, *, seconds: float) -> Stored | None:
    """What is kept of the release; None where only Helm can tell, or say what is in the way.

    seconds: how long the API server may be silent. So this has no words of its own for a cluster that is not there, a
    token that has run out, a right that is missing: Helm is asked next, and what Helm says is known.
    """
    try:
        found = endpoint(access.kubeconfig.read_text(), access.context)
        if found is None:
            return None
        selector = urlencode({"labelSelector": f"owner=helm,name={release.name}"})
        path = f"/api/v1/namespaces/{quote(release.namespace, safe='')}/secrets?{selector}"
        answer = found.get(path, f"the history of {release.name}", Bounds(seconds))
        return stored(json.loads(answer.content)["items"]) if answer.is_good else None
    except (PermanentFault, TemporaryFault, *_UNREADABLE):
        return None


def stored(secrets: Iterable[Mapping[str, Any]]) -> Stored:
    """The same from the Secrets as the API server has them, in any order. Raises where one is not as Helm writes it."""
    read: list[tuple[Revision, str]] = [_read(secret["data"]["release"]) for secret in secrets]
    found = sorted(read, key=lambda one: one[0].number)
    revisions = tuple(revision for revision, _ in found)
    live = next(((revision.number, manifest) for revision, manifest in reversed(found) if revision.has_succeeded), ())
    return Stored(revisions, *live)


def _read(text: str) -> tuple[Revision, str]:
    """A revision as `helm history` has it, and its manifest. Base64 is the API's; below, base64 and gzip are Helm's."""
    record = json.loads(zlib.decompress(base64.b64decode(base64.b64decode(text)), _GZIP))
    info, metadata = record["info"], record["chart"]["metadata"]
    chart = f"{metadata['name']}-{metadata['version']}"
    revision = Revision(record["version"], info["status"], chart, info.get("description", ""))
    return revision, record.get("manifest", "")
