"""Parses what people paste to name a repository: a page, clone or badge URL, or coordinates. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from badge.model import KNOWN_TYPES, InvalidSubject, Subject, decode_segment
from badge.raw_path import BADGE_ROOT, STATUS_ROOT
from badge.web.badges.request import read_badge_request
from badge.web.paths import DASHBOARD_ROOT, SUBJECT_ROOTS

PLATFORMS = {
    "GitHub": "GitHub",
    "GitLab": "GitLab",
    "AzureDevOps": "Azure DevOps",
    "Bitbucket": "Bitbucket",
    "Codeberg": "Codeberg",
    "Gitea": "Gitea",
    "Forgejo": "Forgejo",
}
"""The platforms whose URLs are understood, each with its usual name."""

_UNDERSTOOD = (
    "give the URL of a repository on GitHub, GitLab, Azure DevOps, Bitbucket, Codeberg, Gitea or Forgejo, "
    "or platform/account/type/name"
)
_SSH_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
}
"""Hosts that offer only SSH, as documented by GitHub, GitLab, Bitbucket and Azure DevOps."""

_PUBLIC_HOSTS = {
    "github.com": "GitHub",
    "gitlab.com": "GitLab",
    "dev.azure.com": "AzureDevOps",
    "bitbucket.org": "Bitbucket",
    "codeberg.org": "Codeberg",
}
"""Public hosts. The platform's name implies its public host, so `NamedRepository.server` stays empty for them."""
_HOSTED = {".ghe.com": "GitHub", ".visualstudio.com": "AzureDevOps"}
"""Suffixes of the host names that platforms give to their customers."""
_AZURE_OLD_SSH = "vs-ssh.visualstudio.com"

_SCHEME = re.compile(r"(?:git\+)?(?:https?|ssh|git)://")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
# Without a scheme: a known host, or any host with a path of this service.
_BARE = re.compile(
    r"(?:(?:www\.)?(?:github|gitlab|gitea)\.com|(?:bitbucket|codeberg)\.org|dev\.azure\.com|[\w-]+\.visualstudio\.com)/"
    r"|(?:localhost|[\w-]+(?:\.[\w-]+)+|\[[\da-f:]+\])(?::\d+)?/(?:badge|dashboard|status)/",
    re.IGNORECASE,
)
# Any host without a scheme, if the platform is known. `my.org/web` is an owner and a name.
_BARE_SERVER = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?/[^/]+/[^/]+|[\w-]+:\d+/", re.ASCII)
# [user@]host:path; without a user only for known hosts. A number before a path with `_git` or `_ssh` is a port,
# as in old URLs of Azure DevOps.
_SCP_LIKE = re.compile(
    r"(?:[\w.-]+@(?P<host>[\w.-]+)[:/]|(?P<bare>(?:github|gitlab)\.com|(?:bitbucket|codeberg)\.org):)"
    r"(?:\d+/(?=.*/_(?:git|ssh)/))?(?P<path>.+)",
    re.IGNORECASE,
)
# npm writes git+ssh://git@host:owner/name, with the owner in place of a port.
_OWNER_AS_PORT = re.compile(r"^(ssh://(?:[^@/]+@)?[\w.-]+):(?!\d+/)")
# A URL within other text ends where it would in Markdown, HTML and similar syntaxes.
_WITHIN = re.compile(
    rf"{_SCHEME.pattern}(?:[^\s/@]+@)?(?:\[[\da-f:]+\])?[^\s<>\"'()\[\]|!]+" + r"|(?<=\s)[\w.-]+@[\w.-]+:\S+"
)


class UnknownServer(InvalidSubject):
    """A URL on a host that is not known to run any platform."""

    def __init__(self, host: str) -> None:
        super().__init__(_UNDERSTOOD)
        self.host = host


@dataclass(frozen=True, slots=True)
class NamedRepository:
    """A subject, and the server that the pasted URL leads to."""

    subject: Subject
    server: str = ""
    """Start of the URLs on a server that the platform's name does not imply, such as `https://git.example.org`."""


