"""An account's summary on the dashboard: the badge in its heading, and what to paste into a README."""

from __future__ import annotations

from dataclasses import dataclass

from badge.appearance import summary_alt_text
from badge.model import InvalidSubject, SubjectScope
from badge.web.pages.choices import NO_ADDRESS
from badge.web.pages.search import Search
from badge.web.paths import Paths
from badge.web.snippets import SYNTAX_NAMES, Snippet, Syntax


@dataclass(frozen=True, slots=True)
class AccountBadge:
    """The badge of an account."""

    scope: SubjectScope
    paths: Paths
    public_origin: str
    """Empty if not known."""
    placeholder: str = NO_ADDRESS
    """Stands in for the origin in snippets; the page's script replaces it with the page's own origin."""

    @property
    def alt(self) -> str:
        """The alternative text of its image."""
        return summary_alt_text(self.scope)

    @property
    def image(self) -> str:
        """The path of its image."""
        return self.paths.summary(self.scope)

    @property
    def address(self) -> str:
        """The path of the page that shows only this account, with the snippets."""
        search = Search(platform=self.scope.platform, account=self.scope.account)
        return f"{self.paths.to(search.own_path())}#account-badge"

    @property
    def snippets(self) -> dict[Syntax, tuple[str, str]]:
        """Name and text of each snippet."""
        made = Snippet(f"{self.public_origin or NO_ADDRESS}{self.image}", "", self.alt)
        return {syntax: (SYNTAX_NAMES[syntax], made.written_in(syntax)) for syntax in (Syntax.URL, Syntax.MARKDOWN)}


def scope_named(platform: str, account: str) -> SubjectScope | None:
    """Return the account with this name; None if it can't be one."""
    try:
        return SubjectScope.parse(platform, account)
    except InvalidSubject:
        return None
