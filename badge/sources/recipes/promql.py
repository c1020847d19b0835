"""PromQL with places for names: each inside a double-quoted string, where three characters are escaped.

Nothing else keeps a name from ending the string and going on in PromQL: Prometheus has no
parameters (its documentation, "Querying basics", string literals).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from badge.sources.recipes.template import BadTemplate, Template

_PLACE = re.compile(r"\{[A-Za-z][A-Za-z0-9_]*(?:\|\w+)*\}")
_TOKEN = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`"""
    rf"|{_PLACE.pattern}"
    r"|#[^\n]*"
    r"|[A-Za-z_:][A-Za-z0-9_:]*|[=!]~|\S"
)
# Prometheus' one function whose texts are patterns, and those that VictoriaMetrics adds.
_OF_PATTERNS = frozenset({"label_replace", "label_transform", "label_match", "label_mismatch"})


def escape(value: str) -> str:
    """The text as it stands between double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def check_promql(template: Template) -> None:
    """Raise `BadTemplate` where a name would not be held by a string, or be read as a pattern."""
    before, within = "", list[str]()
    for match in _TOKEN.finditer(template.text):
        sign = match[0]
        if _PLACE.search(sign):
            _check_held(sign, before, _innermost(within))
        elif sign in ("(", "{", "["):
            within.append(before if sign == "(" else sign)
        elif sign in (")", "}", "]"):
            del within[-1:]
        if not sign.startswith("#"):
            before = sign


def _check_held(text: str, before: str, within: Collection[str]) -> None:
    if not text.startswith('"'):
        raise BadTemplate('has a {…} outside of "double quotes", where no name can be escaped')
    if before in ("=~", "!~"):
        raise BadTemplate("has a {…} in a pattern (=~ or !~), where names have other meanings; use =")
    for function in _OF_PATTERNS.intersection(within):
        raise BadTemplate(f"has a {{…}} among the texts of {function}(), which are patterns")


def _innermost(within: Sequence[str]) -> Sequence[str]:
    """What the open brackets belong to, from the last selector on: names in `{…}` are compared, whatever is around."""
    last = max((index for index, opened in enumerate(within) if opened == "{"), default=-1)
    return within[last + 1 :]
