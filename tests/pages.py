"""The documentation pages about backup systems: their examples, and the output of `badge sources try` for them.

`PYTHONPATH=. .venv/bin/python -m tests.pages` updates the output in the pages.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from badge.contract import parse_json
from badge.model import Subject
from badge.sources.configuration.sources_file import ConfiguredSource, load
from badge.sources.recipes import presets
from badge.sources.recipes.presets import Preset
from badge.sources.recipes.reading import Reader
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.request import request_for
from badge.sources.recipes.samples import merge
from badge.sources.recipes.table import templates_in
from badge.sources.recipes.template import Template, names_of

PROJECT = Path(__file__).parents[1]
HOW_TO = PROJECT / "docs" / "how-to"
SYSTEMS = sorted((HOW_TO / "systems").glob("*.md"))

LONGEST_LINE = 110
COMMAND = re.compile(r"^    badge sources try (\S+) (\S+)$", re.MULTILINE)


class AnySecret(dict[str, str]):
    """An environment in which every variable is set."""

    def get(self, name: str, default: object = None) -> str:
        return self[name]

    def __missing__(self, name: str) -> str:
        return "a-secret"


def example_in(page: Path) -> str:
    """Return all TOML blocks of a page, joined."""
    blocks = re.findall(r"^    \[\[source\]\](?:\n(?:    .*|(?=\n    )))*", page.read_text(), re.MULTILINE)
    return "\n".join(line.removeprefix("    ") for block in blocks for line in block.splitlines())


def sources_of(page: Path) -> Sequence[ConfiguredSource]:
    """Return the sources that a page configures, with stand-ins for the files they refer to."""
    with tempfile.TemporaryDirectory() as folder:
        secret, file = Path(folder) / "secret", Path(folder) / "sources.toml"
        secret.write_text("x")
        text = re.sub(r'"file:[^"]+"', f'"file:{secret}"', example_in(page))
        file.write_text(re.sub(r'ca_file = "[^"]+"', f'ca_file = "{secret}"', text))
        return load(file, AnySecret())


def output_for(page: Path) -> str:
    """Return the output of the page's `badge sources try` for a success; `…` stands for what varies."""
    command = COMMAND.search(page.read_text())
    assert command is not None
    source = next(source for source in sources_of(page) if source.entry.name == command[1])
    subject = Subject.from_path(command[2])
    assert source.matcher.covers(subject)
    lines = [*_asked(source, subject), "  …", *_read(_preset_in(page, command[1])), "{", "  …"]
    return "".join(f"    {line}\n" for line in [*lines, '  "status": "succeeded",', "  …", "}"])


def _asked(source: ConfiguredSource, subject: Subject) -> Iterator[str]:
    names, entry = names_of(subject, source.matcher.values_for(subject)), source.entry
    assert source.recipe is not None
    if entry.kind == "file":
        path = entry.file if entry.folder is None else entry.folder / entry.file_name.expand(names)
        yield f"{path}: … bytes, written …"
        return
    assert entry.url is not None
    request = request_for(entry.url, source.recipe, names)
    line = f"{request.method} {request.url}"
    yield line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + "…"
    yield "  …"
    yield "answer: HTTP 200, … bytes"


def _preset_in(page: Path, name: str) -> Preset:
    found = re.search(rf'name = "{name}"\npreset = "([^"]+)"', example_in(page))
    assert found is not None
    return presets.preset(found[1])


def _read(preset: Preset) -> Sequence[str]:
    """Return the steps in which the preset reads its first sample of a success."""
    sample = next(sample for sample in preset.samples if sample.expect.get("status") == "succeeded")
    recipe = Recipe.model_validate(merge(preset.recipe, sample.options))
    placeholders = {name: name for text in templates_in(recipe) for name in Template(text).placeholders}
    names = names_of(Subject.from_path(sample.subject), {**placeholders, **preset.values, **sample.values})
    then = None if sample.then is None else parse_json(sample.then.encode())
    return Reader(recipe).read(parse_json(sample.body.encode()), names, sample.at, then).steps


def main() -> None:
    """Write the current output to the pages."""
    for page in SYSTEMS:
        head, _, _ = page.read_text().partition("and the status:\n\n")
        page.write_text(f"{head}and the status:\n\n{output_for(page)}")


if __name__ == "__main__":
    main()
