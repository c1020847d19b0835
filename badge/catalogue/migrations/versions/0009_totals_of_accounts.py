"""Totals of each account, for summaries, and indexes to count what becomes overdue or outdated in it."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COUNTED = ["status", "last_finished", "visibility"]
FILL = (
    "INSERT INTO totals ({columns}) SELECT {scope} id % 16, status, COALESCE(last_finished, ''), visibility, COUNT(*) "
    "FROM subjects WHERE revision > 0 GROUP BY {groups}"
)


def create_totals(scope: Mapping[str, int]) -> str:
    """Create the table; return the names of its columns."""
    columns: list[sa.Column[Any]] = [sa.Column(name, sa.String(size), primary_key=True) for name, size in scope.items()]
    columns.append(sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False))
    columns += (sa.Column(name, sa.String(16), primary_key=True) for name in COUNTED)
    columns.append(sa.Column("subjects", sa.BigInteger, nullable=False))
    op.create_table("totals", *columns)
    return ", ".join(column.name for column in columns)


def upgrade() -> None:
    # A deletion is final: it does not become outdated.
    op.execute("UPDATE subjects SET stale_after = NULL, next_run_at = NULL WHERE status = 'deleted'")
    op.drop_table("totals")
    names = create_totals({"platform_key": 64, "account_key": 512, "type_key": 64})
    op.execute(FILL.format(columns=names, scope="'', '', '',", groups="4, 5, 6, 7"))
    op.execute(FILL.format(columns=names, scope="platform_key, account_key, type_key,", groups="1, 2, 3, 4, 5, 6, 7"))
    account, kind = ["platform_key", "account_key"], ["status", "last_finished"]
    op.drop_index("ix_subjects_status")
    op.create_index("ix_subjects_status", "subjects", [*kind, "overdue_at", "visibility", "stale_after"])
    is_expected, has_end = (sa.column(name, Moment).is_not(None) for name in ("overdue_at", "stale_after"))
    overdue = [*account, *kind, "overdue_at", "type_key", "stale_after", "visibility"]
    stale = [*account, "stale_after", "type_key", "overdue_at", *COUNTED]
    success = [*account, *kind, "last_success_at", "type_key", "overdue_at", "stale_after", "visibility"]
    op.create_index(
        "ix_subjects_account_overdue", "subjects", overdue, sqlite_where=is_expected, postgresql_where=is_expected
    )
    op.create_index("ix_subjects_account_stale", "subjects", stale, sqlite_where=has_end, postgresql_where=has_end)
    op.create_index("ix_subjects_account_success", "subjects", success)


def downgrade() -> None:
    for index in ("success", "stale", "overdue"):
        op.drop_index(f"ix_subjects_account_{index}")
    op.drop_index("ix_subjects_status")
    op.create_index("ix_subjects_status", "subjects", COUNTED)
    op.drop_table("totals")
    op.execute(FILL.format(columns=create_totals({}), scope="", groups="1, 2, 3, 4"))
