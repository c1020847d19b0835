"""The client's address, by which failed logins are limited."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def client_address(environ: Mapping[str, Any]) -> str:
    """Return the address of the client that sent a WSGI request; for IPv6, the customer's /64 network.

    Behind a proxy, that is the last entry of X-Forwarded-For, which the proxy has added. A client that connects from a
    private network without a proxy can choose it, and is then subject only to the limit for all addresses.
    """
    peer = str(environ.get("REMOTE_ADDR", ""))
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    network = _network(peer)
    if network is None or network.is_private:
        network = _network(forwarded) or network
    return str(network)


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return ipaddress.ip_network((parsed, 32 if parsed.version == 4 else 64), strict=False)
