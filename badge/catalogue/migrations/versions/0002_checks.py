"""Checks: expected backups, which report by ping."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("subjects", sa.Column("due_at", Moment))
    op.add_column("subjects", sa.Column("overdue_at", Moment))
    op.create_index("ix_subjects_overdue_at", "subjects", ["overdue_at"])
    op.create_index("ix_subjects_account_key", "subjects", ["account_key"])
    op.add_column("runs", sa.Column("run_id", sa.String(36)))
    op.create_table(
        "checks",
        sa.Column(
            "subject_id",
            ID,
            sa.ForeignKey("subjects.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("prefix", sa.String(8), nullable=False),
        sa.Column("slug", sa.String(100)),
        sa.Column("every_seconds", sa.Integer, nullable=False),
        sa.Column("grace_seconds", sa.Integer, nullable=False),
        sa.Column("since", Moment, nullable=False),
    )
    op.create_index("ix_checks_slug", "checks", ["slug"])


def downgrade() -> None:
    op.drop_table("checks")
    op.drop_column("runs", "run_id")
    op.drop_index("ix_subjects_account_key")
    op.drop_index("ix_subjects_overdue_at")
    op.drop_column("subjects", "overdue_at")
    op.drop_column("subjects", "due_at")
