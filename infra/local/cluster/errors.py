"""The one error of the API: an HTTP status, Kubernetes' reason, and a sentence."""

from typing import Any


class ApiError(Exception):
    """Answered to the client as a ``Status`` object.

    Reasons and their HTTP statuses: k8s.io/apimachinery, ``pkg/apis/meta/v1/types.go``.
    """

    def __init__(self, status: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes or []

    def body(self) -> dict[str, Any]:
        """The ``Status`` object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": {"causes": self.causes},
            "code": self.status,
        }
