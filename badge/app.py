"""The composition root: the only module that knows every part."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from badge.cache.embedded import server as embedded
from badge.cache.memory import MemorySourcePauses, MemoryStatusCache
from badge.cache.redis.commands import RedisCommands
from badge.cache.redis.connection import RedisConnector
from badge.cache.redis.pictures import RedisPictureStore
from badge.cache.redis.self_test import fault_of, require_permissions
from badge.cache.redis.source_pauses import RedisSourcePauses
from badge.cache.redis.status_cache import RedisStatusCache
from badge.catalogue.on_demand import CatalogueState, DatabaseOnDemand
from badge.edge.application import Edge, EdgeLimits
from badge.edge.cache import EdgeCacheLimits
from badge.listing import ListedSubject, ListingFilter, RunHistory, SummaryListing
from badge.model import Subject
from badge.ports import (
    RANDOM_JITTER,
    Clock,
    Events,
    Jitter,
    PictureStore,
    SourcePauses,
    SourceRouting,
    StatusCache,
    StatusSource,
)
from badge.raw_path import Audience
from badge.resilience.budget import Budget, BudgetLimits
from badge.resilience.circuit_breaker import CircuitBreaker, CircuitBreakerRules
from badge.resilience.worker_pool import WorkerPool
from badge.resolving.fetcher import Fetcher
from badge.resolving.lifetimes import Lifetimes
from badge.resolving.resolver import Resolver
from badge.resolving.source_limiter import SourceLimiter, SourceLimiters
from badge.settings import BadSettings, SettingFault, Settings, load
from badge.sources.routing import OneSource
from badge.telemetry import Telemetry
from badge.telemetry.logs import log_to_stderr
from badge.web import health, metrics, pages
from badge.web.badges.pictures import Pictures
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.badges.recent_runs import RecentRuns
from badge.web.badges.routes import BadgeParts
from badge.web.badges.summaries import SourceNames, Summaries, no_names
from badge.web.health import Readiness
from badge.web.intake.rates import KeyRate
from badge.web.links import link_policy
from badge.web.login.authentication import dashboard_authentication
from badge.web.loopback import is_loopback_url
from badge.web.metrics import SubjectMetrics
from badge.web.pages import PagesParts, status_page
from badge.web.paths import Paths
from badge.web.refusals import Refusals
from badge.web.signing_key import signing_key
from badge.web.site import LARGEST_BODY, build_site
from badge.web.terminal import Terminal

if TYPE_CHECKING:
    from badge.catalogue.checks import Checks
    from badge.catalogue.keys import ApiKeys
    from badge.catalogue.source import CatalogueSource
    from badge.catalogue.store import Catalogue
    from badge.catalogue.tokens import StoredTokens
    from badge.sources.configuration.sources_file import ConfiguredSource
    from badge.watching.channels import Channel
    from badge.watching.notify_file import ChannelTable, NotifyFile
    from badge.watching.service import WatchService
    from badge.watching.store import WatchStore
    from badge.watching.watcher import Subjects

CLOSE_SECONDS = 1.0
"""How long to wait for work in the background before the database is closed."""
PAGE_COST_IN_BADGES = 16
"""How many badges can be answered in the time that a page takes."""

BUILT_AROUND = "badge"
"""The key of the `BuiltAround` in Flask's `extensions`."""

MOST_REPLAYED_RUNS = 20
"""How many of a subject's newest runs the watcher reads.

If that many or more have begun since its last scan, only the latest state is reported.
"""

# More failures than for Redis (3): a slow call can fail or time out although the source is up.
SOURCE_BREAKER = CircuitBreakerRules(failures=5)


