"""URLs of GitHub's image proxy, camo, and the badges behind them. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from badge.model import InvalidSubject, Subject
from badge.raw_path import BADGE_ROOT
from badge.web.pages.repository_url import subject_named
from badge.web.paths import AT_ROOT, Paths

# A digest, and the image's URL in hexadecimal digits.
_CAMO = re.compile(r"https://camo\.githubusercontent\.com/[0-9a-f]{32,64}/((?:[0-9a-f]{2})+)")
_PORTS = {"http": 80, "https": 443}

WebOrigin = tuple[str, str, int | None]


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A URL of GitHub's image proxy. Only hexadecimal digits vary, so it is safe to paste into a shell."""

    address: str
    target: str
    """The URL that the proxy fetches."""

    @classmethod
    def found_in(cls, pasted: str) -> ProxyAddress | None:
        """Return the first proxy URL in a text such as an HTML tag, or None."""
        found = _CAMO.search(pasted)
        if found is None:
            return None
        return cls(found[0], bytes.fromhex(found[1]).decode("utf-8", "replace"))


def origin_of(address: str, paths: Paths = AT_ROOT) -> WebOrigin | None:
    """Return scheme, host and port of an absolute badge URL; None for anything else."""
    parts = _split(address)
    if parts is None or parts.scheme not in _PORTS or not parts.path.startswith(paths.to(BADGE_ROOT)):
        return None
    try:
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port or _PORTS[parts.scheme]


def is_of(address: str, subject: Subject, origin: WebOrigin | None, paths: Paths = AT_ROOT) -> bool:
    """Whether a URL is that of this subject's badge at this origin; None means any origin."""
    found, parts = origin_of(address, paths), _split(address)
    if found is None or parts is None or origin not in (None, found):
        return False
    try:
        return subject_named(paths.own(parts.path)).key(fold_case=True) == subject.key(fold_case=True)
    except InvalidSubject:
        return False


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None
