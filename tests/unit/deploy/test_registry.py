"""How the names of images and charts are read."""

from __future__ import annotations

import pytest

from pipeline_state.deploy.oci import Reference
from pipeline_state.deploy.registry import Repository, of_chart, of_image
from pipeline_state.deploy.web import is_loopback
from pipeline_state.faults import PermanentFault

DIGEST = "sha256:" + "0a" * 32
HUB = "registry-1.docker.io"


@pytest.mark.parametrize("text, host, name", [
    ("nginx", HUB, "library/nginx"),
    ("library/nginx", HUB, "library/nginx"),
    ("docker.io/nginx", HUB, "library/nginx"),
    ("index.docker.io/team/web", HUB, "team/web"),
    ("registry-1.docker.io/bitnamicharts/redis", HUB, "bitnamicharts/redis"),
    ("team/web", HUB, "team/web"),
    ("registry.example.com/web", "registry.example.com", "web"),
    ("registry.example.com:5000/team/shop/web", "registry.example.com:5000", "team/shop/web"),
    ("localhost/web", "localhost", "web"),
    ("127.0.0.1:5000/a__b/c-d.e_f", "127.0.0.1:5000", "a__b/c-d.e_f"),
    ("[::1]:5000/web", "[::1]:5000", "web"),
])  # fmt: skip
def test_a_repository_is_read_as_docker_reads_it(text: str, host: str, name: str) -> None:
    assert of_image(text) == Repository(host, name)


@pytest.mark.parametrize("text", [
    "", "/", "web:1.0.0", f"web@{DIGEST}", "https://registry.example.com/web", "registry.example.com/Web", "a//b", "-a",
    "registry.example.com/", "ann:hush@registry.example.com/web", "registry.example.com/../web", "a/b?c", "a b", "a\n",
    "registry.example.com:port/web", "é/web", "registry.example.com/web#x",
])  # fmt: skip
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(PermanentFault, match="is not a repository: write host/name in lower case, without tag"):
        of_image(text)


@pytest.mark.parametrize("text, host, name", [
    ("registry.example.com/charts/web", "registry.example.com", "charts/web"),
    ("registry/web", "registry", "web"),
    ("docker.io/web", HUB, "web"),
])  # fmt: skip
def test_a_charts_first_part_is_a_host_as_helm_reads_it(text: str, host: str, name: str) -> None:
    assert of_chart(text) == Repository(host, name)


@pytest.mark.parametrize("text", ["", "web", "/web", "web/", "registry.example.com/Web", "a:b:c/web"])
def test_a_chart_without_a_host_or_a_name_is_refused(text: str) -> None:
    with pytest.raises(PermanentFault, match="is not a repository"):
        of_chart(text)


@pytest.mark.parametrize("ending, tag, digest", [
    ("", "", ""), (":1.0.0", "1.0.0", ""), (f"@{DIGEST}", "", DIGEST), (f":1.0.0@{DIGEST}", "1.0.0", DIGEST),
])  # fmt: skip
@pytest.mark.parametrize("repository", ["registry.example.com/charts/web", "registry.example.com:5000/web"])
def test_a_charts_reference_may_have_a_tag_and_a_digest(repository: str, ending: str, tag: str, digest: str) -> None:
    assert Reference.read(f"oci://{repository}{ending}") == Reference(repository, tag, digest)


@pytest.mark.parametrize("digest", ["sha256:00", "sha512:" + "0a" * 64, "latest", DIGEST.upper()])
def test_a_charts_reference_has_no_other_digests(digest: str) -> None:
    with pytest.raises(PermanentFault, match="not sha256: and 64 hex digits"):
        Reference.read(f"oci://registry.example.com/web@{digest}")


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.9.1", "[::1]:5000"])
def test_this_machine_is_known_by_its_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["localhost.example.com", "127.0.0.1.nip.io", "10.0.0.1", "128.0.0.1", "", "x@y", "[::2]:5000", "2130706433"],
)
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)
