"""Where a badge in a README leads: to its status page, to the repository, or nowhere. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from badge.model import Subject
from badge.settings import Settings


class Link(StrEnum):
    """What a badge links to."""

    STATUS = "status"
    """Its public status page."""
    REPOSITORY = "repository"
    """The repository's page on its platform."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """What the operator lets badges link to."""

    default: Link = Link.STATUS
    has_status_pages: bool = True

    @property
    def usual(self) -> Link:
        """The default, or the repository if the default is the status page and there are no status pages."""
        return self.default if self.default in self.offered else Link.REPOSITORY

    @property
    def offered(self) -> list[Link]:
        """The links to choose from."""
        return [link for link in Link if link is not Link.STATUS or self.has_status_pages]


USUAL_LINKS = LinkPolicy()


def link_policy(settings: Settings) -> LinkPolicy:
    """Return what the settings say about links."""
    return LinkPolicy(Link(settings.link), settings.status_pages == "on")


_SERVERS = {
    "GitHub": "https://github.com",
    "GitLab": "https://gitlab.com",
    "AzureDevOps": "https://dev.azure.com",
    "Bitbucket": "https://bitbucket.org",
    "Codeberg": "https://codeberg.org",
}
"""Where the repositories of a platform are, unless another server is known."""


def repository_url(subject: Subject, server: str = "") -> str | None:
    """Return the URL of a repository's page; None if the subject is not a repository, or its server is not known.

    `server`: start of the server's URLs, if the platform does not imply the server.
    """
    at = server or _SERVERS.get(subject.platform)
    if subject.type != "Repository" or at is None:
        return None
    account, name = quote(subject.account, safe="/"), quote(subject.name, safe="/")
    if subject.platform == "AzureDevOps":
        project, slash, repository = name.partition("/")
        return f"{at}/{account}/{project}/_git/{repository}" if slash else None
    if subject.platform == "Bitbucket" and server:  # Bitbucket Data Center
        owner = f"users/{account[1:]}" if account.startswith("~") else f"projects/{account}"
        return f"{at}/{owner}/repos/{name}"
    return f"{at}/{account}/{name}"
