"""What all pages share: response headers, rendering, and formatting of times, durations and sizes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from badge.appearance import Look, badge_for
from badge.artwork import svg
from badge.contract import format_time
from badge.model import Badge, Resolution
from badge.web.badges.http_cache import etag

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        # `data:` is for images that must not have a URL of their own, or must not come from a cache.
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_UNITS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def show(template: str, status: int = 200, **values: object) -> Response:
    """Render a template, with the headers common to all pages."""
    return Response(render_template(template, **values), status, PAGE_HEADERS, content_type="text/html; charset=utf-8")


def with_etag(body: bytes, status: int, headers: Mapping[str, str], content_type: str) -> Response:
    """Return the response with an ETag; 304 instead of 200 if the client's own ETag still matches."""
    tag = etag(body)
    headers = {**headers, "ETag": f'"{tag}"'}
    if status == 200 and request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    return Response(body, status, headers, content_type=content_type)


def message(status: int, title: str, text: str) -> Response:
    """Render an error page: what happened as its title, and what to do about it. Backticks mark commands."""
    return show("message.html", status, http_status=status, title=title, text=text)


def see_other(path: str) -> AnyResponse:
    """Redirect to a page, which the browser gets with GET; the response is not stored, and no Referer is sent."""
    response = redirect(path, 303)
    response.headers.update({name: PAGE_HEADERS[name] for name in ("Cache-Control", "Referrer-Policy")})
    return response


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as pages show it: exact for programs, as a date, and relative to now."""

    exact: str
    date: str
    words: str

    @classmethod
    def of(cls, moment: datetime | None, now: datetime) -> Moment | None:
        """Describe a time relative to `now`; None stays None."""
        if moment is None:
            return None
        return cls(format_time(moment.replace(microsecond=0)), utc_date(moment), relative(moment - now))


def utc_date(moment: datetime) -> str:
    """Return a time to the minute: "2026-11-23 12:00 UTC"."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def relative(distance: timedelta) -> str:
    """Return a time difference as text: "in 5 min", "2 h 57 min ago"."""
    if abs(distance) < timedelta(seconds=0.5):
        return "just now"
    words = length(abs(distance))
    return f"in {words}" if distance > timedelta(0) else f"{words} ago"


def length(duration: timedelta) -> str:
    """Return a rounded duration: "14 h", "2 h 57 min", "1 day 23 h".

    It is rounded to the largest unit of which it has at least ten, so the error is at most 5 %. With coarser rounding,
    a run of a few minutes could seem to start an hour before it ended.
    """
    seconds = max(1, round(duration.total_seconds()))
    step = next((size for _, size in _UNITS if seconds >= 10 * size), 1)
    return _in_units(round(seconds / step) * step)


def _in_units(seconds: int) -> str:
    parts = []
    for unit, size in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''}")
    return " ".join(parts)


def exact_length(duration: timedelta) -> str:
    """Return a duration to the second: "1 h 4 min 10 s"."""
    hours, rest = divmod(round(duration.total_seconds()), 3_600)
    parts = ((hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "under a second"


def sentence(words: str) -> str:
    """Turn an error message into a sentence: only its first letter changes, so names keep their spelling."""
    return f"{words[:1].upper()}{words[1:]}."


def enumerated(words: Sequence[str]) -> str:
    """Join names as English does: "hc, lab and up"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def size(number: int) -> str:
    """Return a number of bytes in decimal units: "1.4 GB"."""
    amount, units = float(number), ["B", "kB", "MB", "GB", "TB", "PB"]
    # 999.5 kB would be rounded to 1000 kB, so it is shown as 1.0 MB.
    while amount >= 999.5 and len(units) > 1:
        amount /= 1_000
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if amount >= 99.95 or units[0] == "B" else f"{amount:.1f} {units[0]}"


def picture_for(resolution: Resolution, label: str) -> str:
    """Return a badge as a `data:` URL, consistent with the page that shows it.

    With the badge's URL, the browser could show a copy that is some minutes old, or "unknown" for a private badge.
    """
    return inline_picture(badge_for(resolution, Look(label=label)))


def inline_picture(badge: Badge) -> str:
    """Return a badge as a `data:` URL."""
    return inline_image("image/svg+xml", svg.draw(badge))


def inline_image(content_type: str, body: bytes) -> str:
    """Return an image as a `data:` URL."""
    return f"data:{content_type};base64,{b64encode(body).decode()}"
