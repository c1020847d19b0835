"""The client's address, for limiting failed logins."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def client_address(environ: Mapping[str, Any]) -> str:
    """Return the network of the client that sent a WSGI request: its IPv4 address, or the /64 of its IPv6 address.

    A peer without a public address may be a proxy; then the client is the last entry of X-Forwarded-For. If no proxy
    sets that header, clients can choose their address, and the limit for all addresses together is the only protection.
    """
    address = _address(str(environ.get("REMOTE_ADDR", "")))
    if address is None or not address.is_global:
        address = _address(str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()) or address
    if address is None:
        return ""
    return str(ipaddress.ip_network((address, 32 if address.version == 4 else 64), strict=False))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address; an IPv4-mapped one (::ffff:192.0.2.1, from a dual-stack socket) becomes IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
