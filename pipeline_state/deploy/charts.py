"""Where a release's chart is: bundled with the installer, or fetched from a registry, a bucket or a URL.

Helm is given a path in any case. What was fetched is kept by its digest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline_state.deploy import digests, oci, web
from pipeline_state.deploy.cache import Cache
from pipeline_state.deploy.terms import Workspace
from pipeline_state.deploy.web import MAX_BYTES
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Release

__all__ = ["MAX_BYTES", "Chart", "find", "locate", "shown"]

_FETCHED = ("https://", "s3://")
_UNCHANGED = 304
_STRONG = re.compile(r'"[!-~]*"')
"""An ETag that stands for the very bytes: https://www.rfc-editor.org/rfc/rfc9110#name-etag"""

_BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[^?#]+)")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that Helm can be given. place: a path. digest: empty where there is nothing that has one."""

    place: str
    digest: str


def find(release: Release, workspace: Workspace) -> Chart:
    """The release's chart; where a digest says which, that very one, without asking anybody where it is kept.

    Raises PermanentFault when it is another one now, or not there; TemporaryFault when it may be there later.
    """
    wanted, cache = release.digest, _cache(workspace)
    digests.check_form(wanted)
    if release.chart.startswith(oci.SCHEME):
        path, digest = oci.find(release, cache, workspace)
        return Chart(str(path), digest)
    if wanted and release.chart.startswith(_FETCHED) and (kept := cache.find(_archive(wanted))):
        return Chart(str(kept), wanted)
    place = locate(release.chart, workspace)
    found = digests.of_chart(place)
    if wanted:
        digests.check(shown(release.chart), wanted, found)
    return Chart(place, found)


def locate(chart: str, workspace: Workspace) -> str:
    """The absolute path of a chart that is no registry's, as it is now.

    Whether the path holds a chart is left to Helm, whose sentence then says so. Raises PermanentFault for a reference
    we do not take and a download that will not get better, TemporaryFault for one that may.
    """
    if chart.startswith("https://"):
        return str(_from_web(chart, _cache(workspace)))
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


def _from_web(url: str, cache: Cache) -> Path:
    """The archive as the URL leads to it now: asked for each time, and sent unless it has the ETag of the one kept.

    A Last-Modified would not do: what is put back is older than what it replaces.
    """
    kept, tag = _kept(url, cache)
    what = f"chart {shown(url)}"
    answer = web.ask(url, what, headers={"If-None-Match": tag} if tag else {})
    if kept and answer.status == _UNCHANGED:
        return kept
    if not answer.is_good:
        raise PermanentFault(f"{what}: {answer.status} {answer.reason}")
    return _keep(url, answer.headers.get("ETag", ""), answer.content, cache)


def _from_bucket(url: str, cache: Cache, workspace: Workspace) -> Path:
    """The archive as the bucket has it now: the same."""
    place = _BUCKET.fullmatch(url)
    if not place:
        raise PermanentFault(f"chart {url!r}: write s3://<bucket>/<key of a .tgz>")
    kept, known = _kept(url, cache)
    tag, content = workspace.fetch_object(place["bucket"], place["key"], lambda tag: bool(kept) and tag == known)
    return kept if kept and content is None else _keep(url, tag, content or b"", cache)


def _kept(url: str, cache: Cache) -> tuple[Path | None, str]:
    """The archive that was fetched from a URL last, and its ETag; None and "" where it is not kept, or had none."""
    mark = cache.find(_mark(url))
    digest, _, tag = mark.read_text().partition(" ") if mark else ("", "", "")
    path = cache.find(_archive(digest)) if digest else None
    return path, tag if path else ""


def _keep(url: str, tag: str, content: bytes, cache: Cache) -> Path:
    digest = digests.of_archive(content)
    path = cache.keep(_archive(digest), content)
    if _STRONG.fullmatch(tag):
        cache.keep(_mark(url), f"{digest} {tag}".encode())
    return path


def _archive(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')}.tgz"


def _mark(url: str) -> str:
    return f"{hashlib.sha256(url.encode(errors='surrogatepass')).hexdigest()}.etag"
