"""Subjects, their runs, and API keys."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "subjects",
        sa.Column("id", ID, primary_key=True),
        sa.Column("platform_key", sa.String(64), nullable=False),
        sa.Column("account_key", sa.String(512), nullable=False),
        sa.Column("type_key", sa.String(64), nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", Moment),
        sa.Column("finished_at", Moment),
        sa.Column("last_success_at", Moment),
        sa.Column("last_finished", sa.String(16)),
        sa.Column("next_run_at", Moment),
        sa.Column("stale_after", Moment),
        sa.Column("deleted_at", Moment),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("url", sa.Text),
        sa.Column("reason", sa.String(16)),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("visibility_at", Moment, nullable=False),
        sa.Column("enabled", sa.Boolean),
        sa.Column("enabled_at", Moment),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.UniqueConstraint("platform_key", "account_key", "type_key", "name_key", name="uq_subjects_key"),
    )
    op.create_index("ix_subjects_updated_at", "subjects", ["updated_at"])
    op.create_table(
        "runs",
        sa.Column("id", ID, primary_key=True),
        sa.Column("subject_id", ID, sa.ForeignKey("subjects.id", ondelete="CASCADE"), nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("event_at", Moment, nullable=False),
        sa.Column("finished_at", Moment),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("next_run_at", Moment),
        sa.Column("stale_after", Moment),
        sa.Column("url", sa.Text),
        sa.Column("reason", sa.String(16)),
        sa.UniqueConstraint("subject_id", "started_at", name="uq_runs_start"),
    )
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("scopes", sa.String(64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("last_used_at", Moment),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_table("runs")
    op.drop_table("subjects")
