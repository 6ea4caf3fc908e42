"""Every knob of the product: its variable, its default, one line of help."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """A setting that cannot be used; one line that names the variable."""


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must be a URL that begins with http:// or https://")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]

_DATABASE_SCHEMES: Final = ("postgres://", "postgresql://", "postgresql+psycopg://")


class Settings(BaseSettings):
    """The settings of one running product, from the environment and a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = Field(
        default=None,
        alias="DATABASE_URL",
        repr=False,
        description="the platform's PostgreSQL; unset: an embedded one with demo data",
    )
    home: Path = Field(
        default=Path(".usage"),
        alias="USAGE_HOME",
        description="where the embedded database lives",
    )
    host: str = Field(
        default="127.0.0.1", alias="USAGE_HOST", description="the address that the server binds"
    )
    port: int = Field(
        default=8050, alias="USAGE_PORT", ge=1, le=65535, description="the port it listens on"
    )
    timezone: str = Field(
        default="UTC",
        alias="USAGE_TIMEZONE",
        description="IANA name; months, days and displayed times use it",
    )
    limit_scope: Literal["account", "workspace"] = Field(
        default="account",
        alias="USAGE_LIMIT_SCOPE",
        description="what the running total covers: every workspace of the payer, or this one",
    )
    app_url: HttpUrl | None = Field(
        default=None,
        alias="USAGE_APP_URL",
        description="base of the host platform; set: workflow names are links",
    )
    spending_url: HttpUrl | None = Field(
        default=None,
        alias="USAGE_SPENDING_URL",
        description="template with {workspace_id} of the host's Spending page",
    )
    url_prefix: str = Field(
        default="/",
        alias="USAGE_URL_PREFIX",
        description="path prefix behind a reverse proxy",
    )

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(_DATABASE_SCHEMES):
            raise ValueError(f"must begin with one of {', '.join(_DATABASE_SCHEMES)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("must be an IANA time zone such as Europe/Berlin") from None
        return value

    @field_validator("spending_url")
    @classmethod
    def _names_the_workspace(cls, value: str | None) -> str | None:
        if value is not None and "{workspace_id}" not in value:
            raise ValueError("must contain {workspace_id}")
        return value

    @field_validator("url_prefix")
    @classmethod
    def _slashes(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("must begin with a slash, such as /usage/")
        return value if value.endswith("/") else value + "/"

    @classmethod
    def read(cls) -> Self:
        """Read the environment; raises SettingsError with one line for the first wrong value."""
        try:
            return cls()
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            message = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{first['loc'][0]}: {message}") from None

    @property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return ZoneInfo(self.timezone)