def address_in(typed: str) -> str:
    """Return the URL within a text, such as a `git clone` command or Markdown; else the text itself."""
    text = typed.strip()
    is_whole = text.startswith(SUBJECT_ROOTS) or _SCHEME.match(text) or _BARE.match(text)
    # Coordinates have no empty segments, so text with "://" can't be coordinates.
    if is_whole or not ("://" in text or text.startswith("git ")):
        return text
    found = _WITHIN.search(text)
    return found[0] if found else text


def subject_named(typed: str) -> Subject:
    """Return the subject that a text names; raises `InvalidSubject` with a message for the user."""
    return repository_named(typed).subject


def repository_named(typed: str, platform: str = "") -> NamedRepository:
    """Return the repository that a text names; raises `InvalidSubject` with a message for the user.

    `platform`: one of `PLATFORMS`, for hosts that don't reveal their platform, and for owner and name without a host.
    """
    text = address_in(typed)
    if text.startswith(SUBJECT_ROOTS):
        return NamedRepository(_of_this_service(text.partition("?")[0]))
    if _BARE.match(text) or (platform and _BARE_SERVER.match(text)):
        return _of_url(f"https://{text}", platform)
    if _SCHEME.match(text):
        return _of_url(text.removeprefix("git+"), platform)
    if "://" in text:
        raise InvalidSubject(_UNDERSTOOD)
    if scp_like := _SCP_LIKE.fullmatch(text):
        host = scp_like["host"] or scp_like["bare"]
        return _on(urlsplit(f"ssh://{host}/{scp_like['path'].lstrip('/')}"), platform)
    return NamedRepository(_of_coordinates(text.strip("/"), platform))


def subject_at(typed: str) -> Subject | None:
    """Return the subject that a URL names; None for search words and other URLs."""
    text = address_in(typed)
    if not (text.startswith(SUBJECT_ROOTS) or any(form.match(text) for form in (_SCHEME, _BARE, _SCP_LIKE))):
        return None
    try:
        return subject_named(text)
    except InvalidSubject:
        return None


def _of_url(url: str, platform: str) -> NamedRepository:
    try:
        parts = urlsplit(_OWNER_AS_PORT.sub(r"\1/", url))
    except ValueError:
        raise InvalidSubject(_UNDERSTOOD) from None
    return _on(parts, platform)


def _of_coordinates(path: str, platform: str) -> Subject:
    segments = path.split("/")
    is_complete = len(segments) > 3 and segments[2].lower() in {type.lower() for type in KNOWN_TYPES}
    if platform and not is_complete:
        return _subject(platform, _decoded(re.split("[?#]", path)[0]))
    if len(segments) != 2 or not all(segments):
        return Subject.from_path(path)
    owner, name = segments
    # Two segments may be copied from a URL, with its query, fragment or `.git`.
    if ":" in owner:
        raise InvalidSubject(_UNDERSTOOD)
    return Subject.from_path(f"{owner}/{re.split('[?#]', name)[0].removesuffix('.git')}")


def _on(url: SplitResult, platform: str) -> NamedRepository:
    path = f"/{url.path.strip('/')}"
    if path.startswith(SUBJECT_ROOTS):
        return NamedRepository(_of_this_service(path))
    host = (url.hostname or "").removeprefix("www.")
    host = _SSH_HOSTS.get(host, host)
    found = _platform_of(host, platform)
    if not found or not _HOST.fullmatch(host):
        raise UnknownServer(host)
    segments = _decoded(path)
    if found == "AzureDevOps" and (host == "dev.azure.com" or host.endswith(".visualstudio.com")):
        return NamedRepository(_in_azure_devops_services(host, url.username or "", segments))
    if host in _PUBLIC_HOSTS:
        return NamedRepository(_subject(found, segments))
    server = _server(url, host)
    if found == "AzureDevOps" and segments[:1] == ["tfs"]:
        server, segments = f"{server}/tfs", segments[1:]
    if found == "Bitbucket":
        segments = _in_bitbucket_data_center(segments)
    return NamedRepository(_subject(found, segments), server)


