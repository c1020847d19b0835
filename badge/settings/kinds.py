"""The types of settings: each parses the text that people write, or says what is valid."""

from __future__ import annotations

import os.path
import re
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from badge.installation import install_command
from badge.raw_path import NEVER_IN_PREFIX
from badge.settings import database_url
from badge.validation import DURATION

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> object:
    """Return the `timedelta` for `250ms`, `90s`, `15m`, `26h`, `7d` or a number of seconds.

    Values that aren't text are returned unchanged. Raises `ValueError` for other text.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?", value.strip())
    if match is None:
        raise ValueError(DURATION)
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])
    except OverflowError:
        raise ValueError("is too long") from None


def show_duration(value: timedelta) -> str:
    """Return the shortest exact text for a duration, which `parse_duration` reads back."""
    milliseconds = round(value.total_seconds() * 1000)
    if milliseconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def between(least: timedelta, most: timedelta) -> AfterValidator:
    """Return a validator for the limits of a duration; pydantic's own message would show Python objects."""

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(f"must be a duration from {show_duration(least)} to {show_duration(most)}")
        return value

    return AfterValidator(check)


def at_least(characters: int) -> AfterValidator:
    """Return a validator for the minimum length of a secret."""

    def check(value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < characters:
            raise ValueError(f"must have at least {characters} characters")
        return value

    return AfterValidator(check)


def existing_file(path: Path) -> Path:
    """Return the path; raises `ValueError` if there is no such file."""
    if not os.path.isfile(path):  # noqa: PTH113 - unlike `is_file`, it never raises `OSError`
        raise ValueError("there is no such file, or the service can't read it")
    return path


def http_address(value: str) -> str:
    """Return a service's base URL without a trailing slash; raises `ValueError` for anything else."""
    parts = urlsplit(value)
    is_whole = parts.scheme in ("http", "https") and _is_host(parts.hostname) and _has_valid_port(parts)
    if not is_whole or re.search(r"\s", value):
        raise ValueError("must be an absolute http:// or https:// URL")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must be a URL without user, query or fragment")
    return value.rstrip("/")


LONGEST_PREFIX = 100
"""In characters. A request line with a longer one could exceed gunicorn's limit."""


def _public_url(value: str) -> str:
    """Return the public URL; raises `ValueError` if its path can't be a prefix of the service's paths."""
    prefix = urlsplit(url := http_address(value)).path
    segments = prefix.split("/")[1:]
    if not all(re.fullmatch(r"(?!\.{1,2}$)[A-Za-z0-9._~-]+", one) for one in segments) or len(prefix) > LONGEST_PREFIX:
        raise ValueError(
            f"must have no path, or one of at most {LONGEST_PREFIX} letters, digits, '/', '-', '.', '_' and '~', "
            "such as https://example.org/backups"
        )
    if segments and segments[0] in NEVER_IN_PREFIX:
        raise ValueError(
            f"must have a different path: /{segments[0]} is reserved, "
            "because the service also answers it without a prefix"
        )
    return url


def _is_host(name: str | None) -> bool:
    """Whether it can be a host name: no label is empty or longer than 63 characters (RFC 1035, section 2.3.4)."""
    try:
        return bool((name or "").encode("idna"))
    except UnicodeError:
        return False


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _bind_address(value: str) -> str:
    if value.startswith("unix:"):
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:8000, or unix:/path")
    return value


REDIS_URLS = re.compile(
    r"(unix:///.+"  # one server on this machine
    r"|rediss?://([^@/]*@)?[^@/,]+(/\d*)?(\?.*)?"  # one server
    r"|rediss?\+sentinel://([^@/]*@)?[^@/]+/[^/?]+(/\d*)?(\?.*)?"  # Sentinel needs the name of the service
    r"|rediss?\+cluster://([^@/]*@)?[^@/]+/?(\?.*)?)"
)


def _redis_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    if not REDIS_URLS.fullmatch(url) or not all(_has_valid_port(urlsplit(f"//{host}")) for host in hosts):
        raise ValueError(
            "must be redis://host:port/0, rediss://host:port/0, unix:///path, "
            "redis+sentinel://host:port,host:port/service/0 or redis+cluster://host:port,host:port"
        )
    return value


def _catalogue_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if url.startswith("postgresql") and find_spec("psycopg") is None:
        raise ValueError(f"install PostgreSQL's driver first: {install_command('postgresql')}")
    if fault := database_url.fault_of(url):
        raise ValueError(fault)
    return value


def _allowed_users(value: str) -> str:
    entries = [entry.strip().lower() for entry in value.split(",") if entry.strip()]
    if not entries or not all(re.fullmatch(r"\*|[^@\s]*@[^@\s]+", entry) for entry in entries):
        raise ValueError("must be addresses (ada@example.org) or domains (@example.org) separated by commas, or *")
    return ",".join(entries)


def _on_or_off(value: object, parse: ValidatorFunctionWrapHandler) -> object:
    try:
        return parse(value)
    except ValidationError:
        raise ValueError("must be on or off") from None


OnOrOff = Annotated[bool, WrapValidator(_on_or_off)]
"""Also accepts pydantic's other words for a boolean, such as true and 1."""
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Lifetime = Annotated[Duration, between(timedelta(seconds=1), timedelta(days=1))]
HttpUrl = Annotated[str, AfterValidator(http_address)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
BindAddress = Annotated[str, AfterValidator(_bind_address)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
CatalogueUrl = Annotated[SecretStr, AfterValidator(_catalogue_url)]
AllowedUsers = Annotated[str, AfterValidator(_allowed_users)]
