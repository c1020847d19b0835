"""For tests with real servers."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_collection_in_the_depths_of_a_document(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect garbage before a deeply nested document is parsed, not meanwhile.

    pytest reports errors of finalizers by Python code, which fails at the recursion limit.
    """
    if "deep-json" not in request.node.name:
        yield
        return
    gc.collect()
    gc.disable()
    yield
    gc.enable()
