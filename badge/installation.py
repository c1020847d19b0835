"""Where the package is installed, in a checkout of the project or elsewhere, and which paths follow from that.

Standard library only, because the health check imports it twice a minute.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

NAME = "backup-status-badge"


def checkout_around(package: Path) -> Path | None:
    """Return the project's folder if a package is in a checkout; None if it was installed from a wheel."""
    folder = package.parent
    return folder if (folder / "config" / "gunicorn.conf.py").is_file() else None


CHECKOUT = checkout_around(Path(__file__).resolve().parent)


NO_HOME = Path("/nonexistent")


def home_folder(home: Callable[[], Path] = Path.home) -> Path:
    """Return $HOME if this user owns it, else the user's home folder according to passwd.

    `su -m` and `setpriv` pass on root's $HOME. Containers may have neither folder; then the returned one doesn't exist.
    """
    with contextlib.suppress(OSError, RuntimeError):  # the folder does not exist, or $HOME is not set
        found = home()
        if found.stat().st_uid == os.geteuid():
            return found
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return NO_HOME


def data_folder(checkout: Path | None, home: Path) -> Path:
    """Return the default of `BADGE_DATA_DIR`."""
    return home / ".local" / "state" / NAME if checkout is None else checkout / "var"


def settings_places(checkout: Path | None, home: Path) -> tuple[Path, Path]:
    """Return where to look for the settings file if `BADGE_SETTINGS_FILE` is not set. Never the working directory."""
    own = home / ".config" / NAME if checkout is None else checkout
    return own / "badge.env", Path("/etc") / NAME / "badge.env"


def from_systemd(environment: Mapping[str, str], checkout: Path | None) -> Mapping[str, str]:
    """Return the settings given by a systemd unit: the data folder is the first of `StateDirectory=`."""
    folder = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return {"BADGE_DATA_DIR": folder} if folder and checkout is None else {}


def install_command(extra: str, checkout: Path | None = CHECKOUT, *, has_pip: bool | None = None) -> str:
    """Return the command that installs the packages of an extra into this installation."""
    if checkout is None:
        # The container image and virtual environments made by uv have no pip of their own.
        has_pip = find_spec("pip") is not None if has_pip is None else has_pip
        pip = [sys.executable, "-m", "pip"] if has_pip else ["pip", "--python", sys.executable]
        return shlex.join([*pip, "install", f"{NAME}[{extra}]"])
    # Into the service's own virtual environment, because Debian's Python refuses to install packages. The lock files
    # list every dependency, hence --no-deps.
    return f".venv/bin/pip install --no-deps --require-hashes -r requirements-{extra}.txt"
