"""Addresses at GitHub's image proxy, and whose badge they are of. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from badge.model import InvalidSubject, Subject
from badge.web.pages.repository_url import subject_named
from badge.web.raw_path import BADGE_ROOT

# A digest, and the address in hexadecimal digits.
_CAMO = re.compile(r"https://camo\.githubusercontent\.com/[0-9a-f]{32,64}/((?:[0-9a-f]{2})+)")
_PORTS = {"http": 80, "https": 443}

WebOrigin = tuple[str, str, int | None]


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """An address at GitHub's image proxy. Of hexadecimal digits, so that it means nothing to a shell."""

    address: str
    target: str
    """What the proxy fetches."""

    @classmethod
    def found_in(cls, pasted: str) -> ProxyAddress | None:
        """The first one in a text, be it a whole tag."""
        found = _CAMO.search(pasted)
        if found is None:
            return None
        return cls(found[0], bytes.fromhex(found[1]).decode("utf-8", "replace"))


def origin_of(address: str) -> WebOrigin | None:
    """Scheme, host and port of a badge's whole address; None for anything else."""
    parts = _split(address)
    if parts is None or parts.scheme not in _PORTS or not parts.path.startswith(BADGE_ROOT):
        return None
    try:
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port or _PORTS[parts.scheme]


def is_of(address: str, subject: Subject, origin: WebOrigin | None) -> bool:
    """Whether an address is of this subject's badge at this origin; where none is known, at any."""
    found, parts = origin_of(address), _split(address)
    if found is None or parts is None or origin not in (None, found):
        return False
    try:
        return subject_named(parts.path).key(fold_case=True) == subject.key(fold_case=True)
    except InvalidSubject:
        return False


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None
