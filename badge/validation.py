"""Error messages that say what is valid, in place of pydantic's.

They never contain a value that may be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

WHOLE_NUMBER = "must be a whole number"
TIME = "must be a time with a zone, such as 2026-11-23T03:00:00Z"
DURATION = "must be a number and a unit, such as 250ms, 90s, 15m, 26h or 7d"
TABLE = "must be a table of keys and values"
LIST = "must be a list"

_Limits = Mapping[str, Any]


def _one_of(context: _Limits) -> str:
    return f"must be {_choice(str(context['expected']))}"


def _tags(context: _Limits) -> str:
    return f"must have {_unquoted(context['discriminator'])} = {_choice(str(context['expected_tags']))}"


def _too_short(context: _Limits) -> str:
    least = context["min_length"]
    return "must have at least one entry" if least == 1 else f"must have at least {least} entries"


def _unquoted(text: object) -> str:
    return str(text).strip("'")


def _choice(expected: str) -> str:
    """Return `a, b or c` for pydantic's `'a', 'b' or 'c'`."""
    *first, last = re.findall(r"'([^']*)'", expected)
    return f"{', '.join(first)} or {last}" if first else last


_MESSAGES: Mapping[str, str | Callable[[_Limits], str]] = {
    "missing": "is missing",
    "extra_forbidden": "there is no such key",
    "string_type": "must be text",
    "string_unicode": "must be UTF-8 text",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_pattern_mismatch": "has characters that are not allowed, or is too long",
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_parsing_size": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "greater_than_equal": lambda context: f"must be {context['ge']} or more",
    "less_than_equal": lambda context: f"must be {context['le']} or less",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "literal_error": _one_of,
    "enum": _one_of,
    "union_tag_invalid": _tags,
    "union_tag_not_found": lambda context: f"has no {_unquoted(context['discriminator'])}",
    "model_type": TABLE,
    "model_attributes_type": TABLE,
    "dict_type": TABLE,
    "list_type": LIST,
    "tuple_type": LIST,
    "too_long": lambda context: f"must have at most {context['max_length']} entries",
    "too_short": _too_short,
    "path_type": "must be a path",
    "datetime_type": TIME,
    "datetime_parsing": TIME,
    "datetime_from_date_parsing": TIME,
    "datetime_object_invalid": TIME,
    "timezone_aware": TIME,
    "time_delta_type": DURATION,
    "time_delta_parsing": DURATION,
    "json_invalid": "is not JSON",
    "json_type": "is not JSON",
    "invalid_key": "is not a valid key",
}
KNOWN_TYPES = frozenset({*_MESSAGES, "value_error"})
"""Types of errors that have a message of their own."""

_NUMBERS = ("int_type", "int_parsing", "int_parsing_size", "int_from_float", "greater_than_equal", "less_than_equal")


def problem_of(detail: Mapping[str, Any], limits: tuple[int | None, int | None] = (None, None)) -> str:
    """Return the message for one of the `errors()` of a `ValidationError`, given the `limits` of a number."""
    if detail["type"] == "value_error":  # raised by one of our checks, with its own message
        problem = str(detail["msg"]).removeprefix("Value error, ")
        return problem[:1].lower() + problem[1:]
    if detail["type"] in _NUMBERS and None not in limits:
        return f"{WHOLE_NUMBER} from {limits[0]} to {limits[1]}"
    message = _MESSAGES.get(detail["type"], "can't be used here")
    return message if isinstance(message, str) else message(detail.get("ctx", {}))


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return `; did you mean …?` with the most similar choice, or an empty string if none is similar enough."""
    near = difflib.get_close_matches(name, sorted(choices), n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""