def utc_now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, `sources.toml` and `notify.toml`, all validated."""

    settings: Settings
    sources: Sequence[ConfiguredSource] = ()
    """Empty if BADGE_SOURCES is not set."""
    notify: NotifyFile | None = None
    """None if BADGE_NOTIFY is not set."""


def load_configuration() -> Configuration:
    """Return the configuration in the environment and in files; raises `BadSettings` with every fault."""
    try:
        settings = load()
    except BadSettings as bad:
        _, _, faults = _read_files(bad.files.get("sources"), bad.files.get("notify"))
        raise BadSettings([*bad.faults, *faults]) from None
    sources, notify, faults = _read_files(settings.sources, settings.notify)
    if faults:
        raise BadSettings(faults)
    return Configuration(settings, sources, notify)


def _read_files(
    sources_file: Path | None, notify_file: Path | None
) -> tuple[Sequence[ConfiguredSource], NotifyFile | None, Sequence[SettingFault]]:
    """Return the content of both files, and the faults of both."""
    faults: list[SettingFault] = []
    sources: Sequence[ConfiguredSource] = ()
    notify: NotifyFile | None = None
    try:
        sources = _sources_in(sources_file) if sources_file else ()
    except BadSettings as bad:
        faults += bad.faults
    try:
        notify = _notify_in(notify_file) if notify_file else None
    except BadSettings as bad:
        faults += bad.faults
    return sources, notify, faults


def _notify_in(file: Path) -> NotifyFile:
    from badge.watching.notify_file import load as load_notify  # noqa: PLC0415 - only if there is a file

    return load_notify(file)


def _sources_in(file: Path) -> Sequence[ConfiguredSource]:
    from badge.sources.configuration.sources_file import load as load_sources  # noqa: PLC0415 - only if there is a file

    return load_sources(file)


@dataclass(frozen=True, slots=True)
class CatalogueParts:
    """The catalogue's store and everything else that works on its database."""

    store: Catalogue
    keys: ApiKeys
    checks: Checks
    source: CatalogueSource
    tokens: StoredTokens
    token_uses: WorkerPool
    """Records uses of tokens."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where statuses and lists of subjects come from."""

    routing: SourceRouting
    listing: SummaryListing | None = None
    """None if no source can list its subjects."""
    catalogue: CatalogueParts | None = None
    """None if no source uses it."""
    catalogue_names: Collection[str] = ()
    """Names of the sources that are served by the catalogue."""
    names_within: SourceNames = no_names
    """Returns the names of the sources that can have subjects in a scope."""

    def name_for(self, subject: Subject) -> str | None:
        """Return the name of the source that answers for the subject."""
        source = self.routing.source_for(subject)
        return None if source is None else source.name

    def catalogue_answers_for(self, subject: Subject) -> bool:
        """Whether the subject's source is the catalogue, under any of the names that sources.toml gives it."""
        return self.name_for(subject) in self.catalogue_names

    def history_for(self, subject: Subject) -> RunHistory | None:
        """Return the run history of the subject's source; only the catalogue has one."""
        return self.catalogue.source if self.catalogue and self.catalogue_answers_for(subject) else None


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores that all processes share, or local ones if there is no Redis."""

    statuses: StatusCache
    pauses: SourcePauses
    pictures: PictureStore | None = None
    warm_up: Callable[[], None] = lambda: None
    fault: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Parts:
    """Every part of the service, wired together."""

    settings: Settings
    clock: Clock
    events: Telemetry
    cache: StatusCache
    pauses: SourcePauses
    pictures: PictureStore | None
    """None without a shared store: each process then draws its own pictures."""
    resolver: Resolver
    sources: Sources
    database: DatabaseOnDemand | None
    """The database of the catalogue and of logins, if there is a catalogue or users have to log in."""
    warm_up: Callable[[], None]
    """Called once in each new worker; runs in the background so that the first request doesn't have to wait."""
    cache_fault: Callable[[], str | None]
    """Uses the shared cache as the service does; returns what is wrong with it, if anything."""
    paths: Paths
    """Builds the paths in links, forms, redirects and snippets, with the path prefix."""
    lease_readings: WorkerPool
    """Reads the watcher's lease for /readyz."""

    @property
    def catalogue(self) -> CatalogueParts | None:
        """The catalogue, if any source uses it."""
        return self.sources.catalogue

    def close(self) -> None:
        """Close the database connections."""
        # Wait for background work first: any that used the database after it was closed would open it again.
        self.lease_readings.wait(CLOSE_SECONDS)
        if self.catalogue is not None:
            self.catalogue.token_uses.wait(CLOSE_SECONDS)
        if self.database is not None:
            self.database.close()

    def prepare_for_fork(self) -> None:
        """Read from the catalogue once, so that processes forked later share what SQLAlchemy prepares for a query.

        That saves 4 MB in each of them. The connection is closed again.
        """
        if self.catalogue is None:
            return
        from badge.catalogue.faults import UNUSABLE  # noqa: PLC0415 - loads SQLAlchemy

        # If the database can't be used, the check at start-up has already reported it, and every request will too.
        with contextlib.suppress(*UNUSABLE):
            self.catalogue.store.report_for(Subject("any", "any", "any", "any"))
        self.catalogue.store.database.close()

    def use_catalogue_state(self, state: CatalogueState) -> None:
        """Take over what the master learned about the database before it forked the workers."""
        assert self.database is not None
        self.database.use(state)

    def is_catalogue_usable(self) -> bool:
        """Whether the catalogue's file is undamaged, as far as is known."""
        return self.catalogue is None or not self.catalogue.store.database.is_damaged

    def are_sources_up(self) -> bool:
        """Whether every source answered its most recent call."""
        return all(self.events.watch.is_up(source.name) for source in self.resolver.routing.sources)


