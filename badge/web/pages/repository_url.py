"""Parses what people paste to name a repository: a page, clone or badge URL, or coordinates. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from badge.model import InvalidSubject, Subject, decode_segment
from badge.raw_path import BADGE_ROOT
from badge.web.badges.request import read_badge_request
from badge.web.paths import DASHBOARD_ROOT

_UNDERSTOOD = "give the URL of a repository on GitHub, GitLab or Azure DevOps, or platform/account/type/name"
_OWN_ROOTS = (BADGE_ROOT, DASHBOARD_ROOT)
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
"""Hosts that offer SSH on port 443, as documented by GitHub and GitLab."""

_SCHEME = re.compile(r"(?:git\+)?(?:https?|ssh|git)://")
# Without a scheme: a known host, or any host with a path of this service.
_BARE = re.compile(
    r"(?:(?:www\.)?(?:github|gitlab)\.com|dev\.azure\.com|[\w-]+\.visualstudio\.com)/"
    r"|(?:localhost|[\w-]+(?:\.[\w-]+)+|\[[\da-f:]+\])(?::\d+)?/(?:badge|dashboard)/",
    re.IGNORECASE,
)
# [user@]host:path; without a user only for known hosts. A number before a path with `_git` or `_ssh` is a port,
# as in old URLs of Azure DevOps.
_SCP_LIKE = re.compile(
    r"(?:[\w.-]+@(?P<host>[\w.-]+)[:/]|(?P<bare>(?:github|gitlab)\.com):)(?:\d+/(?=.*/_(?:git|ssh)/))?(?P<path>.+)",
    re.IGNORECASE,
)
# npm writes git+ssh://git@host:owner/name, with the owner in place of a port.
_OWNER_AS_PORT = re.compile(r"^(ssh://(?:[^@/]+@)?[\w.-]+):(?!\d+/)")
# A URL within other text ends where it would in Markdown, HTML and similar syntaxes.
_WITHIN = re.compile(
    rf"{_SCHEME.pattern}(?:[^\s/@]+@)?(?:\[[\da-f:]+\])?[^\s<>\"'()\[\]|!]+" + r"|(?<=\s)[\w.-]+@[\w.-]+:\S+"
)


def address_in(typed: str) -> str:
    """Return the URL within a text, such as a `git clone` command or Markdown; else the text itself."""
    text = typed.strip()
    is_whole = text.startswith(_OWN_ROOTS) or _SCHEME.match(text) or _BARE.match(text)
    # Coordinates have no empty segments, so text with "://" can't be coordinates.
    if is_whole or not ("://" in text or text.startswith("git ")):
        return text
    found = _WITHIN.search(text)
    return found[0] if found else text


def subject_named(typed: str) -> Subject:
    """Return the subject that a text names; raises `InvalidSubject` with a message for the user."""
    text = address_in(typed)
    if text.startswith(_OWN_ROOTS):
        return _of_this_service(text.partition("?")[0])
    if _BARE.match(text):
        return _of_url(f"https://{text}")
    if _SCHEME.match(text):
        return _of_url(text.removeprefix("git+"))
    if "://" in text:
        raise InvalidSubject(_UNDERSTOOD)
    if scp_like := _SCP_LIKE.fullmatch(text):
        return _on(scp_like["host"] or scp_like["bare"], scp_like["path"])
    return _of_coordinates(text.strip("/"))


def subject_at(typed: str) -> Subject | None:
    """Return the subject that a URL names; None for search words and other URLs."""
    text = address_in(typed)
    if not (text.startswith(_OWN_ROOTS) or any(form.match(text) for form in (_SCHEME, _BARE, _SCP_LIKE))):
        return None
    try:
        return subject_named(text)
    except InvalidSubject:
        return None


def _of_url(url: str) -> Subject:
    try:
        parts = urlsplit(_OWNER_AS_PORT.sub(r"\1/", url))
    except ValueError:
        raise InvalidSubject(_UNDERSTOOD) from None
    return _on(parts.hostname or "", parts.path)


def _of_coordinates(path: str) -> Subject:
    owner, _, name = path.partition("/")
    if "/" in name or not name:
        return Subject.from_path(path)
    # Two segments may be copied from a URL, with its query, fragment or `.git`.
    if ":" in owner:
        raise InvalidSubject(_UNDERSTOOD)
    return Subject.from_path(f"{owner}/{re.split('[?#]', name)[0].removesuffix('.git')}")


def _on(host: str, path: str) -> Subject:
    host = host.lower().removeprefix("www.")
    host = _SSH_HOSTS.get(host, host)
    path = path.strip("/")
    if f"/{path}".startswith(_OWN_ROOTS):
        return _of_this_service(f"/{path}")
    segments = [decode_segment(segment) for segment in path.split("/") if segment]
    if host == "github.com" or host.endswith(".ghe.com"):
        return _github(segments)
    if host in ("dev.azure.com", "ssh.dev.azure.com") or host.endswith(".visualstudio.com"):
        return _azure_devops(host, segments)
    if host == "gitlab.com" or host.startswith("gitlab."):
        return _gitlab(segments)
    raise InvalidSubject(_UNDERSTOOD)


def _of_this_service(path: str) -> Subject:
    if not path.startswith(BADGE_ROOT):
        return Subject.from_path(path.removeprefix(DASHBOARD_ROOT))
    request = read_badge_request({"RAW_URI": path}, {}, "")
    if request.subject is None:
        raise InvalidSubject(request.fault)
    return request.subject


def _github(segments: Sequence[str]) -> Subject:
    """`/owner/name/…`."""
    if len(segments) < 2:
        raise InvalidSubject(_UNDERSTOOD)
    return Subject.legacy(segments[0], segments[1].removesuffix(".git"))


def _gitlab(segments: Sequence[str]) -> Subject:
    """`/group/subgroup/…/name/-/…`: groups can be nested; what follows the dash is a page of the repository."""
    inner = list(segments[: segments.index("-")] if "-" in segments else segments)
    if len(inner) < 2:
        raise InvalidSubject(_UNDERSTOOD)
    return Subject.parse("GitLab", "/".join(inner[:-1]), "Repository", inner[-1].removesuffix(".git"))


_NO_NAMES = ("_git", "_ssh", "defaultcollection")


def _azure_devops(host: str, segments: Sequence[str]) -> Subject:
    """`/organisation/project/_git/name`, and its old and SSH forms. A missing project has the repository's name."""
    if segments[:1] == ["v3"]:  # git@ssh.dev.azure.com:v3/organisation/project/name
        _, *inner = segments
    else:
        old_host = [host.removesuffix(".visualstudio.com")] if host.endswith(".visualstudio.com") else []
        inner = [*old_host, *(part for part in segments if part.lower() not in _NO_NAMES)]
    if len(inner) == 2 and "_git" in segments:
        inner.append(inner[1])
    if len(inner) < 3:
        raise InvalidSubject(_UNDERSTOOD)
    organisation, project, name = inner[:3]
    return Subject.parse("AzureDevOps", organisation, "Repository", f"{project}/{name}")
