"""Fixtures of the web tests."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.dashboard import Dashboard, Dashboards
from tests.site import Site


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def dashboards(tmp_path: Path) -> Iterator[Dashboards]:
    """Yield a function that creates services with a catalogue, which are closed when the test ends."""
    with ExitStack() as until_the_end:

        def dashboard(folder: Path = tmp_path, **settings: str) -> Dashboard:
            return until_the_end.enter_context(closing(Dashboard(folder, **settings)))

        yield dashboard