def build_parts(
    settings: Settings,
    *,
    configured: Sequence[ConfiguredSource] | None = None,
    source: StatusSource | None = None,
    cache: StatusCache | None = None,
    clock: Clock = utc_now,
    jitter: Jitter = RANDOM_JITTER,
) -> Parts:
    """Wire the real parts, or those passed in. Opens no connection and starts no thread.

    `configured`: the sources in `sources.toml`, if the file has already been read.
    """
    events = Telemetry()
    sources = Sources(OneSource(source)) if source else _sources(settings, configured, clock, events)
    source_count = len(sources.routing.sources)
    is_catalogue_only = sources.catalogue is not None and source_count == 1
    # A cache that is passed in replaces Redis entirely, so pictures and pauses are not shared either.
    local = Stores(cache, MemorySourcePauses(clock)) if cache else None
    stores = local or _stores(settings, clock, events, source_count, is_source_local=is_catalogue_only)
    lifetimes = _lifetimes(settings)
    fetcher = Fetcher(
        cache=stores.statuses,
        pauses=stores.pauses,
        clock=clock,
        events=events,
        limiter_of=SourceLimiters(lambda name: _limiter(settings, clock, events, name)).of,
        lifetimes=lifetimes,
        fetch_seconds=settings.upstream_timeout.total_seconds(),
        direct_seconds=settings.wait.total_seconds(),
        jitter=jitter,
    )
    resolver = Resolver(
        routing=sources.routing,
        cache=stores.statuses,
        fetcher=fetcher,
        clock=clock,
        events=events,
        lifetimes=lifetimes,
        wait_seconds=settings.wait.total_seconds(),
        most_waiting=settings.most_waiting,
    )
    return Parts(
        settings=settings,
        clock=clock,
        events=events,
        cache=stores.statuses,
        pauses=stores.pauses,
        pictures=stores.pictures,
        resolver=resolver,
        sources=sources,
        database=_database(settings, sources.catalogue),
        warm_up=stores.warm_up,
        cache_fault=stores.fault,
        paths=Paths(settings.path_prefix),
        lease_readings=WorkerPool("lease-reading", threads=1, most_waiting=0),
    )


def create_app(
    settings: Settings,
    *,
    configured: Sequence[ConfiguredSource] | None = None,
    source: StatusSource | None = None,
    cache: StatusCache | None = None,
    clock: Clock = utc_now,
    jitter: Jitter = RANDOM_JITTER,
) -> Flask:
    """Return the WSGI application for these settings, using any parts that are passed in instead of the real ones."""
    log_to_stderr(settings.log_level, settings.log_format)
    parts = build_parts(settings, configured=configured, source=source, cache=cache, clock=clock, jitter=jitter)
    return build_app(parts)


def create_edge(settings: Settings, configured: Sequence[ConfiguredSource] | None = None) -> Edge:
    """Return the ASGI application for these settings: the edge in front of the WSGI application."""
    log_to_stderr(settings.log_level, settings.log_format)
    return build_edge(build_parts(settings, configured=configured))


def build_edge(parts: Parts) -> Edge:
    """Return the ASGI application built from wired parts."""
    return edge_around(build_app(parts))


@dataclass(frozen=True, slots=True)
class BuiltAround:
    """The edge, readiness and parts of a WSGI application, for gunicorn's server hooks in master and workers."""

    edge: Edge
    readiness: Readiness
    parts: Parts


def built_around(site: Flask) -> BuiltAround:
    """Return the `BuiltAround` that `build_app` stored in a WSGI application."""
    built: BuiltAround = site.extensions[BUILT_AROUND]
    return built


def edge_around(site: Flask) -> Edge:
    """Return the ASGI application around a WSGI application made by `build_app`."""
    return built_around(site).edge


