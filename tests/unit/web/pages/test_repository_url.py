"""Pasted URLs: each one names the repository that a person would expect."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.model import InvalidSubject, Subject
from badge.web.links import repository_url
from badge.web.pages.repository_url import PLATFORMS, UnknownServer, repository_named, subject_named
from badge.web.snippets import Syntax, snippet
from tests.unit.test_subject import subjects

WEB = "GitHub/acme/Repository/web"
SHOP = "AzureDevOps/contoso/Repository/Web Shop/storefront"
WORKER = "GitLab/my-group/sub/Repository/worker"

PASTED = [
    ("acme/web", WEB),
    (" github/acme/repository/web ", WEB),
    ("https://github.com/acme/web", WEB),
    ("https://www.github.com/acme/web/", WEB),
    ("http://github.com/acme/web.git", WEB),
    ("github.com/acme/web", WEB),
    ("https://github.com/acme/web/tree/main/docs?tab=readme#top", WEB),
    ("git@github.com:acme/web.git", WEB),
    ("ssh://git@github.com/acme/web.git", WEB),
    ("https://gitlab.com/my-group/sub/worker", WORKER),
    ("https://gitlab.com/my-group/sub/worker/-/blob/main/README.md", WORKER),
    ("https://gitlab.example.org/my-group/sub/worker.git", WORKER),
    ("git@gitlab.com:my-group/sub/worker.git", WORKER),
    ("https://dev.azure.com/contoso/Web%20Shop/_git/storefront", SHOP),
    ("https://contoso@dev.azure.com/contoso/Web%20Shop/_git/storefront", SHOP),
    ("https://dev.azure.com/contoso/Web%20Shop/_git/storefront?path=/README.md&version=GBmain", SHOP),
    ("https://contoso.visualstudio.com/Web%20Shop/_git/storefront", SHOP),
    ("https://contoso.visualstudio.com/DefaultCollection/Web%20Shop/_git/storefront", SHOP),
    ("git@ssh.dev.azure.com:v3/contoso/Web%20Shop/storefront", SHOP),
    ("https://dev.azure.com/contoso/_git/storefront", "AzureDevOps/contoso/Repository/storefront/storefront"),
    ("https://badges.example.org/badge/acme/web.svg?style=plastic", WEB),
    ("https://badges.example.org/badge/GitLab/my-group%2Fsub/Repository/worker.png", WORKER),
    ("https://badges.example.org/dashboard/GitHub/acme/Repository/web", WEB),
    ("/badge/acme/web.png?style=plastic", WEB),
    ("https://badges.example.org/status/acme/web?token=secret", WEB),
    ("localhost:8802/status/GitHub/acme/Repository/web", WEB),
    ("/status/acme/web", WEB),
    ("/status/acme/site.png", "GitHub/acme/Repository/site.png"),
    ("/dashboard/acme/web/?dialog=open", WEB),
    ("badges.example.org/badge/acme/web.svg?style=plastic", WEB),
    ("localhost:8802/dashboard/GitHub/acme/Repository/web", WEB),
    ("http://[::1]:8000/dashboard/GitHub/acme/Repository/web", WEB),
    ("GitHub/badge/Repository/web", "GitHub/badge/Repository/web"),
    ("ssh://git@github.com:22/acme/web.git", WEB),
    ("ssh://git@ssh.github.com:443/acme/web.git", WEB),
    ("ssh://git@gitlab.example.com:2222/my-group/sub/worker.git", WORKER),
    ("ssh://git@altssh.gitlab.com:443/my-group/sub/worker.git", WORKER),
    ("ssh://git@ssh.dev.azure.com:22/v3/contoso/Web%20Shop/storefront", SHOP),
    ("ssh://contoso@contoso.visualstudio.com:22/Web%20Shop/_git/storefront", SHOP),
    ("contoso@contoso.visualstudio.com:22/Web%20Shop/_git/_ssh/storefront", SHOP),
    ("git@github.com:22/web.git", "GitHub/22/Repository/web"),
    ("git+ssh://git@github.com/acme/web.git#v1.0", WEB),
    ("git+ssh://git@github.com:acme/web.git", WEB),
    ("github.com:acme/web.git", WEB),
    ("acme/web.git", WEB),
    ("acme/web?tab=readme", WEB),
    ("acme/web#top", WEB),
    ("git clone https://github.com/acme/web.git", WEB),
    ("git clone git@github.com:acme/web.git web", WEB),
    ("<https://github.com/acme/web>", WEB),
    ("see (https://github.com/acme/web)", WEB),
    ("https://bitbucket.org/acme/web/src/main/", "Bitbucket/acme/Repository/web"),
    ("https://jdoe@bitbucket.org/acme/web.git", "Bitbucket/acme/Repository/web"),
    ("git@bitbucket.org:acme/web.git", "Bitbucket/acme/Repository/web"),
    ("ssh://git@altssh.bitbucket.org:443/acme/web.git", "Bitbucket/acme/Repository/web"),
    ("bitbucket.org/acme/web", "Bitbucket/acme/Repository/web"),
    ("https://codeberg.org/acme/web/src/branch/main/README.md", "Codeberg/acme/Repository/web"),
    ("ssh://git@codeberg.org/acme/web.git", "Codeberg/acme/Repository/web"),
    ("codeberg.org:acme/web.git", "Codeberg/acme/Repository/web"),
    ("https://gitea.com/acme/web/issues/3", "Gitea/acme/Repository/web"),
    ("https://gitea.example.org/acme/web", "Gitea/acme/Repository/web"),
    ("https://forgejo.example.org:3000/acme/web.git", "Forgejo/acme/Repository/web"),
    ("https://github.example.org/acme/web", WEB),
    ("https://acme.ghe.com/acme/web", WEB),
    ("ssh://contoso@vs-ssh.visualstudio.com:22/Web%20Shop/_ssh/storefront", SHOP),
    ("contoso@vs-ssh.visualstudio.com:v3/contoso/Web%20Shop/storefront", SHOP),
]


@pytest.mark.parametrize(("typed", "meant"), PASTED)
def test_a_url_names_its_repository(typed: str, meant: str) -> None:
    assert str(subject_named(typed)) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "acme",
        "https://github.com/acme",
        "https://gitlab.com/worker",
        "https://dev.azure.com/contoso",
        "https://dev.azure.com/contoso/Web%20Shop",
        "https://example.org/acme/web",
        "https://[::1",
        "https://github.com/acme/%ff",
        "https://badges.example.org/badge/acme",
        "javascript:alert(1)",
        "ftp://github.com/acme/web",
        "see://acme",
        "work:acme/web.git",
        "ssh://git@github.com:22/web.git",
    ],
)
def test_input_that_names_no_repository_gets_a_message(typed: str) -> None:
    with pytest.raises(InvalidSubject):
        subject_named(typed)


OPS, JDOE = "Bitbucket/OPS/Repository/web", "Bitbucket/~jdoe/Repository/web"
SERVER = "https://git.example.org"
# What is pasted, the chosen platform, the repository, and the path of its page.
CHOSEN = [
    (f"{SERVER}/acme/web/src/branch/main", "Gitea", "Gitea/acme/Repository/web", "acme/web"),
    ("git@git.example.org:acme/web.git", "Forgejo", "Forgejo/acme/Repository/web", "acme/web"),
    ("ssh://git@git.example.org:2222/acme/web.git", "Forgejo", "Forgejo/acme/Repository/web", "acme/web"),
    ("git.example.org/acme/web", "Gitea", "Gitea/acme/Repository/web", "acme/web"),
    (f"{SERVER}/my-group/sub/worker/-/tree/main", "GitLab", WORKER, "my-group/sub/worker"),
    (f"{SERVER}/acme/web/pulls", "GitHub", WEB, "acme/web"),
    (f"{SERVER}/projects/OPS/repos/web/browse", "Bitbucket", OPS, "projects/OPS/repos/web"),
    (f"{SERVER}/scm/ops/web.git", "Bitbucket", OPS, "projects/OPS/repos/web"),
    ("ssh://git@git.example.org:7999/ops/web.git", "Bitbucket", OPS, "projects/OPS/repos/web"),
    (f"{SERVER}/users/jdoe/repos/web", "Bitbucket", JDOE, "users/jdoe/repos/web"),
    (f"{SERVER}/scm/~jdoe/web.git", "Bitbucket", JDOE, "users/jdoe/repos/web"),
    (f"{SERVER}/contoso/Web%20Shop/_git/storefront", "AzureDevOps", SHOP, "contoso/Web%20Shop/_git/storefront"),
    (
        f"{SERVER}/tfs/DefaultCollection/shop/_git/front",
        "AzureDevOps",
        "AzureDevOps/DefaultCollection/Repository/shop/front",
        "tfs/DefaultCollection/shop/_git/front",
    ),
    (
        f"{SERVER}/contoso/_git/front",
        "AzureDevOps",
        "AzureDevOps/contoso/Repository/front/front",
        "contoso/front/_git/front",
    ),
]


@pytest.mark.parametrize(("typed", "platform", "meant", "page"), CHOSEN)
def test_a_url_on_any_server_is_read_as_its_platform_writes_it(
    typed: str, platform: str, meant: str, page: str
) -> None:
    named = repository_named(typed, platform)
    assert str(named.subject) == meant
    assert repository_url(named.subject, named.server) == f"{SERVER}/{page}"


@pytest.mark.parametrize(
    ("typed", "platform", "meant"),
    [
        ("acme/web", "Gitea", "Gitea/acme/Repository/web"),
        ("my.org/web.git", "Codeberg", "Codeberg/my.org/Repository/web"),
        ("my-group/sub/worker", "GitLab", WORKER),
        ("contoso/Web%20Shop/storefront", "AzureDevOps", SHOP),
        ("Linear/acme/Workspace/plans", "GitHub", "Linear/acme/Workspace/plans"),
        ("https://github.com/acme/web", "Gitea", WEB),
        ("https://badges.example.org/badge/acme/web", "Gitea", WEB),
        ("https://gitlab.example.org/acme/web", "Gitea", "Gitea/acme/Repository/web"),
    ],
)
def test_the_chosen_platform_is_used_if_nothing_else_names_one(typed: str, platform: str, meant: str) -> None:
    assert str(repository_named(typed, platform).subject) == meant


@pytest.mark.parametrize(
    ("typed", "server"),
    [
        ("https://gitlab.com/acme/web", ""),
        ("https://gitlab.example.org/acme/web", "https://gitlab.example.org"),
        ("http://gitea.example.org:3000/acme/web", "http://gitea.example.org:3000"),
        ("ssh://git@gitea.example.org:2222/acme/web.git", "https://gitea.example.org"),
        ("https://acme.ghe.com/acme/web", "https://acme.ghe.com"),
    ],
)
def test_links_lead_to_the_pasted_server(typed: str, server: str) -> None:
    assert repository_named(typed).server == server


def test_an_unknown_server_is_named() -> None:
    with pytest.raises(UnknownServer) as unknown:
        repository_named("https://git.example.org/acme/web")
    assert unknown.value.host == "git.example.org"


@pytest.mark.parametrize("typed", ["https://[::1]/acme/web", "https://bücher.example/a/b", "https://git.example:x/a/b"])
def test_a_server_that_a_snippet_could_not_name_is_refused(typed: str) -> None:
    with pytest.raises(InvalidSubject):
        repository_named(typed, "Gitea")


@pytest.mark.parametrize("syntax", Syntax)
def test_every_snippet_names_its_repository(syntax: Syntax) -> None:
    subject = Subject.parse("AzureDevOps", "contoso", "Repository", "Web Shop/storefront")
    copied = snippet(subject, "https://badges.example.org", query={"style": "plastic"}).written_in(syntax)
    assert subject_named(copied) == subject


@given(st.text(max_size=60) | st.from_regex(r"(https?|ssh)://[^/]{1,9}/.*"), st.sampled_from(["", *PLATFORMS]))
def test_any_text_names_something_or_is_refused(typed: str, platform: str) -> None:
    with contextlib.suppress(InvalidSubject):
        named = repository_named(typed, platform)
        assert Subject.from_path(named.subject.path) == named.subject
        assert re.fullmatch(r"(https?://[a-z0-9._:-]+(/tfs)?)?", named.server)


@given(subjects())
def test_the_path_of_any_subject_names_it(subject: Subject) -> None:
    assert subject_named(f"https://badges.example.org/badge/{subject.path}?v=2") == subject
    assert subject_named(subject.path) == subject  # as commands print it
