"""An index for lists that begin with what needs attention."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_subjects_last_success", "subjects", ["status", "last_success_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_subjects_last_success")
