"""`python -m badge …`: the `badge` command where no script of that name is installed."""

from badge.cli import badge

badge(prog_name="badge")
