"""Verifications: restore tests and checks of a subject's backups."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    for column in (
        sa.Column("verification", sa.String(16)),
        sa.Column("verified_at", Moment),
        sa.Column("verified_how", sa.String(16)),
    ):
        op.add_column("subjects", column)
    op.create_table(
        "verifications",
        sa.Column(
            "subject_id",
            ID,
            sa.ForeignKey("subjects.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("outcome", sa.String(16), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("is_time_reported", sa.Boolean, nullable=False),
        sa.Column("how", sa.String(16)),
    )


def downgrade() -> None:
    op.drop_table("verifications")
    for name in ("verified_how", "verified_at", "verification"):
        op.drop_column("subjects", name)
