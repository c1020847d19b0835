"""The PNG check in a separate process: its result is right, and visible to forked children."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from badge.artwork import png
from badge.artwork.png_check import PngCheck
from tests.servers import eventually, needs

CHECK = [sys.executable, "-m", "badge.artwork.png_check"]


def test_there_is_no_fault_if_pngs_can_be_drawn() -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    with closing(PngCheck()) as check:
        assert check.is_fine
        check.start()
        assert check._process is not None
        check._process.wait(30)
        assert os.pread(check._result.fileno(), 80, 0) == b"fine"
        assert check.is_fine


def test_missing_fonts_are_a_fault(tmp_path: Path) -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    (tmp_path / "fonts.conf").write_text("<fontconfig><dir>/nowhere</dir></fontconfig>")
    without_fonts = {**os.environ, "FONTCONFIG_FILE": str(tmp_path / "fonts.conf"), "XDG_CACHE_HOME": str(tmp_path)}
    found = subprocess.run(CHECK, env=without_fonts, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "the font DejaVu Sans is missing (Debian: fonts-dejavu-core)"
    assert found.stdout in found.stderr


def test_a_fault_is_visible_to_children_forked_before_it_was_found() -> None:
    with closing(PngCheck()) as check:
        child = os.fork()
        if child == 0:
            os._exit(0 if eventually(lambda: not check.is_fine, 10) else 1)
        os.write(check._result.fileno(), b"no cairo")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
