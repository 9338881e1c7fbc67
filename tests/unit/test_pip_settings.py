import os
from pathlib import Path

import pytest

from infra.local import pip_settings

SETTINGS = {
    "UV_DEFAULT_INDEX": ("PIP_INDEX_URL", "index-url", "https://mirror.example/simple"),
    "SSL_CERT_FILE": ("PIP_CERT", "cert", "/etc/mirror.pem"),
}


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only pip.conf that pip reads; nothing is set in the environment."""
    for name, (pips, _, _) in SETTINGS.items():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(pips, raising=False)
    path = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return path


@pytest.mark.parametrize("name", SETTINGS)
def test_uv_gets_the_setting_that_the_environment_gives_pip(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pips, _, value = SETTINGS[name]
    monkeypatch.setenv(pips, value)
    assert pip_settings.for_uv()[name] == value


@pytest.mark.parametrize("name", SETTINGS)
def test_uv_gets_the_setting_of_pips_configuration_file(config: Path, name: str) -> None:
    _, key, value = SETTINGS[name]
    config.write_text(f"[global]\n{key} = {value}\n")
    assert pip_settings.for_uv()[name] == value


@pytest.mark.parametrize("name", SETTINGS)
def test_uvs_own_setting_wins(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(SETTINGS[name][0], SETTINGS[name][2])
    monkeypatch.setenv(name, "uv's own")
    assert pip_settings.for_uv()[name] == "uv's own"


def test_where_pip_is_set_up_as_it_came_uv_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # to pip: no configuration file at all
    assert not SETTINGS.keys() & pip_settings.for_uv().keys()
