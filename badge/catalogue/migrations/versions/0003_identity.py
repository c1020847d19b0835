"""The catalogue's identity in cache keys and, in a backup, the time at which it was made."""

import secrets

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    identity = op.create_table(
        "identity",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("cache_identity", sa.String(32), nullable=False),
        sa.Column("backed_up_at", Moment),
    )
    op.bulk_insert(identity, [{"id": 1, "cache_identity": secrets.token_hex(16)}])


def downgrade() -> None:
    op.drop_table("identity")
