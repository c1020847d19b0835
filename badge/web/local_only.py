"""Detect requests made on this machine itself.

A loopback peer address is not enough: behind a proxy on the same host every client has one. So the Host
header must be a loopback name too (otherwise any web page could get in by DNS rebinding), and there must be
no sign of a proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_REAL_IP",
    "HTTP_X_CLIENT_IP",
    "HTTP_X_CLUSTER_CLIENT_IP",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_FASTLY_CLIENT_IP",
    "HTTP_X_ENVOY_EXTERNAL_ADDRESS",
)
_FORWARDED_PREFIXES = ("HTTP_X_FORWARDED", "HTTP_CF_")


def is_local(environ: Mapping[str, Any]) -> bool:
    """Whether a WSGI request was made on this machine, without a proxy."""
    return (
        _is_loopback(str(environ.get("REMOTE_ADDR", "")))
        and _is_loopback_host(str(environ.get("HTTP_HOST", "")))
        and not any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES) for name in environ)
    )


def _is_loopback_host(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if parts.netloc != host or "@" in host or not port_is_number:
        return False
    name = parts.hostname or ""
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