def build_app(parts: Parts) -> Flask:
    """Return the WSGI application built from wired parts."""
    settings, watched = parts.settings, cache(partial(watch_store, parts))
    readiness = _readiness(parts, watched)
    pages_parts = _pages_parts(parts)
    blueprints = [health.blueprint(readiness, parts.paths), _metrics(parts, pages_parts.summaries)]
    if parts.catalogue is not None:
        blueprints += _intakes(parts, parts.catalogue)
    blueprints += [
        pages.blueprint(pages_parts),
        *_status_pages(settings, pages_parts),
        *_feeds(parts, pages_parts, watched),
    ]
    events = parts.events
    pictures = Pictures(parts.pictures)
    tokens = pages_parts.tokens
    recent_runs = pages_parts.recent_runs
    badge_parts = BadgeParts(
        parts.resolver,
        parts.clock,
        events,
        events.metrics,
        settings.label,
        pictures,
        tokens,
        recent_runs,
        pages_parts.summaries,
    )
    site = build_site(badge_parts, blueprints, parts.paths, settings.source_url or "")
    if pages_parts.authentication.log_in is not None:
        from badge.web.login.sessions import use_sessions  # noqa: PLC0415 - imported on demand, like the catalogue

        use_sessions(site, settings)
    refusals, limits = Refusals(badge_parts, site), _edge_limits(settings)
    edge = Edge(site, refusals, events, limits, prefix=parts.paths.prefix)
    site.extensions[BUILT_AROUND] = BuiltAround(edge, readiness, parts)
    return site


def build_watcher(parts: Parts, file: NotifyFile | None, is_orphaned: Callable[[], bool]) -> WatchService | None:
    """Return the watcher, ready to run in a process of its own; None if no source can list its subjects."""
    from badge.watching.delivery import Courier, Retries  # noqa: PLC0415 - loaded in that process only
    from badge.watching.notify_file import NotifyFile  # noqa: PLC0415
    from badge.watching.service import WatchService  # noqa: PLC0415
    from badge.watching.store import Bounds, new_name  # noqa: PLC0415
    from badge.watching.watcher import Reporting, Watcher  # noqa: PLC0415

    settings, file = parts.settings, file or NotifyFile()
    subjects = _watched_subjects(parts, file.watch.subjects)
    if subjects is None:
        return None
    store = watch_store(parts, new_name())
    reporting = Reporting(
        rules=file.rules,
        channels=[table.name for table in file.channels],
        change_rules=file.change_rules,
        most_single=file.watch.storm,
        bounds=Bounds(file.delivery.waiting, file.delivery.undelivered, settings.feed_entries),
        has_feed=settings.feed == "on",
        link_to=partial(_status_url, parts),
    )
    watcher = Watcher(subjects, reporting, store, parts.clock, parts.events, file.watch.subjects)
    service = WatchService(
        watcher=watcher,
        store=store,
        clock=parts.clock,
        events=parts.events,
        every=file.watch.every,
        give_up_after=file.delivery.give_up_after,
        is_orphaned=is_orphaned,
    )
    service.couriers = [
        Courier(
            channel,
            store,
            Retries(file.delivery.first_retry, file.delivery.longest_retry),
            file.delivery.timeout,
            file.delivery.give_up_after,
            parts.clock,
            RANDOM_JITTER,
            parts.events,
            service.may_send,
        )
        for channel in channels_of(file.channels, parts.clock)
    ]
    return service


def watch_store(parts: Parts, holder: str = "") -> WatchStore:
    """Return the watcher's tables, which are in the catalogue's database if there is one."""
    from badge.catalogue.database import Database  # noqa: PLC0415 - imported on demand, like the catalogue
    from badge.watching.store import WatchStore  # noqa: PLC0415

    if parts.catalogue is not None:
        return WatchStore(parts.catalogue.store.database, holder)
    return WatchStore(Database(parts.settings.watch_location), holder)


