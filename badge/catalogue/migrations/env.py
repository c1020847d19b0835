"""Alembic's entry point; `upgrade` in badge.catalogue.migration passes the connection."""

from alembic import context

from badge.catalogue.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
