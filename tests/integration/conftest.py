"""For tests with real servers."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_garbage_collection_during_deep_json(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep the garbage collector from running while a deeply nested document is parsed.

    pytest's hook for errors in finalizers is Python code, and would itself fail at the recursion limit.
    """
    if "deep-json" not in request.node.name:
        yield
        return
    gc.collect()
    gc.disable()
    yield
    gc.enable()
