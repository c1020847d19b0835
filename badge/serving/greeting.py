"""What gunicorn's master writes once the service listens: where to look, and what to do first."""

from __future__ import annotations

import sys
from datetime import timedelta

from badge.app import utc_now
from badge.catalogue.on_demand import LoginsUnavailable
from badge.settings import Settings, show_duration
from badge.web.login.link import link_url
from badge.web.paths import DASHBOARD, Paths
from badge.web.terminal import EXAMPLE, Terminal

LINK_LIFETIME = timedelta(hours=1)


def greet_with_link(settings: Settings) -> int:
    """Make a login link and write the message with it; return 0, or 1 if no link could be made."""
    from badge.catalogue.database import Database  # noqa: PLC0415 - loaded where there are logins
    from badge.catalogue.logins import Logins  # noqa: PLC0415

    try:
        secret = Logins(Database(settings.catalogue_location), utc_now).make_link(LINK_LIFETIME)
    except LoginsUnavailable:
        return 1
    sys.stderr.write(first_words(settings, link=secret))
    return 0


def first_words(settings: Settings, link: str = "") -> str:
    """Return the message that is shown once the service listens; `link` is the secret of a login link."""
    address, terminal = settings.address or settings.bind, Terminal.of(settings)
    paths = Paths(settings.path_prefix)
    lines = [
        "",
        "Backup Status Badge is ready.",
        f"  Dashboard    {link_url(address, link, paths) if link else address + paths.to(DASHBOARD)}",
        f"  Visible to   {_audience(settings, terminal, has_link=bool(link))}",
        f"  A badge      {address}{paths.badge(EXAMPLE)}",
    ]
    if settings.upstream_url is None and settings.sources is None:
        lines += [
            "  Report a first backup, in another terminal:",
            "               " + terminal.command("report", EXAMPLE, "succeeded"),
        ]
    if terminal.note:
        lines.append(f"  {terminal.note}")
    return "\n".join([*lines, "", ""])


def _audience(settings: Settings, terminal: Terminal, *, has_link: bool) -> str:
    """Return who may see the dashboard, and how."""
    match settings.dashboard:
        case "open":
            return "everyone (public subjects only)"
        case "off":
            return "nobody (BADGE_DASHBOARD=off)"
        case "token":
            return "anyone who logs in with BADGE_DASHBOARD_TOKEN"
        case "oidc":
            return "users of BADGE_OIDC_ISSUER listed in BADGE_OIDC_ALLOW"
        case "link" if has_link:
            first = f"the first person to open this link, within {show_duration(LINK_LIFETIME)}"
            return f"{first}. For another link, run: {terminal.login_link}"
        case "link":
            return f"anyone who opens a link printed by: {terminal.login_link}"
