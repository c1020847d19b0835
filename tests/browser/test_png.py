"""PNGs drawn by cairo compared with Chromium's rendering of the SVG: same size, nearly the same pixels."""

from __future__ import annotations

import contextlib
import io
from math import ceil
from urllib.parse import quote

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, Error, Page

from badge.artwork import png, svg
from badge.language import Language
from badge.model import Badge, Style, Theme
from tests.golden.pictures import in_language, with_history
from tests.servers import needs

# Mean difference per channel, out of 255: rasterisers differ, and cairo does not blur shadows.
MOST_DIFFERENCE = 15.0
LOOKS = [Badge(label="backup", message="succeeded", colour="#2b7a2b", style=style) for style in Style]
LOOKS += [
    Badge(label="Nightly backup of everything", message="failed · as of 3h ago", colour="#b3201f"),
    Badge(label="backup", message="failed", colour="#b3201f", style=Style.FLAT_SQUARE, icon="failed", logo="shield"),
    in_language(Language.JAPANESE),
    in_language(Language.ARABIC),
    in_language(Language.ARABIC, Style.FOR_THE_BADGE),
    Badge(label="גיבוי (3)", message="failed", colour="#b3201f", theme=Theme.DARK),
    *(with_history(style) for style in Style),
    Badge(label="", message="overdue 2d", colour="#9a5200", icon="overdue"),
]


@pytest.fixture(autouse=True)
def _cairo() -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)


def in_chromium(browser: Browser, badge: Badge, scale: int, size: tuple[int, int]) -> Image.Image:
    context = browser.new_context(
        viewport={"width": ceil(size[0] / scale), "height": size[1] // scale}, device_scale_factor=scale
    )
    page = context.new_page()
    image = f"data:image/svg+xml,{quote(svg.draw(badge))}"
    page.set_content(f'<body style="margin:0"><img style="display:block" src="{image}">')
    shot = screenshot(page)
    context.close()
    # Widths in for-the-badge are multiples of a quarter pixel.
    return Image.open(io.BytesIO(shot)).convert("RGB").crop((0, 0, *size))


def screenshot(page: Page) -> bytes:
    """Return a screenshot; under load, Chromium sometimes has no frame yet ("Unable to capture screenshot")."""
    for _ in range(9):
        with contextlib.suppress(Error):
            return page.screenshot()
    return page.screenshot()


def on_white(drawn: bytes) -> Image.Image:
    with Image.open(io.BytesIO(drawn)) as picture:
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.convert("RGBA"))
    return ground


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("badge", LOOKS, ids=lambda badge: f"{badge.style}-{badge.label[:7]}-{badge.message[:7]}")
def test_cairo_and_chromium_draw_the_same_badge(browser: Browser, badge: Badge, scale: int) -> None:
    ours = on_white(png.draw(badge, scale))
    theirs = in_chromium(browser, badge, scale, ours.size)
    assert ours.size == theirs.size
    if scale > 1:  # at 1x text is little more than edges
        assert difference(ours, theirs) < MOST_DIFFERENCE
        shifted = ImageChops.offset(ours, 2 * scale, 0)
        assert difference(ours, theirs) < 0.8 * difference(shifted, theirs)
