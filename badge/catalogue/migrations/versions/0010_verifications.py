"""Verifications: restore tests and checks of a subject's backups, and totals by their outcome."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

SCOPE = {"platform_key": 64, "account_key": 512, "type_key": 64}
COUNTED = ["status", "last_finished", "visibility"]
KIND, ACCOUNT = ["status", "last_finished"], ["platform_key", "account_key"]


def create_totals(counted: list[str]) -> None:
    """Count the subjects anew, by these columns."""
    op.drop_table("totals")
    columns: list[sa.Column[Any]] = [sa.Column(name, sa.String(size), primary_key=True) for name, size in SCOPE.items()]
    columns.append(sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False))
    columns += (sa.Column(name, sa.String(16), primary_key=True) for name in counted)
    op.create_table("totals", *columns, sa.Column("subjects", sa.BigInteger, nullable=False))
    values = ", ".join(f"COALESCE({name}, '')" for name in counted)
    names = ", ".join((*SCOPE, "shard", *counted, "subjects"))
    for scope, first in (("'', '', ''", len(SCOPE) + 1), (", ".join(SCOPE), 1)):
        groups = ", ".join(map(str, range(first, len(SCOPE) + len(counted) + 2)))
        op.execute(
            f"INSERT INTO totals ({names}) SELECT {scope}, id % 16, {values}, COUNT(*) "  # noqa: S608 - column names
            f"FROM subjects WHERE revision > 0 GROUP BY {groups}"
        )


def create_partial_index(name: str, columns: list[str], needed: str) -> None:
    """Create an index of the subjects that have a value in the column `needed`."""
    has_value = sa.column(needed).is_not(None)
    op.create_index(name, "subjects", columns, sqlite_where=has_value, postgresql_where=has_value)


def create_indexes(more: list[str]) -> None:
    """Create the covering indexes for totals, with the additional columns in `more`."""
    rest = ["stale_after", "visibility", *more]
    op.create_index("ix_subjects_overdue", "subjects", ["overdue_at", "id", *COUNTED, *more])
    op.create_index("ix_subjects_status", "subjects", [*KIND, "overdue_at", "visibility", "stale_after", *more])
    success = [*ACCOUNT, *KIND, "last_success_at", "type_key", "overdue_at", *rest]
    op.create_index("ix_subjects_account_success", "subjects", success)
    stale = ["stale_after", "overdue_at", *COUNTED, *more]
    create_partial_index("ix_subjects_stale", stale, "stale_after")
    stale = [*ACCOUNT, "stale_after", "type_key", "overdue_at", *COUNTED, *more]
    create_partial_index("ix_subjects_account_stale", stale, "stale_after")
    overdue = [*ACCOUNT, *KIND, "overdue_at", "type_key", *rest]
    create_partial_index("ix_subjects_account_overdue", overdue, "overdue_at")


def drop_indexes() -> None:
    for name in ("overdue", "stale", "status", "account_overdue", "account_stale", "account_success"):
        op.drop_index(f"ix_subjects_{name}")


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
    create_totals([*COUNTED, "verification"])
    drop_indexes()
    create_indexes(["verification"])
    current = ["overdue_at", "stale_after", "visibility", "verification"]
    op.create_index("ix_subjects_success", "subjects", [*KIND, "last_success_at", *current])
    verified = ["verification", "verified_at", *KIND, "overdue_at", "stale_after", "visibility", "last_success_at"]
    create_partial_index("ix_subjects_verified", verified, "verification")
    create_partial_index("ix_subjects_account_verified", [*ACCOUNT, *verified, "type_key"], "verification")


def downgrade() -> None:
    op.drop_index("ix_subjects_account_verified")
    op.drop_index("ix_subjects_verified")
    op.drop_index("ix_subjects_success")
    drop_indexes()
    create_indexes([])
    create_totals(COUNTED)
    op.drop_table("verifications")
    for name in ("verified_how", "verified_at", "verification"):
        op.drop_column("subjects", name)
