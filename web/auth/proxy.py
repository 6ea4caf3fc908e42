"""A reverse proxy that has signed the user in, and names them in a header."""

import logging
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from flask import Request

from data.platform.access import Viewer
from data.platform.identity import Identity
from data.rules.errors import UnauthenticatedError

_LOG: Final = logging.getLogger(__name__)


class ProxySignIn:
    """Believes the header when the socket's own peer is a listed address, never otherwise.

    What ``X-Forwarded-For`` says of the peer does not count.
    """

    def __init__(
        self, identity: Identity, header: str, networks: Sequence[IPv4Network | IPv6Network]
    ) -> None:
        self._identity = identity
        self._header = header
        self._networks = networks

    def __call__(self, request: Request) -> Viewer | None:
        """Return the user whom the proxy names; None where it names nobody."""
        name = request.headers.get(self._header)
        if not name:
            return None
        peer = request.environ.get("REMOTE_ADDR", "")
        if not is_listed(peer, self._networks):
            _LOG.warning("%s came from %s, not from USAGE_PROXY_CIDRS", self._header, peer)
            raise UnauthenticatedError(
                "Users are named by the sign-in proxy only; open the page through it.",
                code="proxy_untrusted",
            )
        user_id = self._identity.user_named(name)
        if user_id is None:
            raise UnauthenticatedError(
                "The sign-in proxy names somebody whom the platform does not know, or has banned.",
                code="user_unknown",
            )
        return Viewer(user_id)


def is_listed(peer: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Tell whether ``peer``, the address of a socket, is within one of the networks."""
    try:
        address: IPv4Address | IPv6Address = ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        # So an IPv4 peer is called where the server listens to both.
        address = address.ipv4_mapped
    return any(address in network for network in networks)
