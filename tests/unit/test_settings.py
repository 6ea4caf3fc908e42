from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from settings import Settings, SettingsError

ADDRESS = "postgresql://usage:hunter2@db.example.com/platform"
VARIABLES = tuple(field.alias or name for name, field in Settings.model_fields.items())


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without settings, in a directory without a .env file."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused() -> str:
    with pytest.raises(SettingsError) as refusal:
        Settings.read()
    line = str(refusal.value)
    assert "\n" not in line
    assert "hunter2" not in line
    return line


def test_every_setting_has_its_default() -> None:
    settings = Settings.read()
    assert settings.database_url is None
    assert settings.home == Path(".usage")
    assert (settings.host, settings.port) == ("127.0.0.1", 8050)
    assert (settings.timezone, settings.zone) == ("UTC", ZoneInfo("UTC"))
    assert settings.limit_scope == "account"
    assert settings.app_url is None
    assert settings.spending_url is None
    assert settings.url_prefix == "/"


def test_every_setting_names_its_variable_and_explains_itself_in_one_line() -> None:
    for field in Settings.model_fields.values():
        assert field.alias is not None
        assert field.alias.isupper()
        assert field.description
        assert "\n" not in field.description


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("DATABASE_URL", "postgres://db/x", "database_url", "postgres://db/x"),
        ("DATABASE_URL", "postgresql://a,b/x", "database_url", "postgresql://a,b/x"),
        ("DATABASE_URL", "postgresql+psycopg://db", "database_url", "postgresql+psycopg://db"),
        ("USAGE_HOME", "/var/lib/usage", "home", Path("/var/lib/usage")),
        ("USAGE_HOST", "::1", "host", "::1"),
        ("USAGE_PORT", "1", "port", 1),
        ("USAGE_PORT", "65535", "port", 65535),
        ("USAGE_TIMEZONE", "America/Havana", "zone", ZoneInfo("America/Havana")),
        ("USAGE_LIMIT_SCOPE", "workspace", "limit_scope", "workspace"),
        ("USAGE_APP_URL", "https://app.example.com", "app_url", "https://app.example.com"),
        (
            "USAGE_SPENDING_URL",
            "http://x/{workspace_id}",
            "spending_url",
            "http://x/{workspace_id}",
        ),
        ("USAGE_URL_PREFIX", "/usage/", "url_prefix", "/usage/"),
        ("USAGE_URL_PREFIX", "/usage", "url_prefix", "/usage/"),
    ],
)
def test_a_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str, expected: object
) -> None:
    monkeypatch.setenv(variable, value)
    assert getattr(Settings.read(), name) == expected


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("DATABASE_URL", "mysql://usage:hunter2@db/x", "must begin with one of postgres://"),
        ("DATABASE_URL", "usage:hunter2@db", "must begin with one of postgres://"),
        ("USAGE_PORT", "0", "greater than or equal to 1"),
        ("USAGE_PORT", "65536", "less than or equal to 65535"),
        ("USAGE_PORT", "http", "valid integer"),
        ("USAGE_PORT", "80.5", "valid integer"),
        ("USAGE_TIMEZONE", "Mars/Olympus", "must be an IANA time zone"),
        ("USAGE_TIMEZONE", "../../etc/passwd", "must be an IANA time zone"),
        ("USAGE_TIMEZONE", "America", "must be an IANA time zone"),
        ("USAGE_TIMEZONE", "/etc/localtime", "must be an IANA time zone"),
        ("USAGE_TIMEZONE", "x" * 5000, "must be an IANA time zone"),
        ("USAGE_LIMIT_SCOPE", "team", "'account' or 'workspace'"),
        ("USAGE_LIMIT_SCOPE", "Account", "'account' or 'workspace'"),
        ("USAGE_APP_URL", "app.example.com", "begins with http:// or https://"),
        ("USAGE_APP_URL", "javascript:alert(1)", "begins with http:// or https://"),
        ("USAGE_APP_URL", "https://", "begins with http:// or https://"),
        ("USAGE_APP_URL", "http://[", "IPv6"),
        ("USAGE_SPENDING_URL", "ftp://x/{workspace_id}", "begins with http:// or https://"),
        ("USAGE_SPENDING_URL", "https://x/spending", "must contain {workspace_id}"),
        ("USAGE_URL_PREFIX", "usage/", "must begin with a slash"),
        ("USAGE_URL_PREFIX", "//evil.example", "be a plain path"),
        ("USAGE_URL_PREFIX", "/a?b", "be a plain path"),
        ("USAGE_URL_PREFIX", "/a/../b", "be a plain path"),
        ("USAGE_URL_PREFIX", "/api", "other than /api/"),
        ("DATABASE_URL", "postgres://u:hunter2@h/db?bogus=1", "must be a URL such as postgresql:"),
        ("DATABASE_URL", "postgres://u:hunter2%zz@h/db", "with % written as %25"),
        ("DATABASE_URL", "postgres://[::1/db", "must be a URL such as postgresql:"),
        ("DATABASE_URL", "postgres://u:hunter2@h:abc/db", "must have ports from 1 to 65535"),
        ("DATABASE_URL", "postgresql+psycopg://h:99999/db", "must have ports from 1 to 65535"),
        ("DATABASE_URL", "postgres://a,b:1,c:2:3/db", "must have ports from 1 to 65535"),
        ("DATABASE_URL", "postgres:///db?host=a,b,c&port=1,2", "one for each host"),
        ("USAGE_TIMEZONE", "localtime", "must be an IANA time zone"),
        ("USAGE_APP_URL", "https://a b/", "without blanks"),
        ("USAGE_APP_URL", "https://:80", "begins with http:// or https://"),
        ("USAGE_APP_URL", "https://x:99999", "65535"),
        ("USAGE_APP_URL", "https://x/?q=1", "without ? and #"),
        ("WEB_CONCURRENCY", "abc", "valid integer"),
        ("WEB_CONCURRENCY", "0", "greater than or equal to 1"),
        ("WEB_CONCURRENCY", "-1", "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, advice: str
) -> None:
    monkeypatch.setenv(variable, value)
    line = refused()
    assert line.startswith(f"{variable}: ")
    assert advice in line
    assert len(line) < 200


