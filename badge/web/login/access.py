"""Access to the dashboard: one class for each way that `BADGE_DASHBOARD` offers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from flask import Blueprint, redirect, request, session
from werkzeug.wrappers import Response as AnyResponse

from badge.web.local_only import is_local
from badge.web.page import enumerated, message
from badge.web.paths import DASHBOARD, Paths
from badge.web.raw_path import raw_path

LOGGED_IN = "logged-in"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who may see the dashboard."""

    sees_private: bool = True

    def named(self, *sources: str) -> str:
        """Join the names of sources, or hide them from viewers who may not know them."""
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


@dataclass(frozen=True, slots=True)
class LocalAccess:
    """Access from the machine that runs the service."""

    paths: Paths

    def viewer(self) -> Viewer | None:
        """Admit local requests."""
        return Viewer() if is_local(request.environ) else None

    def refusal(self) -> AnyResponse:
        """Return a page that explains how to reach the dashboard from another machine."""
        explained = (
            "The dashboard is only available on the machine that runs the service, at a loopback address such as "
            f"http://127.0.0.1:8000{self.paths.to(DASHBOARD)}. From another machine, forward a port to it: "
            "ssh -L 8000:127.0.0.1:8000 your-server. If the service runs in a container, or to give others access, "
            "set BADGE_DASHBOARD=token and BADGE_DASHBOARD_TOKEN."
        )
        return message(403, "Only available on the server itself", explained)


class OpenAccess:
    """Access for everybody, to public subjects."""

    def viewer(self) -> Viewer | None:
        """Admit everybody, without private subjects."""
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


@dataclass(frozen=True, slots=True)
class SessionAccess:
    """Access for those who have logged in, by a signed cookie."""

    credential: str
    """What logins are checked against; changing it ends all sessions."""
    paths: Paths

    def viewer(self) -> Viewer | None:
        """Admit sessions that were started with this credential."""
        return Viewer() if session.get(LOGGED_IN) == self._mark else None

    def refusal(self) -> AnyResponse:
        """Redirect to the login page, which returns to the requested page."""
        query = request.query_string.decode("latin-1")
        wanted = raw_path(request.environ) + (f"?{query}" if query else "")
        return redirect(self.paths.to(f"/login?{urlencode({'next': wanted})}"), 303)

    def admit(self) -> None:
        """Start a new session for this browser."""
        session.clear()
        session.permanent = True
        session[LOGGED_IN] = self._mark

    @property
    def _mark(self) -> str:
        # Cookies are signed but not encrypted, so they hold a hash of the credential.
        return hashlib.sha256(f"badge dashboard {self.credential}".encode()).hexdigest()[:32]
