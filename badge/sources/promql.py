"""PromQL with places for names: each inside a double-quoted string, where three characters are escaped.

Nothing else keeps a name from ending the string and going on in PromQL: Prometheus has no
parameters (its documentation, "Querying basics", string literals).
"""

from __future__ import annotations

import re

from badge.sources.template import BadTemplate, Template

_STRING_OR_PLACE = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|\{[A-Za-z][A-Za-z0-9_]*(?:\|\w+)*\}')
_PLACE = re.compile(r"\{[A-Za-z][A-Za-z0-9_]*(?:\|\w+)*\}")


def escape(value: str) -> str:
    """The text as it stands between double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def check_promql(template: Template) -> None:
    """Raise `BadTemplate` where a name would not be held by a string, or be read as a pattern."""
    for match in _STRING_OR_PLACE.finditer(template.text):
        token = match[0]
        if not _PLACE.search(token):
            continue
        if not token.startswith('"'):
            raise BadTemplate('has a {…} outside of "double quotes", where no name can be escaped')
        if re.search(r"[=!]~\s*$", template.text[: match.start()]):
            raise BadTemplate("has a {…} in a pattern (=~ or !~), where names have other meanings; use =")
