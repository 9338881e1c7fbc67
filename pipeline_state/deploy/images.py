"""The commonest reason why a deployment fails, told in a second: the image is not there."""

from __future__ import annotations

from pipeline_state import tracing
from pipeline_state.deploy import registry
from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Release


def find_image(release: Release, commit: str, workspace: Workspace) -> str:
    """The digest of the commit's image, by one HEAD request; empty where no image is named or no digest told.

    Raises PermanentFault when there is no such image, or the registry does not let us look, TemporaryFault when it
    cannot say for now.
    """
    if not release.image:
        return ""
    image = f"image {release.image}:{commit}"
    with tracing.span("image look-up", image=release.image):
        repository = registry.of_image(release.image)
        digest = registry.connect(repository, release.registry_secret, workspace, image).digest(commit)
    if digest is None:
        raise PermanentFault(
            f"{image} is not in its registry; have the build push it under the whole commit as its tag before the gates"
            " open, then redeploy, or mend image in pipelines.yaml"
        )
    return digest
