"""Access to the dashboard: the interface for pages, and access without a login (with one, see `sessions.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from badge.web.page import enumerated, message


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who may see the dashboard."""

    sees_private: bool = True

    def named(self, *sources: str) -> str:
        """Join the names of sources, or hide them from viewers who must not learn them."""
        return enumerated(sources) if self.sees_private else "a source of this service"


class Access(Protocol):
    """Decides whether the current request may see the dashboard."""

    def viewer(self) -> Viewer | None:
        """Return the viewer, or None if the request may not see the dashboard."""
        ...

    def refusal(self) -> AnyResponse:
        """Return the response for refused requests; it names no subject."""
        ...


class LogIn(Protocol):
    """A way to log in."""

    def add_routes(self, pages: Blueprint) -> None:
        """Add its routes, including /login and /logout."""
        ...


class OpenAccess:
    """Access for everybody, to public subjects."""

    def viewer(self) -> Viewer | None:
        """Admit everybody, but only to public subjects."""
        return Viewer(sees_private=False)

    def refusal(self) -> AnyResponse:
        """Never called, because nobody is refused."""
        raise AssertionError


class NoAccess:
    """No access: the dashboard is turned off."""

    def viewer(self) -> Viewer | None:
        """Admit nobody."""
        return None

    def refusal(self) -> AnyResponse:
        """Return a page that says there is no dashboard."""
        return message(404, "Dashboard not available", "The operator has turned it off.")
