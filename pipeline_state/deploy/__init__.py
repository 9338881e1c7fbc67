"""Helm deployments: the only user of pyhelm3, and the only place where Helm runs.

`install` takes an `Install` and answers `Deployed`, `Failed` (the business said no), or `Applied` where a verdict takes
longer: then `look`, `test` and `roll_back` bring it about. All raise TemporaryFault when the machine broke.
"""

from pipeline_state.deploy.installer import install
from pipeline_state.deploy.rollouts import look, roll_back, test
from pipeline_state.deploy.terms import Applied, Deployed, Failed, Install, Workspace

__all__ = ["Applied", "Deployed", "Failed", "Install", "Workspace", "install", "look", "roll_back", "test"]
