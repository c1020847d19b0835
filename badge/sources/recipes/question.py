"""A recipe and a subject's names → the question to ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

from badge.sources.http.trace import excerpt
from badge.sources.http.transport import HttpAnswer, Question
from badge.sources.recipes.promql import escape
from badge.sources.recipes.reading import word_of
from badge.sources.recipes.recipe import Recipe, Request, Then
from badge.sources.recipes.template import expand_deep, expand_path

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def form_question(url: str, fields: Mapping[str, str]) -> Question:
    """A POST of these fields."""
    return Question("POST", url, FORM, urlencode(fields).encode())


def json_question(url: str, document: object) -> Question:
    """A POST of this document."""
    return Question("POST", url, JSON, json.dumps(document).encode())


def question_for(base_url: str, recipe: Recipe, names: Mapping[str, str]) -> Question:
    """The question for the subject of these names, unsigned; raises `NothingToAsk`."""
    asked = recipe.request or Request()
    query = {key: text.expand(names) for key, text in asked.query.items()}
    if recipe.promql is not None:
        query["query"] = recipe.promql.expand(names, encode=escape)
    # An empty parameter is one that a preset has and a source takes away.
    encoded = urlencode({key: value for key, value in query.items() if value}, quote_via=quote, safe="")
    url = base_url + expand_path(asked.path, names) + (f"?{encoded}" if encoded else "")
    if asked.form is not None:
        question = form_question(url, {key: text.expand(names) for key, text in asked.form.items()})
    elif asked.body is not None:
        question = replace(json_question(url, expand_deep(asked.body, names)), method=asked.method)
    else:
        question = Question(asked.method, url)
    return question.with_headers(asked.headers)


def second_question(base_url: str, then: Then, document: object, names: Mapping[str, str]) -> Question | None:
    """What to ask by the first answer; None where that leaves nothing to ask for."""
    found = {name: word_of(expression.on(document)) for name, expression in then.values.items()}
    if not all(found.values()):
        return None
    values = {name: word for name, word in found.items() if word is not None}
    return Question("GET", base_url + expand_path(then.path, {**values, **names}))


def described(unsigned: Question, signed: Question) -> list[str]:
    """The question in words, with what was added to sign it hidden."""
    lines = [f"{unsigned.method} {unsigned.url}"]
    for name, value in signed.headers.items():
        lines.append(f"  {name}: {value if name in unsigned.headers else '<secret>'}")
    if unsigned.body:
        lines.append(f"  {unsigned.body.decode()}")
    return lines


def described_answer(answer: HttpAnswer) -> list[str]:
    """The answer in words, with its beginning."""
    return [f"answer: HTTP {answer.status}, {len(answer.body)} bytes", excerpt(answer.body)]
