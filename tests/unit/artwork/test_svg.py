"""SVGs have shields' geometry, are safe for any text, and have stable bytes."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from badge.artwork.drawing import printable
from badge.artwork.glyphs import LOGOS, STATUS_GLYPHS
from badge.artwork.svg import draw, size
from badge.artwork.text_width import VERDANA_11
from badge.model import BIDI_CONTROLS, Badge, Bar, Style, Theme
from tests.golden.pictures import PICTURES

GOLDEN = Path(__file__).parents[2] / "golden"
SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {
    "svg": {"width", "height", "role", "aria-label", "lang"},
    "title": set(),
    "style": set(),
    "filter": {"id"},
    "feGaussianBlur": {"stdDeviation"},
    "linearGradient": {"id", "x2", "y2"},
    "stop": {"offset", "stop-color", "stop-opacity"},
    "clipPath": {"id"},
    "rect": {"x", "y", "width", "height", "rx", "fill", "stroke", "class"},
    "g": {
        "clip-path",
        "fill",
        "text-anchor",
        "font-family",
        "text-rendering",
        "font-size",
        "font-weight",
        "transform",
        "aria-hidden",
        "shape-rendering",
        "stroke",
        "class",
    },
    "text": {
        "class",
        "direction",
        "lengthAdjust",
        "x",
        "y",
        "fill",
        "fill-opacity",
        "filter",
        "textLength",
        "transform",
        "font-weight",
        "aria-hidden",
    },
    "path": {"d", "fill", "transform", "class"},
}


def picture(label: str, message: str) -> Element:
    root: Element = ElementTree.fromstring(draw(Badge(label=label, message=message, colour="#2b7a2b")))
    return root


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_matches_the_reference(name: str) -> None:
    assert draw(PICTURES[name]) == (GOLDEN / f"{name}.svg").read_bytes()


def test_no_reference_is_unused() -> None:
    assert {file.stem for file in GOLDEN.glob("*.svg")} == set(PICTURES)


# Widths of the two boxes, centres of label and message: from npm badge-maker 6.0.0 for the same words.
SHIELDS = [
    ("backup", "succeeded", 49, 67, [255, 815]),
    ("backup", "failed", 49, 39, [255, 675]),
    ("backup", "in progress", 49, 71, [255, 835]),
    ("backup", "scheduled", 49, 65, [255, 805]),
    ("backup", "deleted", 49, 51, [255, 735]),
    ("backup", "unknown", 49, 61, [255, 785]),
    ("", "succeeded", 0, 67, [335]),
]


@pytest.mark.parametrize(("label", "message", "left", "right", "centres"), SHIELDS)
def test_the_geometry_is_that_of_shields(label: str, message: str, left: int, right: int, centres: list[int]) -> None:
    root = picture(label, message)
    boxes = [int(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect")]
    assert boxes == [left + right, left, right, left + right]
    texts = [text for text in root.iter(f"{SVG}text") if text.attrib["y"] == "140"]
    assert [int(text.attrib["x"]) for text in texts] == centres
    assert int(texts[-1].attrib["textLength"]) == 10 * (right - 10)


def test_a_picture_follows_the_reader_s_setting_unless_the_url_sets_a_theme() -> None:
    auto, light, dark = (
        draw(Badge(label="backup", message="failed", colour="#b3201f", theme=theme)) for theme in Theme
    )
    assert b'fill="#555555" class="l"' in auto
    assert b"<style>@media(prefers-color-scheme:dark){.l{fill:#444c56}}</style>" in auto
    assert b"<style>" not in light + dark
    assert (light.count(b"#555555"), light.count(b"#444c56")) == (1, 0)
    assert (dark.count(b"#555555"), dark.count(b"#444c56")) == (0, 1)


@pytest.mark.parametrize("style", Style)
def test_text_has_the_direction_of_its_first_letter(style: Style) -> None:
    badge = Badge(label="(3) גיבוי", message="נכשל x", colour="#b3201f", style=style, language="he")
    root = ElementTree.fromstring(draw(badge))
    assert root.attrib["lang"] == "he"
    assert {text.attrib["direction"] for text in root.iter(f"{SVG}text")} == {"rtl"}
    latin = ElementTree.fromstring(draw(Badge(label="backup", message="x נכשל", colour="#b3201f", style=style)))
    assert not any("direction" in text.attrib for text in latin.iter(f"{SVG}text"))


def test_a_screen_reader_reads_what_the_bars_show() -> None:
    root = ElementTree.fromstring(draw(PICTURES["history-flat"]))
    assert root.attrib["aria-label"] == "backup: succeeded (last runs: 7 succeeded, 3 failed)"
    assert root.findtext(f"{SVG}title") == root.attrib["aria-label"]


def test_a_screen_reader_reads_one_sentence() -> None:
    root = picture("backup", "in progress")
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "backup: in progress"
    assert root.findtext(f"{SVG}title") == "backup: in progress"


FULL = Bar(is_full=True, on_light="#010101", on_dark="#020202")
STUB = Bar(is_full=False, on_light="#030303", on_dark="#040404")


@pytest.mark.parametrize("style", Style)
@given(st.lists(st.sampled_from([FULL, STUB]), max_size=12))
def test_each_bar_is_drawn_in_order_and_a_stub_is_shorter(style: Style, bars: list[Bar]) -> None:
    plain = Badge(label="backup", message="failed", colour="#b3201f", style=style)
    charted = replace(plain, bars=tuple(bars))
    found = re.findall(r"M(\S+) \d+h3v(\d+)h-3z", draw(charted).decode())
    heights = {float(left): int(height) for left, height in found}
    assert [heights[left] for left in sorted(heights)] == [12 if bar.is_full else 4 for bar in bars]
    (narrow, height), (wide, same_height) = size(plain), size(charted)
    assert same_height == height
    # The chart has a box of its own, except in the social style, where it is in the message's.
    assert all(narrow - 6 < left <= wide - 6 for left in heights)
    assert (wide > narrow) is bool(bars)


@given(
    st.text(st.characters(), max_size=64),
    st.text(st.characters(), min_size=1, max_size=40),
    st.sampled_from(Style),
    st.none() | st.sampled_from(sorted(LOGOS)),
    st.none() | st.sampled_from(sorted(STATUS_GLYPHS)),
    st.sampled_from(Theme),
)
def test_any_text_is_drawn_with_harmless_markup(
    label: str, message: str, style: Style, logo: str | None, icon: str | None, theme: Theme
) -> None:
    drawn = draw(Badge(label=label, message=message, colour="#2b7a2b", style=style, theme=theme, logo=logo, icon=icon))
    for element in ElementTree.fromstring(drawn).iter():
        name = element.tag.removeprefix(SVG)
        assert set(element.attrib) <= ALLOWED[name]
        for attribute in set(element.attrib) - {"aria-label"}:
            value = element.attrib[attribute]
            assert "url(" not in value or value in ("url(#a)", "url(#b)", "url(#r)", "url(#s)")


@given(st.text(st.characters()))
def test_only_unprintable_characters_are_dropped(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert not set(shown) & BIDI_CONTROLS
    assert shown == shown.strip()


def test_lone_surrogates_and_control_characters_are_stripped() -> None:
    assert printable("a\ud800b\x00c\x85d\ufffee\u202ef\ng") == "abcdef g"


# Measured with Verdana 11 px, in hundredths of a pixel.
WIDTHS = [
    ("backup", 3951),
    ("succeeded", 5750),
    ("failed", 2992),
    ("in progress", 6162),
    ("3h ago", 3796),
    (" ", 387),
    ("m", 1070),
]


@pytest.mark.parametrize(("text", "hundredths"), WIDTHS)
def test_widths_match_verdana(text: str, hundredths: int) -> None:
    assert abs(VERDANA_11.width(text) - hundredths) <= len(text)


def test_characters_that_verdana_lacks_get_a_plausible_width() -> None:
    assert VERDANA_11.width("备份") == 2200
    assert VERDANA_11.width("e\u0301") == VERDANA_11.width("e")
    assert VERDANA_11.width("📦") == 1496
    assert 500 <= VERDANA_11.width("\u0e01") <= 900


@given(st.text(max_size=30), st.text(max_size=30))
def test_text_is_as_wide_as_its_parts_together(one: str, other: str) -> None:
    assert VERDANA_11.width(one + other) == VERDANA_11.width(one) + VERDANA_11.width(other)
