"""Helm deployments: the only user of pyhelm3, and the only place where Helm runs.

`install` takes an `Install` and answers `Deployed` or `Failed` (the business said no); it raises TemporaryFault when
the machine broke.
"""

from pipeline_state.deploy.installer import install
from pipeline_state.deploy.terms import Deployed, Failed, Install, Workspace

__all__ = ["Deployed", "Failed", "Install", "Workspace", "install"]
