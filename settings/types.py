"""What a setting may be: types that refuse in words what cannot be used."""

import re
from ipaddress import ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator

from data.platform.connection import conninfo_of

_DATABASE_SCHEMES: Final = ("postgres://", "postgresql://", "postgresql+psycopg://")
# scheme://host[:port] as browsers write it; nothing that could mean more than one origin.
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_LAST_PORT: Final = 65535
_USUAL_PORTS: Final = {"http": "80", "https": "443"}
_PREFIX: Final = re.compile(r"/([A-Za-z0-9._~-]+/)*")
# Names of files beside the zones: this machine's own, and what a fresh one has.
_NO_ZONES: Final = {"localtime", "Factory"}


def _database_url(value: str) -> str:
    if not value.startswith(_DATABASE_SCHEMES):
        raise ValueError(f"must begin with one of {', '.join(_DATABASE_SCHEMES)}")
    conninfo_of(value)
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones() - _NO_ZONES:
        raise ValueError("must be an IANA time zone such as Europe/Berlin")
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable():
        raise ValueError("must be a URL that begins with http:// or https://")
    if " " in value or parts.port == 0:  # a port beyond the last one is a ValueError by itself
        raise ValueError("must be a URL without blanks, with a port from 1 to 65535 if any")
    return value


def _base_url(value: str) -> str:
    if "?" in value or "#" in value:
        raise ValueError("must be a base to which paths are added, without ? and #")
    return value


def _names_the_workspace(value: str) -> str:
    if "{workspace_id}" not in value:
        raise ValueError("must contain {workspace_id}")
    return value


def _prefix(value: str) -> str:
    prefix = value if value.endswith("/") else value + "/"
    if not _PREFIX.fullmatch(prefix) or {".", "..", "api"} & set(prefix.split("/")):
        raise ValueError(
            "must begin with a slash and be a plain path, such as /usage/, other than /api/"
        )
    return prefix


def _key_of_256_bits(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError("must be 64 hexadecimal digits")
    return value


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError("must be the name of a header, such as X-Forwarded-Email")
    return value


def _networks(value: str) -> str:
    for word in value.split(","):
        try:
            ip_network(word.strip())
        except ValueError:
            raise ValueError("must be addresses such as 10.0.0.0/8, ::1/128") from None
    return value


def _exact_origins(value: str) -> str:
    return ",".join(_origin(word.strip().lower()) for word in value.split(","))


def _origin(word: str) -> str:
    found = _ORIGIN.fullmatch(word)
    if not found or not 0 < int(found[3] or 1) <= _LAST_PORT:
        raise ValueError(
            "must be origins such as https://portal.example:8443, without a path, "
            "with commas between"
        )
    # Browsers leave the usual port out.
    return word.removesuffix(f":{_USUAL_PORTS[found[1]]}")


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
BaseUrl = Annotated[str, AfterValidator(_http_url), AfterValidator(_base_url)]
WorkspaceUrl = Annotated[str, AfterValidator(_http_url), AfterValidator(_names_the_workspace)]
PathPrefix = Annotated[str, AfterValidator(_prefix)]
Key = Annotated[str, AfterValidator(_key_of_256_bits)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Networks = Annotated[str, AfterValidator(_networks)]
Origins = Annotated[str, AfterValidator(_exact_origins)]
