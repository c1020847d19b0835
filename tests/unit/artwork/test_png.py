"""PNGs: of the size asked for, the same bytes always, and ready-made ones for where none can be drawn."""

import io

import pytest
from PIL import Image

from badge.artwork import png
from badge.artwork.svg import draw as draw_svg
from badge.model import BackupStatus, Badge, Style
from tests.golden.pictures import PREDRAWN
from tests.servers import needs

BADGE = Badge(label="backup", message="succeeded", colour="#2b7a2b")


@pytest.fixture
def cairo() -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)


@pytest.mark.usefixtures("cairo")
@pytest.mark.parametrize("scale", png.SCALES)
def test_a_png_has_so_many_pixels_a_unit(scale: int) -> None:
    with Image.open(io.BytesIO(png.draw(BADGE, scale))) as picture:
        assert (picture.format, picture.size) == ("PNG", (116 * scale, 20 * scale))


@pytest.mark.usefixtures("cairo")
def test_a_png_is_small_and_always_the_same() -> None:
    first = png.draw(BADGE)
    png._draw.cache_clear()
    assert png.draw(BADGE) == first
    assert len(first) < 6_000


def test_every_status_has_a_picture_drawn_beforehand() -> None:
    for name in [*BackupStatus, "overdue"]:
        assert png.predrawn(name).startswith(b"\x89PNG")


@pytest.mark.usefixtures("cairo")
@pytest.mark.parametrize("name", PREDRAWN)
def test_what_was_drawn_beforehand_is_what_would_be_drawn(name: str) -> None:
    with Image.open(io.BytesIO(png.predrawn(name))) as kept, Image.open(io.BytesIO(png.draw(PREDRAWN[name]))) as now:
        assert kept.size == now.size


@pytest.mark.parametrize("style", Style)
def test_what_cairo_can_not_do_is_taken_out(style: Style) -> None:
    badge = Badge(label='a<&">b', message="überfällig", colour="#2b7a2b", style=style)
    given = png.for_cairo(draw_svg(badge).decode()).decode()
    assert not any(word in given for word in ("textLength", "filter", "geometricPrecision", "Verdana"))
    assert "&lt;&amp;" in given
