"""Whether what AWS says no to may be asked again: an answer is final unless it says otherwise."""

from __future__ import annotations

from botocore.exceptions import ClientError

_PASSING = frozenset(
    {"RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "RequestTimeout", "RequestExpired", "ExpiredToken"}
    | {"ExpiredTokenException", "InternalFailure", "InternalError", "InternalServerError", "InternalServiceError"}
    | {"ServerException", "ServiceUnavailable", "ServiceUnavailableException", "OperationAborted"}
)
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500


def code_of(error: ClientError) -> str:
    """AWS's name for it; where a load balancer answered instead, the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def passes(error: ClientError) -> bool:
    """Whether the same request may succeed later: AWS throttles, has trouble itself, or credentials have run out."""
    code = code_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    is_busy = status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
    return is_busy or code in _PASSING or "Throttl" in code