def test_nothing_that_is_said_of_another_variable_tells_the_databases_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", ADDRESS)
    assert Settings.read().database_url == ADDRESS
    assert "hunter2" not in repr(Settings.read())
    assert "hunter2" not in str(Settings.read())
    monkeypatch.setenv("USAGE_PORT", "http")
    assert refused().startswith("USAGE_PORT: ")


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    default = Settings.read()
    monkeypatch.setenv(variable, "")
    assert Settings.read() == default


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_a_variable_that_only_shares_a_settings_short_name_is_none(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if Settings.model_fields[name].alias == name.upper():
        return
    default = Settings.read()
    monkeypatch.setenv(name.upper(), "7")
    assert Settings.read() == default


def test_a_dotenv_file_counts_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    (nowhere / ".env").write_text(
        f'DATABASE_URL="{ADDRESS}"\nUSAGE_PORT=9000\nUSAGE_TIMEZONE=Asia/Kolkata\n'
        "SOMEBODY_ELSES=1\nHOME=/nowhere\n# a comment\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("USAGE_TIMEZONE", "Europe/Berlin")
    settings = Settings.read()
    assert (settings.database_url, settings.port) == (ADDRESS, 9000)
    assert settings.timezone == "Europe/Berlin"
    assert settings.home == Path(".usage")


def test_a_wrong_value_in_a_dotenv_file_is_refused_like_any_other(nowhere: Path) -> None:
    (nowhere / ".env").write_text(f"DATABASE_URL={ADDRESS}\nUSAGE_PORT=no\n", encoding="utf-8")
    assert refused().startswith("USAGE_PORT: ")


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.read().port = 1  # type: ignore[misc]  # that it is refused is the point
