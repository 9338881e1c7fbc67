"""What is wanted of Helm, in the flags of Helm 4 and of Helm 3: the one place where they differ.

Helm 4 renamed --atomic and --force, made --wait a strategy, and applies on the server's side, where fields have owners.
https://helm.sh/docs/overview/#changes-in-helm-4; the rest is what both print with --help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Major = Literal[3, 4]

NEWEST: Major = 4
OLDER: Major = 3

_REFUSED = b"unknown flag: --"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an upgrade, a rollback or an uninstallation is to do besides its work.

    waits: until everything is ready (or gone), Jobs included. goes_back: an upgrade that fails, to the revision before;
    in Helm that means waiting. force_conflicts: take over fields that others manage. is_there: the release is known to
    be there, so that Helm need not look whether to upgrade it or to install it.
    """

    waits: bool = False
    goes_back: bool = False
    force_conflicts: bool = False
    is_there: bool = False


def upgrade(major: Major, wish: Wish) -> list[str]:
    """Flags of `helm upgrade`.

    Validation of its own, by API documents that Helm fetches each time, finds nothing that the API server would not say
    itself, and takes half of Helm's time.
    """
    flags = ["--disable-openapi-validation", *([] if wish.is_there else ["--install"]), *_waiting(wish)]
    if wish.goes_back:
        # Helm 4 then tells when it begins to wait; Helm 3, which refuses the other flag, would tell the way of an error
        # through its source.
        flags += ["--rollback-on-failure", "--debug"] if major >= NEWEST else ["--atomic"]
    return flags + _conflicts(major, wish)


def rollback(major: Major, wish: Wish) -> list[str]:
    """Flags of `helm rollback`. goes_back and is_there mean nothing here."""
    return _waiting(wish) + _conflicts(major, wish)


def uninstall(major: Major, wish: Wish) -> list[str]:  # noqa: ARG001 - the same in both so far, which callers need not know
    """Flags of `helm uninstall`. Only waits means anything here."""
    return ["--wait"] if wish.waits else []


def is_older(major: Major, stderr: bytes) -> bool:
    """Whether that, from a Helm spoken to in the flags of `major`, means that it is a Helm 3.

    It refuses a flag that it does not know before it does anything: the same may be said once more, in its own.
    """
    return major >= NEWEST and _REFUSED in stderr


def _waiting(wish: Wish) -> list[str]:
    return ["--wait", "--wait-for-jobs"] if wish.waits else []


def _conflicts(major: Major, wish: Wish) -> list[str]:
    """Nothing in Helm 3, whose three-way merge knows no owners.

    --server-side=true: a release that Helm 3 made goes on being applied on the client's side otherwise, and Helm 4
    refuses the two together ("forceConflicts enabled when serverSideApply disabled").
    """
    return ["--server-side=true", "--force-conflicts"] if major >= NEWEST and wish.force_conflicts else []
