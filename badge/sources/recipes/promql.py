"""PromQL with placeholders, which are allowed only in double-quoted strings, where names can be escaped.

PromQL has no bind parameters, so only this escaping keeps a name from ending the string and injecting PromQL
(Prometheus' documentation, "Querying basics", string literals).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from badge.sources.recipes.template import BadTemplate, Template

_PLACEHOLDER = re.compile(r"\{[A-Za-z][A-Za-z0-9_]*(?:\|\w+)*\}")
_TOKEN = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`"""
    rf"|{_PLACEHOLDER.pattern}"
    r"|#[^\n]*"
    r"|[A-Za-z_:][A-Za-z0-9_:]*|[=!]~|\S"
)
# Functions that take regular expressions: one of Prometheus', and those that VictoriaMetrics adds.
_REGEX_FUNCTIONS = frozenset({"label_replace", "label_transform", "label_match", "label_mismatch"})


def escape(value: str) -> str:
    """Escape a string for use between double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def check_promql(template: Template) -> None:
    """Raise `BadTemplate` if a placeholder is outside a double-quoted string or inside a regular expression."""
    before, within = "", list[str]()
    for match in _TOKEN.finditer(template.text):
        lexeme = match[0]
        if _PLACEHOLDER.search(lexeme):
            _check_placeholder(lexeme, before, _since_selector(within))
        elif lexeme in ("(", "{", "["):
            within.append(before if lexeme == "(" else lexeme)
        elif lexeme in (")", "}", "]"):
            # Unlike `pop`, this tolerates unbalanced brackets, which Prometheus will reject.
            del within[-1:]
        if not lexeme.startswith("#"):
            before = lexeme


def _check_placeholder(lexeme: str, before: str, within: Collection[str]) -> None:
    if not lexeme.startswith('"'):
        raise BadTemplate('has a placeholder outside "double quotes"; put it inside, where names can be escaped')
    if before in ("=~", "!~"):
        raise BadTemplate("has a placeholder in a regular expression (=~ or !~); compare it with = or !=")
    for function in _REGEX_FUNCTIONS.intersection(within):
        raise BadTemplate(
            f"passes a placeholder to {function}(), which takes regular expressions; put it in a selector"
        )


def _since_selector(within: Sequence[str]) -> Sequence[str]:
    """Return the brackets and functions opened since the last `{`.

    Functions around a selector don't matter to a name inside it, where `=` and `!=` compare literally.
    """
    last = max((index for index, opened in enumerate(within) if opened == "{"), default=-1)
    return within[last + 1 :]
