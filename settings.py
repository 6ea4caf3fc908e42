"""Every knob of the product: its variable, its default, one line of help."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.engine import conninfo_of


class SettingsError(Exception):
    """A setting that cannot be used; one line that names the variable."""


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable():
        raise ValueError("must be a URL that begins with http:// or https://")
    if " " in value or parts.port == 0:  # a port beyond the last one is a ValueError by itself
        raise ValueError("must be a URL without blanks, with a port from 1 to 65535 if any")
    return value


def _origin(word: str) -> str:
    found = _ORIGIN.fullmatch(word)
    if not found or not 0 < int(found[3] or 1) <= _LAST_PORT:
        raise ValueError(
            "must be origins such as https://portal.example:8443, without a path, "
            "with commas between"
        )
    # Browsers leave the usual port out.
    return word.removesuffix(f":{_USUAL_PORTS[found[1]]}")


HttpUrl = Annotated[str, AfterValidator(_http_url)]

# scheme://host[:port] as browsers write it; nothing that could mean more than one origin.
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_LAST_PORT: Final = 65535
_USUAL_PORTS: Final = {"http": "80", "https": "443"}

_PREFIX: Final = re.compile(r"/([A-Za-z0-9._~-]+/)*")
# Names of files beside the zones: this machine's own, and what a fresh one has.
_NO_ZONES: Final = {"localtime", "Factory"}

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
    processes: int = Field(
        default=1,
        alias="WEB_CONCURRENCY",
        ge=1,
        le=64,
        description="how many processes serve, each with its own line and sessions",
    )

    better_auth_secret: str | None = Field(
        default=None,
        alias="BETTER_AUTH_SECRET",
        repr=False,
        description="set: the platform's session cookie signs people in",
    )
    api_encryption_key: str | None = Field(
        default=None,
        alias="API_ENCRYPTION_KEY",
        repr=False,
        description="set: API keys that are stored encrypted can be checked",
    )
    proxy_header: str | None = Field(
        default=None,
        alias="USAGE_PROXY_HEADER",
        description="header in which a reverse proxy names the user, by e-mail or id",
    )
    proxy_cidrs: str | None = Field(
        default=None,
        alias="USAGE_PROXY_CIDRS",
        description="addresses of that proxy, such as 10.0.0.0/8, with commas between",
    )
    embed_secret: str | None = Field(
        default=None,
        alias="USAGE_EMBED_SECRET",
        min_length=32,
        repr=False,
        description="what a portal that embeds the page signs its tokens with",
    )
    embed_origins: str | None = Field(
        default=None,
        alias="USAGE_EMBED_ORIGINS",
        description="where that portal is, such as https://portal.example, with commas between",
    )

    @field_validator("api_encryption_key")
    @classmethod
    def _key_of_256_bits(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            raise ValueError("must be 64 hexadecimal digits")
        return value

    @field_validator("proxy_header")
    @classmethod
    def _header_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9-]+", value):
            raise ValueError("must be the name of a header, such as X-Forwarded-Email")
        return value

    @field_validator("proxy_cidrs")
    @classmethod
    def _networks(cls, value: str | None) -> str | None:
        for word in (value or "").split(","):
            if value is not None:
                try:
                    ip_network(word.strip())
                except ValueError:
                    raise ValueError("must be addresses such as 10.0.0.0/8, ::1/128") from None
        return value

    @model_validator(mode="after")
    def _proxy_is_whole(self) -> Self:
        if bool(self.proxy_header) != bool(self.proxy_cidrs):
            raise ValueError("USAGE_PROXY_HEADER and USAGE_PROXY_CIDRS go together; set both")
        return self

    @field_validator("embed_origins")
    @classmethod
    def _exact_origins(cls, value: str | None) -> str | None:
        return value and ",".join(_origin(word.strip().lower()) for word in value.split(","))

    @model_validator(mode="after")
    def _embedding_is_whole(self) -> Self:
        if bool(self.embed_secret) != bool(self.embed_origins):
            raise ValueError("USAGE_EMBED_SECRET and USAGE_EMBED_ORIGINS go together; set both")
        return self

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(_DATABASE_SCHEMES):
            raise ValueError(f"must begin with one of {', '.join(_DATABASE_SCHEMES)}")
        if value is not None:
            conninfo_of(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones() - _NO_ZONES:
            raise ValueError("must be an IANA time zone such as Europe/Berlin")
        return value

    @field_validator("app_url")
    @classmethod
    def _a_base(cls, value: str | None) -> str | None:
        if value is not None and ("?" in value or "#" in value):
            raise ValueError("must be a base to which paths are added, without ? and #")
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
        prefix = value if value.endswith("/") else value + "/"
        if not _PREFIX.fullmatch(prefix) or {".", "..", "api"} & set(prefix.split("/")):
            raise ValueError(
                "must begin with a slash and be a plain path, such as /usage/, other than /api/"
            )
        return prefix

    @classmethod
    def read(cls) -> Self:
        """Read the environment; raises SettingsError with one line for the first wrong value."""
        try:
            return cls()
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            message = first["msg"].removeprefix("Value error, ")
            raise SettingsError(": ".join([*map(str, first["loc"]), message])) from None

    @property
    def can_sign_in(self) -> bool:
        """Whether there is a way to sign people in."""
        return bool(self.better_auth_secret or self.proxy_header or self.embed_secret)

    @property
    def portals(self) -> list[str]:
        """The origins that may embed the page; none where embedding is not set up."""
        return self.embed_origins.split(",") if self.embed_origins else []

    @property
    def proxy_networks(self) -> list[IPv4Network | IPv6Network]:
        """The addresses from which the proxy's header is believed."""
        return [ip_network(word.strip()) for word in (self.proxy_cidrs or "").split(",") if word]

    @property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return ZoneInfo(self.timezone)
