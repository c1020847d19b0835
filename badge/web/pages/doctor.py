"""The doctor: whether a badge is served correctly, what an image proxy gets, and how to refresh the proxy's copy."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Response, current_app, request
from werkzeug.test import Client, TestResponse

from badge.appearance import alt_text
from badge.artwork.glyphs import STATUS_GLYPHS
from badge.deadline import Deadline
from badge.model import STALE_AGE, InvalidSubject, Subject
from badge.raw_path import BADGE_ROOT
from badge.web.badges.answer import DRAWN_WITHIN_SECONDS
from badge.web.badges.request import BadgeRequest, read_badge_request
from badge.web.page import exact_length, inline_image, sentence, show
from badge.web.pages.camo import ProxyAddress, WebOrigin, is_of, origin_of
from badge.web.pages.choices import NO_ADDRESS
from badge.web.pages.parts import PagesParts
from badge.web.pages.repository_url import address_in, subject_named
from badge.web.pages.similar_names import similar_names
from badge.web.pages.verdict import (
    NO_IMAGE,
    PROXY_PATIENCE,
    TOO_SLOW,
    Fault,
    Verdict,
    private_verdict,
    status_fault,
    stray_fault,
    unknown_verdict,
    verdict_on_faults,
    verdict_on_status,
)
from badge.web.paths import badge_path
from badge.web.snippets import cache_busting_url

LONGEST_INPUT = 8_000
PROXY_HEADERS = {"Accept": "image/svg+xml,image/*;q=0.8", "User-Agent": "badge-doctor (as an image proxy)"}
SHOWN_HEADERS = ("Content-Type", "Content-Length", "Cache-Control", "ETag", "Cache-Status", "Age")

_TITLE = re.compile(r"<title>([^<]*)</title>")


@dataclass(frozen=True, slots=True)
class Examination:
    """One badge as a proxy gets it, and the diagnosis."""

    address: str
    """Path and query."""
    verdict: Verdict
    picture: str
    """The image inline, because browsers could show a cached copy of its URL; empty if it is not an image."""
    alt: str
    """The picture's alternative text."""
    is_image: bool
    """Whether it is an image with status 200, the only thing that proxies show."""
    http_status: int
    took: str
    headers: Sequence[tuple[str, str]]
    ages: Sequence[str]
    fresh_address: str
    """A URL of the same badge that no proxy has cached."""


