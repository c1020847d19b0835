"""PNGs have the requested size and stable bytes; predrawn ones replace them if none can be drawn."""

import io
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from badge.artwork import cairo_text, png
from badge.artwork.svg import draw as draw_svg
from badge.model import BackupStatus, Badge, Style
from badge.web.badges.pictures import Pictures
from tests.golden.pictures import PICTURES, PREDRAWN
from tests.servers import needs

GOLDEN = Path(__file__).parents[2] / "golden"
BADGE = Badge(label="backup", message="succeeded", colour="#2b7a2b")


@pytest.fixture
def cairo() -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)


@pytest.mark.usefixtures("cairo")
@pytest.mark.parametrize("scale", png.SCALES)
def test_the_scale_is_the_number_of_pixels_per_unit(scale: int) -> None:
    with Image.open(io.BytesIO(png.draw(BADGE, scale))) as picture:
        assert (picture.format, picture.size) == ("PNG", (116 * scale, 20 * scale))


@pytest.mark.usefixtures("cairo")
def test_a_png_is_small_and_always_the_same() -> None:
    first = png.draw(BADGE)
    assert png.draw(BADGE) == first
    assert len(first) < 6_000


def test_every_status_has_a_predrawn_picture() -> None:
    for name in [*BackupStatus, "overdue"]:
        assert png.predrawn(name).startswith(b"\x89PNG")


@pytest.mark.usefixtures("cairo")
@pytest.mark.parametrize("name", PICTURES)
def test_the_png_matches_the_reference(name: str) -> None:
    with Image.open(GOLDEN / f"{name}.png") as kept, Image.open(io.BytesIO(png.draw(PICTURES[name]))) as now:
        assert kept.size == now.size
        difference = ImageStat.Stat(ImageChops.difference(kept.convert("RGBA"), now.convert("RGBA"))).mean
    # FreeType versions smooth a little differently; a missing or moved letter makes ten times as much difference.
    assert max(difference) < 1.0


@pytest.mark.usefixtures("cairo")
@pytest.mark.parametrize("name", PREDRAWN)
def test_the_predrawn_pictures_are_up_to_date(name: str) -> None:
    with Image.open(io.BytesIO(png.predrawn(name))) as kept, Image.open(io.BytesIO(png.draw(PREDRAWN[name]))) as now:
        assert kept.size == now.size


@pytest.mark.parametrize("style", Style)
def test_features_that_cairosvg_lacks_are_removed(style: Style) -> None:
    badge = Badge(label='a<&">b', message="überfällig", colour="#2b7a2b", style=style)
    given = png.for_cairo(draw_svg(badge).decode()).decode()
    assert not any(word in given for word in ("textLength", "filter", "geometricPrecision", "Verdana"))
    assert "&lt;&amp;" in given


@pytest.mark.usefixtures("cairo")
@settings(max_examples=200)
@given(st.text(st.characters(), max_size=24) | st.text("אבגمحخ12()-·備🧿\u0301\u0378", max_size=24))
def test_any_text_can_be_drawn(label: str) -> None:
    assert png.draw(Badge(label=label, message="failed", colour="#b3201f"), 1).startswith(b"\x89PNG")


@pytest.mark.usefixtures("cairo")
@pytest.mark.parametrize(
    ("shown", "drawn"),
    [
        ("גיבוי (3)", "(3) יוביג"),
        ("backup גיב x", "backup ביג x"),
        ("سلام", "ﻡﻼﺳ"),
        ("\u0378א", "א\ufffd"),
    ],
)
def test_right_to_left_text_is_shaped_mirrored_and_reordered(shown: str, drawn: str) -> None:
    assert cairo_text.visual_order(shown) == drawn


@pytest.mark.usefixtures("cairo")
def test_each_letter_is_drawn_in_a_font_that_has_it() -> None:
    fonts = [(run.font, run.letters) for run in cairo_text.runs("a 备b📦", is_bold=False)]
    sans, cjk, symbols = cairo_text.FONTS
    assert fonts == [(sans, "a\u00a0"), (cjk, "备"), (sans, "b"), (symbols, "📦")]


@pytest.mark.usefixtures("cairo")
def test_a_caller_without_time_left_does_not_wait_for_another_thread() -> None:
    pictures = Pictures()
    with png._drawing:  # as if another thread were drawing
        began = time.monotonic()
        with pytest.raises(png.PngUnavailable, match="other threads"):
            pictures.png(BADGE, 1, is_shared=False, patience=0)
        assert time.monotonic() - began < png.PATIENCE_SECONDS / 2
    first = pictures.png(BADGE, 1, is_shared=False, patience=0)
    assert pictures.png(BADGE, 1, is_shared=False, patience=0.5) is first
