"""`/feed.atom`: failures and recoveries, for feed readers (RFC 4287).

Without a token it has public subjects only. Feed readers can't send headers, so the token is in the URL; it has to be
valid for all subjects, as for the summary of everything.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from flask import Blueprint, Response, request

from badge.contract import ZERO_TIME, format_time
from badge.deadline import Deadline
from badge.notices import Message
from badge.web.badges.answer import DRAWN_WITHIN_SECONDS
from badge.web.badges.bounded_reads import BoundedReads
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.badges.request import TOKEN
from badge.web.page import with_etag
from badge.web.paths import FEED, Paths

ATOM = "http://www.w3.org/2005/Atom"
LIFETIME = timedelta(minutes=1)
CONTENT_TYPE = "application/atom+xml; charset=utf-8"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class FeedEntries(Protocol):
    """Where the entries come from."""

    def entries(self, *, with_private: bool) -> Sequence[Message]:
        """Return the entries, newest first; raises `SourceUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """The view of the feed."""

    source: FeedEntries
    tokens: PrivateTokens
    public_origin: str
    """Empty if not set."""
    paths: Paths
    _reads: BoundedReads = field(default_factory=BoundedReads)

    def blueprint(self) -> Blueprint:
        """Return the route."""
        feed = Blueprint("feed", "badge.web")
        feed.add_url_rule(FEED, "feed", self.show)
        return feed

    def show(self) -> Response:
        """Answer with the feed; 404 for an invalid token, so that nobody takes the public feed for the complete one."""
        token, deadline = request.args.get(TOKEN, ""), Deadline.after(DRAWN_WITHIN_SECONDS)
        is_open = self.tokens.opens_summary(None, None, token, deadline) if token else True
        if is_open is False:
            return _refusal(404, "There is no such feed. The token must be valid for all subjects.")
        entries = None
        if is_open:
            read = partial(self.source.entries, with_private=bool(token))
            entries = self._reads.result_of(read, deadline)
        if entries is None:
            return _refusal(503, "The feed is temporarily unavailable.")
        cache_control = f"{'private' if token else 'public'}, max-age={int(LIFETIME.total_seconds())}"
        return with_etag(self.document(entries), 200, {**_HEADERS, "Cache-Control": cache_control}, CONTENT_TYPE)

    def document(self, entries: Sequence[Message]) -> bytes:
        """Return the feed; the same entries always give the same bytes."""
        # An entry's time is when its change was noticed, so the newest one is when the feed last changed.
        feed = ET.Element("feed", xmlns=ATOM)
        own = self.public_origin + self.paths.to(FEED)
        _add(feed, "id", own if self.public_origin else uuid5(NAMESPACE_URL, "backup-status-badge/feed").urn)
        _add(feed, "title", "Backups: failures and recoveries")
        _add(feed, "updated", format_time(entries[0].at if entries else ZERO_TIME))
        _add(_add(feed, "author"), "name", "Backup Status Badge")
        _add(feed, "link", rel="self", type="application/atom+xml", href=own)
        for message in entries:
            _add_entry(feed, message)
        return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True))


def _add_entry(feed: ET.Element, message: Message) -> None:
    entry = _add(feed, "entry")
    _add(entry, "id", f"urn:uuid:{message.id}")
    _add(entry, "title", message.title)
    _add(entry, "updated", format_time(message.at))
    _add(entry, "published", format_time(message.at))
    _add(entry, "category", term=message.kind)
    if not message.is_about_many and message.notices[0].url:
        _add(entry, "link", rel="alternate", type="text/html", href=message.notices[0].url)
    _add(entry, "content", message.text, type="text")


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, tag, attributes)
    child.text = text
    return child


def _refusal(status: int, text: str) -> Response:
    headers = {**_HEADERS, "Cache-Control": "no-store"} | ({"Retry-After": "30"} if status == 503 else {})
    return Response(f"{text}\n", status, headers, content_type="text/plain; charset=utf-8")