@dataclass(frozen=True, slots=True)
class Doctor:
    """The view of /doctor."""

    parts: PagesParts

    def doctor(self) -> Response:
        """Show the form, and the results for what was entered."""
        shown, pasted = (request.args.get(name, "")[:LONGEST_INPUT].strip() for name in ("subject", "camo"))
        typed, proxy = address_in(shown), ProxyAddress.found_in(pasted)
        in_readme = [typed] if origin_of(self.parts.paths.own(typed)) else []
        in_readme += [proxy.target] if proxy else []
        examined, fault, proxy_fault = None, "", ""
        if pasted and proxy is None:
            proxy_fault = "This is not a URL of GitHub's image proxy."
        try:
            if wanted := typed or (proxy.target if proxy else ""):
                examined = self._examined(wanted, in_readme)
        except InvalidSubject as invalid:
            fault = sentence(str(invalid))
        if fault and proxy and not typed:
            fault, proxy_fault = "", f"The README shows {proxy.target}, which is not a badge of this service."
        return show(
            "doctor.html",
            typed=shown,
            pasted=pasted,
            fault=fault,
            proxy=proxy,
            proxy_fault=proxy_fault,
            is_origin_known=self._origin(typed) is not None,
            examined=examined,
            glyphs=STATUS_GLYPHS,
            base=self.parts.public_origin or NO_ADDRESS,
            placeholder=NO_ADDRESS,
            longest=LONGEST_INPUT,
        )

    def _origin(self, typed: str) -> WebOrigin | None:
        """Return the public origin of this service, if it is set or was entered."""
        public_origin = self.parts.public_origin
        return origin_of(f"{public_origin}{BADGE_ROOT}" if public_origin else typed)

    def _examined(self, wanted: str, in_readme: Sequence[str]) -> Examination:
        """Examine a badge; raises `InvalidSubject`. URLs in the README that are not this badge's are faults."""
        paths, own = self.parts.paths, self.parts.paths.own(wanted)
        address, subject, origin = badge_address(own), subject_named(own), self._origin(wanted)
        strays = [one for one in in_readme if not is_of(one, subject, origin, paths)]
        began = time.perf_counter()
        # Includes the middleware, as for a request from outside.
        answer = Client(current_app.wsgi_app).get(paths.to(address), headers=PROXY_HEADERS)
        took = timedelta(seconds=time.perf_counter() - began)
        faults = [*map(stray_fault, strays), *_faults(answer, took)]
        return Examination(
            address=paths.to(address),
            verdict=verdict_on_faults(faults) if faults else self._verdict(address, subject),
            picture=_picture(answer),
            alt=_words_in(answer) or alt_text(subject),
            is_image=_is_image(answer) and answer.status_code == 200,
            http_status=answer.status_code,
            took=f"{took.total_seconds() * 1000:.0f} ms",
            headers=[(name, answer.headers[name]) for name in SHOWN_HEADERS if name in answer.headers],
            ages=_ages(answer.headers.get("Cache-Control", ""), self._oldest(address)),
            fresh_address=cache_busting_url(paths.to(address), self.parts.clock()),
        )

    def _verdict(self, address: str, subject: Subject) -> Verdict:
        """Return the verdict on a badge that proxies can show."""
        deadline = Deadline.after(DRAWN_WITHIN_SECONDS)
        permission = partial(self.parts.tokens.opens, subject, _badge_request(address).token, deadline)
        resolution = self.parts.resolver.resolve(subject, may_see_private=permission)
        if resolution.is_known and not resolution.report.exists:
            return self._verdict_on_unknown(subject)
        return verdict_on_status(resolution)

    def _verdict_on_unknown(self, subject: Subject) -> Verdict:
        """Return the verdict on a subject that is absent or private.

        Only viewers who may see private subjects learn which.
        """
        parts, viewer = self.parts, self.parts.authentication.access.viewer()
        if viewer is None:
            return unknown_verdict(subject)
        resolution = parts.resolver.resolve(subject, may_see_private=lambda: viewer.sees_private)
        if resolution.report.exists:
            return private_verdict(parts.paths.page(subject))
        listing = parts.listing
        similar = similar_names(subject, listing, is_public_only=not viewer.sees_private) if listing else []
        links = [(str(one), parts.paths.to(f"/doctor?{urlencode({'subject': one.path})}")) for one in similar]
        return unknown_verdict(subject, links)

    def _oldest(self, address: str) -> str:
        """Say how old an earlier copy may be, whatever status the badge had then."""
        wanted, lifetimes = _badge_request(address), self.parts.resolver.lifetimes
        # While a new image is fetched, the old one may be shown for as long again; in total, for an hour at most.
        times = 1 if wanted.is_for_program else 2
        longest, of_deleted = (
            min(times * max(lifetime, wanted.at_least), STALE_AGE)
            for lifetime in (lifetimes.longest, lifetimes.deleted)
        )
        also = f", or {exact_length(of_deleted)} if it says “deleted”" if of_deleted > longest else ""
        return f"An earlier copy may be up to {exact_length(longest)} old{also}."


def _badge_request(address: str) -> BadgeRequest:
    path, _, query = address.partition("?")
    return read_badge_request({"RAW_URI": path}, dict(parse_qsl(query)), "")


def badge_address(typed: str) -> str:
    """Return the path and query of the badge: those of a badge URL unchanged, or those of a repository's badge."""
    try:
        parts = urlsplit(typed)
    except ValueError:
        raise InvalidSubject("this is not a valid URL") from None
    subject = subject_named(typed)
    if parts.path.startswith(BADGE_ROOT):
        query = re.sub(r"[^\x21-\x7e]", "", parts.query)
        return parts.path + (f"?{query}" if query else "")
    return badge_path(subject.path)


def _picture(answer: TestResponse) -> str:
    return inline_image(answer.mimetype or "", answer.data) if _is_image(answer) else ""


def _is_image(answer: TestResponse) -> bool:
    return (answer.mimetype or "").startswith("image/")


def _words_in(answer: TestResponse) -> str:
    """Return the title of an SVG; empty for other formats."""
    found = _TITLE.search(answer.text) if answer.mimetype == "image/svg+xml" else None
    return unescape(found[1]) if found else ""


def _faults(answer: TestResponse, took: timedelta) -> list[Fault]:
    """Return the reasons why a proxy would show no image, beginning with the one to fix first."""
    rules = {
        NO_IMAGE: not _is_image(answer),
        status_fault(answer.status_code): answer.status_code != 200,
        TOO_SLOW: took > PROXY_PATIENCE,
    }
    return [fault for fault, is_broken in rules.items() if is_broken]


def _ages(cache_control: str, oldest: str) -> list[str]:
    """Say how long a proxy may show a copy fetched now, and how old an earlier copy may be."""
    seconds = {name: int(number) for name, number in re.findall(r"([a-z-]+)=(\d{1,9})", cache_control)}

    def filled(name: str, sentence: str) -> list[str]:
        return [sentence.format(exact_length(timedelta(seconds=seconds[name])))] if seconds.get(name) else []

    return [
        *filled("max-age", "A proxy that fetches the badge now may show its copy for {} without asking again."),
        *filled("stale-while-revalidate", "For another {}, it may still show that copy while it fetches a new one."),
        oldest,
        *filled("stale-if-error", "If a proxy can't reach this service, it may show its copy for another {}."),
    ]