def channels_of(tables: Sequence[ChannelTable], clock: Clock) -> Sequence[Channel]:
    """Return the channels of notify.toml."""
    if not tables:
        return []  # without loading an HTTP client, which takes 8 MB
    from badge.sources.http.transport import HttpTransport  # noqa: PLC0415 - loaded in the watcher and by commands
    from badge.watching.channels.apprise import AppriseChannel  # noqa: PLC0415
    from badge.watching.channels.webhook import WebhookChannel  # noqa: PLC0415
    from badge.watching.notify_file import AppriseTable, WebhookTable  # noqa: PLC0415

    def channel(table: ChannelTable) -> Channel:
        match table:
            case WebhookTable():
                transport = HttpTransport(ca_file=table.ca_file, reads_body=False)
                return WebhookChannel(table.name, table.url, table.secret, transport, clock)
            case AppriseTable():
                return AppriseChannel(table.name, table.url)

    return [channel(table) for table in tables]


def _watched_subjects(parts: Parts, most: int) -> Subjects | None:
    from badge.sources.snapshot_listing import CatalogueWalk, SnapshotListing  # noqa: PLC0415 - in that process only
    from badge.watching.watcher import CatalogueSurvey, Subjects  # noqa: PLC0415

    listing, sources = parts.sources.listing, parts.sources
    if listing is None:
        return None
    walk = listing.walk if isinstance(listing, SnapshotListing) else None
    survey = walk or partial(CatalogueSurvey, listing, most + 1)

    def changed_since(catalogue: CatalogueParts, since: datetime) -> Iterator[ListedSubject]:
        changed = CatalogueWalk(catalogue.source, ListingFilter(updated_since=since), most)
        return (item for item in changed().items if sources.catalogue_answers_for(item.subject))

    if parts.catalogue is None:
        return Subjects(survey, sources.name_for)
    runs_of = partial(parts.catalogue.source.histories, limit=MOST_REPLAYED_RUNS)
    return Subjects(survey, sources.name_for, partial(changed_since, parts.catalogue), runs_of)


def _status_url(parts: Parts, subject: Subject) -> str | None:
    origin = parts.settings.public_origin
    if origin is None or parts.settings.status_pages == "off":
        return None
    return origin + parts.paths.status(subject.path)


