"""Sequence numbers of runs and deletions, so that the order of events doesn't depend on clocks."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FINISH_RUNS = """
    UPDATE runs SET finished_at = event_at WHERE finished_at IS NULL AND status IN ('succeeded', 'failed')
"""
# Until now, the start alone decided the order. A deletion was above the runs that had started by then.
NUMBER_RUNS = """
    UPDATE runs SET happened_at = event_at, sequence = numbered.place
    FROM (SELECT runs.id, row_number() OVER (PARTITION BY subject_id ORDER BY runs.started_at)
              + CASE WHEN runs.started_at > subjects.deleted_at THEN 1 ELSE 0 END AS place
          FROM runs JOIN subjects ON subjects.id = runs.subject_id) AS numbered
    WHERE runs.id = numbered.id
"""
NUMBER_DELETIONS = """
    UPDATE subjects SET deleted_sequence = 1 + (
        SELECT count(*) FROM runs WHERE subject_id = subjects.id AND started_at <= subjects.deleted_at)
    WHERE deleted_at IS NOT NULL
"""
FIND_ENDS = """
    UPDATE subjects SET ended_at = (
        SELECT finished_at FROM runs WHERE subject_id = subjects.id AND status IN ('succeeded', 'failed')
        ORDER BY started_at DESC LIMIT 1)
"""


def upgrade() -> None:
    op.add_column("runs", sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"))
    # Unknown for older runs: if they were reported by pings, their starts are times of receipt.
    op.add_column("runs", sa.Column("is_start_reported", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("happened_at", Moment))
    op.add_column("subjects", sa.Column("deleted_sequence", sa.BigInteger))
    op.add_column("subjects", sa.Column("ended_at", Moment))
    for statement in (FINISH_RUNS, NUMBER_RUNS, NUMBER_DELETIONS, FIND_ENDS):
        op.execute(statement)
    op.create_index("ix_subjects_ended_at", "subjects", ["ended_at"])
    op.drop_column("runs", "event_at")
    op.drop_column("subjects", "visibility_at")
    op.drop_column("subjects", "enabled_at")


def downgrade() -> None:
    op.add_column("subjects", sa.Column("visibility_at", Moment, nullable=False, server_default="0"))
    op.add_column("subjects", sa.Column("enabled_at", Moment))
    op.add_column("runs", sa.Column("event_at", Moment, nullable=False, server_default="0"))
    op.execute("UPDATE runs SET event_at = coalesce(happened_at, finished_at, started_at)")
    op.execute("UPDATE subjects SET visibility_at = updated_at, enabled_at = updated_at")
    op.drop_index("ix_subjects_ended_at")
    for column in ("sequence", "is_start_reported", "happened_at"):
        op.drop_column("runs", column)
    for column in ("deleted_sequence", "ended_at"):
        op.drop_column("subjects", column)
