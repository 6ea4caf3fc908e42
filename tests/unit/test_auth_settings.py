"""The settings of signing in: wrong ones stop the start in one line that tells no secret."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner

from app import main
from settings import Settings, SettingsError

HEX = "0123456789abcdefABCDEF0123456789" * 2


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.chdir(tmp_path)


def _line(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        Settings.read()
    line = str(refusal.value)
    assert "\n" not in line
    assert len(line) < 200
    # The same line is all that a start says.
    started = CliRunner().invoke(main, ["serve"])
    assert (started.exit_code, started.output) == (1, f"Error: {line}\n")
    return line


@pytest.mark.parametrize(
    "alone", [{"USAGE_PROXY_HEADER": "X-Usage-User"}, {"USAGE_PROXY_CIDRS": "10.0.0.0/8"}]
)
def test_a_proxys_header_and_its_addresses_go_together(
    monkeypatch: pytest.MonkeyPatch, alone: dict[str, str]
) -> None:
    line = _line(monkeypatch, alone)
    assert "USAGE_PROXY_HEADER" in line
    assert "USAGE_PROXY_CIDRS" in line


@pytest.mark.parametrize(
    "cidrs",
    [
        "10.0.0.0/33",
        "10.0.0.1/8",
        "10.0.0/8",
        "proxy.example.com",
        "localhost",
        "*",
        "::1/129",
        "fe80::/10/10",
        "10.0.0.0/8,",
        ",",
        " ",
        "10.0.0.0/8;192.0.2.1",
        "10.0.0.0/8 192.0.2.1",
        "010.0.0.0/8",
    ],
)
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, cidrs: str) -> None:
    line = _line(monkeypatch, {"USAGE_PROXY_HEADER": "X-Usage-User", "USAGE_PROXY_CIDRS": cidrs})
    assert line.startswith("USAGE_PROXY_CIDRS: must be addresses such as")


@pytest.mark.parametrize(
    "header", ["X Usage User", "X-Usage-User:", "X_Usage_User", "X-Üser", "X-User\tX", ":", "a,b"]
)
def test_a_header_that_none_could_send_is_refused(
    monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    line = _line(monkeypatch, {"USAGE_PROXY_HEADER": header, "USAGE_PROXY_CIDRS": "10.0.0.0/8"})
    assert line.startswith("USAGE_PROXY_HEADER: must be the name of a header")


@pytest.mark.parametrize(
    "key",
    [
        HEX[:-1],
        HEX + "0",
        HEX[:-1] + "g",
        HEX[:32],
        f" {HEX}",
        f"{HEX}\n",
        f"0x{HEX[:-2]}",
        "hunter2-hunter2-hunter2",
        "\N{ARABIC-INDIC DIGIT ZERO}" * 64,
    ],
)
def test_an_encryption_key_that_is_not_64_hex_digits_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    line = _line(monkeypatch, {"API_ENCRYPTION_KEY": key})
    assert line == "API_ENCRYPTION_KEY: must be 64 hexadecimal digits"


def test_no_line_about_one_setting_shows_the_secret_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = {
        "BETTER_AUTH_SECRET": "hunter2-of-the-platform",
        "API_ENCRYPTION_KEY": HEX,
        "DATABASE_URL": "postgresql://usage:hunter3@db.example/sim",
    }
    for wrong in ({"USAGE_PROXY_HEADER": "X"}, {"USAGE_PORT": "no"}):
        line = _line(monkeypatch, secrets | wrong)
        for secret in ("hunter2", "hunter3", HEX):
            assert secret not in line


def test_good_settings_are_read_as_they_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BETTER_AUTH_SECRET", HEX[:20])
    monkeypatch.setenv("API_ENCRYPTION_KEY", HEX)
    monkeypatch.setenv("USAGE_PROXY_HEADER", "X-Usage-User")
    monkeypatch.setenv("USAGE_PROXY_CIDRS", "10.0.0.0/8, 192.0.2.7,::1/128")
    settings = Settings.read()
    assert settings.better_auth_secret == HEX[:20]
    assert settings.api_encryption_key == HEX
    assert settings.proxy_header == "X-Usage-User"
    networks = [ip_network(word) for word in ("10.0.0.0/8", "192.0.2.7/32", "::1/128")]
    assert settings.proxy_networks == networks


@pytest.mark.parametrize(
    ("variables", "can"),
    [
        ({}, False),
        ({"API_ENCRYPTION_KEY": HEX}, False),
        ({"BETTER_AUTH_SECRET": "s"}, True),
        ({"USAGE_PROXY_HEADER": "X-U", "USAGE_PROXY_CIDRS": "::1"}, True),
    ],
)
def test_keys_alone_are_no_way_for_people_to_sign_in(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, can: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()
    assert settings.can_sign_in is can
    if not can:
        monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere.invalid/sim")
        started = CliRunner().invoke(main, ["serve"])
        assert started.exit_code == 1
        assert started.output.startswith("Error: DATABASE_URL is set, but there is no way")
        assert started.output.count("\n") == 1
