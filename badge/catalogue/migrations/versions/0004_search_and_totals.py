"""What the dashboard reads: paths to search, stored totals, and indexes."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
AT_ONCE = 5_000

NAMES = [sa.Column(name, sa.Text) for name in ("platform", "account", "type", "name")]
subjects = sa.table("subjects", sa.Column("id", ID), *NAMES)


def upgrade() -> None:
    counted = ["status", "last_finished", "visibility"]
    op.drop_index("ix_subjects_overdue_at")
    op.drop_index("ix_subjects_updated_at")
    op.create_index("ix_subjects_overdue", "subjects", ["overdue_at", "id", *counted])
    op.create_index("ix_subjects_updated", "subjects", ["updated_at", "id"])
    has_end = sa.column("stale_after", Moment).is_not(None)
    op.create_index(
        "ix_subjects_stale",
        "subjects",
        ["stale_after", "overdue_at", *counted],
        sqlite_where=has_end,
        postgresql_where=has_end,
    )
    op.create_index("ix_subjects_status", "subjects", counted)
    paths = op.create_table(
        "subject_paths",
        sa.Column(
            "subject_id",
            ID,
            sa.ForeignKey("subjects.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("short_path", sa.Text, nullable=False),
    )
    fill(paths)
    op.create_table(
        "totals",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String(16), primary_key=True),
        sa.Column("last_finished", sa.String(16), primary_key=True),
        sa.Column("visibility", sa.String(16), primary_key=True),
        sa.Column("subjects", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO totals (shard, status, last_finished, visibility, subjects) "
        "SELECT id % 16, status, COALESCE(last_finished, ''), visibility, COUNT(*) "
        "FROM subjects WHERE revision > 0 GROUP BY 1, 2, 3, 4"
    )


def fill(paths: sa.Table) -> None:
    """Write the paths of all subjects; in Python, because SQLite's LOWER handles only ASCII letters."""
    connection, last = op.get_bind(), 0
    while rows := connection.execute(
        sa.select(subjects).where(subjects.c.id > last).order_by(subjects.c.id).limit(AT_ONCE)
    ).all():
        connection.execute(paths.insert(), [path_row(*row) for row in rows])
        last = rows[-1].id


def path_row(subject_id: int, platform: str, account: str, type: str, name: str) -> dict[str, object]:
    path, short_path = f"{platform}/{account}/{type}/{name}", f"{platform}/{account}/{name}"
    return {"subject_id": subject_id, "path": path.lower(), "short_path": short_path.lower()}


def downgrade() -> None:
    op.drop_table("totals")
    op.drop_table("subject_paths")
    op.drop_index("ix_subjects_status")
    op.drop_index("ix_subjects_stale")
    op.drop_index("ix_subjects_updated")
    op.drop_index("ix_subjects_overdue")
    op.create_index("ix_subjects_updated_at", "subjects", ["updated_at"])
    op.create_index("ix_subjects_overdue_at", "subjects", ["overdue_at"])
