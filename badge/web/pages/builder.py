"""The public pages: the home page with the badge builder, and the sheet of all badges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response, request

from badge.appearance import WORDS, Palette
from badge.model import Badge, InvalidSubject, Style, Subject
from badge.web.links import Link
from badge.web.page import inline_picture, sentence, show
from badge.web.pages.choices import BadgeForm, Choices, Field, Offer
from badge.web.pages.parts import PagesParts
from badge.web.pages.repository_url import PLATFORMS, NamedRepository, UnknownServer, repository_named
from badge.web.pages.samples import badge_of

PLATFORM = Field("platform", "Platform", {"": "automatic", **PLATFORMS})
NOT_PUBLIC = "There is no public backup with this name, so readers can't open its status page."


@dataclass(frozen=True, slots=True)
class Builder:
    """The views of / and /badges."""

    parts: PagesParts

    def home(self) -> Response:
        """Show the home page, with snippets for the repository in the query."""
        typed, platform = request.args.get("subject", ""), PLATFORM.read(request.args)
        named, fault = _named(self.parts.paths.own(typed), platform) if typed.strip() else (None, "")
        choices = Choices.read(request.args, self.parts.default_label, self.parts.links)
        also = {PLATFORM.name: platform} if platform else {}
        form = BadgeForm(
            choices,
            self._offer(choices, named) if named else None,
            self.parts.paths.to(f"/?{choices.shared(subject=typed, **also)}"),
            choices.examples(self.parts.clock()),
        )
        return show(
            "home.html",
            subject=named.subject if named else None,
            typed=typed,
            platform=platform,
            platform_field=PLATFORM,
            fault=fault,
            badges=[_picture(badge_of(status)) for status in WORDS],
            form=form,
        )

    def _offer(self, choices: Choices, named: NamedRepository) -> Offer:
        parts, subject = self.parts, named.subject
        closed = {Link.STATUS: NOT_PUBLIC} if choices.link is Link.STATUS and self._is_closed(subject) else {}
        origin, now = parts.public_origin, parts.clock()
        return choices.offer(subject, origin, now, parts.paths, closed=closed, server=named.server)

    def _is_closed(self, subject: Subject) -> bool:
        """Whether readers can't open this subject's status page; the same for private and absent subjects."""
        resolution = self.parts.resolver.resolve(subject)
        return resolution.is_known and not resolution.report.exists

    def sheet(self) -> Response:
        """Show every status in every style and palette.

        The pictures are inline: a picture with a URL of its own would be a badge that says "succeeded" although no
        source reported it.
        """
        return show("badges.html", palettes=[(palette, self._sheet_rows(palette)) for palette in Palette])

    def _sheet_rows(self, palette: Palette) -> list[tuple[str, list[SheetRow]]]:
        """Return each style with its rows: all statuses without icons, then with them."""
        return [(style, [self._sheet_row(palette, style, icon) for icon in ("off", "on")]) for style in Style]

    def _sheet_row(self, palette: Palette, style: Style, icon: str) -> SheetRow:
        look = {"style": style, "palette": palette, "icon": icon}
        badges = [badge_of(status, palette, style=style, has_icon=icon == "on") for status in WORDS]
        words = f"Build a badge: {style}, {palette}, {'with' if icon == 'on' else 'without'} icon"
        return SheetRow(self.parts.paths.to(f"/?{urlencode(look)}"), words, [_picture(badge) for badge in badges])


def _named(typed: str, platform: str) -> tuple[NamedRepository | None, str]:
    """Return the repository that a text names, or None and what is wrong with the text."""
    try:
        return repository_named(typed, platform), ""
    except UnknownServer as unknown:
        if not unknown.host:
            return None, sentence(str(unknown))
        return None, f"Choose the platform that runs on {unknown.host}."
    except InvalidSubject as invalid:
        return None, sentence(str(invalid))


@dataclass(frozen=True, slots=True)
class SheetRow:
    """All statuses in one look."""

    builder_path: str
    """The builder with this look."""
    words: str
    pictures: Sequence[tuple[str, str]]
    """Image sources and alternative texts."""


def _picture(badge: Badge) -> tuple[str, str]:
    return inline_picture(badge), f"{badge.label}: {badge.message}"
