"""API keys limited to some subjects; scopes for what `report` used to include; private tokens that can be revoked."""

import sqlalchemy as sa
from alembic import op

from badge.catalogue.schema import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

api_keys = sa.table("api_keys", sa.column("scopes", sa.String))


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("patterns", sa.Text))
    op.create_table(
        "private_tokens",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("patterns", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_used_at", Moment),
    )
    for before in op.get_bind().execute(sa.select(api_keys.c.scopes).distinct()).scalars().all():
        words = set(before.split())
        if "report" in words:
            # Until now, a report could make a subject public, and its answer was the subject's whole status.
            after = " ".join(sorted(words | {"read", "visibility"}))
            op.execute(api_keys.update().where(api_keys.c.scopes == before).values(scopes=after))


def downgrade() -> None:
    op.drop_table("private_tokens")
    op.drop_column("api_keys", "patterns")
    for before in op.get_bind().execute(sa.select(api_keys.c.scopes).distinct()).scalars().all():
        after = " ".join(word for word in before.split() if word != "visibility")
        op.execute(api_keys.update().where(api_keys.c.scopes == before).values(scopes=after))
