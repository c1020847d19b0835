"""The dependencies of the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badge.listing import RunHistory, StatusListing
from badge.model import Subject
from badge.ports import Clock, Events
from badge.resolving.resolver import Resolver
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.badges.recent_runs import RecentRuns
from badge.web.badges.summaries import Summaries
from badge.web.links import LinkPolicy
from badge.web.login.authentication import DashboardAuthentication
from badge.web.paths import Paths
from badge.web.terminal import Terminal

if TYPE_CHECKING:
    from badge.catalogue.checks import Checks
    from badge.catalogue.tokens import StoredTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesParts:
    """What the pages need; built by the application."""

    resolver: Resolver
    listing: StatusListing | None
    history: RunHistory | None
    recent_runs: RecentRuns
    """The part of the history that status pages show."""
    summaries: Summaries
    takes_reports: Callable[[Subject], bool]
    """Whether a subject's badge shows what is reported to the catalogue."""
    clock: Clock
    events: Events
    authentication: DashboardAuthentication
    tokens: PrivateTokens
    token_store: StoredTokens | None
    """None without a catalogue."""
    checks: Checks | None
    """None without a catalogue."""
    default_label: str
    public_origin: str
    """BADGE_PUBLIC_URL without its path; empty if it is not set, in which case the page's own origin is used."""
    paths: Paths
    links: LinkPolicy
    """What badges may link to."""
    has_feed: bool
    """Whether there is a feed of failures and recoveries."""
    shows_run_links: bool
    """Whether status pages link to the last run."""
    terminal: Terminal
    """Writes the commands that pages show."""
