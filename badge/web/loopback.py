"""Requests from the machine that runs the service."""

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


def looks_local(environ: Mapping[str, Any]) -> bool:
    """Whether a WSGI request seems to be made on this machine, without a proxy.

    Good enough only for what is harmless to disclose: behind a proxy that adds no header and sends a loopback name as
    Host, as nginx does by default, every request looks like this. The name in Host is checked because web pages in a
    browser on this machine could otherwise use DNS rebinding to reach the service.
    """
    return (
        _is_loopback(str(environ.get("REMOTE_ADDR", "")))
        and is_loopback_host(str(environ.get("HTTP_HOST", "")))
        and not any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES) for name in environ)
    )


def is_loopback_url(url: str) -> bool:
    """Whether a URL leads to the machine that opens it."""
    return is_loopback_host(urlsplit(url).netloc)


def is_loopback_host(host: str) -> bool:
    """Whether a host, with or without a port, is a loopback address or `localhost`."""
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
