"""Is a request made on this machine, by somebody who sits at it?

A loopback peer alone says nothing: behind a proxy on the same host everyone has one. So the Host has
to be a loopback name too (else any web page could reach in by DNS rebinding), and nothing may have
forwarded the request.
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
    """Whether a WSGI request comes from this machine itself."""
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
