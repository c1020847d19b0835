"""Every setting: its name, type, default and meaning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from badge.installation import CHECKOUT, data_folder, home_folder
from badge.settings.kinds import (
    AllowedUsers,
    BindAddress,
    CatalogueUrl,
    Duration,
    HttpUrl,
    Lifetime,
    OnOrOff,
    PublicUrl,
    RedisUrl,
    at_least,
    between,
)
from badge.settings.passwords import without_password

DEFAULT = "default"
ENVIRONMENT = "environment"


class Settings(BaseModel):
    """Every setting. Built by `load`, which reports faults in readable messages."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    bind: BindAddress = Field("127.0.0.1:8000", description="Address to listen on: host:port, or unix:/path.")
    public_url: PublicUrl | None = Field(
        None,
        description=(
            "The service's public address; absolute links are built from it. If it has a path, such as "
            "https://example.org/backups, the service answers below that path only, except for /livez, /readyz, "
            "/healthz, /metrics and /metrics/subjects, which also work without it."
        ),
    )
    data_dir: Path = Field(
        data_folder(CHECKOUT, home_folder()),
        description=(
            "Folder for the database, the signing key and the embedded cache's socket. By default, var in a checkout; "
            "elsewhere, $STATE_DIRECTORY (set by systemd) or ~/.local/state/backup-status-badge."
        ),
    )
    label: str = Field("backup", max_length=64, description="Text on the left half of a badge.")
    link: Literal["status", "repository", "none"] = Field(
        "status",
        description=(
            "What badges link to unless users choose otherwise: status (the public status page), repository or none."
        ),
    )
    status_pages: Literal["on", "off"] = Field(
        "on", description="Whether each public subject has a public status page, at /status/…: on or off."
    )
    status_page_links: Literal["on", "off"] = Field(
        "off", description="Whether status pages link to the last run, if its URL was reported: on or off."
    )
    summary_all: Literal["on", "off"] = Field(
        "off",
        description=(
            "Whether /summary shows all public subjects in one badge: on or off. The summaries of accounts, at "
            "/summary/…, are always available."
        ),
    )
    source_url: HttpUrl | None = Field(
        None, description="URL of this service's source code; the footer of every page links to it."
    )
    workers: int = Field(2, ge=1, le=64, description="Number of worker processes.")
    threads: int = Field(
        16,
        ge=1,
        le=256,
        description=(
            "Number of threads in each worker for badge requests. Three other groups have a quarter as many threads "
            "each, but at least 2: one for badges whose last answer is still fresh, one for pages, and one for "
            "programs (reports, pings, health checks and /metrics). /metrics/subjects has a single thread."
        ),
    )
    preload: OnOrOff = Field(
        True, description="Whether to load the application before forking, so that workers share memory: on or off."
    )
    metrics_token: SecretStr | None = Field(
        None,
        description=(
            "Bearer token for /metrics and /metrics/subjects. Without one, /metrics/subjects is disabled. As long as "
            "BADGE_PUBLIC_URL is unset or a loopback address, requests from loopback can read /metrics without the "
            "token."
        ),
    )
    metrics_subjects: int = Field(
        10_000, ge=1, le=100_000, description="Maximum number of subjects at /metrics/subjects."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Log format: json, console (for people), or auto (console on a terminal, else json)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    dashboard: Literal["link", "token", "oidc", "open", "off"] = Field(
        "link",
        description=(
            "Who may see the dashboard: link (anyone who opens a link from `badge login-link`), token or oidc (anyone "
            "who logs in that way or with such a link), open (everyone, but without private subjects) or off (nobody)."
        ),
    )
    dashboard_token: Annotated[SecretStr, at_least(16)] | None = Field(
        None, description="Token to log in with for BADGE_DASHBOARD=token; at least 16 characters."
    )
    oidc_issuer: HttpUrl | None = Field(
        None, description="URL of the OpenID Connect provider for BADGE_DASHBOARD=oidc; also requires BADGE_PUBLIC_URL."
    )
    oidc_client_id: str | None = Field(None, description="Client ID registered with the provider.")
    oidc_client_secret: SecretStr | None = Field(None, description="Client secret; leave empty for a public client.")
    oidc_allow: AllowedUsers | None = Field(
        None,
        description=(
            "Users to let in, separated by commas: verified email addresses (ada@example.org), whole domains "
            "(@example.org), or * for everyone."
        ),
    )
    session_lifetime: Annotated[Duration, between(timedelta(minutes=5), timedelta(days=30))] = Field(
        timedelta(hours=12), description="How long a login to the dashboard lasts."
    )
    login_failures: int = Field(
        10,
        ge=1,
        le=1_000,
        description=(
            "Failed logins allowed in ten minutes per client address, and ten times as many for all addresses "
            "together. Beyond that, even the right token gets a 429, but a valid login link always works."
        ),
    )
    secret_key: Annotated[SecretStr, at_least(32)] | None = Field(
        None,
        description=(
            "Key used to sign logins and to derive private badge tokens: at least 32 random characters, the same on "
            "every machine. By default, one is generated and stored in BADGE_DATA_DIR."
        ),
    )

    sources: Path | None = Field(
        None,
        description="Path of a sources.toml, which maps subjects to backup systems (docs/how-to/sources.md).",
    )
    upstream_url: HttpUrl | None = Field(
        None,
        description="Backup API that implements the native contract, used for every subject instead of the catalogue.",
    )
    upstream_api_key: SecretStr | None = Field(None, description="API key sent to BADGE_UPSTREAM_URL as X-API-Key.")
    upstream_method: Literal["get", "post"] = Field(
        "get",
        description=(
            "How to query BADGE_UPSTREAM_URL: get (/ops/status, with conditional requests) or post (/ops/status/get)."
        ),
    )
    upstream_timeout: Annotated[Duration, between(timedelta(milliseconds=50), timedelta(seconds=30))] = Field(
        timedelta(seconds=5),
        description="Total time limit for one query of a source, including any login and follow-up request.",
    )
    catalogue_url: CatalogueUrl | None = Field(
        None,
        description="Database of the catalogue and of dashboard logins; by default SQLite in BADGE_DATA_DIR.",
    )
    catalogue_retention: Annotated[Duration, between(timedelta(days=1), timedelta(days=3650))] = Field(
        timedelta(days=90),
        description=(
            "How long the catalogue keeps runs; "
            "a subject's newest, last finished and last successful run are never deleted."
        ),
    )
    catalogue_runs: int = Field(
        100, ge=1, le=10_000, description="Number of runs that the catalogue keeps per subject."
    )

    notify: Path | None = Field(
        None,
        description=(
            "Path of a notify.toml, which sets up notifications about failed, overdue and recovered backups "
            "(docs/how-to/be-told.md)."
        ),
    )
    feed: Literal["on", "off"] = Field(
        "off",
        description=(
            "Whether /feed.atom, which everyone can read, lists failures and recoveries of public subjects: on or off."
        ),
    )
    feed_entries: int = Field(100, ge=1, le=1_000, description="Number of entries that /feed.atom keeps.")

    redis_url: RedisUrl | None = Field(
        None, description="Redis or Valkey for cached statuses; by default an embedded Valkey is started."
    )
    redis_timeout: Annotated[Duration, between(timedelta(milliseconds=5), timedelta(milliseconds=300))] = Field(
        timedelta(milliseconds=50), description="Time limit for one Redis command."
    )
    redis_memory_mb: int = Field(64, ge=4, le=4096, description="Memory limit of the embedded Valkey, in MB.")
    local_entries: int = Field(
        5_000,
        ge=0,
        le=1_000_000,
        description="Maximum number of statuses that each worker keeps in memory in case Redis fails.",
    )
    edge_cache: Annotated[Duration, between(timedelta(0), timedelta(milliseconds=500))] = Field(
        timedelta(milliseconds=500),
        description=(
            "How long each worker may serve a badge again from its memory (the edge cache); 0 turns the cache off."
        ),
    )
    edge_cache_entries: int = Field(
        4_096, ge=1, le=1_000_000, description="Maximum number of badges in each worker's edge cache."
    )
    edge_cache_mb: int = Field(8, ge=1, le=1_024, description="Memory limit of each worker's edge cache, in MB.")
    fresh_finished: Lifetime = Field(
        timedelta(seconds=120), description='Lifetime of the statuses "succeeded" and "failed".'
    )
    fresh_running: Lifetime = Field(
        timedelta(seconds=30), description='Lifetime of the statuses "in progress" and "scheduled".'
    )
    fresh_deleted: Lifetime = Field(timedelta(seconds=600), description='Lifetime of the status "deleted".')
    fresh_absent: Lifetime = Field(
        timedelta(seconds=60), description='Lifetime of the status "unknown" if there is no such subject.'
    )
    fresh_failure: Lifetime = Field(
        timedelta(seconds=15), description='Lifetime of the status "unknown" if the real one could not be determined.'
    )
    fresh_provisional: Lifetime = Field(
        timedelta(seconds=5), description="Lifetime of a provisional answer, given without waiting for the source."
    )
    max_status_age: Annotated[Duration, between(timedelta(hours=1), timedelta(days=7))] = Field(
        timedelta(hours=24),
        description="A status that its source has not confirmed for this long is shown as unknown.",
    )

    wait: Annotated[Duration, between(timedelta(milliseconds=50), timedelta(milliseconds=1700))] = Field(
        timedelta(milliseconds=1700), description="How long a request for a badge waits for a source."
    )
    waiting: int = Field(
        0,
        ge=0,
        le=256,
        description="Requests per worker that may wait for a source at the same time; 0 means half of BADGE_THREADS.",
    )
    queued: int = Field(
        512,
        ge=1,
        le=100_000,
        description=(
            "Maximum number of requests that may wait for each group of threads in a worker (see BADGE_THREADS). For "
            "pages, only a sixteenth as many may wait, and for /metrics/subjects only one. Beyond that, badges show "
            "their last status or unknown, and other requests get a 503."
        ),
    )
    connections: int = Field(
        4_096, ge=16, le=1_000_000, description="Open connections per worker; further ones are closed."
    )
    upstream_concurrency: int = Field(8, ge=1, le=256, description="Concurrent queries from each worker to one source.")
    upstream_queue: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Queries to one source that may queue in each worker; further ones are not made.",
    )
    upstream_per_second: int = Field(
        20,
        ge=1,
        le=10_000,
        description=(
            "Maximum average number of queries per second from each worker to one source; a query may take several "
            "requests."
        ),
    )
    upstream_new_per_second: int = Field(
        10, ge=1, le=10_000, description="How many of BADGE_UPSTREAM_PER_SECOND may be for subjects never seen before."
    )
    upstream_new_burst: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Burst of queries for never-seen subjects allowed beyond BADGE_UPSTREAM_NEW_PER_SECOND.",
    )
    upstream_max_bytes: int = Field(
        262_144,
        ge=1024,
        le=16_777_216,
        description=(
            "Maximum size of a response from BADGE_UPSTREAM_URL, in bytes after decompression; in sources.toml, use "
            "max_bytes."
        ),
    )
    ops_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests to /ops per API key and minute in each worker; further ones are answered with 429.",
    )
    pings_per_minute: int = Field(
        60,
        ge=1,
        le=1_000_000,
        description="Pings per check and minute in each worker; further ones are answered with 429.",
    )

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _named_file: Path | None = PrivateAttr(default=None)
    _warnings: Sequence[str] = PrivateAttr(default=())

    def model_post_init(self, context: Any) -> None:
        """Store where the values came from, which `load` passes as the context."""
        if context:
            self._origins, self._named_file = context["origins"], context["named_file"]
            self._warnings = context["warnings"]

    def origin_of(self, name: str) -> str:
        """Return where a setting's value came from: `default`, `environment` or `/path/badge.env:3`."""
        return self._origins.get(name, DEFAULT)

    def keeping(self, names: Collection[str], other: Settings) -> Settings:
        """Return a copy in which these settings, and their origins, are those of `other`."""
        copy = self.model_copy(update={name: getattr(other, name) for name in names})
        copy._origins = {**self._origins, **{name: other.origin_of(name) for name in names}}  # noqa: SLF001 - of the same class
        return copy

    @property
    def named_file(self) -> Path | None:
        """The settings file if BADGE_SETTINGS_FILE names it, else None."""
        return self._named_file

    @property
    def warnings(self) -> Sequence[str]:
        """A sentence for each former name that is still in use."""
        return self._warnings

    @property
    def has_logins(self) -> bool:
        """Whether dashboard users have to log in."""
        return self.dashboard in ("link", "token", "oidc")

    @property
    def most_waiting(self) -> int:
        """Maximum number of requests per worker that may wait for a source at the same time."""
        return self.waiting or max(1, self.threads // 2)

    @property
    def other_threads(self) -> int:
        """Threads per worker in each of the three groups that the description of `threads` lists."""
        return max(2, self.threads // 4)

    @property
    def public_origin(self) -> str | None:
        """The public URL without its path: scheme, host and port; None if it is not set."""
        return self.public_url and self.public_url.removesuffix(self.path_prefix)

    @property
    def path_prefix(self) -> str:
        """The path of the public URL, such as `/backups`, that the service's paths begin with; empty without one."""
        return urlsplit(self.public_url or "").path

    @property
    def address(self) -> str | None:
        """The public origin; without one, that of the address the service listens on, or None for a Unix socket."""
        if self.public_url is None and not self.bind.startswith("unix:"):
            host, _, port = self.bind.rpartition(":")
            # Not every browser can connect to a wildcard address.
            here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - compared with, not bound to
            return f"http://{here}:{port}"
        return self.public_origin

    @property
    def catalogue_location(self) -> str:
        """The catalogue's database URL, including the password."""
        if self.catalogue_url is not None:
            return self.catalogue_url.get_secret_value()
        return f"sqlite:///{self._catalogue_file}"

    @property
    def catalogue_name(self) -> str:
        """The catalogue's name in messages: its file, or its URL without the password."""
        if self.catalogue_url is not None:
            return without_password(self.catalogue_url.get_secret_value())
        return str(self._catalogue_file)

    @property
    def watch_location(self) -> str:
        """The URL of the database where the watcher keeps its state if no source uses the catalogue."""
        if self.catalogue_url is not None:
            return self.catalogue_location
        return f"sqlite:///{self.data_dir.resolve() / 'notify.sqlite3'}"

    @property
    def needs_watcher(self) -> bool:
        """Whether anything depends on the watcher."""
        return self.notify is not None or self.feed == "on"

    @property
    def _catalogue_file(self) -> Path:
        return self.data_dir.resolve() / "catalogue.sqlite3"


GROUPS = {
    "bind": "Basics",
    "dashboard": "Dashboard",
    "sources": "Sources",
    "notify": "Notifications",
    "redis_url": "Cache",
    "wait": "Limits",
}
"""Each group's first setting, and its heading in the reference."""

RESTART_ONLY = ("bind", "data_dir", "workers", "redis_memory_mb")
"""Settings that a reload can't change."""
