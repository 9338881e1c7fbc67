"""Where spans are posted to over HTTP: connections stay open between invocations, and none is waited for long."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Retry, Timeout, make_headers
from urllib3.exceptions import MaxRetryError
from urllib3.util import parse_url

SOCKET_SECONDS = 2.0  # a silent connection is given up then
_RETRY = Retry(total=1, connect=0, status=0, redirect=0, allowed_methods=None, raise_on_status=False)
"""Once, where a connection that was open broke or fell silent: it may have died while Lambda stood still."""


class Endpoint:
    """One URL, with headers that may hold keys, and so are never shown."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = {"User-Agent": "gatestream", **headers, "Content-Encoding": "gzip"}
        self._connections = _connections(url)

    def post(self, body: bytes) -> BaseHTTPResponse:
        """Send a body, compressed; the answer whatever its status, except one that leads elsewhere, which is its own.

        Raises urllib3's HTTPError.
        """
        packed = gzip.compress(body, compresslevel=1)
        try:
            return self._connections.request(
                "POST", self._url, body=packed, headers=self._headers, retries=_RETRY, redirect=False
            )
        except MaxRetryError as error:
            raise (error.reason or error) from error

    def close(self) -> None:
        self._connections.clear()


def is_success(status: int) -> bool:
    """Whether a status of HTTP says that what was sent has been taken."""
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own classes of status


def _connections(url: str) -> PoolManager:
    """By way of the environment's proxy, if it names one for this host."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    timeout = Timeout(connect=SOCKET_SECONDS, read=SOCKET_SECONDS)
    if not proxy or proxy_bypass(parts.netloc):
        return PoolManager(timeout=timeout)
    login = parse_url(proxy).auth
    return ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=login) if login else None, timeout=timeout)
