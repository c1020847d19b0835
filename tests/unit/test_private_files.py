"""Who may open and lock the files in the data folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from badge.private_files import is_open_to_others, open_private


def mode_after_opening(path: Path) -> int:
    os.close(open_private(path))
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert mode_after_opening(tmp_path / "new") == 0o600
    finally:
        os.umask(before)


def test_a_file_that_others_could_open_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("")
    (tmp_path / "old").chmod(0o666)
    assert mode_after_opening(tmp_path / "old") == 0o600


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        open_private(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change a file's owner")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "planted").touch()
    os.chown(tmp_path / "planted", 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        open_private(tmp_path / "planted")
    os.close(open_private(tmp_path / "planted", is_lock=True))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change a file's owner")
def test_what_root_creates_belongs_to_the_folder_s_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    os.close(open_private(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_uid == 12345
    assert mode_after_opening(tmp_path / "new") == 0o600


@pytest.mark.parametrize(("mode", "is_open"), [(0o700, False), (0o750, True), (0o705, True), (0o1777, True)])
def test_a_folder_that_others_may_look_into_is_noticed(tmp_path: Path, mode: int, is_open: bool) -> None:  # noqa: FBT001 - a parameter
    tmp_path.chmod(mode)
    assert is_open_to_others(tmp_path) is is_open
