"""Where a release's chart is: bundled with the installer, or fetched from a registry, a bucket or a URL, and kept.

Helm is given a path in any case.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline_state.deploy import digests, oci, web
from pipeline_state.deploy.cache import Cache
from pipeline_state.deploy.terms import Workspace
from pipeline_state.deploy.web import MAX_BYTES, Bounds
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Release

__all__ = ["MAX_BYTES", "Chart", "download", "find", "locate", "shown"]

_BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[^?#]+)")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that Helm can be given. place: a path. digest: empty where there is nothing that has one."""

    place: str
    digest: str


def find(release: Release, workspace: Workspace) -> Chart:
    """The release's chart; where a digest says which, that very one.

    Raises PermanentFault when it is another one now, or not there; TemporaryFault when it may be there later.
    """
    wanted = release.digest
    digests.check_form(wanted)
    if release.chart.startswith(oci.SCHEME):
        path, digest = oci.find(release, _cache(workspace), workspace)
        return Chart(str(path), digest)
    place = locate(release.chart, workspace)
    found = digests.of_chart(place)
    if wanted and found != wanted and release.chart.startswith("https://"):
        found = _refetched(release.chart, workspace)
    if wanted:
        digests.check(shown(release.chart), wanted, found)
    return Chart(place, found)


def locate(chart: str, workspace: Workspace) -> str:
    """The absolute path of a chart that is no registry's.

    Whether the path holds a chart is left to Helm, whose sentence then says so. Raises PermanentFault for a reference
    we do not take and a download that will not get better, TemporaryFault for one that may.
    """
    if chart.startswith("https://"):
        return str(_fetched(chart, _cache(workspace)))
    if chart.startswith("s3://"):
        return str(_from_bucket(chart, _cache(workspace), workspace))
    if "://" in chart:
        raise PermanentFault(f"chart {shown(chart)!r}: only https://, s3:// and oci:// references are fetched")
    return str(_bundled(chart, workspace.charts_dir))


def shown(chart: str) -> str:
    """A chart as it may be shown: of a URL neither user and password nor the query, where signatures are."""
    scheme, separator, rest = chart.partition("://")
    if not separator:
        return chart
    place, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def _bundled(chart: str, charts_dir: Path) -> Path:
    root = charts_dir.resolve()
    path = (root / chart.removeprefix("charts/")).resolve()
    if root not in path.parents:
        raise PermanentFault(f"chart {chart!r} is not below the bundled charts; write charts/<name>")
    return path


def _cache(workspace: Workspace) -> Cache:
    return Cache(workspace.directory / "charts")


def _fetched(url: str, cache: Cache) -> Path:
    """The archive, fetched once per workspace: the URL of a chart's version is taken to stay what it is."""
    name = _name(url)
    return cache.find(name) or cache.keep(name, download(url))


def _from_bucket(url: str, cache: Cache, workspace: Workspace) -> Path:
    """The archive as the bucket has it now: asked for each time, and fetched when it has another ETag than before."""
    place = _BUCKET.fullmatch(url)
    if not place:
        raise PermanentFault(f"chart {url!r}: write s3://<bucket>/<key of a .tgz>")

    def name(tag: str) -> str:
        return _name(f"{url} {tag}")

    tag, content = workspace.fetch_object(place["bucket"], place["key"], lambda tag: cache.find(name(tag)) is not None)
    return cache.folder / name(tag) if content is None else cache.keep(name(tag), content)


def _name(key: str) -> str:
    return f"{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()}.tgz"


def _refetched(url: str, workspace: Workspace) -> str:
    """The digest of what the URL leads to today; the archive that is kept may be from before it led there."""
    _cache(workspace).drop(_name(url))
    return digests.of_chart(locate(url, workspace))


def download(url: str, *, seconds: float = 30.0) -> bytes:
    """The body behind an https URL, redirects to other https URLs included. Raises PermanentFault or TemporaryFault."""
    answer = web.ask(url, f"chart {shown(url)}", Bounds(seconds))
    if not answer.is_good:
        raise PermanentFault(f"chart {shown(url)}: {answer.status} {answer.reason}")
    return answer.content