def _edge_limits(settings: Settings) -> EdgeLimits:
    max_bytes = settings.edge_cache_mb * 2**20
    threads, queued = settings.threads, settings.queued
    return EdgeLimits(
        EdgeCacheLimits(settings.edge_cache.total_seconds(), settings.edge_cache_entries, max_bytes),
        threads={
            Audience.IMAGES: threads,
            Audience.PROGRAMS: settings.other_threads,
            Audience.PEOPLE: settings.other_threads,
            Audience.SCRAPES: 1,
        },
        # Pages take longer, so fewer of them may wait.
        queued={
            Audience.IMAGES: queued,
            Audience.PROGRAMS: queued,
            Audience.PEOPLE: max(1, queued // PAGE_COST_IN_BADGES),
            Audience.SCRAPES: 1,
        },
        known_threads=settings.other_threads,
        largest_body=LARGEST_BODY,
    )


def _status_pages(settings: Settings, pages_parts: PagesParts) -> list[Blueprint]:
    return [status_page.blueprint(pages_parts)] if settings.status_pages == "on" else []


def _readiness(parts: Parts, store: Callable[[], WatchStore]) -> Readiness:
    readiness = Readiness({"cache": parts.cache.is_up, "source": parts.are_sources_up})
    if parts.catalogue is not None:
        readiness.watch("catalogue", parts.is_catalogue_usable)
    if parts.settings.needs_watcher:
        from badge.watching.presence import WatcherPresence  # noqa: PLC0415 - only if something depends on the watcher

        presence = WatcherPresence(lambda: store().lease(), parts.events, parts.lease_readings.submit)
        readiness.watch("watcher", presence.is_watched)
    return readiness


def _feeds(parts: Parts, pages_parts: PagesParts, store: Callable[[], WatchStore]) -> list[Blueprint]:
    if not pages_parts.has_feed:
        return []
    from badge.watching.feed import FeedReader  # noqa: PLC0415 - only if there is a feed
    from badge.web.pages.feed import Feed  # noqa: PLC0415

    reader = FeedReader(store, parts.events, parts.settings.feed_entries)
    return [Feed(reader, pages_parts.tokens, pages_parts.public_origin, parts.paths).blueprint()]


def _metrics(parts: Parts, summaries: Summaries) -> Blueprint:
    settings, sources = parts.settings, parts.sources
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    # A public URL implies a proxy, behind which every request seems to come from this machine.
    is_private = settings.public_url is None or is_loopback_url(settings.public_url)
    names = sorted(sources.names_within(None)) or [source.name for source in sources.routing.sources]
    of_subjects = SubjectMetrics(sources.listing, summaries.refresh, names, settings.metrics_subjects)
    return metrics.blueprint(parts.events.metrics, of_subjects, token, is_open_to_loopback=is_private)


def _intakes(parts: Parts, catalogue: CatalogueParts) -> list[Blueprint]:
    """Return the blueprints for pings and for the native contract."""
    from badge.web.intake import ops_api, ping  # noqa: PLC0415 - loads the catalogue: 12 MB
    from badge.web.intake.ops_api import OpsApi  # noqa: PLC0415
    from badge.web.intake.ping import PingIntake  # noqa: PLC0415

    renew, settings = parts.resolver.renew, parts.settings
    api = OpsApi(
        catalogue.store,
        catalogue.keys,
        parts.clock,
        parts.events,
        KeyRate(settings.ops_per_minute),
        on_change=renew,
    )
    intake = PingIntake(
        catalogue.store,
        catalogue.checks,
        catalogue.keys,
        parts.clock,
        parts.events,
        KeyRate(settings.pings_per_minute),
        on_change=renew,
    )
    return [ops_api.blueprint(api), ping.blueprint(intake)]


def _pages_parts(parts: Parts) -> PagesParts:
    token_store = parts.catalogue.tokens if parts.catalogue else None
    return PagesParts(
        resolver=parts.resolver,
        listing=parts.sources.listing,
        history=parts.catalogue.source if parts.catalogue else None,
        recent_runs=RecentRuns(parts.sources.history_for),
        summaries=_summaries(parts),
        takes_reports=parts.sources.catalogue_answers_for,
        clock=parts.clock,
        events=parts.events,
        authentication=dashboard_authentication(parts.settings, parts.database, parts.clock, parts.events, parts.paths),
        tokens=PrivateTokens(partial(signing_key, parts.settings), token_store),
        token_store=token_store,
        checks=parts.catalogue.checks if parts.catalogue else None,
        default_label=parts.settings.label,
        public_origin=parts.settings.public_origin or "",
        paths=parts.paths,
        links=link_policy(parts.settings),
        has_feed=parts.settings.feed == "on",
        shows_run_links=parts.settings.status_page_links == "on",
        terminal=Terminal.of(parts.settings),
    )


def _summaries(parts: Parts) -> Summaries:
    settings = parts.settings
    return Summaries(
        listing=parts.sources.listing,
        clock=parts.clock,
        events=parts.events,
        lifetimes=_lifetimes(settings),
        serves_all=settings.summary_all == "on",
        names_within=parts.sources.names_within,
        wait_seconds=settings.wait.total_seconds(),
        most_waiting=settings.most_waiting,
    )


def _catalogue(settings: Settings, clock: Clock, events: Events) -> CatalogueParts:
    # Imported on demand: most deployments have one kind of source, and each kind takes 5 to 15 MB of memory.
    from badge.catalogue.checks import Checks  # noqa: PLC0415
    from badge.catalogue.database import Database  # noqa: PLC0415
    from badge.catalogue.keys import ApiKeys  # noqa: PLC0415
    from badge.catalogue.source import CatalogueSource  # noqa: PLC0415
    from badge.catalogue.store import Catalogue, Retention  # noqa: PLC0415
    from badge.catalogue.tokens import MOST_USES_WAITING, StoredTokens  # noqa: PLC0415

    database = Database(settings.catalogue_location)
    store = Catalogue(database, clock, Retention(settings.catalogue_retention, settings.catalogue_runs))
    uses = WorkerPool("token-use", threads=1, most_waiting=MOST_USES_WAITING)
    keys, tokens = ApiKeys(database, clock), StoredTokens(database, clock, events, uses.submit)
    return CatalogueParts(store, keys, Checks(database, clock), CatalogueSource(store, events), tokens, uses)


def _database(settings: Settings, catalogue: CatalogueParts | None) -> DatabaseOnDemand | None:
    if catalogue is None and not settings.has_logins:
        return None
    return DatabaseOnDemand(settings.catalogue_location, catalogue.store.database if catalogue else None)


def _sources(
    settings: Settings, configured: Sequence[ConfiguredSource] | None, clock: Clock, events: Events
) -> Sources:
    if settings.sources is not None:
        return _configured(settings, configured or _sources_in(settings.sources), clock, events)
    if settings.upstream_url is not None:
        return _upstream(settings, settings.upstream_url, clock, events)
    catalogue = _catalogue(settings, clock, events)
    source = catalogue.source
    return Sources(OneSource(source), source, catalogue, {source.name})


def _configured(settings: Settings, configured: Sequence[ConfiguredSource], clock: Clock, events: Events) -> Sources:
    # Imported on demand, like the catalogue.
    from badge.sources.configuration.configured_listing import listing_of  # noqa: PLC0415
    from badge.sources.configuration.factory import build_routing, catalogue_names  # noqa: PLC0415

    names = catalogue_names(configured)
    catalogue = _catalogue(settings, clock, events) if names else None
    source = catalogue.source if catalogue else None
    named = source.called if source else None
    routing = build_routing(configured, named, clock, events, settings.public_url or "")
    listing = listing_of(configured, routing, source, clock)
    return Sources(routing, listing, catalogue, names, routing.names_within)


def _upstream(settings: Settings, url: str, clock: Clock, events: Events) -> Sources:
    # Imported on demand, like the catalogue.
    from badge.sources.http.transport import HttpTransport  # noqa: PLC0415
    from badge.sources.native.listing import LARGEST_PAGE_BYTES, NativeWalk  # noqa: PLC0415
    from badge.sources.native.source import NativeSource  # noqa: PLC0415
    from badge.sources.place import place_of  # noqa: PLC0415
    from badge.sources.secrets import Secret  # noqa: PLC0415
    from badge.sources.snapshot_listing import SnapshotListing  # noqa: PLC0415

    key = settings.upstream_api_key.get_secret_value() if settings.upstream_api_key else None
    who = Secret(value=key) if key else None
    place = place_of("upstream", deployment=settings.public_url, url=url, method=settings.upstream_method, who=who)
    transport = HttpTransport(max_bytes=settings.upstream_max_bytes)
    source = NativeSource(url, key, transport, clock, events, place, by_post=settings.upstream_method == "post")
    walk = NativeWalk(url, key, HttpTransport(max_bytes=LARGEST_PAGE_BYTES), clock)
    return Sources(OneSource(source), SnapshotListing(walk, clock))


def _limiter(settings: Settings, clock: Clock, events: Events, name: str) -> SourceLimiter:
    limits = BudgetLimits(settings.upstream_per_second, settings.upstream_new_per_second, settings.upstream_new_burst)
    pool = WorkerPool(f"source-{name}", settings.upstream_concurrency, settings.upstream_queue)
    return SourceLimiter(CircuitBreaker(name, events, SOURCE_BREAKER), Budget(limits), pool, clock)


def _stores(settings: Settings, clock: Clock, events: Events, source_count: int, *, is_source_local: bool) -> Stores:
    # Without a shared cache, a worker that receives a run event can't invalidate the entries of other workers. So for a
    # local catalogue, workers store no entries but read it every time, which is as fast as a cache.
    local = MemoryStatusCache(clock, max_entries=0 if is_source_local else settings.local_entries)
    url = settings.redis_url.get_secret_value() if settings.redis_url else _embedded_url(settings)
    if url is None:
        return Stores(local, MemorySourcePauses(clock))
    # One connection for each request thread (except the one for scrapes) and source worker, and 4 for lease renewal,
    # warm-up, the circuit breaker's trial calls and repeated invalidations.
    connections = settings.threads + 3 * settings.other_threads + source_count * settings.upstream_concurrency + 4
    connector = RedisConnector(url, settings.redis_timeout, connections)
    commands = RedisCommands(connector, events, CircuitBreaker("redis", events))
    statuses = RedisStatusCache(commands, local, events, clock, _lifetimes(settings).longest_wait)
    commands.on_return.append(partial(require_permissions, connector, clock))
    fault = partial(fault_of, connector, clock)
    return Stores(statuses, RedisSourcePauses(commands, clock), RedisPictureStore(commands), commands.warm_up, fault)


def _embedded_url(settings: Settings) -> str | None:
    if embedded.binary_path() is None:
        return None
    return f"unix://{embedded.socket_path(settings.data_dir)}"


def _lifetimes(settings: Settings) -> Lifetimes:
    return Lifetimes(
        finished=settings.fresh_finished,
        running=settings.fresh_running,
        deleted=settings.fresh_deleted,
        absent=settings.fresh_absent,
        failure=settings.fresh_failure,
        provisional=settings.fresh_provisional,
        too_old=settings.max_status_age,
    )
