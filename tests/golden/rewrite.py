"""`make golden`: redraws the reference pictures. Look at them before you commit them."""

from pathlib import Path

from badge.artwork import png
from badge.artwork.svg import draw
from tests.golden.pictures import PICTURES, PREDRAWN

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    for old in [*FOLDER.glob("*.svg"), *FOLDER.glob("*.png")]:
        old.unlink()
    for name, badge in PREDRAWN.items():
        (png.PREDRAWN / f"{name}.png").write_bytes(png.draw(badge))
        print(f"badge/artwork/predrawn/{name}.png")  # noqa: T201 - as below
    for name, badge in PICTURES.items():
        (FOLDER / f"{name}.svg").write_bytes(draw(badge))
        (FOLDER / f"{name}.png").write_bytes(png.draw(badge))
        print(f"tests/golden/{name}.svg tests/golden/{name}.png")  # noqa: T201 - progress of a command
