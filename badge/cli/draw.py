"""`badge draw` and `badge url`: an image file, and a snippet to paste into a page."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from badge.appearance import COLOURS, DEFAULT_LABEL, TONES, WORDS, Palette
from badge.artwork import png, svg
from badge.artwork.glyphs import LOGOS
from badge.artwork.png import PngUnavailable
from badge.cli.command import BadgeCommand, Fault, StatusArgument, SubjectArgument, examples, settings_or_fault
from badge.language import Language
from badge.model import BackupStatus, Badge, Style, Subject, Theme
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.badges.request import TOKEN
from badge.web.links import Link, link_policy, repository_url
from badge.web.paths import Paths
from badge.web.signing_key import NoSigningKey, signing_key
from badge.web.snippets import Syntax, snippet

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _one_of(name: str, words: type[StrEnum], *, help: str | None = None) -> Callable[[_Command], _Command]:
    """Return an option that takes one of these values; the first is the default."""
    known = [word.value for word in words]
    return click.option(name, type=click.Choice(known), default=known[0], show_default=True, help=help)


@click.command(
    cls=BadgeCommand,
    epilog=examples(
        "badge draw succeeded -o succeeded.svg",
        "badge draw failed -o failed.png --style for-the-badge --icon --scale 3",
    ),
)
@click.argument("status", metavar="STATUS", type=StatusArgument(BackupStatus))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write: .svg or .png.")
@click.option("--label", default=DEFAULT_LABEL, show_default=True, help="Text on the left half; empty for none.")
@_one_of("--style", Style)
@_one_of("--palette", Palette)
@_one_of("--lang", Language, help="Language of the text.")
@_one_of("--theme", Theme, help="Page background to draw for.")
@click.option("--icon", is_flag=True, help="Add a status icon.")
@click.option("--logo", type=click.Choice(list(LOGOS)), help="Icon before the label.")
@click.option(
    "--scale", type=click.IntRange(1, 4), default=png.DEFAULT_SCALE, show_default=True, help="Scale factor of a PNG."
)
def draw(**given: Any) -> None:
    """Draw the badge of STATUS to a file, without querying a source.

    STATUS is succeeded, failed, in-progress, scheduled, deleted or unknown.
    """
    status: BackupStatus = given["status"]
    language = Language(given["lang"])
    badge = Badge(
        label=language.say(given["label"]),
        message=language.say(WORDS[status]),
        language=language,
        theme=Theme(given["theme"]),
        colour=COLOURS[Palette(given["palette"])][TONES[status]],
        style=Style(given["style"]),
        icon=status.value if given["icon"] else None,
        logo=given["logo"],
    )
    output: Path = given["output"]
    try:
        output.write_bytes(_drawn(badge, output.suffix.lower(), given["scale"]))
    except OSError as error:
        raise Fault(f"{output} can't be written: {error.strerror}.", exit_code=1) from None
    click.echo(output)


def _drawn(badge: Badge, suffix: str, scale: int) -> bytes:
    if suffix == ".svg":
        return svg.draw(badge)
    if suffix != ".png":
        raise Fault("The file name must end in .svg or .png.")
    try:
        return png.draw(badge, scale)
    except PngUnavailable as unavailable:
        raise Fault(f"PNGs can't be drawn: {unavailable}.", exit_code=1) from None


@click.command(
    cls=BadgeCommand,
    epilog=examples(
        "badge url acme/web",
        "badge url GitLab/group%2Fsub/Repository/web --format markdown",
        "badge url acme/secret --private --format markdown",
    ),
)
@click.argument("subject", type=SubjectArgument())
@_one_of("--format", Syntax)
@click.option("--short", is_flag=True, help="Use the short URL of a GitHub repository.")
@click.option("--private", is_flag=True, help="Add the token that a private subject's badge needs.")
@click.option(
    "--link", type=click.Choice([link.value for link in Link]), help="What a snippet links to [default: BADGE_LINK]."
)
def url(subject: Subject, format: str, *, short: bool, private: bool, link: str | None) -> None:
    """Print the URL of SUBJECT's badge, or a snippet to paste.

    The URL starts with BADGE_PUBLIC_URL.
    """
    # No parts are built: neither URLs nor their tokens need a database or a cache.
    settings = settings_or_fault()
    base, paths = settings.address, Paths(settings.path_prefix)
    if base is None:
        raise Fault("Set BADGE_PUBLIC_URL to the address at which readers can reach this service.")
    if settings.public_url is None:
        click.echo(
            f"Note: {base} works only on this machine; set BADGE_PUBLIC_URL to make it work elsewhere.", err=True
        )
    if short and subject.legacy_path is None:
        raise Fault("Only GitHub repositories have a short URL.")
    chosen = Link(link) if link else link_policy(settings).usual
    offered = link_policy(settings).offered
    if chosen not in offered:
        raise Fault("There are no status pages, because BADGE_STATUS_PAGES is off.")
    if link and chosen is Link.REPOSITORY and repository_url(subject) is None:
        others = " or ".join(f"--link {other.value}" for other in offered if other is not Link.REPOSITORY)
        raise Fault(f"The address of this repository is not known; use {others}.")
    try:
        query = {TOKEN: PrivateTokens(partial(signing_key, settings)).of(subject)} if private else {}
    except NoSigningKey as fault:
        raise Fault(f"{fault}.", 1) from None
    click.echo(snippet(subject, base, paths=paths, is_short=short, query=query, link=chosen).written_in(Syntax(format)))
