"""Every knob of the product: its variable, its default, one line of help."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.rules.billing import Billing, LimitScope, LimitSource, PeriodKind
from settings.types import (
    BaseUrl,
    DatabaseUrl,
    HeaderName,
    Key,
    Networks,
    Origins,
    PathPrefix,
    TimeZone,
    WorkspaceUrl,
)

# That of the product: of the API's document, of the changelog, of ``--version``.
VERSION: Final = "0.1.0"


class SettingsError(Exception):
    """A setting that cannot be used; one line that names the variable."""


class Settings(BaseSettings):
    """The settings of one running product, from the environment and a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: DatabaseUrl | None = Field(
        default=None,
        alias="DATABASE_URL",
        repr=False,
        description="the platform's PostgreSQL; unset: the bundled one with demo data",
    )
    home: Path = Field(
        default=Path(".usage"),
        alias="USAGE_HOME",
        description="where the bundled PostgreSQL keeps its data",
    )
    host: str = Field(
        default="127.0.0.1", alias="USAGE_HOST", description="the address that the server binds"
    )
    port: int = Field(
        default=8050, alias="USAGE_PORT", ge=1, le=65535, description="the port it listens on"
    )
    timezone: TimeZone = Field(
        default="UTC",
        alias="USAGE_TIMEZONE",
        description="IANA name; months, days and displayed times use it",
    )
    limit_scope: LimitScope = Field(
        default=LimitScope.ACCOUNT,
        alias="USAGE_LIMIT_SCOPE",
        description="what the running total covers: every workspace of the payer, or this one",
    )
    limit_source: LimitSource = Field(
        default=LimitSource.ACCOUNT,
        alias="USAGE_LIMIT_SOURCE",
        description="what the limit is: the usage limit that is set, or what the plan includes",
    )
    period: PeriodKind = Field(
        default=PeriodKind.MONTH,
        alias="USAGE_PERIOD",
        description="what a billing period is: the calendar month, or the payer's subscription's",
    )
    app_url: BaseUrl | None = Field(
        default=None,
        alias="USAGE_APP_URL",
        description="base of the host platform; set: workflow names are links",
    )
    spending_url: WorkspaceUrl | None = Field(
        default=None,
        alias="USAGE_SPENDING_URL",
        description="template with {workspace_id} of the host's Spending page",
    )
    url_prefix: PathPrefix = Field(
        default="/",
        alias="USAGE_URL_PREFIX",
        description="path prefix behind a reverse proxy",
    )
    processes: int = Field(
        default=1,
        alias="WEB_CONCURRENCY",
        ge=1,
        le=64,
        description="how many processes serve, each with its own queue and connections",
    )

    better_auth_secret: str | None = Field(
        default=None,
        alias="BETTER_AUTH_SECRET",
        repr=False,
        description="set: the platform's session cookie signs people in",
    )
    api_encryption_key: Key | None = Field(
        default=None,
        alias="API_ENCRYPTION_KEY",
        repr=False,
        description="set: API keys that are stored encrypted can be checked",
    )
    proxy_header: HeaderName | None = Field(
        default=None,
        alias="USAGE_PROXY_HEADER",
        description="header in which a reverse proxy names the user, by e-mail or id",
    )
    proxy_cidrs: Networks | None = Field(
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
    embed_origins: Origins | None = Field(
        default=None,
        alias="USAGE_EMBED_ORIGINS",
        description="where that portal is, such as https://portal.example, with commas between",
    )

    @model_validator(mode="after")
    def _proxy_is_whole(self) -> Self:
        if bool(self.proxy_header) != bool(self.proxy_cidrs):
            raise ValueError("USAGE_PROXY_HEADER and USAGE_PROXY_CIDRS go together; set both")
        return self

    @model_validator(mode="after")
    def _embedding_is_whole(self) -> Self:
        if bool(self.embed_secret) != bool(self.embed_origins):
            raise ValueError("USAGE_EMBED_SECRET and USAGE_EMBED_ORIGINS go together; set both")
        return self

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

    @property
    def billing(self) -> Billing:
        """By which rules accounts are billed."""
        return Billing(self.zone, self.limit_scope, self.limit_source, self.period)
