"""What npm's packages say, asked through Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.servers import BIN, needs

FOLDER = Path(__file__).parent


def node(script: str, asked: object) -> list[Any]:
    """What one of the scripts in this folder answers."""
    needs("What tests/parsers/package.json names", is_there=(FOLDER / "node_modules").is_dir())
    done = subprocess.run(
        [BIN / "node", script], cwd=FOLDER, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers
