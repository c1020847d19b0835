"""Fixtures of the web tests."""

import pytest

from tests.site import Site


@pytest.fixture
def site() -> Site:
    return Site()
