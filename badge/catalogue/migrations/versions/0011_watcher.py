"""The watcher: its lease, what it last saw, the outbox of notifications, and the feed."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    watcher = op.create_table(
        "watcher",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("renewals", sa.BigInteger, nullable=False),
        sa.Column("is_primed", sa.Boolean, nullable=False),
        sa.Column("glanced_at", Moment),
    )
    op.bulk_insert(watcher, [{"id": 1, "holder": "", "renewals": 0, "is_primed": False}])
    op.create_table(
        "watched",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("is_public", sa.Boolean, nullable=False),
        sa.Column("condition", sa.String(16)),
        sa.Column("unknown_since", Moment),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("is_flapping", sa.Boolean, nullable=False),
        sa.Column("last_run", Moment),
        sa.Column("verdict", sa.String(16), nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", ID, primary_key=True),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(36), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", Moment, nullable=False),
        sa.Column("failure", sa.String(32)),
        sa.Column("given_up_at", Moment),
    )
    op.create_index("ix_outbox_channel", "outbox", ["channel", "given_up_at", "id"])
    op.create_table(
        "feed",
        sa.Column("id", ID, primary_key=True),
        sa.Column("audience", sa.String(8), nullable=False),
        sa.Column("message_id", sa.String(36), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_index("ix_feed_audience", "feed", ["audience", "id"])


def downgrade() -> None:
    for table in ("feed", "outbox", "watched", "watcher"):
        op.drop_table(table)
