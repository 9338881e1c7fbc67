"""Where a release's chart is: bundled with the installer, fetched once by URL, or left to Helm (OCI)."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib import request
from urllib.error import HTTPError, URLError

from pipeline_state.deploy import digests
from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release

MAX_BYTES = 20 * 1024 * 1024
"""Helm itself keeps a release, chart included, in a Secret of at most 1 MB; this only guards memory."""

_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that Helm can be given. place: as of `locate`. digest: empty while nobody but Helm can tell it."""

    place: str
    digest: str


def find(release: Release, workspace: Workspace) -> Chart:
    """The release's chart; where a digest says which, that very one.

    Raises PermanentFault when it is another one now, and what `locate` raises.
    """
    wanted = release.digest
    digests.check_form(wanted)
    place = locate(release.chart, workspace)
    if place.startswith("oci://"):
        place = digests.reference(place, wanted) if wanted else place
        return Chart(place, digests.of_chart(place))
    found = digests.of_chart(place)
    if wanted and found != wanted and release.chart.startswith("https://"):
        found = _refetched(place, release.chart, workspace)
    if wanted:
        digests.check(shown(release.chart), wanted, found)
    return Chart(place, found)


def locate(chart: str, workspace: Workspace) -> str:
    """What to give Helm as the chart: an absolute path or an OCI reference.

    Whether the path holds a chart is left to Helm, whose sentence then says so. Raises PermanentFault for a reference
    we do not take and a download that will not get better, TemporaryFault for one that may.
    """
    if chart.startswith("oci://"):
        return chart
    if chart.startswith("https://"):
        return str(_fetched(chart, workspace.directory / "charts"))
    if "://" in chart:
        raise PermanentFault(f"chart {shown(chart)!r}: only https:// and oci:// references are fetched")
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


def _fetched(url: str, cache: Path) -> Path:
    """The archive, fetched once per workspace: the URL of a chart's version is taken to stay what it is."""
    target = cache / f"{hashlib.sha256(url.encode()).hexdigest()}.tgz"
    if not target.exists():
        content = download(url)
        cache.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=cache)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).rename(target)
    return target


def _refetched(place: str, url: str, workspace: Workspace) -> str:
    """The digest of what the URL leads to today; the archive at the place may be from before it led there."""
    Path(place).unlink(missing_ok=True)
    return digests.of_chart(locate(url, workspace))


def download(url: str, *, seconds: float = 30.0) -> bytes:
    """The body behind an https URL, redirects to other https URLs included. Raises PermanentFault or TemporaryFault."""
    try:
        with _https().open(url, timeout=seconds) as response:
            content: bytes = response.read(MAX_BYTES + 1)
    except HTTPError as error:
        with error:  # it holds the connection
            raise _http_fault(shown(url), error) from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError | str):  # a str: not https, or not a URL at all
            raise PermanentFault(f"chart {shown(url)}: {reason}") from error
        raise TemporaryFault(f"chart {shown(url)}: {reason}", _RETRY_SECONDS) from error
    if len(content) > MAX_BYTES:
        raise PermanentFault(f"chart {shown(url)} is larger than {MAX_BYTES} bytes")
    return content


def _http_fault(url: str, error: HTTPError) -> PermanentFault | TemporaryFault:
    sentence = f"chart {url}: {error.code} {error.reason}"
    passing = error.code in {408, 429} or error.code >= 500  # noqa: PLR2004 - HTTP's own numbers
    return TemporaryFault(sentence, _RETRY_SECONDS) if passing else PermanentFault(sentence)


def _https() -> request.OpenerDirector:
    """An opener that knows https and no other scheme, so that no redirect leads to plain http or a file."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPSHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPErrorProcessor(),
        request.HTTPDefaultErrorHandler(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
