"""npm packages, called through Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.servers import BIN, needs

FOLDER = Path(__file__).parent


def node(script: str, given: object) -> list[Any]:
    """Run one of the scripts in this folder with this input, as JSON; returns its answers."""
    needs("tests/parsers/node_modules", is_there=(FOLDER / "node_modules").is_dir())
    done = subprocess.run(
        [BIN / "node", script], cwd=FOLDER, input=json.dumps(given), capture_output=True, text=True, check=True
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers
