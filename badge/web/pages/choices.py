"""The choices of the badge form, and the snippets made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlencode

from badge.appearance import Palette, Show
from badge.artwork.glyphs import LOGOS
from badge.artwork.png import DEFAULT_SCALE, SCALES
from badge.artwork.svg import HEIGHTS
from badge.language import Language
from badge.model import Style, Subject, Theme
from badge.settings import show_duration
from badge.web.badges.request import (
    LONGEST_LABEL,
    LONGEST_MAX_AGE,
    SHORTEST_MAX_AGE,
    TOKEN,
    Format,
    read_badge_request,
    read_max_age,
)
from badge.web.links import USUAL_LINKS, Link, LinkPolicy, repository_url
from badge.web.pages.samples import SAMPLES, Sample, example
from badge.web.paths import AT_ROOT, Paths
from badge.web.snippets import COMMON, SYNTAX_NAMES, UNSIZED, Snippet, Syntax, cache_busting_url, snippet

NO_ADDRESS = "https://this-service.invalid"
"""Placeholder while BADGE_PUBLIC_URL is not set; the page's script replaces it with the page's own origin."""

LABEL, MAX_AGE, SYNTAX = "label", "max_age", "syntax"
MAX_AGE_FAULT = (
    f"Enter a duration from {show_duration(SHORTEST_MAX_AGE)} to {show_duration(LONGEST_MAX_AGE)}, such as 26h or 7d."
)
NO_REPOSITORY = "The address of this repository is not known, so the snippets have no link."

_LANGUAGES: dict[str, str] = {
    Language.ENGLISH: "English",
    Language.GERMAN: "Deutsch",
    Language.FRENCH: "Français",
    Language.SPANISH: "Español",
    Language.BRAZILIAN_PORTUGUESE: "Português (Brasil)",
    Language.JAPANESE: "日本語",
    Language.SIMPLIFIED_CHINESE: "简体中文",
    Language.ARABIC: "العربية",
}
_SHOWN: dict[str, str] = {
    Show.AGE: "age",
    Show.DATE: "date",
    Show.NEXT: "next run",
    Show.LAST: "last result",
    Show.HISTORY: "last runs",
    Show.RATE: "success rate",
    Show.VERIFIED: "verification",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A choice from a closed list. Without the parameter in the URL, `usual` is chosen, or else the first option."""

    name: str
    legend: str
    options: Mapping[str, str]
    usual: str = ""

    @property
    def default(self) -> str:
        """The value used if nothing is chosen."""
        return self.usual or next(iter(self.options))

    def read(self, given: Mapping[str, str]) -> str:
        """Return the chosen value; a bad value counts as none."""
        value = given.get(self.name, "")
        return value if value in self.options else self.default


def _same(words: Iterable[str]) -> dict[str, str]:
    return {str(word): str(word) for word in words}


FORMAT = Field("format", "Image format", {Format.SVG: "SVG", Format.PNG: "PNG (email, chat)"})
ADDRESS = Field("address", "URL", {"long": "long, for every platform", "short": "short, …/badge/owner/name"})
SCALE = Field("scale", "PNG scale", _same(map(str, SCALES)), usual=str(DEFAULT_SCALE))
LINK = "link"
_LINK_NAMES = {Link.STATUS: "status page", Link.REPOSITORY: "repository", Link.NONE: "no link"}
LOOKS = (
    Field("style", "Appearance", _same(Style)),
    Field("palette", "Colours", _same(Palette)),
    Field("theme", "Background", {Theme.AUTO: "light or dark", Theme.LIGHT: "light", Theme.DARK: "dark"}),
    Field("icon", "Status icon", {"off": "without", "on": "with"}),
    Field("logo", "Logo", {"": "none", **_same(LOGOS)}),
    Field("show", "Also show", {"": "nothing", **_SHOWN}),
    Field("lang", "Language", _LANGUAGES),
)
_PICTURED = (*SAMPLES, "logo")


@dataclass(frozen=True, slots=True)
class Choices:
    """The chosen values. Label and maximum age are free text; every other value is one of its field's options."""

    values: Mapping[str, str]
    default_label: str
    max_age_fault: str = ""
    link_policy: LinkPolicy = USUAL_LINKS

    @classmethod
    def read(cls, given: Mapping[str, str], default_label: str, links: LinkPolicy = USUAL_LINKS) -> Choices:
        """Read the choices from a form or a shared URL."""
        values = {field.name: field.read(given) for field in (FORMAT, ADDRESS, SCALE, link_field(links), *LOOKS)}
        values[LABEL] = given.get(LABEL, default_label)[:LONGEST_LABEL]
        values[MAX_AGE] = given.get(MAX_AGE, "").strip()
        values[SYNTAX] = given.get(SYNTAX, "") if given.get(SYNTAX) in tuple(Syntax) else Syntax.MARKDOWN
        is_faulty = bool(values[MAX_AGE]) and read_max_age(values[MAX_AGE]) is None
        return cls(values, default_label, MAX_AGE_FAULT if is_faulty else "", links)

    @property
    def format(self) -> Format:
        """The format of the image."""
        return Format(self.values[FORMAT.name])

    @property
    def link(self) -> Link:
        """What the badge links to."""
        return Link(self.values[LINK])

    @property
    def query(self) -> dict[str, str]:
        """The query parameters of the badge URL that differ from the defaults."""
        chosen = {field.name: self.values[field.name] for field in LOOKS if not self._is_default(field)}
        if self.values[LABEL] != self.default_label:
            chosen[LABEL] = self.values[LABEL]
        if self.values[MAX_AGE] and not self.max_age_fault:
            chosen[MAX_AGE] = self.values[MAX_AGE]
        if self.format is Format.PNG and not self._is_default(SCALE):
            chosen[SCALE.name] = self.values[SCALE.name]
        return chosen

    def shared(self, **also: str) -> str:
        """Return the query of a page's URL that restores these choices."""
        others = (FORMAT, ADDRESS, link_field(self.link_policy))
        mine = {field.name: self.values[field.name] for field in others if not self._is_default(field)}
        if self.values[SYNTAX] != Syntax.MARKDOWN:
            mine[SYNTAX] = self.values[SYNTAX]
        return urlencode({**also, **mine, **self.query})

    def offer(  # noqa: PLR0913 - all that snippets depend on
        self,
        subject: Subject,
        public_origin: str,
        now: datetime,
        paths: Paths = AT_ROOT,
        token: str = "",
        closed: Mapping[Link, str] = MappingProxyType({}),
        *,
        server: str = "",
    ) -> Offer:
        """Return the snippets for a subject; `token` is for a private one.

        `closed`: what to say about links that not every reader can open. `server`: start of the repository server's
        URLs, if the platform does not imply the server.
        """
        is_short = self.values[ADDRESS.name] == "short" and subject.legacy_path is not None
        base = public_origin or NO_ADDRESS
        query = {TOKEN: token, **self.query} if token else self.query
        made = snippet(
            subject,
            base,
            paths=paths,
            is_short=is_short,
            format=self.format,
            query=query,
            link=self.link,
            server=server,
        )
        previews = _previews(made, base, self, now)
        note = closed.get(self.link, "")
        if self.link is Link.REPOSITORY and repository_url(subject, server) is None:
            note = NO_REPOSITORY
        return Offer(made, previews, int(self.values[SCALE.name]), subject.legacy_path is not None, note)

    def examples(self, now: datetime) -> dict[str, Sample]:
        """Return an example of the badge on a light and on a dark background, for when no subject is known yet."""
        look = read_badge_request({"RAW_URI": "/"}, self.query, self.default_label).look
        looks = {theme: replace(look, theme=Theme(theme)) for theme in (Theme.LIGHT, Theme.DARK)}
        return {theme: example(look if "theme" in self.query else looks[theme], now) for theme in looks}

    def _is_default(self, field: Field) -> bool:
        return self.values[field.name] == field.default


@dataclass(frozen=True, slots=True)
class Offer:
    """Snippets to copy, and previews of the badge on a light and on a dark background."""

    snippet: Snippet
    previews: Mapping[str, str]
    scale: int
    has_short_address: bool
    link_note: str
    """A sentence about a link that is missing or that readers can't open; empty for any other link."""

    @property
    def height(self) -> int:
        """The height at which the badge is displayed, in pixels."""
        return HEIGHTS[Style(self.snippet.query.get("style", Style.FLAT))]

    @property
    def texts(self) -> list[tuple[Syntax, str, str, str]]:
        """Each syntax with its name, the snippet and a note; the common ones come first."""
        return [
            (syntax, name, self.snippet.written_in(syntax), self._note(syntax)) for syntax, name in SYNTAX_NAMES.items()
        ]

    def _note(self, syntax: Syntax) -> str:
        height = self.snippet.height
        if height is None or self.scale == 1 or syntax not in UNSIZED:
            return ""
        name, pixels = SYNTAX_NAMES[syntax], self.scale * height
        return f"{name} shows a PNG at full size, {pixels} px high; at scale 1 it is {height} px high, like the SVG."


@dataclass(frozen=True, slots=True)
class BadgeForm:
    """The badge form and its snippets, as the templates need them."""

    choices: Choices
    offer: Offer | None
    """None until a subject is entered."""
    shared: str
    """URL that restores all choices."""
    examples: Mapping[str, Sample] = field(default_factory=dict)
    """What the preview shows until a subject is entered."""
    pictured: Sequence[Field] = tuple(look for look in LOOKS if look.name in _PICTURED)
    """The choices that are made by clicking a picture."""
    listed: Sequence[Field] = (*(look for look in LOOKS if look.name not in _PICTURED), FORMAT)
    samples: Mapping[str, Mapping[str, Sequence[Sample]]] = field(default_factory=lambda: SAMPLES)
    glyphs: Mapping[str, str] = field(default_factory=lambda: LOGOS)
    """The logos, as SVG paths."""
    common: Sequence[Syntax] = COMMON
    scale_field: Field = SCALE
    address_field: Field = ADDRESS
    longest_label: int = LONGEST_LABEL
    placeholder: str = NO_ADDRESS

    @property
    def link_field(self) -> Field:
        """What the badge can link to."""
        return link_field(self.choices.link_policy)

    @property
    def syntax(self) -> str:
        """The syntax whose tab is selected. The image URL has no tab: it is always visible."""
        chosen = self.choices.values[SYNTAX]
        return Syntax.MARKDOWN if chosen == Syntax.URL else chosen

    @property
    def has_short_address(self) -> bool:
        """Whether the subject has a short URL, too."""
        return self.offer is not None and self.offer.has_short_address


def link_field(links: LinkPolicy) -> Field:
    """Return the choice of what a badge links to."""
    return Field(LINK, "Links to", {link: _LINK_NAMES[link] for link in links.offered}, usual=links.usual)


def _previews(made: Snippet, base: str, choices: Choices, now: datetime) -> dict[str, str]:
    """Return the preview URLs, relative to the host that the browser loaded the page from."""
    grounds = {"light": Theme.LIGHT, "dark": Theme.DARK}
    # An SVG with theme=auto follows the browser's colour scheme, not the background of the preview.
    follows_ground = choices.format is Format.SVG and "theme" not in made.query
    addresses = {ground: made.themed(theme) if follows_ground else made.image_url for ground, theme in grounds.items()}
    return {ground: cache_busting_url(address.removeprefix(base), now) for ground, address in addresses.items()}
