"""Who may see the dashboard: the ways of `BADGE_DASHBOARD`."""

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
        """What sources are called, for those who may know that."""
        return enumerated(sources) if self.sees_private else "a source of this service"


class Access(Protocol):
    """One way of telling who may see the dashboard, by the request at hand."""

    def viewer(self) -> Viewer | None:
        """Who is asking; None for those who may not see it."""
        ...

    def refusal(self) -> AnyResponse:
        """What those see instead; it names no subject."""
        ...


class LogIn(Protocol):
    """One way to log in."""

    def add_routes(self, pages: Blueprint) -> None:
        """Its routes, /login and /logout among them."""
        ...


@dataclass(frozen=True, slots=True)
class LocalAccess:
    """Whoever sits at the machine itself."""

    paths: Paths

    def viewer(self) -> Viewer | None:
        """Whoever asks from this machine."""
        return Viewer() if is_local(request.environ) else None

    def refusal(self) -> AnyResponse:
        """A page that says how to reach the dashboard from elsewhere."""
        explained = (
            "The dashboard is shown on the machine that runs the service, at a loopback address such as "
            f"http://127.0.0.1:8000{self.paths.to(DASHBOARD)}. From elsewhere, forward a port to it: "
            "ssh -L 8000:127.0.0.1:8000 your-server. To a service in a container nobody is on the same machine: "
            "there, and to let others in, set BADGE_DASHBOARD=token and BADGE_DASHBOARD_TOKEN."
        )
        return message(403, "Only from the machine itself", explained)


class OpenAccess:
    """Anybody, for what anybody may know."""

    def viewer(self) -> Viewer | None:
        """Everybody, without private subjects."""
        return Viewer(sees_private=False)

    def refusal(self) -> AnyResponse:
        """Nobody is refused."""
        raise AssertionError


class NoAccess:
    """Nobody: the dashboard is switched off."""

    def viewer(self) -> Viewer | None:
        """Never anybody."""
        return None

    def refusal(self) -> AnyResponse:
        """A page that says there is no dashboard."""
        return message(404, "There is no dashboard here", "The operator has switched it off.")


@dataclass(frozen=True, slots=True)
class SessionAccess:
    """Whoever has logged in, by a signed cookie."""

    credential: str
    """What the log-in was checked against. A changed one ends all sessions."""
    paths: Paths

    def viewer(self) -> Viewer | None:
        """Whoever has a session that was begun with this credential."""
        return Viewer() if session.get(LOGGED_IN) == self._mark else None

    def refusal(self) -> AnyResponse:
        """To the log-in, and from there back to what was asked for."""
        query = request.query_string.decode("latin-1")
        wanted = raw_path(request.environ) + (f"?{query}" if query else "")
        return redirect(self.paths.to(f"/login?{urlencode({'next': wanted})}"), 303)

    def admit(self) -> None:
        """Let this browser in, in a session of its own."""
        session.clear()
        session.permanent = True
        session[LOGGED_IN] = self._mark

    @property
    def _mark(self) -> str:
        # Cookies are signed, not hidden, so that the credential itself stays out of them.
        return hashlib.sha256(f"badge dashboard {self.credential}".encode()).hexdigest()[:32]
