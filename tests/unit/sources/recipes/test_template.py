"""Names from a URL stay values, wherever in a request they are used."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from badge.model import InvalidSubject, Subject
from badge.sources.recipes.promql import check_promql, escape
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.request import request_for
from badge.sources.recipes.template import BadTemplate, NothingToAsk, Template, check_path, expand_path, names_of

NAMES = names_of(Subject.parse("GitLab", "my group/sub", "Repository", "a/b?c#d&e"), {})


def recipe(**request: object) -> Recipe:
    return Recipe.model_validate({"state": "status", "map": {"ok": "succeeded"}, "request": request})


def test_a_name_with_a_slash_stays_inside_its_segment() -> None:
    described = recipe(path="/projects/{account}%2F{subjectName}/runs")
    url = request_for("https://up.example/base", described, NAMES).url
    assert url == "https://up.example/base/projects/my%20group%2Fsub%2Fa%2Fb%3Fc%23d%26e/runs"


def test_a_query_parameter_cannot_add_another_one() -> None:
    described = recipe(path="/x", query={"slug": "{subjectName}", "limit": "1", "taken_away": ""})
    parts = urlsplit(request_for("https://up.example", described, NAMES).url)
    assert parse_qs(parts.query, keep_blank_values=True) == {"slug": ["a/b?c#d&e"], "limit": ["1"]}
    assert (parts.netloc, parts.path, parts.fragment) == ("up.example", "/x", "")


def test_a_body_is_encoded_after_its_placeholders_are_filled() -> None:
    names = names_of(Subject.legacy("acme", 'web","x":"y'), {})
    described = recipe(method="POST", json={"selector": {"plan": ["{subjectName}"]}, "n": 50})
    body = request_for("https://up.example", described, names).body
    assert json.loads(body or b"") == {"selector": {"plan": ['web","x":"y']}, "n": 50}


@given(account=st.text(min_size=1, max_size=30), name=st.text(min_size=1, max_size=30))
def test_no_name_can_change_the_host_or_leave_its_segment(account: str, name: str) -> None:
    try:
        names = names_of(Subject.parse("GitHub", account, "Repository", name), {})
    except InvalidSubject:
        return
    described = recipe(path="/a/{account}/{subjectName}/z", query={"q": "{subjectName}"})
    parts = urlsplit(request_for("https://up.example:8443/base", described, names).url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "up.example:8443", "")
    assert [unquote(part) for part in parts.path.split("/")] == [
        "",
        "base",
        "a",
        account_of(names),
        name_of(names),
        "z",
    ]
    assert parse_qs(parts.query, keep_blank_values=True) == {"q": [name_of(names)]}


def account_of(names: dict[str, str]) -> str:
    return names["account"]


def name_of(names: dict[str, str]) -> str:
    return names["subjectName"]


@given(st.text(max_size=40))
@example("two\nlines")
def test_no_name_can_escape_from_a_promql_string(value: str) -> None:
    string = f'"{escape(value)}"'
    # Prometheus follows Go's rule for double-quoted strings: no unescaped quote and no unescaped newline.
    assert re.fullmatch(r'"(\\[\\"n]|[^"\\\n])*"', string)
    read_back = re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), string[1:-1])
    assert read_back == value


OUTSIDE = [
    '# it is "\nup{job={account}} # "',
    "up{job={account}}",
    "up{job='{account}'}",
    "up{job=`{account}`}",
    "{account}",
    'up{a="x"} > {subjectName}',
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_name_outside_double_quotes_is_refused(text: str) -> None:
    with pytest.raises(BadTemplate, match="double quotes"):
        check_promql(Template.parse(text))


MATCHERS = ['up{job=~"{account}"}', 'up{job !~ "x{account}.*"}', 'up{job=~ # which\n"{account}"}']


@pytest.mark.parametrize("text", MATCHERS)
def test_a_name_in_a_regular_expression_is_refused(text: str) -> None:
    with pytest.raises(BadTemplate, match=r"regular expression .* compare it with = or !="):
        check_promql(Template.parse(text))


REGEX_FUNCTIONS = [
    'label_replace(up{job="{subjectName}"}, "owner", "$1", "job", "({account}).*")',
    'max(label_replace (up, "owner", "{account}", "job", "(.*)"))',
    'label_replace(up, "owner", "$1", "job", (("{account}")))',
    'label_match(up, "job", "{account}")',
]


@pytest.mark.parametrize("text", REGEX_FUNCTIONS)
def test_a_name_in_a_function_that_takes_regular_expressions_is_refused(text: str) -> None:
    with pytest.raises(BadTemplate, match=r"to label_\w+\(\), which takes regular expressions; put it in a selector"):
        check_promql(Template.parse(text))


def test_promql_braces_are_not_placeholders() -> None:
    template = Template.parse('max(up{job="a",b="{account}",c=~"x|y"} > 0)')
    check_promql(template)
    assert list(template.placeholders) == ["account"]


def test_a_name_is_allowed_in_a_selector_inside_a_regex_function() -> None:
    check_promql(Template.parse('label_replace(max by (job) (up{job="{account}"}), "a", "$1", "job", "(.*)") > 0'))
    check_promql(Template.parse('label_replace(up, "a", "$1", "job", "(.*)") * on (a) b{owner="{account}"}'))


def test_transforms_are_applied_and_unknown_ones_refused() -> None:
    names = {"account": "Acme Corp.", "subjectName": "Web_Site"}
    assert Template.parse("{account|slug}-{subjectName|lower}").expand(names) == "acme-corp-web_site"
    with pytest.raises(BadTemplate, match="use slug or lower"):
        Template.parse("{account|shout}")


def test_no_request_is_made_for_a_name_that_becomes_empty() -> None:
    with pytest.raises(NothingToAsk):
        Template.parse("{account|slug}").expand({"account": "名前"})
    with pytest.raises(NothingToAsk):
        expand_path(Template.parse("/x/{account}{subjectName}/y"), {"account": ".", "subjectName": "."})


@pytest.mark.parametrize("path", ["x", "//other.example/x", "/x?y=1", "/x#y", "/\\other"])
def test_a_bad_path_is_refused(path: str) -> None:
    with pytest.raises(BadTemplate):
        check_path(path)
