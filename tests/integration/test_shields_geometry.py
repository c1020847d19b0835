"""The same words drawn by npm's badge-maker 6: widths, boxes, text positions and lengths are equal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from badge.artwork.svg import draw
from badge.model import Badge, Style
from tests.servers import PROJECT, needs

NODE = Path(sys.executable).with_name("node")
PEERS = PROJECT / "bench" / "peers"

WORDS = [
    ("backup", "succeeded"),
    ("backup", "failed"),
    ("backup", "in progress"),
    ("backup", "scheduled"),
    ("backup", "deleted"),
    ("backup", "unknown"),
    ("", "succeeded"),
    ("Nightly backup of everything", "succeeded · as of 3h ago"),
    ("Sauvegarde réussie", "à 100 %"),
    ("Größe & <Maße>", "42 GB"),
    ("iiiii", "WWWWW"),
]
CASES = [(label, message, style, logo) for label, message in WORDS for style in Style for logo in (False, True)]


def facts(svg: str) -> dict[str, list[str]]:
    """Return the numbers that determine a badge's geometry, in a uniform notation."""

    def numbers(pattern: str) -> list[str]:
        return sorted(f"{float(found):g}" for found in re.findall(pattern, svg))

    return {
        "size": numbers(r'<svg[^>]* (?:width|height)="([\d.]+)"') + numbers(r'<svg[^>]* height="([\d.]+)"'),
        "boxes": numbers(r'<rect[^>]*?\bwidth="([\d.]+)"'),
        "places": numbers(r'<text[^>]*?\bx="([\d.]+)"'),
        "lengths": numbers(r'textLength="([\d.]+)"'),
    }


@pytest.fixture(scope="module")
def shields() -> dict[tuple[str, str, Style, bool], str]:
    """Each case as drawn by shields, all in one process."""
    needs("badge-maker", is_there=NODE.exists() and (PEERS / "node_modules").exists())
    logo = {"logoBase64": "data:image/svg+xml;base64,PHN2Zy8+"}
    asked = [
        {"label": label, "message": message, "style": style, "color": "#44bb00", **(logo if has_logo else {})}
        for label, message, style, has_logo in CASES
    ]
    command = [str(NODE), "one.mjs"]
    done = subprocess.run(
        command, cwd=PEERS, input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[2]}-{case[0]}-{case[1]}-{'logo' if case[3] else ''}")
def test_the_geometry_is_that_of_shields(
    shields: dict[tuple[str, str, Style, bool], str], case: tuple[str, str, Style, bool]
) -> None:
    label, message, style, has_logo = case
    theirs = facts(shields[case])
    if style is Style.SOCIAL and not label:
        # Shields draws an empty text there, one pixel wide.
        theirs["places"] = theirs["places"][2:] if has_logo else [x for x in theirs["places"] if x != "55"]
        theirs["lengths"] = [length for length in theirs["lengths"] if length != "10"]
    logo = "shield" if has_logo else None
    ours = draw(Badge(label=label, message=message, colour="#44bb00", style=style, logo=logo)).decode()
    assert facts(ours) == theirs
