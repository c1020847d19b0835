"""The catalogue's tables. Migrations create them; a test checks that both definitions agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime.fromtimestamp(0, UTC)


class Moment(TypeDecorator[datetime]):
    """A time as microseconds since 1970: exact, sortable, and the same on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """Convert a time to the database's integer."""
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Convert the database's integer to a time."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


# SQLite assigns numbers to rows only in an INTEGER PRIMARY KEY.
_ID = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


def _details() -> list[Column[Any]]:
    """Return the columns of `RunDetails`: each run has them, and its subject has those of the newest run."""
    return [
        Column("size_bytes", BigInteger),
        Column("next_run_at", Moment),
        Column("stale_after", Moment),
        Column("url", Text),
        Column("reason", String(16)),
    ]


subjects = Table(
    "subjects",
    metadata,
    Column("id", _ID, primary_key=True),
    # The keys by which subjects are compared, then the spelling to show.
    Column("platform_key", String(64), nullable=False),
    Column("account_key", String(512), nullable=False),
    Column("type_key", String(64), nullable=False),
    Column("name_key", Text, nullable=False),
    Column("platform", String(64), nullable=False),
    Column("account", String(255), nullable=False),
    Column("type", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("last_success_at", Moment),
    Column("last_finished", String(16)),
    # The end of the last finished run with a known end.
    Column("ended_at", Moment),
    Column("deleted_at", Moment),
    # The deletion's place among the runs.
    Column("deleted_sequence", BigInteger),
    *_details(),
    # The latest verification: its outcome, its end, and how it was done.
    Column("verification", String(16)),
    Column("verified_at", Moment),
    Column("verified_how", String(16)),
    Column("visibility", String(16), nullable=False),
    Column("enabled", Boolean),
    # With a check: when the next backup is due, and when it becomes overdue. The latter is null unless the status is
    # "succeeded", "inProgress" or "scheduled".
    Column("due_at", Moment),
    Column("overdue_at", Moment),
    Column("revision", BigInteger, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("platform_key", "account_key", "type_key", "name_key", name="uq_subjects_key"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("subject_id", _ID, ForeignKey("subjects.id", ondelete="CASCADE"), nullable=False),
    # Its place among the subject's runs: the sequence number of its last event, unless the runs' times put it lower.
    Column("sequence", BigInteger, nullable=False),
    Column("started_at", Moment, nullable=False),
    # If false, `started_at` is when its first event was received.
    Column("is_start_reported", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    # The latest time reported for an event of its current phase.
    Column("happened_at", Moment),
    Column("finished_at", Moment),
    *_details(),
    Column("run_id", String(36)),
    UniqueConstraint("subject_id", "started_at", name="uq_runs_start"),
)

# The last verification with each outcome. Both are needed to tell repeated and late events from new ones.
verifications = Table(
    "verifications",
    metadata,
    Column("subject_id", _ID, ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("outcome", String(16), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    # If false, `at` is when it was received.
    Column("is_time_reported", Boolean, nullable=False),
    Column("how", String(16)),
)

Index("ix_subjects_ended_at", subjects.c.ended_at)
Index("ix_subjects_updated", subjects.c.updated_at, subjects.c.id)
# The indexes with these columns hold all that a total needs, so that counting doesn't read the subjects.
_COUNTED = (subjects.c.status, subjects.c.last_finished, subjects.c.visibility, subjects.c.verification)
Index("ix_subjects_overdue", subjects.c.overdue_at, subjects.c.id, *_COUNTED)
# Partial, for subjects with a `stale_after`. Only the migration says so, because a `postgresql_where` here would load
# the code for PostgreSQL, 2 MB, everywhere.
Index("ix_subjects_stale", subjects.c.stale_after, subjects.c.overdue_at, *_COUNTED)
_KIND = (subjects.c.status, subjects.c.last_finished)
Index(
    "ix_subjects_status",
    *_KIND,
    subjects.c.overdue_at,
    subjects.c.visibility,
    subjects.c.stale_after,
    subjects.c.verification,
)
# The same for one account. The first two are partial, too: for subjects with an `overdue_at` or a `stale_after`.
_ACCOUNT = (subjects.c.platform_key, subjects.c.account_key)
Index(
    "ix_subjects_account_overdue",
    *_ACCOUNT,
    *_KIND,
    subjects.c.overdue_at,
    subjects.c.type_key,
    subjects.c.stale_after,
    subjects.c.visibility,
    subjects.c.verification,
)
Index(
    "ix_subjects_account_stale",
    *_ACCOUNT,
    subjects.c.stale_after,
    subjects.c.type_key,
    subjects.c.overdue_at,
    *_COUNTED,
)
_CURRENT = (subjects.c.overdue_at, subjects.c.stale_after, subjects.c.visibility, subjects.c.verification)
Index("ix_subjects_success", *_KIND, subjects.c.last_success_at, *_CURRENT)
Index("ix_subjects_account_success", *_ACCOUNT, *_KIND, subjects.c.last_success_at, subjects.c.type_key, *_CURRENT)
# For subjects with a verification, of all accounts and of one. Both are partial, too.
_VERIFIED = (
    subjects.c.verification,
    subjects.c.verified_at,
    *_KIND,
    subjects.c.overdue_at,
    subjects.c.stale_after,
    subjects.c.visibility,
    subjects.c.last_success_at,
)
Index("ix_subjects_verified", *_VERIFIED)
Index("ix_subjects_account_verified", *_ACCOUNT, *_VERIFIED, subjects.c.type_key)
# For lists of the subjects with a given status, ordered by the time of their last success, the oldest first.
Index("ix_subjects_last_success", subjects.c.status, subjects.c.last_success_at, subjects.c.id)
Index("ix_subjects_account_key", subjects.c.account_key)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("prefix", String(16), nullable=False),
    Column("scopes", String(64), nullable=False),
    # A JSON list of path patterns; null for all subjects.
    Column("patterns", Text),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
)

private_tokens = Table(
    "private_tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("prefix", String(16), nullable=False),
    # A JSON list of path patterns.
    Column("patterns", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment),
)

checks = Table(
    "checks",
    metadata,
    Column("subject_id", _ID, ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("prefix", String(8), nullable=False),
    Column("slug", String(100)),
    Column("every_seconds", Integer, nullable=False),
    Column("grace_seconds", Integer, nullable=False),
    Column("since", Moment, nullable=False),
)

Index("ix_checks_slug", checks.c.slug)

# Login links and sessions of the dashboard, by their hashes.
logins = Table(
    "logins",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", Moment, nullable=False),
)

Index("ix_logins_expires_at", logins.c.expires_at)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("address", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

# What searches read: in lower case, and much narrower than `subjects`, so that a full scan takes a few milliseconds.
# A trigram index would not help searches for one or two letters.
subject_paths = Table(
    "subject_paths",
    metadata,
    Column("subject_id", _ID, ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("path", Text, nullable=False),
    Column("short_path", Text, nullable=False),
)

# Numbers of subjects by status, last outcome, visibility and verification. There are rows for each type in each
# account, and rows for all subjects together, whose three keys are empty. Each transaction that changes a subject
# updates one of several shards, so that transactions rarely wait for each other.
totals = Table(
    "totals",
    metadata,
    Column("platform_key", String(64), primary_key=True),
    Column("account_key", String(512), primary_key=True),
    Column("type_key", String(64), primary_key=True),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("status", String(16), primary_key=True),
    Column("last_finished", String(16), primary_key=True),
    Column("visibility", String(16), primary_key=True),
    Column("verification", String(16), primary_key=True),
    Column("subjects", BigInteger, nullable=False),
)

# One row.
identity = Table(
    "identity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # Part of the cache's keys. A restore changes it, so that entries cached since the backup are never found.
    Column("cache_identity", String(32), nullable=False),
    # In a backup: the time its contents are from.
    Column("backed_up_at", Moment),
)

# One row: which process watches for changes.
watcher = Table(
    "watcher",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # A random name; empty if no process holds the lease.
    Column("holder", String(32), nullable=False),
    # Incremented by each renewal, so that others can see that the holder is alive, whatever the clocks say.
    Column("renewals", BigInteger, nullable=False),
    # Whether the subjects have been recorded once; changes are reported from then on.
    Column("is_primed", Boolean, nullable=False),
    # The time up to which changes in the catalogue have been seen.
    Column("glanced_at", Moment),
)

# What the watcher last saw of each subject.
watched = Table(
    "watched",
    metadata,
    # SHA-256 of the subject's key.
    Column("digest", String(64), primary_key=True),
    Column("path", Text, nullable=False),
    Column("is_public", Boolean, nullable=False),
    # Null if nothing definite is known yet.
    Column("condition", String(16)),
    Column("unknown_since", Moment),
    # A JSON list: the times of its latest changes of condition, in microseconds since 1970.
    Column("changes", Text, nullable=False),
    Column("is_flapping", Boolean, nullable=False),
    # The start of the last finished run that was seen, 1970 if there was none; null if it isn't known.
    Column("last_run", Moment),
    # The state of its verifications: fine, failed or tooOld (`Verdict`).
    Column("verdict", String(16), nullable=False),
)

# Messages that wait to be delivered, and those that could not be.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("channel", String(32), nullable=False),
    # The subject's digest; empty for a message about several subjects.
    Column("digest", String(64), nullable=False),
    Column("message_id", String(36), nullable=False),
    # The message as JSON.
    Column("message", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    # Why the last attempt failed, or why the service gave up without another one.
    Column("failure", String(32)),
    # If set, there are no more attempts.
    Column("given_up_at", Moment),
)

Index("ix_outbox_channel", outbox.c.channel, outbox.c.given_up_at, outbox.c.id)

# The entries of the feeds: "public" is for everyone, "all" includes private subjects.
feed = Table(
    "feed",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("audience", String(8), nullable=False),
    Column("message_id", String(36), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

Index("ix_feed_audience", feed.c.audience, feed.c.id)
