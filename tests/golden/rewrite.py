"""`make golden`: draws the reference pictures anew. Look at them before they are committed."""

from pathlib import Path

from badge.artwork.svg import draw
from tests.golden.pictures import PICTURES

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    for name, badge in PICTURES.items():
        (FOLDER / f"{name}.svg").write_bytes(draw(badge))
        print(f"tests/golden/{name}.svg")  # noqa: T201 - progress of a command
