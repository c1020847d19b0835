"""The check for PNGs in a process of its own: fine where cairo is, a fault in words where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from badge.artwork import png
from badge.artwork.png_check import PngCheck
from tests.servers import needs

CHECK = [sys.executable, "-m", "badge.artwork.png_check"]


def test_where_pngs_can_be_drawn_nothing_is_said() -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    heard: list[str] = []
    check = PngCheck()
    check.start(heard.append).join(30)
    assert (check.is_fine, heard) == (True, [])


def test_without_fonts_the_stick_figures_are_found_out(tmp_path: Path) -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    (tmp_path / "fonts.conf").write_text("<fontconfig><dir>/nowhere</dir></fontconfig>")
    without_fonts = {**os.environ, "FONTCONFIG_FILE": str(tmp_path / "fonts.conf"), "XDG_CACHE_HOME": str(tmp_path)}
    found = subprocess.run(CHECK, env=without_fonts, capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout == "the font DejaVu Sans is missing (fonts-dejavu-core)"


def test_a_fault_is_told_and_shared_with_children() -> None:
    heard: list[str] = []
    check = PngCheck()
    child = os.fork()
    if child == 0:
        check._say(lambda _: None, "no cairo")
        os._exit(0)
    os.waitpid(child, 0)
    assert not check.is_fine
    check._say(heard.append, "no cairo")
    assert heard == ["PNGs are the ready-made ones, without labels and styles: no cairo"]
