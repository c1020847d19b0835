"""What people paste to name a repository: its page's or clone address, a badge's address, coordinates. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from badge.model import InvalidSubject, Subject, decode_segment
from badge.web.badge_request import BADGE_ROOT, read_badge_request

# git@host:path, where the host may be an alias of ~/.ssh/config no more than a name.
_SCP_LIKE = re.compile(r"(?:ssh://)?[\w.-]+@(?P<host>[\w.-]+)[:/](?P<path>.+)")
_UNDERSTOOD = "give a repository's address on GitHub, GitLab or Azure DevOps, or platform/account/type/name"
_DASHBOARD_ROOT = "/dashboard/"
_OWN_ROOTS = (BADGE_ROOT, _DASHBOARD_ROOT)


def subject_named(typed: str) -> Subject:
    """The subject meant; raises `InvalidSubject`, in words for the one who typed it."""
    text = typed.strip()
    if text.startswith(_OWN_ROOTS):
        return _of_this_service(text.partition("?")[0])
    scp_like = _SCP_LIKE.fullmatch(text)
    if scp_like:
        return _on(scp_like["host"], scp_like["path"])
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidSubject(_UNDERSTOOD) from None
    if parts.scheme in ("http", "https", "ssh", "git"):
        return _on(parts.hostname or "", parts.path)
    if re.match(r"(www\.)?(github|gitlab)\.com/|dev\.azure\.com/|[\w-]+\.visualstudio\.com/", text, re.IGNORECASE):
        return subject_named(f"https://{text}")
    return Subject.from_path(text.strip("/"))


def _on(host: str, path: str) -> Subject:
    host = host.lower().removeprefix("www.")
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
        return Subject.from_path(path.removeprefix(_DASHBOARD_ROOT))
    asked = read_badge_request({"RAW_URI": path}, {}, "")
    if asked.subject is None:
        raise InvalidSubject(asked.fault)
    return asked.subject


def _github(segments: Sequence[str]) -> Subject:
    """`/owner/name/…`."""
    if len(segments) < 2:
        raise InvalidSubject(_UNDERSTOOD)
    return Subject.legacy(segments[0], segments[1].removesuffix(".git"))


def _gitlab(segments: Sequence[str]) -> Subject:
    """`/group/subgroup/…/name/-/…`: groups nest, and what follows the dash is a page within."""
    inner = list(segments[: segments.index("-")] if "-" in segments else segments)
    if len(inner) < 2:
        raise InvalidSubject(_UNDERSTOOD)
    return Subject.parse("GitLab", "/".join(inner[:-1]), "Repository", inner[-1].removesuffix(".git"))


def _azure_devops(host: str, segments: Sequence[str]) -> Subject:
    """`/organisation/project/_git/name`, older and SSH spellings of it; without a project it is named like it."""
    if segments[:1] == ["v3"]:  # git@ssh.dev.azure.com:v3/organisation/project/name
        _, *inner = segments
    else:
        old_host = [host.removesuffix(".visualstudio.com")] if host.endswith(".visualstudio.com") else []
        inner = [*old_host, *(part for part in segments if part.lower() not in ("_git", "defaultcollection"))]
    if len(inner) == 2 and "_git" in segments:
        inner.append(inner[1])
    if len(inner) < 3:
        raise InvalidSubject(_UNDERSTOOD)
    organisation, project, name = inner[:3]
    return Subject.parse("AzureDevOps", organisation, "Repository", f"{project}/{name}")