def _platform_of(host: str, chosen: str) -> str:
    """Return the platform of a host; empty if it is not known and none was chosen."""
    hosted = next((platform for end, platform in _HOSTED.items() if host.endswith(end)), "")
    named = {platform.lower(): platform for platform in PLATFORMS}.get(host.partition(".")[0], "")
    return _PUBLIC_HOSTS.get(host, "") or hosted or chosen or named


def _server(url: SplitResult, host: str) -> str:
    """Return the start of the server's URLs. The port in an SSH or git URL is not that of its web pages."""
    try:
        port = url.port
    except ValueError:
        raise InvalidSubject(_UNDERSTOOD) from None
    if url.scheme not in ("http", "https"):
        return f"https://{host}"
    return f"{url.scheme}://{host}:{port}" if port else f"{url.scheme}://{host}"


def _decoded(path: str) -> list[str]:
    return [decode_segment(segment) for segment in path.split("/") if segment]


def _of_this_service(path: str) -> Subject:
    if not path.startswith(BADGE_ROOT):
        return Subject.from_path(path.removeprefix(DASHBOARD_ROOT).removeprefix(STATUS_ROOT))
    request = read_badge_request({"RAW_URI": path}, {}, "")
    if request.subject is None:
        raise InvalidSubject(request.fault)
    return request.subject


def _subject(platform: str, segments: Sequence[str]) -> Subject:
    read = _READERS.get(platform, _first_two)
    account, name = read(segments)
    return Subject.parse(platform, account, "Repository", name.removesuffix(".git"))


def _first_two(segments: Sequence[str]) -> tuple[str, str]:
    """`/owner/name/…`."""
    if len(segments) < 2:
        raise InvalidSubject(_UNDERSTOOD)
    return segments[0], segments[1]


def _gitlab(segments: Sequence[str]) -> tuple[str, str]:
    """`/group/subgroup/…/name/-/…`: groups can be nested; what follows the dash is a page of the repository."""
    inner = list(segments[: segments.index("-")] if "-" in segments else segments)
    if len(inner) < 2:
        raise InvalidSubject(_UNDERSTOOD)
    return "/".join(inner[:-1]), inner[-1]


def _azure_devops(segments: Sequence[str]) -> tuple[str, str]:
    """`/collection/project/_git/name`. If the project is omitted, it has the same name as the repository.

    Without `_git`, all three segments are required.
    """
    if len(segments) > 2 and segments[1] == "_git":
        collection, project, name = segments[0], segments[2], segments[2]
    else:
        inner = [segment for segment in segments if segment not in ("_git", "_ssh")]
        if len(inner) < 3:
            raise InvalidSubject(_UNDERSTOOD)
        collection, project, name = inner[:3]
    return collection, f"{project}/{name}"


_READERS: Mapping[str, Callable[[Sequence[str]], tuple[str, str]]] = {"GitLab": _gitlab, "AzureDevOps": _azure_devops}


def _in_bitbucket_data_center(segments: Sequence[str]) -> list[str]:
    """Return the project's key and the name from `/projects/KEY/repos/name`, `/users/…` or `/scm/key/name.git`.

    Keys are in upper case on pages, and often in lower case in clone URLs.
    """
    match segments:
        case ["users", user, "repos", name, *_]:
            return [f"~{user}", name]
        case ["projects", key, "repos", name, *_] | ["scm", key, name, *_] | [key, name, *_]:
            return [key if key.startswith("~") else key.upper(), name]
        case _:
            return list(segments)


def _in_azure_devops_services(host: str, user: str, segments: Sequence[str]) -> Subject:
    """`/organisation/project/_git/name`, and its old and SSH forms.

    If the project is omitted, it has the same name as the repository.
    """
    if segments[:1] == ["v3"]:  # git@ssh.dev.azure.com:v3/organisation/project/name
        return _subject("AzureDevOps", segments[1:])
    inner = [segment for segment in segments if segment.lower() != "defaultcollection"]
    if host.endswith(".visualstudio.com"):  # ssh://organisation@vs-ssh.visualstudio.com/project/_ssh/name
        inner.insert(0, user if host == _AZURE_OLD_SSH else host.removesuffix(".visualstudio.com"))
    return _subject("AzureDevOps", inner)
